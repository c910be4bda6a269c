//! Collects what the steps find and turns places into [`Diagnostic`]s at the end.
//!
//! It knows the texts and which of their parts are secrets. It never stops anything: the steps go on with placeholders.

use super::diagnostic::{Caret, Diagnostic, Related, Severity, codes};
use super::mask;
use super::source::files::Files;
use super::source::tree::Place;
use std::cell::RefCell;
use std::collections::HashMap;

/// More than anybody reads; the rest is counted.
const SHOWN: usize = 100;
/// Characters of a line that are shown at most.
const WIDEST: usize = 400;

/// One finding, before its place is made readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    severity: Severity,
    code: &'static str,
    place: Place,
    message: String,
    help: Option<String>,
    related: Vec<(Place, String)>,
}

impl Finding {
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Takes the help where there is one.
    pub fn maybe_help(&mut self, help: Option<String>) -> &mut Self {
        self.help = help.or_else(|| self.help.take());
        self
    }

    pub fn related(&mut self, place: Place, message: impl Into<String>) -> &mut Self {
        self.related.push((place, message.into()));
        self
    }
}

pub(super) struct Report<'a> {
    files: &'a Files,
    findings: Vec<Finding>,
    secrets: Vec<Place>,
    /// Lines as they may be shown, by file and first byte: a long one may be shown many times.
    masked: RefCell<HashMap<(usize, usize), String>>,
}

/// What to do about a comment behind a condition without quotes.
pub(super) const WHOLE_IN_QUOTES: &str =
    "put the whole condition in single quotes: `'… # …'`; a comment stands behind the closing one";

impl<'a> Report<'a> {
    pub fn new(files: &'a Files) -> Self {
        Self {
            files,
            findings: Vec::new(),
            secrets: Vec::new(),
            masked: RefCell::default(),
        }
    }

    pub fn error(&mut self, place: Place, code: &'static str, message: impl Into<String>) -> &mut Finding {
        self.add(Severity::Error, place, code, message.into())
    }

    pub fn warning(&mut self, place: Place, code: &'static str, message: impl Into<String>) -> &mut Finding {
        self.add(Severity::Warning, place, code, message.into())
    }

    /// A word that the product knows and this version does not do.
    pub fn not_yet(&mut self, place: Place, word: &str) -> &mut Finding {
        let message = format!("`{}` is not supported by this version yet", mask::shown(word));
        let found = self.error(place, "not-yet", message);
        found.help("take it out for now");
        found
    }

    /// A condition that YAML ends at a comment, which stands at `place`; what is left is none.
    pub fn cut_off(&mut self, place: Place) {
        let message = "YAML takes `#` and all that follows for a comment, and what is left is no condition";
        self.error(place, "cut-off", message).help(WHOLE_IN_QUOTES);
    }

    /// Is what is found now shown to somebody? Help that is costly to find is not looked for beyond.
    pub const fn is_read(&self) -> bool {
        self.findings.len() < SHOWN
    }

    /// Hides this part of the text in every excerpt.
    pub fn secret(&mut self, place: Place) {
        self.secrets.push(place);
    }

    /// How much was found so far.
    pub const fn count(&self) -> usize {
        self.findings.len()
    }

    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|found| found.severity == Severity::Error)
    }

    pub fn error_places(&self) -> impl Iterator<Item = Place> {
        let errors = self.findings.iter().filter(|found| found.severity == Severity::Error);
        errors.map(|found| found.place)
    }

    /// Something of this kind was found in this part of the text.
    pub fn has_within(&self, code: &str, whole: Place) -> bool {
        self.findings.iter().any(|found| {
            let place = found.place;
            found.code == code && place.file == whole.file && whole.start <= place.start && place.end <= whole.end
        })
    }

    /// Sorted by place, each once.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        let mut findings = std::mem::take(&mut self.findings);
        findings.sort_by(|a, b| (a.place, a.code, &a.message).cmp(&(b.place, b.code, &b.message)));
        findings.dedup();
        // Sorted already, as the findings are.
        let misshapen: Vec<Place> = findings
            .iter()
            .filter(|found| found.code == "wrong-shape")
            .map(|found| found.place)
            .collect();
        findings.retain(|found| found.code != "missing-key" || !self.is_of_any(found.place, &misshapen));
        let left_out = findings.len().saturating_sub(SHOWN);
        if left_out > 0 {
            // What is unwise keeps nobody from what is wrong: warnings have the places that errors leave.
            let is_error = |found: &Finding| found.severity == Severity::Error;
            let errors = findings.iter().filter(|found| is_error(found)).count();
            let mut places = SHOWN.saturating_sub(errors);
            findings.retain(|found| {
                let shown = is_error(found) || places > 0;
                places -= usize::from(shown && !is_error(found));
                shown
            });
        }
        let mut diagnostics: Vec<_> = findings.iter().take(SHOWN).map(|found| self.show(found)).collect();
        if let (Some(last), true) = (diagnostics.last_mut(), left_out > 0) {
            let more = format!("{left_out} more are not shown");
            last.help = Some(last.help.take().map_or(more.clone(), |help| format!("{help}; {more}")));
        }
        diagnostics
    }

    /// What is missing from something of the wrong shape is no news: it stands there, or behind the name and its colon.
    fn is_of_any(&self, missing: Place, misshapen: &[Place]) -> bool {
        let at = misshapen.partition_point(|of| (of.file, of.start) < (missing.file, missing.end));
        let between = |of: &Place| {
            let text = &self.files.get(missing.file)?.text;
            Some(of.file == missing.file && text.get(missing.end..of.start)?.trim() == ":")
        };
        misshapen.binary_search(&missing).is_ok() || misshapen.get(at).and_then(between) == Some(true)
    }

    fn add(&mut self, severity: Severity, place: Place, code: &'static str, message: String) -> &mut Finding {
        debug_assert!(
            codes::meaning(code).is_some(),
            "`{code}` is missing in diagnostic/codes.rs"
        );
        let at = self.findings.len();
        self.findings.push(Finding {
            severity,
            code,
            place,
            message,
            help: None,
            related: Vec::new(),
        });
        &mut self.findings[at]
    }

    fn show(&self, found: &Finding) -> Diagnostic {
        let spot = self.spot(found.place);
        let related = found.related.iter().map(|(place, message)| {
            let spot = self.spot(*place);
            Related {
                message: message.clone(),
                file: spot.file,
                line: spot.line,
                column: spot.column,
                excerpt: spot.excerpt,
                caret: spot.caret,
            }
        });
        Diagnostic {
            severity: found.severity,
            code: found.code,
            message: found.message.clone(),
            related: related.collect(),
            file: spot.file,
            line: spot.line,
            column: spot.column,
            excerpt: spot.excerpt,
            caret: spot.caret,
            help: found.help.clone(),
        }
    }

    fn spot(&self, place: Place) -> Spot {
        let Some(file) = self.files.get(place.file) else {
            return Spot::default();
        };
        let (line, start, text) = file.line_at(place.start);
        let characters = |from: usize, to: usize| text.get(from..to).map_or(0, |part| part.chars().count());
        let from = place.start.saturating_sub(start).min(text.len());
        let to = place.end.saturating_sub(start).clamp(from, text.len());
        let before = characters(0, from);
        let caret = Caret {
            start: before,
            end: before + characters(from, to).max(1),
        };
        let mut masked = self.masked.borrow_mut();
        let whole = masked.entry((place.file, start)).or_insert_with(|| {
            let secrets = self.secrets.iter().filter(|secret| secret.file == place.file);
            let within = secrets.map(|secret| (secret.start.saturating_sub(start), secret.end.saturating_sub(start)));
            mask::masked(text, within)
        });
        let (excerpt, caret) = window(whole, caret);
        Spot {
            file: file.name.clone(),
            line,
            column: before + 1,
            excerpt,
            caret,
        }
    }
}

/// Of a line that nobody could read whole, the part around the caret.
fn window(line: &str, caret: Caret) -> (String, Caret) {
    if line.len() <= WIDEST || line.chars().count() <= WIDEST {
        return (line.to_owned(), caret);
    }
    let first = caret.start.saturating_sub(WIDEST / 4);
    let mut rest = line.chars().skip(first);
    let mut excerpt = String::from(if first > 0 { "…" } else { "" });
    let moved = excerpt.chars().count();
    excerpt.extend(rest.by_ref().take(WIDEST));
    if rest.next().is_some() {
        excerpt.push('…');
    }
    let start = caret.start - first + moved;
    let end = start + (caret.end - caret.start).min(WIDEST - (caret.start - first));
    (excerpt, Caret { start, end })
}

/// A place as people see it.
struct Spot {
    file: String,
    line: usize,
    column: usize,
    excerpt: String,
    caret: Caret,
}

impl Default for Spot {
    fn default() -> Self {
        Self {
            file: String::new(),
            line: 1,
            column: 1,
            excerpt: String::new(),
            caret: Caret { start: 0, end: 1 },
        }
    }
}
