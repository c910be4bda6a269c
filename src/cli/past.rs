//! `planb explain --decision ID`: what the ledger has of a decision, told as it was then; and the same request decided again
//! by the policy that was in force, where that is what is asked, or all that can be told.

use crate::daemon::projection::question;
use crate::ledger::FILE_NAME;
use crate::ledger::decided::{Decided, decision_in};
use crate::ledger::read::DecisionView;
use crate::policy::{Sources, compile};
use crate::rehearse::{Stage, World, want};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `wanted` is a model that should have been chosen.
pub fn explain(state: &Path, id: &str, wanted: Option<&str>) -> Result<String, String> {
    let path = state.join(FILE_NAME);
    if !path.exists() {
        return Err(format!("there is no ledger at {}", path.display()));
    }
    let found = decision_in(&path, id).map_err(|error| error.to_string())?;
    let Some(recorded) = found else {
        return Err(format!("the ledger has no decision {id}"));
    };
    let mut text = told(&recorded.view);
    let kept = recorded.view.explanation.is_some();
    if kept && wanted.is_none() {
        return Ok(text);
    }
    let (Some(decided), Some(policy)) = (recorded.again, recorded.policy) else {
        text.push_str("\nthe policy that was in force is not in the ledger\n");
        return Ok(text);
    };
    again(&mut text, decided, &policy, wanted).map(|()| text)
}

/// Decided again, in a state of which the ledger has the plans alone.
fn again(text: &mut String, decided: Decided, policy: &str, wanted: Option<&str>) -> Result<(), String> {
    let sources = Sources::joined_text("the policy of then", PathBuf::from("."), policy);
    let Ok(compiled) = compile(&sources, decided.at) else {
        text.push_str("\nthe policy that was in force is not sound for this version\n");
        return Ok(());
    };
    let snapshot = Arc::new(compiled.snapshot);
    let one = question(decided);
    let active: Vec<bool> = snapshot
        .plans
        .iter()
        .map(|plan| one.plans.contains(&plan.name))
        .collect();
    let stage = Stage::new(snapshot.clone(), World::quiet(&snapshot), &active, one.at);
    let outcome = stage.ask(&one.ask);
    text.push_str("\ndecided again by that policy, with its plans, providers up and budgets full\n");
    match (&outcome.explanation, &outcome.refused) {
        (Some(explanation), _) => text.push_str(&explanation.to_string()),
        (None, Some(refused)) => text.push_str(&format!("refused: {refused}\n")),
        (None, None) => {}
    }
    if let Some(name) = wanted {
        let model = snapshot.model_named(name);
        let model = model.ok_or_else(|| format!("no model of that policy is called `{name}`"))?;
        let _ = write!(text, "\n{}", want(&stage, &one.ask, model));
    }
    Ok(())
}

/// The record in words.
fn told(recorded: &DecisionView) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "decision {} at {}: {}, status {}, {} {}",
        recorded.id, recorded.at, recorded.outcome, recorded.status, recorded.cost, recorded.currency
    );
    match recorded.explanation.as_ref().and_then(|kept| kept["text"].as_str()) {
        Some(kept) => text.push_str(kept),
        None => told_in_short(recorded, &mut text),
    }
    for attempt in &recorded.attempts {
        let class = attempt
            .class
            .as_ref()
            .map_or_else(String::new, |class| format!(" ({class})"));
        let _ = writeln!(
            text,
            "attempt {}: {}  {}{class}, {} {}",
            attempt.number, attempt.model, attempt.outcome, attempt.cost, attempt.currency
        );
    }
    text
}

/// Of a decision that was recorded before explanations were.
fn told_in_short(recorded: &DecisionView, text: &mut String) {
    let _ = writeln!(
        text,
        "route {} ({}): {} tokens in",
        recorded.route, recorded.dialect, recorded.input
    );
    for plan in &recorded.plans {
        let _ = writeln!(text, "plan {plan}");
    }
    for excluded in recorded.excluded.as_array().into_iter().flatten() {
        let word = |key: &str| excluded[key].as_str().unwrap_or_default().to_owned();
        let _ = writeln!(text, "  -  {}  {}: {}", word("model"), word("reason"), word("detail"));
    }
}
