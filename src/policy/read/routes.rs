//! Routes as written.

use super::fields::{Fields, listed, one_or_more, word};
use super::limits::{Limits, limits as rates};
use super::providers::{Timeouts, timeouts};
use super::shaping::{Shaping, shaping};
use super::words;
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Word};

#[derive(Debug)]
pub(in crate::policy) struct Route {
    pub place: Place,
    pub name: Option<Word>,
    pub matches: Match,
    pub candidates: Option<Vec<Word>>,
    pub pick: Option<Word>,
    pub weights: Vec<(Word, Word)>,
    pub stick: Option<Word>,
    pub need: Need,
    pub cost: Option<Word>,
    pub attempts: Option<Word>,
    pub output: Option<Word>,
    pub cap_output: Option<Word>,
    pub min_output: Option<Word>,
    pub timeouts: Timeouts,
    pub rates: Limits,
    pub shaping: Shaping,
    pub heartbeat: Option<Word>,
    pub on_disconnect: Option<Word>,
    pub expose: Option<Word>,
    pub mirror: Option<Mirror>,
}

#[derive(Debug)]
pub(in crate::policy) struct Mirror {
    pub place: Place,
    pub model: Option<Word>,
    pub share: Option<Word>,
    pub budget: Option<Word>,
}

#[derive(Debug, Default)]
pub(in crate::policy) struct Match {
    pub models: Vec<Word>,
    pub dialects: Vec<Word>,
    pub tags: Vec<(Word, Vec<Word>)>,
    pub clients: Vec<Word>,
    pub headers: Vec<(Word, Vec<Word>)>,
    /// Where `size` stands.
    pub size: Option<Place>,
    pub above: Option<Word>,
    pub up_to: Option<Word>,
    pub tools: Option<Word>,
    pub images: Option<Word>,
    pub uses: Vec<Word>,
}

/// What a route, or a plan's change of one, asks of its models.
#[derive(Debug, Default)]
pub(in crate::policy) struct Need {
    pub quality: Option<Word>,
    pub tools: Option<Word>,
    pub images: Option<Word>,
    pub json_schema: Option<Word>,
    pub context: Option<Word>,
    pub reasoning: Option<Word>,
    pub residence: Option<Vec<Word>>,
    pub labels: Option<Vec<Word>>,
    pub uses: Option<Vec<Word>>,
    pub territories: Option<Vec<Word>>,
    pub speed: Option<Word>,
}

impl Need {
    pub fn says_nothing(&self) -> bool {
        let words = [
            &self.quality,
            &self.tools,
            &self.images,
            &self.json_schema,
            &self.context,
            &self.reasoning,
            &self.speed,
        ];
        let lists = [&self.residence, &self.labels, &self.uses, &self.territories];
        words.iter().all(|word| word.is_none()) && lists.iter().all(|list| list.is_none())
    }
}

pub(super) fn read(node: &Node, report: &mut Report) -> Route {
    let fields = Fields::open(node, &words::ROUTE, report);
    let limits = fields.map("limits", &words::LIMITS, report);
    let limit = |key: &str, report: &mut Report| limits.and_then(|limits| limits.word(key, report));
    Route {
        place: fields.place,
        name: fields.word("name", report),
        matches: matches(fields, report),
        candidates: fields.words("try", report),
        pick: fields.word("pick", report),
        weights: weights(fields, report),
        stick: fields.word("stick", report),
        need: need(fields, report).unwrap_or_default(),
        cost: limit("cost", report),
        attempts: limit("attempts", report),
        output: limit("output", report),
        cap_output: fields.word("cap_output", report),
        min_output: fields.word("min_output", report),
        timeouts: timeouts(fields, report),
        rates: rates(limits, report),
        shaping: shaping(fields, report),
        heartbeat: fields.word("heartbeat", report),
        on_disconnect: fields.word("on_disconnect", report),
        expose: fields.word("expose", report),
        mirror: mirror(fields, report),
    }
}

fn mirror(fields: Fields<'_>, report: &mut Report) -> Option<Mirror> {
    let inner = fields.map("mirror", &words::MIRROR, report)?;
    Some(Mirror {
        place: inner.place,
        model: inner.word("model", report),
        share: inner.word("share", report),
        budget: inner.word("budget", report),
    })
}

/// `need: {quality: …}` of a route, or of a plan's change of one.
pub(super) fn need(fields: Fields<'_>, report: &mut Report) -> Option<Need> {
    let inner = fields.map("need", &words::NEED, report)?;
    Some(Need {
        quality: inner.word("quality", report),
        tools: inner.word("tools", report),
        images: inner.word("images", report),
        json_schema: inner.word("json_schema", report),
        context: inner.word("context", report),
        reasoning: inner.word("reasoning", report),
        residence: inner.words("residence", report),
        labels: inner.words("labels", report),
        uses: inner.node("use").map(|node| listed(node, "use", report)),
        territories: inner.node("territory").map(|node| listed(node, "territory", report)),
        speed: inner.word("speed", report),
    })
}

/// `weights: {MODEL: 50}` of a route, or of a plan's change of one.
pub(super) fn weights(fields: Fields<'_>, report: &mut Report) -> Vec<(Word, Word)> {
    let pairs = fields.pairs("weights", report).into_iter();
    pairs
        .map(|(model, weight)| (model.clone(), word(weight, &model.text, report)))
        .collect()
}

fn matches(fields: Fields<'_>, report: &mut Report) -> Match {
    let Some(inner) = fields.map("match", &words::MATCH, report) else {
        return Match::default();
    };
    let size = inner.map("size", &words::SIZE, report);
    let bound = |key: &str, report: &mut Report| size.and_then(|size| size.word(key, report));
    Match {
        models: inner.words("model", report).unwrap_or_default(),
        dialects: one_or_more(inner, "dialect", report),
        tags: texts(inner, "tag", report),
        clients: one_or_more(inner, "client", report),
        headers: texts(inner, "header", report),
        size: size.map(|size| size.place),
        above: bound("above", report),
        up_to: bound("up_to", report),
        tools: inner.word("tools", report),
        images: inner.word("images", report),
        uses: one_or_more(inner, "use", report),
    }
}

/// A map of names to one text or several.
fn texts(fields: Fields<'_>, key: &str, report: &mut Report) -> Vec<(Word, Vec<Word>)> {
    let pairs = fields.pairs(key, report).into_iter();
    pairs
        .map(|(name, node)| (name.clone(), listed(node, &name.text, report)))
        .collect()
}
