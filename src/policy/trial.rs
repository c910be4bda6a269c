//! What holds of any text whatever: the promises that fuzzing tries to break.
//!
//! One function a way in; each says which promise was broken. The targets under `fuzz/` and a bounded, seeded run in the
//! tests call the same ones.

#[cfg(test)]
mod tests;

use super::condition::{self, ModelFacts, Names};
use super::format::format;
use super::{Diagnostic, SourceFile, Sources, cases, compile};
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

/// A file of policy tests: ends, and what is said about it has a place in it.
pub fn cases(text: &str) -> Result<(), String> {
    const POLICY: &str = "providers: {hub: {vendor: openai, api_key: env:K}, home: {vendor: llama.cpp}}\nmodels:\n  \
        big: {provider: hub, supply: competitor, quality: 80, price: {input: 1 USD/M, output: 2 USD/M}}\n  \
        tiny: {provider: home, supply: local, quality: 20}\nlicenses: {deal: {expires: 2099-01-31}}\n\
        clients: {search: {key: env:C, tags: {team: search}}}\nroutes: [{name: chat, try: [big, tiny]}]\n\
        budgets: {month: {limit: 20 USD, per: month}}\n\
        plans: [{name: dry, when: 'budget(\"month\").exhausted', only: 'model.supply == \"local\"'}]\n";
    let policy = Sources::single("policy.yaml", PathBuf::from("/etc/planb"), POLICY);
    let test = SourceFile {
        name: "policy.test.yaml".to_owned(),
        text: text.to_owned(),
    };
    let _ = cases::policy_of(&test);
    let said = match cases::read(&policy, &test, &["plan", "budget"]) {
        Ok(read) if read.is_empty() => return Err("nothing was read, and nothing said".to_owned()),
        Ok(_) => return Ok(()),
        Err(said) => said,
    };
    let lines = text.split('\n').count();
    // What is given of prices becomes a policy of its own, and its faults stand there.
    let own = said.iter().filter(|found| found.file == test.name);
    match own
        .into_iter()
        .find(|found| found.line > lines || found.caret.end < found.caret.start)
    {
        Some(found) => Err(std::format!("a place that is not there: {found:?}")),
        None => Ok(()),
    }
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
