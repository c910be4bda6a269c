//! What plans change of routes: `change: {"*": {…}, ROUTE: {…}}`.

use super::routes::MOST_ATTEMPTS;
use super::{Referent, Resolver};
use crate::policy::condition::ModelFacts;
use crate::policy::read;
use crate::policy::snapshot::{RouteChange, RouteId, Scope};

impl Resolver<'_, '_> {
    /// In the order in which they apply.
    pub fn changes(&mut self, written: &[read::Change], facts: &[ModelFacts]) -> Vec<(Scope, RouteChange)> {
        let mut changes = Vec::with_capacity(written.len());
        for words in written {
            let scope = if words.is_of_all() {
                Some(Scope::All)
            } else {
                let route = self.lookup(&words.route, Referent::Route);
                route.map(|at| Scope::Route(RouteId(at)))
            };
            let change = self.change(words, facts);
            if words.says_nothing() {
                self.report
                    .warning(words.route.place, "no-effect", "this change of a route says nothing")
                    .help("give it `pick`, `try`, `need: {quality: …}`, `limits` or another of a route's terms");
            }
            changes.extend(scope.map(|scope| (scope, change)));
        }
        changes
    }

    fn change(&mut self, written: &read::Change, facts: &[ModelFacts]) -> RouteChange {
        let tried = written.tried.as_deref();
        let cap_output = written.cap_output.as_ref();
        let cap_output = cap_output.map(|word| self.truth(Some(word), false));
        let thinking = written.thinking.as_ref();
        let thinking_off = thinking.and_then(|word| self.choose(word, "thinking", &[("off", true)], &[]));
        RouteChange {
            pick: self.pick(written.pick.as_ref()),
            stick: self.stick(written.stick.as_ref()),
            weights: (!written.weights.is_empty()).then(|| self.weights(&written.weights).into()),
            need: written.need.as_ref().map(|need| self.need(need)).unwrap_or_default(),
            first: tried.map(|words| self.tried(words, facts).into()),
            max_cost: self.money(written.cost.as_ref()),
            max_output: self.size(written.output.as_ref()),
            attempts: self.number(written.attempts.as_ref(), "number of attempts", 1, MOST_ATTEMPTS),
            cap_output,
            min_output: self.size(written.min_output.as_ref()),
            thinking_off: thinking_off.unwrap_or(false),
            shed: self.message(written.shed.as_ref()),
        }
    }
}
