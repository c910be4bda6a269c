//! Text to snapshot, in steps that can each be read alone: `source` (files → one tree with places) → `read` (the words
//! as written) → `resolve` (names, defaults, units) → `check` (what is wrong or unwise together) → [`snapshot`].
//!
//! Every step goes on after an error with a placeholder, so that one run shows every error at once. Nothing here opens
//! a file: an edge reads the texts (`watch.rs`) and hands them over as [`Sources`].

pub mod cases;
mod check;
pub mod condition;
pub mod defaults;
mod diagnostic;
pub mod diff;
pub mod format;
mod mask;
mod nearest;
mod patience;
mod read;
mod report;
mod resolve;
pub mod schema;
pub mod snapshot;
mod source;
mod supply;
pub mod trial;

#[cfg(test)]
mod tests;

pub use diagnostic::{Caret, Diagnostic, Related, Severity, codes, github, sarif};

use cases::overlay::Patch;
use condition::Selectors;
use jiff::Timestamp;
use report::Report;
use sha2::{Digest, Sha256};
use snapshot::Snapshot;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// One text of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As people know it: shown in every diagnostic.
    pub name: String,
    pub text: String,
}

/// The texts of a policy, in the order in which they are merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// What was asked for: a path, or `built-in quickstart`.
    pub origin: String,
    /// Relative paths in the policy begin here.
    pub directory: PathBuf,
    pub files: Vec<SourceFile>,
}

/// A policy that may be served, and what is unwise about it.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub snapshot: Snapshot,
    pub warnings: Vec<Diagnostic>,
}

impl Sources {
    /// A policy of one text.
    pub fn single(origin: &str, directory: PathBuf, text: &str) -> Self {
        let file = SourceFile {
            name: origin.to_owned(),
            text: text.to_owned(),
        };
        Self {
            origin: origin.to_owned(),
            directory,
            files: vec![file],
        }
    }

    /// From the text that [`Snapshot::text`] holds and the ledger keeps.
    pub fn recorded(origin: &str, text: &str) -> Self {
        let mut files: Vec<SourceFile> = Vec::new();
        for line in text.split_inclusive('\n') {
            match (line.trim_end().strip_prefix("# --- "), files.last_mut()) {
                (Some(name), _) if text.starts_with("# --- ") => files.push(SourceFile {
                    name: name.to_owned(),
                    text: String::new(),
                }),
                (_, Some(file)) => file.text.push_str(line),
                (_, None) => files.push(SourceFile {
                    name: origin.to_owned(),
                    text: line.to_owned(),
                }),
            }
        }
        Self {
            origin: origin.to_owned(),
            directory: PathBuf::new(),
            files,
        }
    }

    /// A snapshot's text, that was joined from one file or several.
    pub fn joined_text(origin: &str, directory: PathBuf, text: &str) -> Self {
        Self {
            files: diff::texts(text),
            ..Self::single(origin, directory, "")
        }
    }

    /// SHA-256 over the files' names and texts, in lower-case hexadecimal: equal for equal policies only.
    pub fn hash(&self) -> String {
        let mut sum = Sha256::new();
        for part in self.files.iter().flat_map(|file| [&file.name, &file.text]) {
            sum.update((part.len() as u64).to_le_bytes());
            sum.update(part.as_bytes());
        }
        hexadecimal(&sum.finalize())
    }

    /// The files one after another, each under a `# --- name` line when there are several.
    fn joined(&self) -> String {
        if let [only] = self.files.as_slice() {
            return only.text.clone();
        }
        self.files.iter().fold(String::new(), |mut text, file| {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str("# --- ");
            text.push_str(&file.name);
            text.push('\n');
            text.push_str(&file.text);
            text
        })
    }
}

/// Compiles a policy as of `now`, which only warnings look at. Errors and warnings come in the order of the text; with any
/// error there is no snapshot.
pub fn compile(sources: &Sources, now: Timestamp) -> Result<Compiled, Vec<Diagnostic>> {
    compiled(sources, now, &source::Files::new(sources), Vec::new())
}

/// Compiles a policy with some values in place of its own; their places are in `by`.
fn compile_changed(sources: &Sources, by: &SourceFile, patches: Vec<Patch>) -> Result<Compiled, Vec<Diagnostic>> {
    let mut all = sources.clone();
    all.files.push(by.clone());
    compiled(sources, Timestamp::UNIX_EPOCH, &source::Files::new(&all), patches)
}

fn compiled(
    sources: &Sources,
    now: Timestamp,
    files: &source::Files,
    patches: Vec<Patch>,
) -> Result<Compiled, Vec<Diagnostic>> {
    let mut report = Report::new(files);
    let snapshot = snapshot_of(sources, now, files, patches, &mut report);
    let failed = report.has_errors();
    let diagnostics = report.finish();
    match snapshot {
        Some(snapshot) if !failed => Ok(Compiled {
            snapshot,
            warnings: diagnostics,
        }),
        _ => Err(diagnostics),
    }
}

fn snapshot_of<'f>(
    sources: &Sources,
    now: Timestamp,
    files: &'f source::Files,
    patches: Vec<Patch>,
    report: &mut Report<'f>,
) -> Option<Snapshot> {
    // A tree with a hole in it would only breed errors that are not there.
    let mut document = source::load_first(sources.files.len(), files, report)?;
    cases::overlay::apply(&mut document, patches, sources.files.len());
    let written = read::read(&document, report);
    let draft = resolve::resolve(&written, &sources.directory, files, report)?;
    let facts = snapshot::facts_of(&draft.models, &draft.providers, &draft.licenses);
    let snapshot = Snapshot {
        selectors: Arc::new(Selectors::new(draft.selectors, facts)),
        hash: sources.hash().into(),
        text: sources.joined().into(),
        origin: Arc::from(sources.origin.as_str()),
        timezone: draft.timezone,
        timezone_name: draft.timezone_name,
        currency: draft.currency,
        licenses: draft.licenses,
        rates: draft.rates,
        providers: draft.providers,
        priced_fields: snapshot::priced_fields(&draft.models),
        model_index: snapshot::index_of(&draft.models),
        models: draft.models,
        clients: draft.clients,
        route_index: snapshot::RouteIndex::new(&draft.routes),
        routes: draft.routes,
        budgets: draft.budgets,
        plans: draft.plans,
        alerts: draft.alerts,
    };
    check::check(&snapshot, &written, now, report);
    Some(snapshot)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
