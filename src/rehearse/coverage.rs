//! What of a policy no case reaches: plans, routes, models, and exclusions that the policy foresees.

use super::Played;
use crate::decide::Reason;
use crate::policy::snapshot::{Enforce, Snapshot};
use std::collections::BTreeSet;

/// Things that a policy says, each with whether a case has reached it.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    foreseen: Vec<(&'static str, String)>,
    reached: BTreeSet<(&'static str, String)>,
}

/// In the order in which they are told.
pub const KINDS: [&str; 4] = ["plans", "routes", "models", "exclusions"];

impl Coverage {
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut foreseen = Vec::new();
        foreseen.extend(snapshot.plans.iter().map(|plan| ("plans", plan.name.to_string())));
        foreseen.extend(snapshot.routes.iter().map(|route| ("routes", route.name.to_string())));
        let routed = |id: usize| {
            snapshot
                .routes
                .iter()
                .any(|route| route.terms.candidates.iter().any(|model| model.0 == id))
        };
        let models = snapshot.models.iter().enumerate().filter(|(id, _)| routed(*id));
        foreseen.extend(models.map(|(_, model)| ("models", model.name.to_string())));
        foreseen.extend(exclusions(snapshot).into_iter().map(|name| ("exclusions", name)));
        Self {
            foreseen,
            reached: BTreeSet::new(),
        }
    }

    pub fn reach(&mut self, snapshot: &Snapshot, played: &Played) {
        for plan in &played.plans {
            self.reached.insert(("plans", plan.clone()));
        }
        let Some(outcome) = &played.outcome else { return };
        if let Some(route) = &outcome.route {
            self.reached.insert(("routes", route.clone()));
        }
        if let Some(first) = outcome.first() {
            self.reached
                .insert(("models", snapshot.model(first.id).name.to_string()));
        }
        for exclusion in &outcome.decision.excluded {
            let name = match &exclusion.reason {
                Reason::Plan { plan } => format!("by plan {plan}"),
                Reason::Budget { budget, .. } => format!("by budget {budget}"),
                Reason::Quality { .. } => of_route("need.quality", outcome.route.as_deref()),
                Reason::CostCap { .. } => of_route("limits.cost", outcome.route.as_deref()),
                Reason::Output { .. } => of_route("limits.output", outcome.route.as_deref()),
                _ => continue,
            };
            self.reached.insert(("exclusions", name));
        }
    }

    /// How many of a kind are reached, of how many, and those that are not.
    pub fn kind(&self, kind: &str) -> (usize, usize, Vec<&str>) {
        let all: Vec<_> = self.foreseen.iter().filter(|(of, _)| *of == kind).collect();
        let missed: Vec<&str> = all
            .iter()
            .filter(|foreseen| !self.reached.contains(*foreseen))
            .map(|(_, name)| name.as_str())
            .collect();
        (all.len() - missed.len(), all.len(), missed)
    }

    pub fn is_whole(&self) -> bool {
        KINDS.iter().all(|kind| self.kind(kind).2.is_empty())
    }
}

fn exclusions(snapshot: &Snapshot) -> Vec<String> {
    let restricting = snapshot
        .plans
        .iter()
        .filter(|plan| plan.only.is_some() || plan.avoid.is_some());
    let plans = restricting.map(|plan| format!("by plan {}", plan.name));
    let hard = snapshot.budgets.iter().filter(|budget| budget.enforce == Enforce::Hard);
    let budgets = hard.map(|budget| format!("by budget {}", budget.name));
    let routes = snapshot.routes.iter().flat_map(|route| {
        let name = Some(route.name.as_ref());
        let terms = &route.terms;
        let least = route
            .terms
            .candidates
            .iter()
            .filter_map(|id| snapshot.model(*id).quality)
            .min();
        [
            (
                terms
                    .need
                    .quality
                    .is_some_and(|need| least.is_some_and(|least| least < need)),
                "need.quality",
            ),
            (terms.max_cost.is_some(), "limits.cost"),
            (terms.max_output.is_some() && !terms.cap_output, "limits.output"),
        ]
        .into_iter()
        .filter(|(set, _)| *set)
        .map(move |(_, what)| of_route(what, name))
    });
    plans.chain(budgets).chain(routes).collect()
}

fn of_route(what: &str, route: Option<&str>) -> String {
    format!("by {what} of route {}", route.unwrap_or_default())
}
