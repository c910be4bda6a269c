//! `planb explain POLICY [REQUEST]`: which model would serve a request, why, why not each other one, and what would have
//! to change for another. Nothing is called; the state is as given, the time is now.

use super::{StateArg, curl, fail, past, print};
use crate::dialect::chat::request::ChatRequest;
use crate::policy::cases::{self, Step};
use crate::policy::{Diagnostic, Sources};
use crate::rehearse::{Stage, want};
use crate::request::Thinking;
use crate::watch::read_sources;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Something could not be read; 1 is for a request that is refused.
const TROUBLE: u8 = 2;
/// Nobody writes a longer request by hand, and no curl line is longer.
const MOST_BODY: u64 = 32 * 1024 * 1024;

#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    /// A policy: a file, or a directory of files
    #[arg(required_unless_present = "decision")]
    policy: Option<PathBuf>,
    /// A file with the request's JSON body or a curl command; `-` is standard input
    request: Option<PathBuf>,
    /// What the application writes in `model` (default: the policy's first route)
    #[arg(long)]
    model: Option<String>,
    /// Who asks, of the policy's clients
    #[arg(long)]
    client: Option<String>,
    /// A tag of the request
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    tags: Vec<String>,
    /// Input tokens, such as 20k
    #[arg(long)]
    input: Option<String>,
    /// The application's own bound on the answer, in tokens
    #[arg(long)]
    output: Option<String>,
    /// Anything else of the request, in the words of a policy's tests: '{tools: true, use: research}'
    #[arg(long = "with", value_name = "WORDS")]
    words: Option<String>,
    /// The state, in the words of a policy's tests: 'budgets: {month: 85%}'
    #[arg(long, value_name = "WORDS", default_value = "")]
    given: String,
    /// Also say what would have to change for this model to be chosen
    #[arg(long, value_name = "MODEL")]
    want: Option<String>,
    /// A decision that was recorded, in place of a policy and a request
    #[arg(long, value_name = "ID", conflicts_with_all = ["policy"])]
    decision: Option<String>,
    #[command(flatten)]
    state: StateArg,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub fn run(args: &ExplainArgs) -> ExitCode {
    match explain(args, Timestamp::now()) {
        Ok((text, served)) => {
            print(&text);
            if served { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(trouble) => {
            let _ = fail(trouble);
            ExitCode::from(TROUBLE)
        }
    }
}

/// The explanation, and whether a model would serve the request.
fn explain(args: &ExplainArgs, now: Timestamp) -> Result<(String, bool), String> {
    if let Some(id) = &args.decision {
        let wanted = args.want.as_deref();
        return past::explain(&args.state.path(), id, wanted).map(|text| (text, true));
    }
    let sources = read_sources(args.policy.as_deref()).map_err(|error| error.to_string())?;
    let step = asked(args, &sources, now)?;
    let Some(ask) = &step.ask else {
        return Err("nothing is asked".to_owned());
    };
    let stage = Stage::of(&step);
    let outcome = stage.ask(ask);
    let wish = match &args.want {
        None => None,
        Some(name) => {
            let model = stage.snapshot.model_named(name);
            let model = model.ok_or_else(|| format!("no model of the policy is called `{name}`"))?;
            Some(want(&stage, ask, model))
        }
    };
    let served = outcome.refused.is_none();
    let explanation = outcome.explanation.as_ref();
    let refused = outcome.refused.as_ref().map(|refused| format!("refused: {refused}\n"));
    let text = explanation.map_or_else(|| refused.unwrap_or_default(), ToString::to_string);
    let text = match args.format {
        Format::Text => wish.map_or_else(|| text.clone(), |wish| format!("{text}\n{wish}")),
        Format::Json => {
            let mut value = explanation.map_or_else(|| json!({"text": text}), |explanation| explanation.json());
            if let Some(wish) = wish {
                let ways: Vec<Vec<String>> = wish
                    .ways
                    .iter()
                    .map(|way| way.iter().map(ToString::to_string).collect())
                    .collect();
                value["want"] = json!({"model": &*wish.model, "ways": ways, "text": wish.to_string()});
            }
            format!("{value:#}\n")
        }
    };
    Ok((text, served))
}

fn asked(args: &ExplainArgs, sources: &Sources, now: Timestamp) -> Result<Step, String> {
    let mut words = match request_text(args)? {
        Some(text) => words_of(&text)?,
        None => Map::new(),
    };
    let flags = [
        ("model", &args.model),
        ("client", &args.client),
        ("input", &args.input),
        ("output", &args.output),
    ];
    for (key, value) in flags {
        if let Some(value) = value {
            words.insert(key.to_owned(), json!(value));
        }
    }
    for tag in &args.tags {
        let (name, value) = tag
            .split_once('=')
            .ok_or_else(|| format!("`{tag}` is no tag: write NAME=VALUE"))?;
        entry(&mut words, "tags", name, value);
    }
    if !words.contains_key("model") && !args.words.as_ref().is_some_and(|words| words.contains("model:")) {
        let route = first_route(sources)?;
        words.insert("model".to_owned(), json!(route));
    }
    let request = Value::Object(words).to_string();
    let listed = |found: Vec<Diagnostic>| {
        let listed: Vec<String> = found.iter().map(ToString::to_string).collect();
        listed.join("\n\n")
    };
    let more = args.words.as_deref().unwrap_or_default();
    let mut step = cases::read_parts(sources, &args.given, &request, more).map_err(listed)?;
    step.given.time.get_or_insert(now);
    Ok(step)
}

fn first_route(sources: &Sources) -> Result<String, String> {
    let compiled = crate::policy::compile(sources, Timestamp::UNIX_EPOCH).map_err(|found| {
        let errors: Vec<String> = found
            .iter()
            .filter(|found| found.is_error())
            .map(ToString::to_string)
            .collect();
        errors.join("\n\n")
    })?;
    let first = compiled.snapshot.routes.first();
    first
        .map(|route| route.name.to_string())
        .ok_or_else(|| "the policy has no route".to_owned())
}

/// A file's text, or what comes over standard input where no flag says what is asked.
fn request_text(args: &ExplainArgs) -> Result<Option<String>, String> {
    let flagged = args.model.is_some() || args.words.is_some() || args.input.is_some() || args.output.is_some();
    match &args.request {
        Some(path) if path != Path::new("-") => {
            let text = std::fs::read_to_string(path);
            text.map(Some)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))
        }
        None if flagged || std::io::stdin().is_terminal() => Ok(None),
        _ => {
            let mut text = String::new();
            let read = std::io::stdin().take(MOST_BODY).read_to_string(&mut text);
            read.map_err(|error| format!("cannot read standard input: {error}"))?;
            Ok((!text.trim().is_empty()).then_some(text))
        }
    }
}

/// A body, or a curl command with one, as the words of a test's request.
fn words_of(text: &str) -> Result<Map<String, Value>, String> {
    let text = text.trim();
    if !text.starts_with("curl") {
        return body_words(text);
    }
    let call = curl::read(text)?;
    let mut words = match &call.body {
        Some(body) => body_words(body)?,
        None => return Err("this curl command sends no body (`-d`, `--data` or `--json`)".to_owned()),
    };
    for (name, value) in call.headers {
        header_word(&mut words, name.to_lowercase(), value);
    }
    Ok(words)
}

fn header_word(words: &mut Map<String, Value>, name: String, value: String) {
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
        "authorization" | "x-api-key" | "content-type" | "accept" => {}
        _ => {
            entry(words, "headers", &name, &value);
        }
    }
}

/// An entry of `tags` or `headers`.
fn entry(words: &mut Map<String, Value>, part: &str, name: &str, value: &str) {
    let map = words.entry(part).or_insert_with(|| json!({})).as_object_mut();
    if let Some(map) = map {
        map.insert(name.trim().to_owned(), json!(value.trim()));
    }
}

fn body_words(body: &str) -> Result<Map<String, Value>, String> {
    let request = ChatRequest::read(body.to_owned().into()).map_err(|error| error.to_string())?;
    let thinking = match request.thinking {
        Thinking::Off => Some(json!(false)),
        Thinking::On => Some(json!(true)),
        Thinking::Budget(tokens) => Some(json!(tokens)),
        Thinking::Unstated => None,
    };
    let values = [
        ("model", Some(json!(request.model))),
        ("input", Some(json!(request.input))),
        ("output", request.output_bound.map(|bound| json!(bound))),
        ("choices", Some(json!(request.choices))),
        ("thinking", thinking),
        ("tools", Some(json!(request.tools))),
        ("images", Some(json!(request.images))),
        ("json_schema", Some(json!(request.json_schema))),
        ("stream", Some(json!(request.stream))),
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
        let body = r#"{"model": "chat", "max_tokens": 200, "stream": true, "messages": [{"role": "user", "content": "it's"}]}"#;
        let curl = format!(
            "curl -s http://127.0.0.1:4141/v1/chat/completions \\\n -H 'Content-Type: application/json' -H \"X-Planb-Tags: team=search, app=web\" -H 'x-env: canary' -d '{}'",
            body.replace('\'', "'\\''")
        );
        let (plain, called) = (words(body), words(&curl));
        assert_eq!(
            (&plain["model"], &plain["output"], &plain["stream"]),
            (&json!("chat"), &json!(200), &json!(true))
        );
        assert_eq!(plain["input"], called["input"]);
        assert_eq!(called["tags"], json!({"team": "search", "app": "web"}));
        assert_eq!(called["headers"], json!({"x-env": "canary"}));
    }
}
