//! Plans: when, how long, and what changes.

use super::Resolver;
use crate::policy::defaults;
use crate::policy::read;
use crate::policy::snapshot::{Plan, RouteChange, RouteId};
use crate::policy::source::Word;
use std::sync::Arc;

impl Resolver<'_, '_> {
    pub fn plans(&mut self, written: &[read::Plan]) -> Vec<Plan> {
        let mut named: Vec<&Word> = Vec::new();
        let mut plans = Vec::with_capacity(written.len());
        for plan in written {
            let name = self.required(plan.name.as_ref(), plan.place, "name", "a plan");
            if let Some(name) = name {
                self.check_name(name, "plan");
                self.check_unique(name, &mut named, "plan");
            }
            plans.extend(self.plan(plan));
        }
        plans
    }

    fn plan(&mut self, written: &read::Plan) -> Option<Plan> {
        let when = self
            .required(written.when.as_ref(), written.place, "when", "a plan")
            .and_then(|word| self.state(word));
        let until = written.until.as_ref().filter(|word| !word.broken);
        let until = until.and_then(|word| self.state(word));
        let after = self.duration(written.after.as_ref());
        let at_least = self.duration(written.at_least.as_ref());
        let only = self.selector(written.only.as_ref());
        let avoid = self.selector(written.avoid.as_ref());
        let change = self.changes(&written.change);
        if written.only.is_none() && written.avoid.is_none() && written.change.is_empty() {
            let place = written.name.as_ref().map_or(written.place, |name| name.place);
            self.report
                .warning(place, "no-effect", "this plan changes nothing")
                .help("give it `only`, `avoid` or `change`");
        }
        Some(Plan {
            name: super::text_of(written.name.as_ref()),
            when: when?,
            until,
            after: after.unwrap_or(defaults::AFTER),
            at_least: at_least.unwrap_or(defaults::AT_LEAST),
            only,
            avoid,
            change,
        })
    }

    fn changes(&mut self, written: &[read::Change]) -> Vec<(RouteId, RouteChange)> {
        let routes: Vec<Arc<str>> = self.routes.clone();
        let mut changes = Vec::with_capacity(written.len());
        for change in written {
            let route = self.lookup(&change.route, "route", &routes);
            let pick = self.pick(change.pick.as_ref());
            let need_quality = self.number(change.quality.as_ref(), "quality", 0, 100);
            if change.pick.is_none() && change.quality.is_none() {
                self.report
                    .warning(change.route.place, "no-effect", "this change of a route says nothing")
                    .help("give it `pick` or `need: {quality: …}`");
            }
            if let Some(route) = route {
                changes.push((RouteId(route), RouteChange { pick, need_quality }));
            }
        }
        changes
    }
}
