//! Plans: when, how long, and what changes.

use super::{Referent, Resolver};
use crate::policy::condition::ModelFacts;
use crate::policy::defaults;
use crate::policy::mask::shown;
use crate::policy::read;
use crate::policy::snapshot::{Plan, ProviderId};
use crate::policy::source::Word;
use std::collections::HashMap;
use std::sync::Arc;

const LONGEST_MESSAGE: usize = 500;

impl Resolver<'_, '_> {
    pub fn plans(&mut self, written: &[read::Plan], facts: &[ModelFacts]) -> Vec<Plan> {
        let mut named = HashMap::new();
        let mut plans = Vec::with_capacity(written.len());
        for plan in written {
            let name = self.required(plan.name.as_ref(), plan.place, "name", "a plan");
            if let Some(name) = name {
                self.check_name(name, "plan");
                self.check_unique(name, &mut named, "plan");
            }
            plans.extend(self.plan(plan, facts));
        }
        plans
    }

    fn plan(&mut self, written: &read::Plan, facts: &[ModelFacts]) -> Option<Plan> {
        let place = written.name.as_ref().map_or(written.place, |name| name.place);
        if written.when.is_none() && written.during.is_none() {
            self.report
                .error(place, "missing-key", "a plan needs `when`, or `during`")
                .help("`when` is a condition over live signals; `during` alone makes it active in those hours");
            return None;
        }
        let when = written.when.as_ref().filter(|word| !word.broken);
        let compiled = when.and_then(|word| self.state(word));
        let until = written.until.as_ref().filter(|word| !word.broken);
        let until = until.and_then(|word| self.state(word));
        let after = self.duration(written.after.as_ref());
        let at_least = self.duration(written.at_least.as_ref());
        let only = self.selector(written.only.as_ref());
        let avoid = self.selector(written.avoid.as_ref());
        let change = self.changes(&written.change, facts);
        let during = self.during(written.during.as_deref().unwrap_or_default());
        let (shed, message) = (
            self.message(written.shed.as_ref()),
            self.message(written.message.as_ref()),
        );
        let warm = self.warm(written.warm.as_deref().unwrap_or_default());
        let restricts = written.only.is_some() || written.avoid.is_some();
        if !restricts && written.change.is_empty() && written.shed.is_none() && written.warm.is_none() {
            self.report
                .warning(place, "no-effect", "this plan changes nothing")
                .help("give it `only`, `avoid`, `shed`, `warm` or `change`");
        }
        if let (Some(word), false) = (
            &written.message,
            restricts || written.change.iter().any(|change| change.need.is_some()),
        ) {
            self.report
                .warning(word.place, "no-effect", "no restriction of this plan could leave nothing, so nobody is told this")
                .help("`message` is told where `only`, `avoid` or a `need` leaves no model; to refuse requests, use `shed`");
        }
        // A condition that was wrong must not become one that always holds.
        if compiled.is_none() && written.when.is_some() {
            return None;
        }
        Some(Plan {
            name: super::text_of(written.name.as_ref()),
            when: compiled,
            during,
            until,
            after: after.unwrap_or(defaults::AFTER),
            at_least: at_least.unwrap_or(defaults::AT_LEAST),
            only,
            avoid,
            shed,
            message,
            warm,
            change,
        })
    }

    /// Something to tell clients.
    pub fn message(&mut self, word: Option<&Word>) -> Option<Arc<str>> {
        let word = word.filter(|word| !word.broken)?;
        let text = word.text.trim();
        if matches!(text, "true" | "false") {
            self.unreadable(
                word,
                "message",
                "write what clients are told, such as `\"Paid models are off until Monday.\"`",
            );
            return None;
        }
        if text.is_empty() || text.chars().count() > LONGEST_MESSAGE {
            let help = format!("clients are told it: write up to {LONGEST_MESSAGE} characters");
            self.unreadable(word, "message", &help);
            return None;
        }
        Some(text.into())
    }

    fn warm(&mut self, words: &[Word]) -> Vec<ProviderId> {
        let mut found = Vec::new();
        for word in words {
            let Some(at) = self.lookup(word, Referent::Provider) else {
                continue;
            };
            if !self.starts.get(at).is_some_and(|starts| *starts) {
                let message = format!("planb does not start the server of provider `{}`", shown(&word.text));
                self.report
                    .error(word.place, "not-here", message)
                    .help("only a local provider with `start` can be warmed");
                continue;
            }
            found.push(ProviderId(at));
        }
        found
    }
}
