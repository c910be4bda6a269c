//! What a test expects, its names checked against the policy.

use super::{Reader, words};
use crate::money::Money;
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use crate::policy::read::fields::Fields;
use crate::policy::source::{Node, Word};
use std::sync::Arc;

/// What must be there, or that nothing may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted<T> {
    None,
    Some(T),
}

/// `None` asks for nothing.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    pub model: Option<Wanted<Arc<str>>>,
    pub order: Option<Vec<Arc<str>>>,
    pub plans: Option<Vec<Arc<str>>>,
    /// By model: the reason's word, or that it is a candidate.
    pub reasons: Vec<(Arc<str>, Wanted<Arc<str>>)>,
    pub route: Option<Arc<str>>,
    /// Whether, and with which status where one is given.
    pub refused: Option<(bool, Option<u16>)>,
    pub message: Option<Arc<str>>,
    pub cost_at_most: Option<Money>,
    pub cost_at_least: Option<Money>,
    pub degraded: Option<bool>,
    pub output_cap: Option<Wanted<u64>>,
    /// Fields that do not go to the first model.
    pub dropped: Option<Vec<Arc<str>>>,
    /// With which the first model may be asked.
    pub keys: Option<Vec<Arc<str>>>,
    pub conversation: Option<Arc<str>>,
    pub headers: Vec<(Arc<str>, Wanted<Arc<str>>)>,
    pub snapshot: bool,
}

impl Reader<'_, '_> {
    /// Without a request only plans can be expected.
    pub fn expected(&mut self, node: Option<&Node>, asks: bool) -> Expect {
        let Some(node) = node else { return Expect::default() };
        let fields = Fields::open(node, &words::EXPECT, self.report);
        if !asks
            && words::EXPECT
                .names()
                .any(|name| name != "plans" && fields.node(name).is_some())
        {
            let found = self.report.error(
                fields.place,
                "missing-key",
                "nothing is asked, so only `plans` can be expected",
            );
            found.help("give the test a `request`");
        }
        let policy = self.policy;
        let models = policy.models.iter().map(|model| model.name.as_ref());
        let routes = policy.routes.iter().map(|route| route.name.as_ref());
        let plans = policy.plans.iter().map(|plan| plan.name.as_ref());
        let model = self.own(&fields, "model");
        Expect {
            model: model.and_then(|word| self.wanted(&word, |reader| reader.known(&word, "model", models.clone()))),
            order: self.names(&fields, "order", "model", models.clone()),
            plans: self.names(&fields, "plans", "plan", plans),
            reasons: self.reasons(&fields, models),
            route: self
                .own(&fields, "route")
                .filter(|word| self.known(word, "route", routes))
                .map(|word| word.text),
            refused: self.own(&fields, "refused").and_then(|word| self.refused(&word)),
            message: self.own(&fields, "message").map(|word| word.text),
            cost_at_most: self.own(&fields, "cost_at_most").and_then(|word| self.amount(&word)),
            cost_at_least: self.own(&fields, "cost_at_least").and_then(|word| self.amount(&word)),
            degraded: self.own(&fields, "degraded").and_then(|word| self.truth(&word)),
            output_cap: self.own(&fields, "output_cap").and_then(|word| self.cap(&word)),
            dropped: self.texts_of(&fields, "dropped"),
            keys: self.texts_of(&fields, "keys"),
            conversation: self.own(&fields, "conversation").and_then(|word| self.stay(&word)),
            headers: self.answer_headers(&fields),
            snapshot: self
                .own(&fields, "snapshot")
                .and_then(|word| self.truth(&word))
                .unwrap_or(false),
        }
    }

    fn wanted(&mut self, word: &Word, known: impl FnOnce(&mut Self) -> bool) -> Option<Wanted<Arc<str>>> {
        if word.text.as_ref() == "none" {
            return Some(Wanted::None);
        }
        known(self).then(|| Wanted::Some(word.text.clone()))
    }

    fn names<'k>(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        kind: &str,
        known: impl Iterator<Item = &'k str> + Clone,
    ) -> Option<Vec<Arc<str>>> {
        let words = fields.words(key, self.report)?;
        let sound = words
            .into_iter()
            .filter(|word| !word.broken && self.known(word, kind, known.clone()));
        Some(sound.map(|word| word.text).collect())
    }

    fn reasons<'k>(
        &mut self,
        fields: &Fields<'_>,
        models: impl Iterator<Item = &'k str> + Clone,
    ) -> Vec<(Arc<str>, Wanted<Arc<str>>)> {
        let mut reasons = Vec::new();
        for (model, node) in fields.pairs("reasons", self.report) {
            let known = self.known(model, "model", models.clone());
            let Some(word) = self.scalar(node, "a reason").filter(|_| known) else {
                continue;
            };
            let text = word.text.as_ref();
            if text == "candidate" {
                reasons.push((model.text.clone(), Wanted::None));
            } else if self.reasons.is_empty() || self.reasons.contains(&text) {
                reasons.push((model.text.clone(), Wanted::Some(word.text.clone())));
            } else {
                let all = self.reasons.iter().copied().chain(["candidate"]);
                let help = suggestion(text, all.clone())
                    .or_else(|| Some(format!("reasons are {}", all.collect::<Vec<_>>().join(", "))));
                let message = format!("`{}` is no reason of an exclusion", shown(text));
                self.report.error(word.place, "unknown-word", message).maybe_help(help);
            }
        }
        reasons
    }

    fn refused(&mut self, word: &Word) -> Option<(bool, Option<u16>)> {
        match word.text.as_ref() {
            "true" => Some((true, None)),
            "false" => Some((false, None)),
            _ => {
                let status = self.whole(word, "status of a refusal", 400, 599)?;
                Some((true, u16::try_from(status).ok()))
            }
        }
    }

    fn texts_of(&mut self, fields: &Fields<'_>, key: &str) -> Option<Vec<Arc<str>>> {
        let words = fields.words(key, self.report)?;
        Some(
            words
                .into_iter()
                .filter(|word| !word.broken)
                .map(|word| word.text)
                .collect(),
        )
    }

    fn stay(&mut self, word: &Word) -> Option<Arc<str>> {
        let known = words::STAYS.iter().copied();
        self.known(word, "end of a conversation", known)
            .then(|| word.text.clone())
    }

    fn cap(&mut self, word: &Word) -> Option<Wanted<u64>> {
        if word.text.as_ref() == "none" {
            return Some(Wanted::None);
        }
        self.tokens(word).map(Wanted::Some)
    }

    fn answer_headers(&mut self, fields: &Fields<'_>) -> Vec<(Arc<str>, Wanted<Arc<str>>)> {
        let mut headers = Vec::new();
        for (name, node) in fields.pairs("headers", self.report) {
            let Some(word) = self.scalar(node, "a header") else {
                continue;
            };
            if self.known(name, "header of an answer", super::request::ANSWER_HEADERS.into_iter()) {
                let wanted = match word.text.as_ref() {
                    "none" => Wanted::None,
                    _ => Wanted::Some(word.text.clone()),
                };
                headers.push((name.text.clone(), wanted));
            }
        }
        headers
    }
}
