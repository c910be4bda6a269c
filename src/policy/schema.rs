//! The policy and its tests as JSON Schemas (draft 7, which every YAML language server understands), made from the reader's own
//! tables of keys and the table of what conditions may read.
//!
//! It promises shape and spelling: what it refuses, the reader refuses. Names and what fits together are for
//! `planb check`. A file of a folder need not be whole, so nothing is required at the top.

use super::cases::SUITE;
use super::condition::signature::{Environment, SIGNATURES};
use super::read::words::{CHANGE, Key, Kind, POLICY, REQUIRED, Section};
use super::resolve::alert_patterns;
use crate::catalog::Vendor;
use serde_json::{Map, Value, json};

/// A plan's changes are of a route, or of all.
const NAME_OR_ALL: &str = "^([*]|[A-Za-z0-9][A-Za-z0-9._/:-]{0,63})$";
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._/:-]{0,63}$";

/// The schema of policies, pretty-printed, with a line break at its end.
pub fn schema() -> String {
    let mut definitions = Map::new();
    definitions.insert("state-condition".to_owned(), condition(Environment::State));
    definitions.insert("selector-condition".to_owned(), condition(Environment::Selector));
    let mut root = object(&POLICY, &mut definitions);
    root.remove("required");
    whole(root, definitions, "A policy of planb")
}

/// The schema of a policy's tests.
pub fn tests_schema() -> String {
    let mut definitions = Map::new();
    let root = object(&SUITE, &mut definitions);
    whole(root, definitions, "Tests of a planb policy")
}

fn whole(mut root: Map<String, Value>, definitions: Map<String, Value>, title: &str) -> String {
    root.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    root.insert("title".to_owned(), json!(title));
    root.insert("definitions".to_owned(), Value::Object(definitions));
    // Maps and lists of strings always serialise.
    let mut text = serde_json::to_string_pretty(&root).unwrap_or_default();
    text.push('\n');
    text
}

fn object(section: &'static Section, definitions: &mut Map<String, Value>) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in section.keys {
        let mut value = of_kind(&key.kind, definitions);
        // An empty section of the policy is as good as none.
        if std::ptr::eq(section, &POLICY) {
            value = json!({"anyOf": [value, {"type": "null"}]});
        }
        describe(key, &mut value);
        properties.insert(key.name.to_owned(), value);
        if key.default == REQUIRED {
            required.push(key.name);
        }
    }
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), Value::Object(properties));
    object.insert("additionalProperties".to_owned(), json!(false));
    if !required.is_empty() {
        object.insert("required".to_owned(), json!(required));
    }
    object
}

/// What people see at a key: its line in the table, its default in words, its example.
fn describe(key: &Key, value: &mut Value) {
    let Value::Object(value) = value else { return };
    let default = match key.default {
        "" | REQUIRED => String::new(),
        worded if worded.contains([' ', '`']) => format!(" Default: {worded}."),
        plain => format!(" Default: `{plain}`."),
    };
    let about = format!("{}.{default} Example: `{}: {}`", key.about, key.name, key.example);
    value.insert("description".to_owned(), json!(about));
}

fn is_of_routes(of: &Kind) -> bool {
    matches!(of, Kind::In(section) if std::ptr::eq(*section, &CHANGE))
}

fn of_kind(kind: &'static Kind, definitions: &mut Map<String, Value>) -> Value {
    match kind {
        Kind::Text => json!({"type": ["string", "number", "boolean"]}),
        Kind::Truth => json!({"type": "boolean"}),
        Kind::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Duration => pattern("^([0-9]+(ms|s|m|h|d))+$"),
        Kind::Date => pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
        Kind::Money => pattern("^([0-9]+|[1-9][0-9]{0,2}((,[0-9]{3})+|(_[0-9]{3})+))(\\.[0-9]{1,9})? +[A-Z]{3}$"),
        Kind::Price(units) => pattern(&format!(
            "^([0-9]+|[1-9][0-9]{{0,2}}((,[0-9]{{3}})+|(_[0-9]{{3}})+))(\\.[0-9]{{1,9}})? +[A-Z]{{3}} ?/ ?({})$",
            units.join("|")
        )),
        Kind::Size => json!({
            "type": ["integer", "string"],
            "minimum": 1,
            "pattern": "^[0-9]+(\\.[0-9]{1,6})?(k|M|Ki|Mi)?$",
        }),
        Kind::Percentage => pattern("^[0-9]+(\\.[0-9]{1,2})? ?%$"),
        Kind::Credential => pattern("^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|credential:.+)$"),
        Kind::Address => pattern("^https?://[^\\s?#]+$"),
        Kind::Timezone => json!({"type": "string", "minLength": 1}),
        Kind::State => refer("state-condition"),
        Kind::Selector => refer("selector-condition"),
        Kind::Vendor => json!({"enum": Vendor::ALL.map(Vendor::word)}),
        Kind::Event => json!({"enum": alert_patterns()}),
        Kind::Word(words) => json!({"enum": words}),
        Kind::Pattern(words, whole) => json!({"type": "string", "pattern": whole, "title": words}),
        Kind::NameIn(section) => json!({"type": ["string", "number"], "title": format!("a name in `{section}`")}),
        Kind::List(of) => json!({"type": "array", "items": of_kind(of, definitions)}),
        Kind::Options(of) => json!({
            "type": "object",
            "propertyNames": {"pattern": "^[^=]+=.+$"},
            "additionalProperties": of_kind(of, definitions),
        }),
        Kind::Anything => json!({}),
        Kind::Fields(of) => json!({"type": "object", "additionalProperties": of_kind(of, definitions)}),
        Kind::Map(of) => json!({
            "type": "object",
            "propertyNames": {"pattern": if is_of_routes(of) { NAME_OR_ALL } else { NAME }},
            "additionalProperties": of_kind(of, definitions),
        }),
        Kind::In(section) => section_of(section, definitions),
        Kind::Either(kinds) => {
            let shapes: Vec<Value> = kinds.iter().map(|kind| of_kind(kind, definitions)).collect();
            json!({"anyOf": shapes})
        }
    }
}

/// Each section once; where it stands, only its name.
fn section_of(section: &'static Section, definitions: &mut Map<String, Value>) -> Value {
    let name = slug(section.what);
    if !definitions.contains_key(&name) {
        // Taken before it is filled, so that a section may stand in itself.
        definitions.insert(name.clone(), Value::Null);
        let whole = object(section, definitions);
        definitions.insert(name.clone(), Value::Object(whole));
    }
    refer(&name)
}

/// Beside a bare `$ref`, draft 7 ignores the description.
fn refer(name: &str) -> Value {
    json!({"allOf": [{"$ref": format!("#/definitions/{name}")}]})
}

fn pattern(whole: &str) -> Value {
    json!({"type": "string", "pattern": whole})
}

fn slug(what: &str) -> String {
    let plain = what.trim_start_matches("a ").trim_start_matches("an ");
    let words = plain
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// A condition is a text; what it may read is told in its description and shown as examples.
fn condition(environment: Environment) -> Value {
    let signals = || {
        SIGNATURES
            .iter()
            .filter(move |signal| signal.environment == environment)
    };
    let lines: Vec<String> = signals()
        .map(|signal| format!("- `{}` ({}): {}", signal.example, signal.unit, signal.meaning))
        .collect();
    let about = match environment {
        Environment::State => "A condition over live signals, in single quotes. For example:",
        Environment::Selector => "A condition over a model and who asks, in single quotes. For example:",
    };
    json!({
        "type": "string",
        "minLength": 1,
        "description": format!("{about}\n{}", lines.join("\n")),
        "examples": signals().map(|signal| signal.example).collect::<Vec<_>>(),
    })
}
