//! A policy's own tests as written: `*.test.yaml` to cases that can be rehearsed, every mistake with its place.
//!
//! What is given of prices and licences becomes a snapshot of its own, compiled by the policy's own reader. Nothing is
//! decided here.

mod expand;
mod expect;
mod given;
pub(super) mod overlay;
mod present;
mod request;
mod scalars;
mod words;

#[cfg(test)]
mod tests;

pub use expect::{Expect, Wanted};
pub use given::{Given, Health};
pub use present::{Conversation, Counter, KeyState, Lock, Moment, Pace, Reached, UsedUp};
pub use request::Ask;
pub(super) use words::SUITE;

use super::report::Report;
use super::snapshot::Snapshot;
use super::source::{self, Files, Node, Place, Value};
use super::{Diagnostic, SourceFile, Sources, compile};
use expand::Planned;
use jiff::Timestamp;
use overlay::Variants;
use std::sync::Arc;
use std::time::Duration;

/// A test without a `time` runs at this instant of the policy's zone: the same today and in a year.
const NOON: &str = "2026-12-01T12:00:00";

/// One promise of a policy.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// In the test file, from 1.
    pub line: usize,
    /// It says what happens over time; otherwise it is one step in a state that has lasted.
    pub timed: bool,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct Step {
    /// Empty for a case of one step.
    pub name: String,
    pub line: usize,
    /// The policy, under what is given of prices and licences.
    pub snapshot: Arc<Snapshot>,
    /// What passes before it.
    pub after: Duration,
    pub given: Given,
    pub ask: Option<Ask>,
    pub expect: Expect,
}

/// Which policy a test file says it tests, where it says so.
pub fn policy_of(test: &SourceFile) -> Option<String> {
    let sources = Sources::single(&test.name, std::path::PathBuf::new(), &test.text);
    let files = Files::new(&sources);
    let root = source::load(&files, &mut Report::new(&files))?;
    root.iter().find_map(|(key, node)| match &node.value {
        Value::Scalar(word) if key.text.as_ref() == "policy" => Some(word.text.to_string()),
        _ => None,
    })
}

/// Reads a test file against its policy. `reasons` are the words of exclusions. A policy that is not sound gives its own
/// diagnostics.
pub fn read(policy: &Sources, test: &SourceFile, reasons: &[&'static str]) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let base = Arc::new(compile(policy, Timestamp::UNIX_EPOCH)?.snapshot);
    let own = Sources::single(&test.name, policy.directory.clone(), &test.text);
    let files = Files::new(&own);
    let mut report = Report::new(&files);
    let mut cases = Vec::new();
    let mut variants = Variants::new(policy, test, base.clone());
    if let Some(root) = source::load(&files, &mut report) {
        let planned = expand::expand(&root, &mut report);
        let mut reader = Reader {
            report: &mut report,
            files: &files,
            policy: &base,
            reasons,
        };
        cases.extend(planned.iter().map(|case| reader.case(case, &mut variants)));
        if cases.is_empty() && !reader.report.has_errors() {
            let found = reader
                .report
                .error(Place::START, "missing-key", "the file has no `tests`");
            found.help("write `tests: [{request: ROUTE, expect: {model: MODEL}}]`");
        }
    }
    let failed = report.has_errors();
    let mut found = report.finish();
    found.extend(variants.into_faults());
    if failed || found.iter().any(Diagnostic::is_error) {
        return Err(found);
    }
    Ok(cases)
}

/// What is given and what is asked, in the words of a test file: `budgets: {month: 85%}`, `model: chat`. `more` is laid
/// over the request.
pub fn read_parts(policy: &Sources, given: &str, request: &str, more: &str) -> Result<Step, Vec<Diagnostic>> {
    let part = |indent: usize, key: &str, text: &str| {
        let space = " ".repeat(indent);
        match text.trim() {
            "" => String::new(),
            text if text.starts_with('{') || !text.contains('\n') && !text.contains(": ") => {
                format!("{space}{key}: {text}\n")
            }
            text if !text.contains('\n') => format!("{space}{key}: {{{text}}}\n"),
            text => text.lines().fold(format!("{space}{key}:\n"), |all, line| {
                format!("{all}{space}  {line}\n")
            }),
        }
    };
    let file = SourceFile {
        name: "as given".to_owned(),
        text: format!(
            "tests:\n- name: given\n{}{}  cases:\n  - name: asked\n{}",
            part(2, "given", given),
            part(2, "request", request),
            part(4, "request", more)
        ),
    };
    let mut cases = read(policy, &file, &[])?;
    let step = cases.pop().and_then(|mut case| case.steps.pop());
    step.ok_or_else(|| vec![Diagnostic::of_file("missing-key", "as given", "nothing is asked")])
}

struct Reader<'r, 'f> {
    report: &'r mut Report<'f>,
    files: &'f Files,
    policy: &'r Snapshot,
    reasons: &'r [&'static str],
}

impl Reader<'_, '_> {
    fn case(&mut self, planned: &Planned, variants: &mut Variants<'_>) -> Case {
        let steps = planned.steps.iter().map(|step| {
            let mut given = self.given(step.given.as_ref());
            let snapshot = variants.of(step.given.as_ref(), self.report);
            given.moment = self.present(step.given.as_ref(), &snapshot, given.time.unwrap_or(given.noon));
            Step {
                name: step.name.clone(),
                line: self.line(step.place),
                snapshot,
                after: self.wait(step.after.as_ref()),
                ask: step.request.as_ref().and_then(|node| self.request(node)),
                expect: self.expected(step.expect.as_ref(), step.request.is_some()),
                given,
            }
        });
        Case {
            steps: steps.collect(),
            name: planned.name.clone(),
            line: self.line(planned.place),
            timed: planned.timed,
        }
    }

    fn line(&self, place: Place) -> usize {
        self.files.get(place.file).map_or(1, |file| file.line_at(place.start).0)
    }

    fn noon(&self) -> Timestamp {
        scalars::moment(NOON, self.policy).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl Step {
    /// When it is, unless the case has gone on from an earlier time.
    pub fn time(&self) -> Timestamp {
        self.given.time.unwrap_or(self.given.noon)
    }
}

/// The entries of a map; another shape has none.
fn entries(node: &Node) -> &[(source::Word, Node)] {
    match &node.value {
        Value::Map(entries) => entries,
        _ => &[],
    }
}
