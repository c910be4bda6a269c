//! Diagnostics as workflow commands, which GitHub shows beside the lines of a pull request.

use super::{Diagnostic, Severity};

/// One command a diagnostic, each on a line of its own.
pub fn github(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(command).collect()
}

fn command(found: &Diagnostic) -> String {
    let level = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let message = match &found.help {
        Some(help) => format!("{}\nhelp: {help}", found.message),
        None => found.message.clone(),
    };
    format!(
        "::{level} file={},line={},col={},endColumn={},title={}::{}\n",
        property(&found.file),
        found.line,
        found.column,
        found.caret.end.max(found.column),
        property(found.code),
        data(&message)
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
