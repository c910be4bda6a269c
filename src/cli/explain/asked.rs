//! What is asked on the command line (a body, a curl command, flags) as the words of a test's request.

use crate::cli::curl::{self, Body};
use crate::dialect::Inbound;
use crate::request::Thinking;
use serde_json::{Map, Value, json};
use std::path::Path;

pub type Words = Map<String, Value>;

/// Of a body: what has a word of its own in a test's request, or is the text itself.
const KNOWN: [&str; 14] = [
    "model",
    "messages",
    "input",
    "stream",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "tools",
    "tool_choice",
    "response_format",
    "enable_thinking",
    "thinking_budget",
    "stream_options",
    "metadata",
];

/// A body, or a curl command with one.
pub fn words_of(text: &str) -> Result<Words, String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if !curl::is_command(text) {
        return body_words(text, None).map_err(|why| match text.starts_with('{') {
            true => why,
            false => format!("this is neither a request's JSON nor a curl command: {why}"),
        });
    }
    let call = curl::read(text)?;
    let body = match call.body {
        Some(Body::Text(text)) => text,
        Some(Body::File(file)) => read_file(Path::new(&file))?,
        None => return Err("this curl command sends no body (`-d`, `--data` or `--json`)".to_owned()),
    };
    let mut words = body_words(body.trim_start_matches('\u{feff}').trim(), call.url.as_deref())?;
    for (name, value) in call.headers {
        header_word(&mut words, name.to_lowercase(), value);
    }
    Ok(words)
}

fn read_file(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("the command's body is in {}: {error}", file.display()))
}

fn header_word(words: &mut Words, name: String, value: String) {
    match name.as_str() {
        "x-planb-tags" => {
            let pairs = value.split(',').filter_map(|pair| pair.split_once('='));
            for (name, value) in pairs {
                entry(words, "tags", name, value);
            }
        }
        "x-planb-use" => drop(words.insert("use".to_owned(), json!(value))),
        "x-planb-territory" => drop(words.insert("territory".to_owned(), json!(value))),
        "x-planb-min-quality" => drop(words.insert("min_quality".to_owned(), json!(value))),
        "x-planb-max-cost" => drop(words.insert("max_cost".to_owned(), json!(value))),
        // A key is nobody's business here.
        "authorization"
        | "x-api-key"
        | "api-key"
        | "x-goog-api-key"
        | "proxy-authorization"
        | "cookie"
        | "content-type"
        | "accept"
        | "user-agent"
        | "host" => {}
        _ => entry(words, "headers", &name, &value),
    }
}

/// An entry of `tags`, `headers` or `fields`.
pub fn entry(words: &mut Words, part: &str, name: &str, value: &str) {
    let map = words.entry(part).or_insert_with(|| json!({})).as_object_mut();
    if let Some(map) = map {
        map.insert(name.trim().to_owned(), json!(value.trim()));
    }
}

/// The address says the dialect; without one, what the body has.
fn body_words(body: &str, url: Option<&str>) -> Result<Words, String> {
    let value: Value = serde_json::from_str(body).map_err(|error| format!("the body is no JSON ({error})"))?;
    let path = url.map(|url| url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/'));
    for other in ["/responses", "/messages", "/v1/completions", ":generateContent"] {
        if path.is_some_and(|path| path.ends_with(other)) {
            return Err(format!(
                "requests to `{other}` are not served by this version; /v1/chat/completions and /v1/embeddings are"
            ));
        }
    }
    let embeds = match path {
        Some(path) if path.ends_with("/embeddings") => true,
        Some(path) if path.ends_with("/chat/completions") => false,
        _ => value.get("messages").is_none() && value.get("input").is_some(),
    };
    let read = if embeds { Inbound::embeddings } else { Inbound::chat };
    let request = read(body.to_owned().into()).map_err(|error| error.to_string())?;
    if request.model().starts_with('$') {
        let model = request.model();
        return Err(format!(
            "the shell would put a model's name in place of `{model}`: write it out"
        ));
    }
    let needs = request.needs(&[]);
    let thinking = match needs.thinking {
        Thinking::Off => Some(json!(false)),
        Thinking::On => Some(json!(true)),
        Thinking::Budget(tokens) => Some(json!(tokens)),
        Thinking::Unstated => None,
    };
    let members = value.as_object().into_iter().flatten();
    let rest = members.filter(|(name, _)| !KNOWN.contains(&name.as_str()));
    let fields: Words = rest.map(|(name, value)| (name.clone(), value.clone())).collect();
    let values = [
        ("model", Some(json!(request.model()))),
        ("dialect", embeds.then(|| json!("embeddings"))),
        ("input", Some(json!(needs.input))),
        ("output", needs.output_bound.map(|bound| json!(bound))),
        ("choices", Some(json!(needs.choices.max(1)))),
        ("thinking", thinking),
        ("tools", Some(json!(needs.tools))),
        ("images", Some(json!(needs.images))),
        ("audio", Some(json!(needs.audio))),
        ("json_schema", Some(json!(needs.json_schema))),
        ("stream", Some(json!(request.stream()))),
        ("fields", (!fields.is_empty()).then_some(Value::Object(fields))),
    ];
    let given = values
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Ok(given.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Value {
        Value::Object(words_of(text).unwrap())
    }

    #[test]
    fn a_body_and_a_curl_command_ask_the_same() {
        let body = r#"{"model": "chat", "max_tokens": 200, "stream": true, "logprobs": true, "messages": [{"role": "user", "content": "it's"}]}"#;
        let curl = format!(
            "curl -s http://127.0.0.1:4141/v1/chat/completions \\\n -H 'Content-Type: application/json' -H \"X-Planb-Tags: team=search, app=web\" -H 'x-env: canary' -H 'Authorization: Bearer sk-secret' -d '{}'",
            body.replace('\'', "'\\''")
        );
        let (plain, called) = (words(body), words(&curl));
        assert_eq!(
            (&plain["model"], &plain["output"], &plain["stream"]),
            (&json!("chat"), &json!(200), &json!(true))
        );
        assert_eq!(plain["fields"], json!({"logprobs": true}));
        assert_eq!(plain["input"], called["input"]);
        assert_eq!(called["tags"], json!({"team": "search", "app": "web"}));
        assert_eq!(called["headers"], json!({"x-env": "canary"}));
        assert!(!called.to_string().contains("sk-secret"));
    }

    #[test]
    fn the_body_may_stand_in_a_file_and_be_one_of_embeddings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("body.json");
        std::fs::write(&path, "\u{feff}{\"model\": \"vectors\", \"input\": [\"a\", \"b\"]}\n").unwrap();
        let found = words(&format!(
            "curl https://x/v1/embeddings --data-binary @{}",
            path.display()
        ));
        assert_eq!(
            (&found["model"], &found["dialect"]),
            (&json!("vectors"), &json!("embeddings"))
        );
        assert_eq!(
            words(&std::fs::read_to_string(&path).unwrap())["dialect"],
            json!("embeddings")
        );
    }

    #[test]
    fn what_cannot_be_asked_is_said() {
        for (text, part) in [
            (
                "curl https://x/v1/responses -d '{\"model\": \"m\", \"input\": \"a\"}'",
                "`/responses` are not served",
            ),
            ("curl https://x/v1/models", "sends no body"),
            ("curl x -d @/nowhere/body.json", "/nowhere/body.json"),
            ("{\"model\": ", "no JSON"),
            ("hello", "neither a request's JSON nor a curl command"),
            (
                "curl x -d \"{\\\"model\\\": \\\"$MODEL\\\", \\\"messages\\\": []}\"",
                "write it out",
            ),
        ] {
            let told = words_of(text).unwrap_err();
            assert!(told.contains(part), "{text}: {told}");
        }
    }
}
