//! What came of a case against what it expects.

use super::{Outcome, Played};
use crate::decide::Stay;
use crate::money::Money;
use crate::policy::cases::{Case, Expect, Step, Wanted};
use crate::policy::snapshot::{ModelId, Snapshot};
use std::sync::Arc;

/// One expectation that was not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `model`, `reasons.qwen-max`.
    pub what: String,
    pub expected: String,
    pub actual: String,
}

/// A step's end.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub step: String,
    pub line: usize,
    pub failures: Vec<Failure>,
    /// The explanation, and the plans in force: what a snapshot keeps.
    pub text: String,
    pub keeps_snapshot: bool,
}

impl Verdict {
    pub fn of(case: &Case, played: &[Played]) -> Vec<Self> {
        case.steps
            .iter()
            .zip(played)
            .map(|(step, played)| judge(step, played))
            .collect()
    }

    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

fn judge(step: &Step, played: &Played) -> Verdict {
    let mut failures = Vec::new();
    if let Some(plans) = &step.expect.plans {
        let (mut expected, mut actual) = (texts(plans), played.plans.clone());
        expected.sort();
        actual.sort();
        compare("plans", list(&expected), list(&actual), &mut failures);
    }
    if let Some(outcome) = &played.outcome {
        judge_outcome(&step.expect, outcome, &step.snapshot, &mut failures);
    }
    Verdict {
        step: step.name.clone(),
        line: step.line,
        failures,
        text: text(played),
        keeps_snapshot: step.expect.snapshot,
    }
}

fn judge_outcome(expect: &Expect, outcome: &Outcome, snapshot: &Snapshot, failures: &mut Vec<Failure>) {
    let name = |id: ModelId| snapshot.model(id).name.to_string();
    let first = outcome.first();
    let chosen = first.map_or_else(|| "none".to_owned(), |candidate| name(candidate.id));
    if let Some(model) = &expect.model {
        compare("model", wanted(model), chosen, failures);
    }
    if let Some(order) = &expect.order {
        let actual: Vec<String> = outcome
            .decision
            .candidates
            .iter()
            .map(|candidate| name(candidate.id))
            .collect();
        compare("order", list(&texts(order)), list(&actual), failures);
    }
    for (model, reason) in &expect.reasons {
        let actual = reason_of(outcome, snapshot, model);
        let expected = match reason {
            Wanted::None => "candidate".to_owned(),
            Wanted::Some(code) => code.to_string(),
        };
        compare(&format!("reasons.{model}"), expected, actual, failures);
    }
    if let Some(route) = &expect.route {
        let actual = outcome.route.clone().unwrap_or_else(|| "none".to_owned());
        compare("route", route.to_string(), actual, failures);
    }
    judge_refusal(expect, outcome, failures);
    judge_costs(expect, first.map(|candidate| candidate.worst), failures);
    if let Some(degraded) = expect.degraded {
        compare(
            "degraded",
            degraded.to_string(),
            outcome.is_degraded().to_string(),
            failures,
        );
    }
    if let Some(cap) = &expect.output_cap {
        let actual = first.and_then(|candidate| candidate.cap);
        compare("output_cap", wanted(cap), shown(actual), failures);
    }
    if let Some(dropped) = &expect.dropped {
        compare("dropped", list(&texts(dropped)), list(&outcome.dropped()), failures);
    }
    if let Some(keys) = &expect.keys {
        compare("keys", list(&texts(keys)), list(&texts(&outcome.keys)), failures);
    }
    if let Some(wanted) = &expect.conversation {
        let stay = outcome.decision.stay.map_or("none", Stay::word);
        compare("conversation", wanted.to_string(), stay.to_owned(), failures);
    }
    for (header, value) in &expect.headers {
        let actual = header_of(outcome, snapshot, header);
        compare(&format!("headers.{header}"), wanted(value), shown(actual), failures);
    }
}

fn judge_refusal(expect: &Expect, outcome: &Outcome, failures: &mut Vec<Failure>) {
    let status = outcome.refused.as_ref().map(|refused| refused.status);
    let told = |status: Option<u16>| status.map_or_else(|| "not refused".to_owned(), |status| status.to_string());
    match expect.refused {
        Some((true, Some(wanted))) => compare("refused", wanted.to_string(), told(status), failures),
        Some((true, None)) if status.is_none() => compare("refused", "refused".to_owned(), told(status), failures),
        Some((false, _)) => compare("refused", "not refused".to_owned(), told(status), failures),
        _ => {}
    }
    if let Some(part) = &expect.message {
        let message = outcome.refused.as_ref().map_or("", |refused| refused.message.as_str());
        if !message.contains(part.as_ref()) {
            let failure = |expected, actual| Failure {
                what: "message".to_owned(),
                expected,
                actual,
            };
            failures.push(failure(format!("… {part} …"), message.to_owned()));
        }
    }
}

fn judge_costs(expect: &Expect, actual: Option<Money>, failures: &mut Vec<Failure>) {
    let cost = || shown(actual);
    if let Some(most) = expect
        .cost_at_most
        .filter(|most| actual.is_none_or(|cost| cost > *most))
    {
        compare("cost_at_most", most.to_string(), cost(), failures);
    }
    if let Some(least) = expect
        .cost_at_least
        .filter(|least| actual.is_none_or(|cost| cost < *least))
    {
        compare("cost_at_least", least.to_string(), cost(), failures);
    }
}

/// `candidate`, the reason's word, or that the route does not name it.
fn reason_of(outcome: &Outcome, snapshot: &Snapshot, model: &str) -> String {
    let is = |id: ModelId| snapshot.model(id).name.as_ref() == model;
    if outcome.decision.candidates.iter().any(|candidate| is(candidate.id)) {
        return "candidate".to_owned();
    }
    let excluded = outcome.decision.excluded.iter().find(|exclusion| is(exclusion.id));
    excluded.map_or_else(
        || "not of this route".to_owned(),
        |exclusion| exclusion.reason.code().to_owned(),
    )
}

fn header_of(outcome: &Outcome, snapshot: &Snapshot, header: &str) -> Option<String> {
    let first = outcome.first();
    match header {
        "x-planb-model" => first.map(|candidate| snapshot.model(candidate.id).name.to_string()),
        "x-planb-provider" => first.map(|candidate| snapshot.provider_of(candidate.id).name.to_string()),
        "x-planb-plan" => (!outcome.plans.is_empty()).then(|| outcome.plans.join(", ")),
        "x-planb-degraded" => outcome.is_degraded().then(|| "true".to_owned()),
        "x-planb-budget-remaining" => outcome.budget_left.map(|share| format!("{share:.4}")),
        "x-planb-output-cap" => first.and_then(|candidate| candidate.cap).map(|cap| cap.to_string()),
        "x-planb-dropped" => Some(outcome.dropped().join(", ")).filter(|dropped| !dropped.is_empty()),
        _ => None,
    }
}

fn compare(what: &str, expected: String, actual: String, failures: &mut Vec<Failure>) {
    if expected != actual {
        failures.push(Failure {
            what: what.to_owned(),
            expected,
            actual,
        });
    }
}

fn text(played: &Played) -> String {
    let plans = if played.plans.is_empty() {
        "none".to_owned()
    } else {
        played.plans.join(", ")
    };
    let rest = match &played.outcome {
        None => String::new(),
        Some(outcome) => match (&outcome.explanation, &outcome.refused) {
            // What the catalogue says is no part of what a policy's test keeps.
            (Some(explanation), _) => explanation.plain().to_string(),
            (None, Some(refused)) => format!("refused: {refused}\n"),
            (None, None) => String::new(),
        },
    };
    format!("plans in force: {plans}\n{rest}")
}

fn texts(names: &[Arc<str>]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn list(names: &[String]) -> String {
    format!("[{}]", names.join(", "))
}

fn wanted<T: ToString>(wanted: &Wanted<T>) -> String {
    match wanted {
        Wanted::None => "none".to_owned(),
        Wanted::Some(value) => value.to_string(),
    }
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}
