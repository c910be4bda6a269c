//! `planb test POLICY`: the policy's own tests, what failed with its explanation, and what no test reaches.
//!
//! Exit code 0 where all passed, 1 where one failed, 2 where the policy or a test file is wrong.

mod files;
mod junit;
mod report;
mod snapshots;

use super::{fail, print};
use crate::policy::cases::{self, Case};
use crate::policy::{Diagnostic, Sources, compile};
use crate::rehearse::{Coverage, Failure, REASONS, Verdict, play};
use clap::{Args, ValueEnum};
use files::Suite;
use snapshots::Snapshots;
use std::path::PathBuf;
use std::process::ExitCode;

/// Something could not be read, or is wrong.
const TROUBLE: u8 = 2;

#[derive(Args, Clone, Debug)]
pub struct TestArgs {
    /// A policy (its tests stand beside it as NAME.test.yaml), a folder with tests, or one test file
    policy: PathBuf,
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Write the snapshots as they are now
    #[arg(long)]
    update: bool,
    /// Also write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// How to write the results
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// One test file, played.
pub(super) struct Tested {
    pub file: String,
    pub policy: String,
    pub results: Vec<CaseResult>,
    /// `None` where only some tests were asked for.
    pub coverage: Option<Coverage>,
}

pub(super) struct CaseResult {
    pub name: String,
    pub line: usize,
    pub verdicts: Vec<Verdict>,
}

impl CaseResult {
    pub fn passed(&self) -> bool {
        self.verdicts.iter().all(Verdict::passed)
    }
}

pub fn run(args: &TestArgs) -> ExitCode {
    let tested = match test(args) {
        Ok(tested) => tested,
        Err(trouble) => {
            let _ = fail(trouble);
            return ExitCode::from(TROUBLE);
        }
    };
    match args.format {
        Format::Text => print(&report::text(&tested)),
        Format::Json => print(&report::json(&tested)),
    }
    if let Some(path) = &args.junit
        && let Err(error) = std::fs::write(path, junit::xml(&tested))
    {
        let _ = fail(format!("cannot write {}: {error}", path.display()));
        return ExitCode::from(TROUBLE);
    }
    let passed = tested.iter().all(|file| file.results.iter().all(CaseResult::passed));
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn test(args: &TestArgs) -> Result<Vec<Tested>, String> {
    let suites = files::find(&args.policy)?;
    let tested: Result<Vec<Tested>, String> = suites.iter().map(|suite| test_file(suite, args)).collect();
    let tested = tested?;
    if tested.iter().all(|file| file.results.is_empty()) {
        let filter = args.filter.as_deref().unwrap_or_default();
        return Err(format!("no test's name contains `{filter}`"));
    }
    Ok(tested)
}

fn test_file(suite: &Suite, args: &TestArgs) -> Result<Tested, String> {
    let sources = &suite.policy;
    let cases = cases::read(sources, &suite.test, &REASONS).map_err(|found| listed(&suite.test.name, &found))?;
    let wanted = |case: &&Case| {
        args.filter
            .as_ref()
            .is_none_or(|part| case.name.contains(part.as_str()))
    };
    let mut snapshots = Snapshots::open(&suite.path, args.update)?;
    let mut coverage = coverage(sources).filter(|_| args.filter.is_none());
    let mut results = Vec::new();
    for case in cases.iter().filter(wanted) {
        let played = play(case);
        if let Some(coverage) = &mut coverage {
            for (step, played) in case.steps.iter().zip(&played) {
                coverage.reach(&step.snapshot, played);
            }
        }
        let mut verdicts = Verdict::of(case, &played);
        for verdict in verdicts.iter_mut().filter(|verdict| verdict.keeps_snapshot) {
            let name = full_name(&case.name, &verdict.step);
            if let Some(kept) = snapshots.differs(&name, &verdict.text) {
                verdict.failures.push(Failure {
                    what: "snapshot".to_owned(),
                    expected: kept,
                    actual: verdict.text.clone(),
                });
            }
        }
        results.push(CaseResult {
            name: case.name.clone(),
            line: case.line,
            verdicts,
        });
    }
    snapshots.close()?;
    Ok(Tested {
        file: suite.test.name.clone(),
        policy: sources.origin.clone(),
        results,
        coverage,
    })
}

fn coverage(sources: &Sources) -> Option<Coverage> {
    // The instant counts for warnings alone.
    let compiled = compile(sources, jiff::Timestamp::UNIX_EPOCH).ok();
    compiled.map(|compiled| Coverage::of(&compiled.snapshot))
}

fn listed(file: &str, found: &[Diagnostic]) -> String {
    let listed: Vec<String> = found.iter().map(ToString::to_string).collect();
    format!("{file} cannot be run\n{}", listed.join("\n\n"))
}

/// `lights out / 2 / Qwen is back`.
fn full_name(case: &str, step: &str) -> String {
    if step.is_empty() {
        case.to_owned()
    } else {
        format!("{case} / {step}")
    }
}
