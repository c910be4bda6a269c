//! Results for people and for programs.

use super::{CaseResult, Tested, full_name};
use crate::rehearse::{COVERAGE_KINDS, Coverage, Failure, Verdict};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) fn text(tested: &[Tested]) -> String {
    let mut text = String::new();
    for file in tested {
        let failed: Vec<&CaseResult> = file.results.iter().filter(|case| !case.passed()).collect();
        let (all, wrong) = (file.results.len(), failed.len());
        let _ = writeln!(text, "{}: {}", file.file, counts(all, wrong));
        for case in failed {
            for verdict in case.verdicts.iter().filter(|verdict| !verdict.passed()) {
                write_failure(&mut text, file, case, verdict);
            }
        }
        if let Some(coverage) = &file.coverage {
            write_coverage(&mut text, &file.policy, coverage);
        }
    }
    text
}

fn counts(all: usize, wrong: usize) -> String {
    let tests = format!("{all} test{}", if all == 1 { "" } else { "s" });
    match wrong {
        0 => format!("{tests}, all passed"),
        _ => format!("{tests}, {wrong} failed"),
    }
}

fn write_failure(text: &mut String, file: &Tested, case: &CaseResult, verdict: &Verdict) {
    let name = full_name(&case.name, &verdict.step);
    let _ = writeln!(text, "\nFAILED {name}\n  at {}:{}", file.file, verdict.line);
    for Failure { what, expected, actual } in &verdict.failures {
        if what == "snapshot" {
            let _ = writeln!(text, "  the snapshot differs:");
            write_lines(text, expected, actual);
        } else {
            let _ = writeln!(text, "  {what}: expected {expected}, and it is {actual}");
        }
    }
    let _ = writeln!(text);
    for line in verdict.text.lines() {
        let _ = writeln!(text, "  | {line}");
    }
    let _ = writeln!(text);
}

/// Lines that left and lines that joined.
fn write_lines(text: &mut String, expected: &str, actual: &str) {
    for line in expected
        .lines()
        .filter(|line| !actual.lines().any(|other| other == *line))
    {
        let _ = writeln!(text, "    - {line}");
    }
    for line in actual
        .lines()
        .filter(|line| !expected.lines().any(|other| other == *line))
    {
        let _ = writeln!(text, "    + {line}");
    }
}

fn write_coverage(text: &mut String, policy: &str, coverage: &Coverage) {
    let _ = writeln!(text, "  reached of {policy}:");
    for kind in COVERAGE_KINDS {
        let (reached, all, missed) = coverage.kind(kind);
        let rest = if missed.is_empty() {
            String::new()
        } else {
            format!(", not {}", missed.join(", "))
        };
        let _ = writeln!(text, "    {kind:10} {reached} of {all}{rest}");
    }
}

pub(super) fn json(tested: &[Tested]) -> String {
    let failed = tested
        .iter()
        .flat_map(|file| &file.results)
        .filter(|case| !case.passed())
        .count();
    let all: usize = tested.iter().map(|file| file.results.len()).sum();
    let files: Vec<Value> = tested.iter().map(file).collect();
    format!(
        "{:#}\n",
        json!({"passed": all - failed, "failed": failed, "files": files})
    )
}

fn file(tested: &Tested) -> Value {
    let coverage = tested.coverage.as_ref().map(|coverage| {
        let kinds = COVERAGE_KINDS.iter().map(|kind| {
            let (reached, of, missed) = coverage.kind(kind);
            (
                (*kind).to_owned(),
                json!({"reached": reached, "of": of, "missed": missed}),
            )
        });
        Value::Object(kinds.collect())
    });
    json!({
        "file": tested.file,
        "policy": tested.policy,
        "cases": tested.results.iter().map(case).collect::<Vec<_>>(),
        "coverage": coverage,
    })
}

fn case(case: &CaseResult) -> Value {
    let step = |verdict: &Verdict| {
        let failures: Vec<Value> = verdict
            .failures
            .iter()
            .map(|failure| json!({"what": failure.what, "expected": failure.expected, "actual": failure.actual}))
            .collect();
        json!({
            "name": verdict.step,
            "line": verdict.line,
            "passed": verdict.passed(),
            "failures": failures,
            "explanation": verdict.text,
        })
    };
    json!({
        "name": case.name,
        "line": case.line,
        "passed": case.passed(),
        "steps": case.verdicts.iter().map(step).collect::<Vec<_>>(),
    })
}
