//! What holds of any text whatever: the promises that fuzzing tries to break.
//!
//! One function a way in; each says which promise was broken. The targets under `fuzz/` and a bounded, seeded run in the
//! tests call the same ones.

#[cfg(test)]
mod tests;

use super::condition::{self, ModelFacts, Names};
use super::format::format;
use super::{Diagnostic, Sources, compile};
use crate::request::Caller;
use jiff::Timestamp;
use std::path::PathBuf;

/// A text of more than this is refused before anybody reads it.
const LONGEST_SAID: usize = 1_000_000;

/// Text to snapshot: ends, and everything that is said about it can be shown.
pub fn policy(text: &str) -> Result<(), String> {
    let sources = Sources::single("policy.yaml", PathBuf::from("/etc/planb"), text);
    let said = match compile(&sources, Timestamp::UNIX_EPOCH) {
        Ok(compiled) => compiled.warnings,
        Err(said) if said.iter().any(Diagnostic::is_error) => said,
        Err(said) => return Err(std::format!("refused without an error: {said:?}")),
    };
    let lines = text.split('\n').count();
    for found in &said {
        let length = found.excerpt.chars().count();
        if found.line > lines || found.caret.start > length || found.caret.end < found.caret.start {
            return Err(std::format!("a place that is not there: {found:?}"));
        }
        if found.to_string().len() > LONGEST_SAID + 8 * found.excerpt.len() {
            return Err("a diagnostic that nobody can read".to_owned());
        }
    }
    Ok(())
}

/// What is laid out once comes out the same again.
pub fn layout(text: &str) -> Result<(), String> {
    let Ok(once) = format("policy.yaml", text) else {
        return Ok(());
    };
    match format("policy.yaml", &once) {
        Ok(again) if again == once => Ok(()),
        Ok(again) => Err(std::format!("does not come to rest:\n{once}\n---\n{again}")),
        Err(_) => Err(std::format!("is refused the second time:\n{once}")),
    }
}

/// Conditions of both kinds: a fault stands within the text, and what compiles evaluates.
pub fn condition(text: &str) -> Result<(), String> {
    let names = Names {
        providers: vec!["hub".into()],
        models: vec!["tiny".into()],
        ..Names::default()
    };
    let (selector, faults) = condition::selector(text, &names);
    let (_, more) = condition::state(text, &names);
    for fault in faults.iter().chain(&more) {
        if fault.range.start > fault.range.end || fault.range.end > text.len() {
            return Err(std::format!("a fault outside the text: {fault:?}"));
        }
    }
    if let Some(selector) = selector {
        let facts = ModelFacts::recorded("tiny", "hub", "local");
        selector.matches(&facts, &Caller::default());
        selector.folded(&facts);
    } else if faults.is_empty() {
        return Err("refused without a reason".to_owned());
    }
    Ok(())
}
