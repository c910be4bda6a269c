//! What comes of a request: the decision, what the client would be told, and the explanation.

use crate::decide::explain::{Explanation, Place};
use crate::decide::{Candidate, Decision, Reason, Refusal, Rules, Target};
use crate::policy::snapshot::{Compat, Snapshot};
use std::fmt;
use std::sync::Arc;

/// What a client is told where no candidate is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    pub message: String,
}

#[derive(Debug)]
pub struct Outcome {
    /// `None` where no route takes the request, or one model was asked for by name.
    pub route: Option<String>,
    pub decision: Decision,
    /// Active plans that touched the request.
    pub plans: Vec<String>,
    pub budget_left: Option<f64>,
    pub refused: Option<Refused>,
    pub explanation: Option<Explanation>,
    /// With which the first model may be asked.
    pub keys: Vec<Arc<str>>,
}

impl Outcome {
    /// Told no before anything was decided.
    pub(super) fn turned_away(route: Option<String>, status: u16, message: String) -> Self {
        Self {
            route,
            decision: Decision::default(),
            plans: Vec::new(),
            budget_left: None,
            refused: Some(Refused { status, message }),
            explanation: None,
            keys: Vec::new(),
        }
    }

    pub(super) fn new(
        snapshot: &Snapshot,
        target: Target,
        decision: Decision,
        budget_left: Option<f64>,
        refused: Option<Refused>,
    ) -> Self {
        let plans = decision.plans.iter().map(|plan| snapshot.plans[*plan].name.to_string());
        Self {
            route: match target {
                Target::Route(id) => Some(snapshot.route(id).name.to_string()),
                Target::Model(_) => None,
            },
            refused,
            plans: plans.collect(),
            decision,
            budget_left,
            explanation: None,
            keys: Vec::new(),
        }
    }

    pub(super) fn explained(self, explanation: Explanation) -> Self {
        Self {
            explanation: Some(explanation),
            ..self
        }
    }

    pub fn first(&self) -> Option<&Candidate> {
        self.decision.candidates.first()
    }

    /// Fields of the request that do not go to the first model.
    pub fn dropped(&self) -> Vec<String> {
        let lines = self
            .explanation
            .as_ref()
            .map_or(&[][..], |explanation| &explanation.models);
        let first = lines.iter().find(|line| line.place == Place::Candidate(1));
        first.map_or_else(Vec::new, |line| line.dropped.iter().map(ToString::to_string).collect())
    }

    /// A plan made it another answer than the route's first choice.
    pub fn is_degraded(&self) -> bool {
        let chosen = self.first().map(|candidate| candidate.id);
        let plain = self.decision.unrestricted.as_ref().map(|choice| choice.id);
        !self.plans.is_empty() && chosen.is_some() && chosen != plain
    }
}

impl Refused {
    /// The kind of refusal and what came nearest; a plan's own words where it has some.
    pub(super) fn of(rules: Rules<'_>, target: Target, refusal: &Refusal, client: &str) -> Self {
        let snapshot = rules.snapshot;
        let client = snapshot.clients.iter().find(|known| known.name.as_ref() == client);
        let compat = client.map_or_else(Compat::default, |client| client.compat);
        let nearest = refusal.nearest.as_ref();
        let route = match target {
            Target::Route(id) => Some(id),
            Target::Model(_) => None,
        };
        let shed = rules.effective.shed(route).map(|shed| shed.message.to_string());
        let by_plan = nearest.and_then(|near| match &near.reason {
            Reason::Plan { plan } => snapshot.plans.iter().find(|known| known.name == *plan),
            _ => None,
        });
        let own = by_plan.and_then(|plan| plan.message.as_ref()).map(ToString::to_string);
        let near = nearest.map(|near| format!("{}: {}", snapshot.model(near.id).name, near.reason));
        Self {
            status: compat.status(refusal.status()),
            message: shed.or(own).or(near).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if self.message.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", self.message)
    }
}
