//! Routes: which requests, which models, in which order, within which limits.

use super::Resolver;
use crate::policy::defaults;
use crate::policy::mask::shown;
use crate::policy::read;
use crate::policy::snapshot::{ModelId, OnDisconnect, Pattern, Pick, Route, Terms};
use crate::policy::source::{Place, Word};
use std::sync::Arc;

const LATER_PICKS: [&str; 5] = ["fastest", "weighted", "value", "quality", "random"];
const MOST_ATTEMPTS: u8 = 3;
/// Names that ask for one model of the policy begin so.
const RESERVED: &str = "planb/";

impl Resolver<'_, '_> {
    pub fn routes(&mut self, written: &[read::Route]) -> Vec<Route> {
        let mut named: Vec<&Word> = Vec::new();
        let mut routes = Vec::with_capacity(written.len());
        for route in written {
            let name = self.required(route.name.as_ref(), route.place, "name", "a route");
            if let Some(name) = name {
                self.check_route_name(name);
                self.check_unique(name, &mut named, "route");
            }
            routes.push(self.route(route));
        }
        routes
    }

    fn route(&mut self, written: &read::Route) -> Route {
        let on_disconnect = [("cancel", OnDisconnect::Cancel), ("finish", OnDisconnect::Finish)];
        let attempts = self.number(written.attempts.as_ref(), "number of attempts", 1, MOST_ATTEMPTS);
        Route {
            name: super::text_of(written.name.as_ref()),
            matches: self.patterns(written.models.as_deref().unwrap_or_default()),
            candidates: self.candidates(written),
            terms: Terms {
                pick: self.pick(written.pick.as_ref()).unwrap_or(defaults::PICK),
                need_quality: self.number(written.quality.as_ref(), "quality", 0, 100),
                max_cost: self.money(written.cost.as_ref()),
                attempts: attempts.unwrap_or(defaults::ATTEMPTS),
                max_output: self.size(written.output.as_ref()),
            },
            timeouts: self.timeouts(&written.timeouts),
            on_disconnect: written
                .on_disconnect
                .as_ref()
                .and_then(|word| self.choose(word, "on_disconnect", &on_disconnect, &[]))
                .unwrap_or(defaults::ON_DISCONNECT),
        }
    }

    pub fn pick(&mut self, word: Option<&Word>) -> Option<Pick> {
        let known = [Pick::InOrder, Pick::Cheapest].map(|pick| (pick.word(), pick));
        word.and_then(|word| self.choose(word, "pick", &known, &LATER_PICKS))
    }

    fn candidates(&mut self, written: &read::Route) -> Vec<ModelId> {
        let Some(words) = &written.candidates else {
            self.missing_candidates(written.place);
            return Vec::new();
        };
        if words.is_empty() {
            self.missing_candidates(written.place);
        }
        let models = self.names.models.clone();
        let mut found: Vec<ModelId> = Vec::new();
        for word in words {
            let Some(model) = self.lookup(word, "model", &models).map(ModelId) else {
                continue;
            };
            if found.contains(&model) {
                let message = format!("`{}` is tried twice", shown(&word.text));
                self.report.error(word.place, "duplicate-name", message);
                continue;
            }
            found.push(model);
        }
        found
    }

    fn missing_candidates(&mut self, place: Place) {
        self.report
            .error(place, "missing-key", "a route needs `try`, with at least one model")
            .help("write `try: [MODEL, …]`, the preferred one first");
    }

    fn patterns(&mut self, words: &[Word]) -> Vec<Pattern> {
        let mut patterns = Vec::new();
        for word in words.iter().filter(|word| !word.broken) {
            let text = word.text.as_ref();
            let plain = text.chars().all(|c| c.is_ascii_graphic());
            if text.is_empty() || text.len() > 128 || !plain || text.starts_with(RESERVED) {
                let message = format!("`{}` matches no model's name", shown(text));
                self.report
                    .error(word.place, "bad-value", message)
                    .help("write a name such as `gpt-5`, or a pattern such as `\"gpt-*\"`");
                continue;
            }
            patterns.push(Pattern(Arc::clone(&word.text)));
        }
        patterns
    }

    fn check_route_name(&mut self, name: &Word) {
        self.check_name(name, "route");
        if name.text.starts_with(RESERVED) {
            let message = format!("names that begin with `{RESERVED}` are taken");
            self.report.error(name.place, "bad-name", message);
        }
    }

    /// Names in lists are unique, too.
    pub fn check_unique<'w>(&mut self, name: &'w Word, named: &mut Vec<&'w Word>, kind: &str) {
        if let Some(first) = named.iter().find(|known| known.text == name.text) {
            let message = format!("two {kind}s are called `{}`", shown(&name.text));
            self.report
                .error(name.place, "duplicate-name", message)
                .related(first.place, "the first one is here");
            return;
        }
        named.push(name);
    }
}
