//! Holds the JSON Schema against the reader: what the reader takes, the schema takes. A validator of the few words of
//! JSON Schema that ours uses; `tests/schema` does the same with the reference implementation.

use super::*;
use crate::policy::source::{self, Node, Style, Value as Tree, Word};
use serde_json::{Map, Value, json};

/// Why the schema refuses the policy.
pub fn refusals(text: &str) -> Vec<String> {
    refused_by(&schema::schema(), text)
}

/// The same of a file of tests.
pub fn refusals_of_tests(text: &str) -> Vec<String> {
    refused_by(&schema::tests_schema(), text)
}

fn refused_by(schema: &str, text: &str) -> Vec<String> {
    let all = sources(&[("policy.yaml", text)]);
    let files = source::Files::new(&all);
    let mut report = Report::new(&files);
    let Some(entries) = source::load(&files, &mut report) else {
        return vec!["no YAML".to_owned()];
    };
    let schema: Value = serde_json::from_str(schema).unwrap();
    let mut found = Vec::new();
    judge(&map(&entries), &schema, &schema, "", &mut found);
    found
}

fn map(entries: &[(Word, Node)]) -> Value {
    let pairs = entries.iter().map(|(key, node)| (key.text.to_string(), json(node)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

/// As YAML 1.2 reads it.
fn json(node: &Node) -> Value {
    match &node.value {
        Tree::Map(entries) => map(entries),
        Tree::List(items) => items.iter().map(json).collect(),
        Tree::Scalar(word) if word.is_null() => Value::Null,
        Tree::Scalar(word) if word.style == Style::Plain => match word.text.as_ref() {
            "true" => json!(true),
            "false" => json!(false),
            text => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(whole), _) => json!(whole),
                (_, Ok(number)) => json!(number),
                _ => json!(text),
            },
        },
        Tree::Scalar(word) => json!(word.text.as_ref()),
    }
}

fn judge(value: &Value, schema: &Value, root: &Value, at: &str, found: &mut Vec<String>) {
    for (word, wanted) in schema.as_object().unwrap() {
        match word.as_str() {
            "$ref" => {
                let name = wanted.as_str().unwrap().strip_prefix("#/definitions/").unwrap();
                return judge(value, &root["definitions"][name], root, at, found);
            }
            "allOf" => wanted
                .as_array()
                .unwrap()
                .iter()
                .for_each(|one| judge(value, one, root, at, found)),
            "anyOf" => any_of(value, wanted, root, at, found),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    judge(item, wanted, root, &format!("{at}[]"), found);
                }
            }
            "additionalProperties" => properties(value, schema, root, at, found),
            "propertyNames" => {
                for key in value.as_object().into_iter().flat_map(Map::keys) {
                    judge(&json!(key), wanted, root, &format!("{at}.{key}"), found);
                }
            }
            // Judged with `additionalProperties`, or words for people.
            "properties" | "description" | "title" | "examples" | "$schema" | "definitions" => {}
            word if !obeys(value, word, wanted) => found.push(format!("{at}: {value} against {word}: {wanted}")),
            _ => {}
        }
    }
}

fn obeys(value: &Value, word: &str, wanted: &Value) -> bool {
    let whole = wanted.as_i64();
    match word {
        "type" => has_type(value, wanted),
        "enum" => wanted.as_array().unwrap().contains(value),
        "pattern" => {
            let pattern = regex::Regex::new(wanted.as_str().unwrap()).unwrap();
            value.as_str().is_none_or(|text| pattern.is_match(text))
        }
        "minimum" => value.as_i64().is_none_or(|number| number >= whole.unwrap()),
        "maximum" => value.as_i64().is_none_or(|number| number <= whole.unwrap()),
        "minLength" => value.as_str() != Some(""),
        "required" => {
            let mut keys = wanted.as_array().unwrap().iter();
            !value.is_object() || keys.all(|key| value.get(key.as_str().unwrap()).is_some())
        }
        other => panic!("no rule here for `{other}`"),
    }
}

fn any_of(value: &Value, shapes: &Value, root: &Value, at: &str, found: &mut Vec<String>) {
    let mut best: Option<Vec<String>> = None;
    for shape in shapes.as_array().unwrap() {
        let mut refused = Vec::new();
        judge(value, shape, root, at, &mut refused);
        if best.as_ref().is_none_or(|best| refused.len() < best.len()) {
            best = Some(refused);
        }
    }
    found.extend(best.into_iter().flatten());
}

fn properties(value: &Value, schema: &Value, root: &Value, at: &str, found: &mut Vec<String>) {
    let rest = &schema["additionalProperties"];
    for (key, inner) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        match schema.get("properties").and_then(|known| known.get(key)) {
            Some(known) => judge(inner, known, root, &at, found),
            None if rest == &json!(false) => found.push(format!("{at}: no such key")),
            None => judge(inner, rest, root, &at, found),
        }
    }
}

fn has_type(value: &Value, wanted: &Value) -> bool {
    let is = |word: &str| match word {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    };
    match wanted {
        Value::Array(words) => words.iter().any(|word| is(word.as_str().unwrap())),
        word => is(word.as_str().unwrap()),
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses_by_its_shape() {
    for (line, at) in [
        ("modles: {}", ".modles"),
        ("routes: {a: b}", ".routes"),
        ("models: {m: {supply: lokal, provider: p}}", ".models.m.supply"),
        ("models: {m: {supply: local}}", ".models.m"),
        (
            "models: {m: {supply: local, provider: p, context: 1K}}",
            ".models.m.context",
        ),
        (
            "models: {m: {supply: local, provider: p, quality: 101}}",
            ".models.m.quality",
        ),
        ("models: {'a b': {supply: local, provider: p}}", ".models.a b"),
        ("budgets: {b: {limit: 5, per: month}}", ".budgets.b.limit"),
        ("clients: {c: {key: sk-0123456789}}", ".clients.c.key"),
    ] {
        let found = refusals(line);
        assert!(
            found.iter().any(|why| why.starts_with(&format!("{at}:"))),
            "{line}: {found:?}"
        );
        assert!(compile(&sources(&[("policy.yaml", line)]), NOW).is_err(), "{line}");
    }
}
