//! One thing to say about a policy, with its place: serialisable for the control API, printable in the manner of rustc.
//!
//! It carries the source line itself, with literal credentials already masked, so that it can be shown long after the
//! text is gone. It finds nothing: [`super::report`] makes them.

pub mod codes;
mod github;
mod sarif;
#[cfg(test)]
mod tests;

pub use github::github;
pub use sarif::sarif;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// Characters of the excerpt, from `start` (inclusive) to `end` (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Caret {
    pub start: usize,
    pub end: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub severity: Severity,
    /// What kind of thing it is, for machines: `unknown-key`, `not-yet`, …
    pub code: &'static str,
    pub message: String,
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The source line, a literal credential masked.
    pub excerpt: String,
    pub caret: Caret,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The other places that matter, such as a first definition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    pub message: String,
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub excerpt: String,
    pub caret: Caret,
}

impl Diagnostic {
    /// What is wrong with a file as a whole, such as that it cannot be read.
    pub fn of_file(code: &'static str, file: &str, why: &str) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: why.to_owned(),
            file: file.to_owned(),
            line: 1,
            column: 1,
            excerpt: String::new(),
            caret: Caret { start: 0, end: 0 },
            help: None,
            related: Vec::new(),
        }
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.message.as_str()).id(self.code);
        let mut group = title.element(snippet(&self.file, self.line, &self.excerpt, self.caret, None));
        for other in &self.related {
            let label = Some(other.message.as_str());
            group = group.element(snippet(&other.file, other.line, &other.excerpt, other.caret, label));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let groups: [Group; 1] = [group];
        f.write_str(&Renderer::plain().render(&groups))
    }
}

fn snippet<'a>(
    file: &'a str,
    line: usize,
    excerpt: &'a str,
    caret: Caret,
    label: Option<&'a str>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let kind = if label.is_some() {
        AnnotationKind::Context
    } else {
        AnnotationKind::Primary
    };
    let span = byte_at(excerpt, caret.start)..byte_at(excerpt, caret.end);
    Snippet::source(excerpt)
        .path(file)
        .line_start(line)
        .annotation(kind.span(span).label(label))
}

fn byte_at(text: &str, character: usize) -> usize {
    text.char_indices().nth(character).map_or(text.len(), |(at, _)| at)
}
