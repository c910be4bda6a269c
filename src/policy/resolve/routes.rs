//! Routes: which models, in which order, within which limits. Which requests is `matching`.

use super::{Referent, Resolver};
use crate::policy::condition::ModelFacts;
use crate::policy::defaults;
use crate::policy::mask::shown;
use crate::policy::read;
use crate::policy::snapshot::{ModelId, Need, OnDisconnect, Pick, Route, Stick, Terms};
use crate::policy::source::{Place, Word};
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Of pacing.
const LATER_PICKS: [&str; 1] = ["value"];
/// Faster is noise; whoever waits longer has given up.
const HEARTBEATS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);
pub(super) const MOST_ATTEMPTS: u8 = 3;
/// Names that ask for one model of the policy begin so.
pub(super) const RESERVED: &str = "planb/";
/// None of these stands in a name, and every condition has one.
const OF_CONDITIONS: [char; 10] = [' ', '=', '<', '>', '!', '&', '|', '(', '"', '\''];

impl Resolver<'_, '_> {
    pub fn routes(&mut self, written: &[read::Route], facts: &[ModelFacts]) -> Vec<Route> {
        let mut named = HashMap::new();
        let mut routes = Vec::with_capacity(written.len());
        for route in written {
            let name = self.required(route.name.as_ref(), route.place, "name", "a route");
            if let Some(name) = name {
                self.check_route_name(name);
                self.check_unique(name, &mut named, "route");
            }
            routes.push(self.route(route, facts));
        }
        routes
    }

    fn route(&mut self, written: &read::Route, facts: &[ModelFacts]) -> Route {
        let on_disconnect = [("cancel", OnDisconnect::Cancel), ("finish", OnDisconnect::Finish)];
        let (limits, money_wait) = self.route_limits(&written.rates);
        Route {
            name: super::text_of(written.name.as_ref()),
            matches: self.matching(&written.matches),
            terms: self.terms(written, facts),
            timeouts: self.timeouts(&written.timeouts),
            limits,
            money_wait,
            shaping: self.shaping(&written.shaping),
            exposes: self.exposes(written.expose.as_ref()),
            mirror: written.mirror.as_ref().and_then(|mirror| self.mirror(mirror)),
            heartbeat: self.heartbeat(written.heartbeat.as_ref()),
            on_disconnect: written
                .on_disconnect
                .as_ref()
                .and_then(|word| self.choose(word, "on_disconnect", &on_disconnect, &[]))
                .unwrap_or(defaults::ON_DISCONNECT),
        }
    }

    fn heartbeat(&mut self, word: Option<&Word>) -> Option<Duration> {
        let every = self.duration(word)?;
        if !HEARTBEATS.contains(&every) {
            let message = "a heartbeat is from `1s` to `10m`";
            self.report.error(word?.place, "bad-value", message);
            return None;
        }
        Some(every)
    }

    fn terms(&mut self, written: &read::Route, facts: &[ModelFacts]) -> Terms {
        let attempts = self.number(written.attempts.as_ref(), "number of attempts", 1, MOST_ATTEMPTS);
        Terms {
            candidates: self.candidates(written, facts).into(),
            pick: self.pick(written.pick.as_ref()).unwrap_or(defaults::PICK),
            weights: self.weights(&written.weights).into(),
            stick: self.stick(written.stick.as_ref()),
            need: self.need(&written.need),
            max_cost: self.money(written.cost.as_ref()),
            attempts: attempts.unwrap_or(defaults::ATTEMPTS),
            max_output: self.size(written.output.as_ref()),
            cap_output: self.truth(written.cap_output.as_ref(), false),
            min_output: self.size(written.min_output.as_ref()),
            thinking_off: false,
        }
    }

    pub fn pick(&mut self, word: Option<&Word>) -> Option<Pick> {
        let known = Pick::ALL.map(|pick| (pick.word(), pick));
        word.and_then(|word| self.choose(word, "pick", &known, &LATER_PICKS))
    }

    pub fn stick(&mut self, word: Option<&Word>) -> Option<Stick> {
        let known = [("conversation", Stick::Conversation), ("none", Stick::None)];
        word.and_then(|word| self.choose(word, "stick", &known, &[]))
    }

    pub fn need(&mut self, written: &read::Need) -> Need {
        let mut wish = |word: &Option<Word>| word.as_ref().map(|word| self.truth(Some(word), false));
        let (tools, images, json_schema) = (wish(&written.tools), wish(&written.images), wish(&written.json_schema));
        let reasoning = wish(&written.reasoning);
        let residence = written.residence.as_ref().map(|words| self.territories(words).into());
        let labels = written
            .labels
            .as_ref()
            .map(|words| words.iter().map(|word| word.text.clone()).collect());
        let uses = written.uses.as_ref().map(|words| self.uses(words).into());
        let territories = written.territories.as_ref().map(|words| self.territories(words).into());
        Need {
            uses,
            territories,
            reasoning,
            residence,
            labels,
            quality: self.number(written.quality.as_ref(), "quality", 0, 100),
            tools,
            images,
            json_schema,
            context: self.size(written.context.as_ref()),
            speed: self.number(written.speed.as_ref(), "number of tokens a second", 1, 1_000_000),
        }
    }

    /// `{MODEL: 50}`: whole numbers, of which only the proportion counts.
    pub fn weights(&mut self, written: &[(Word, Word)]) -> Vec<(ModelId, u32)> {
        let mut weights = Vec::with_capacity(written.len());
        for (name, weight) in written {
            let model = self.lookup(name, Referent::Model).map(ModelId);
            if weight.broken {
                continue;
            }
            let Some(weight) = weight.text.parse().ok().filter(|weight| *weight <= 1_000_000_u32) else {
                let message = format!("`{}` is no weight", shown(&weight.text));
                self.report
                    .error(weight.place, "bad-value", message)
                    .help("write a whole number, such as `50`; only the proportion to the others counts");
                continue;
            };
            weights.extend(model.map(|model| (model, weight)));
        }
        weights
    }

    fn candidates(&mut self, written: &read::Route, facts: &[ModelFacts]) -> Vec<ModelId> {
        let Some(words) = &written.candidates else {
            self.missing_candidates(written.place);
            return Vec::new();
        };
        if words.is_empty() {
            self.missing_candidates(written.place);
        }
        self.tried(words, facts)
    }

    /// Names and selectors, in order. A selector brings its models in the order of the file; those that are there
    /// already stay where they are.
    pub fn tried(&mut self, words: &[Word], facts: &[ModelFacts]) -> Vec<ModelId> {
        let mut named: Vec<ModelId> = Vec::new();
        let mut found: Vec<ModelId> = Vec::new();
        for word in words {
            if word.text.contains(OF_CONDITIONS) && self.index(Referent::Model, word).is_none() {
                let selected = self.selected(word, facts);
                found.extend(
                    selected
                        .into_iter()
                        .filter(|model| !found.contains(model))
                        .collect::<Vec<_>>(),
                );
                continue;
            }
            let Some(model) = self.lookup(word, Referent::Model).map(ModelId) else {
                continue;
            };
            if named.contains(&model) {
                let message = format!("`{}` is tried twice", shown(&word.text));
                self.report
                    .error(word.place, "duplicate-name", message)
                    .help("take one of the two out; `limits.attempts` says how often a request may be sent");
                continue;
            }
            named.push(model);
            if !found.contains(&model) {
                found.push(model);
            }
        }
        found
    }

    fn selected(&mut self, word: &Word, facts: &[ModelFacts]) -> Vec<ModelId> {
        let Some(selector) = self.selector(Some(word)) else {
            return Vec::new();
        };
        let mut selected = Vec::new();
        for (at, facts) in facts.iter().enumerate() {
            match selector.folded(facts) {
                Some(true) => selected.push(ModelId(at)),
                Some(false) => {}
                None => {
                    self.report
                        .error(word.place, "wrong-environment", "models are listed when the policy loads, without a request")
                        .help("a selector in `try` reads `model.*` only; what depends on who asks goes into `match`, or a plan's `only`");
                    return Vec::new();
                }
            }
        }
        if selected.is_empty() {
            self.report
                .warning(word.place, "nothing-left", "no model of this policy is selected here")
                .help("the route goes on with the others that it lists");
        }
        selected
    }

    fn missing_candidates(&mut self, place: Place) {
        self.report
            .error(place, "missing-key", "a route needs `try`, with at least one model")
            .help("write `try: [MODEL, …]`, the preferred one first");
    }

    fn check_route_name(&mut self, name: &Word) {
        self.check_name(name, "route");
        if name.text.starts_with(RESERVED) {
            let message = format!("names that begin with `{RESERVED}` are taken");
            self.report.error(name.place, "bad-name", message);
        }
    }

    /// Names in lists are unique, too.
    pub fn check_unique<'w>(&mut self, name: &'w Word, named: &mut HashMap<&'w str, &'w Word>, kind: &str) {
        let first = *named.entry(&name.text).or_insert(name);
        if !std::ptr::eq(first, name) {
            let message = format!("two {kind}s are called `{}`", shown(&name.text));
            self.report
                .error(name.place, "duplicate-name", message)
                .related(first.place, "the first one is here");
        }
    }
}
