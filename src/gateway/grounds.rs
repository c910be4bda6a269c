//! What a decision rested on, taken from where it was made.

use super::prepare::Prepared;
use super::survey::Survey;
use crate::decide;
use crate::decide::explain::{Grounds, PlanLine};

/// What the decision rested on, for whoever asks and for the record.
pub fn grounds(prepared: &Prepared, survey: &Survey) -> Grounds {
    let (snapshot, decision) = (&prepared.policy.snapshot, &survey.decision);
    let plans = decision.plans.iter().map(|plan| PlanLine {
        name: snapshot.plans[*plan].name.clone(),
        why: prepared.policy.effective.why(*plan),
    });
    let terms = decide::terms(prepared.rules(), prepared.target);
    let dropped = prepared.reshapes.iter().filter_map(|(id, reshaped)| {
        let fields = &reshaped.as_ref().ok()?.dropped;
        (!fields.is_empty()).then(|| (*id, fields.clone()))
    });
    Grounds {
        stay: prepared.held.zip(decision.stay).map(|(held, stay)| (held.model, stay)),
        dropped: dropped.collect(),
        ..Grounds::of(snapshot, &terms, decision, plans.collect())
    }
}
