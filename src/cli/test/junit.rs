//! Results as JUnit XML, as build servers read it.

use super::{CaseResult, Tested, full_name};
use std::fmt::Write as _;

pub(super) fn xml(tested: &[Tested]) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"planb\">\n".to_owned();
    for file in tested {
        let failed = file.results.iter().filter(|case| !case.passed()).count();
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\">",
            escaped(&file.file),
            file.results.len()
        );
        for case in &file.results {
            write_case(&mut text, file, case);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn write_case(text: &mut String, file: &Tested, case: &CaseResult) {
    let (name, class) = (escaped(&case.name), escaped(&file.policy));
    let head = format!(
        "    <testcase name=\"{name}\" classname=\"{class}\" file=\"{}\" line=\"{}\"",
        escaped(&file.file),
        case.line
    );
    if case.passed() {
        let _ = writeln!(text, "{head}/>");
        return;
    }
    let _ = writeln!(text, "{head}>");
    for verdict in case.verdicts.iter().filter(|verdict| !verdict.passed()) {
        let told: Vec<String> = verdict
            .failures
            .iter()
            .map(|failure| {
                format!(
                    "{}: expected {}, and it is {}",
                    failure.what, failure.expected, failure.actual
                )
            })
            .collect();
        let _ = writeln!(
            text,
            "      <failure message=\"{}\">{}</failure>",
            escaped(&told.join("; ")),
            escaped(&format!("{}\n{}", full_name(&case.name, &verdict.step), verdict.text))
        );
    }
    text.push_str("    </testcase>\n");
}

/// What XML cannot hold at all is left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            c if c < ' ' && c != '\t' => {}
            c => safe.push(c),
        }
    }
    safe
}
