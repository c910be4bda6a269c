//! Diagnostics as SARIF 2.1.0, which code hosts and editors show beside the lines.
//!
//! Every code is a rule with its meaning, so that a result's rule never depends on what else was found.

use super::{Caret, Diagnostic, Severity, codes};
use serde_json::{Value, json};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// The unit of columns: characters, as in every other form of a diagnostic.
const COLUMNS: &str = "unicodeCodePoints";

/// One run with its results in the order of the diagnostics.
pub fn sarif(diagnostics: &[Diagnostic]) -> Value {
    let rules: Vec<Value> = codes::CODES.iter().map(|(code, meaning)| rule(code, meaning)).collect();
    let results: Vec<Value> = diagnostics.iter().map(result).collect();
    let driver = json!({
        "name": "planb",
        "version": env!("CARGO_PKG_VERSION"),
        "rules": rules,
    });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": COLUMNS, "results": results}],
    })
}

fn rule(code: &str, meaning: &str) -> Value {
    let help = format!("{meaning}. The policy's reference lists every key with its type and an example.");
    json!({
        "id": code,
        "shortDescription": {"text": meaning},
        "help": {"text": help},
    })
}

fn result(found: &Diagnostic) -> Value {
    let level = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let text = match &found.help {
        Some(help) => format!("{} ({help})", found.message),
        None => found.message.clone(),
    };
    let mut result = json!({
        "ruleId": found.code,
        "level": level,
        "message": {"text": text},
        "locations": [location(&found.file, found.line, found.caret, &found.excerpt)],
    });
    let rule = codes::CODES.iter().position(|(code, _)| *code == found.code);
    if let (Some(rule), Value::Object(result)) = (rule, &mut result) {
        result.insert("ruleIndex".to_owned(), json!(rule));
    }
    let related: Vec<Value> = found
        .related
        .iter()
        .map(|other| {
            let mut place = location(&other.file, other.line, other.caret, &other.excerpt);
            if let Value::Object(place) = &mut place {
                place.insert("message".to_owned(), json!({"text": other.message}));
            }
            place
        })
        .collect();
    if let (false, Value::Object(result)) = (related.is_empty(), &mut result) {
        result.insert("relatedLocations".to_owned(), Value::Array(related));
    }
    result
}

fn location(file: &str, line: usize, caret: Caret, excerpt: &str) -> Value {
    let region = json!({
        "startLine": line,
        "startColumn": caret.start + 1,
        "endColumn": caret.end.max(caret.start) + 1,
        "snippet": {"text": excerpt},
    });
    json!({"physicalLocation": {"artifactLocation": {"uri": uri(file)}, "region": region}})
}

/// A path as a reference: relative ones stay so, and are taken from the repository's root.
fn uri(file: &str) -> String {
    let mut text = String::from(if file.starts_with('/') { "file://" } else { "" });
    for byte in file.strip_prefix("./").unwrap_or(file).bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
