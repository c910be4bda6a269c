//! `planb explain POLICY [REQUEST]`: which model would serve a request, why, why not each other one, and what would have
//! to change for another. Nothing is called; the state is as given, the time is now.

mod asked;

use super::{StateArg, fail, past, print};
use crate::policy::cases::{self, Ask, Step};
use crate::policy::{Diagnostic, Sources};
use crate::rehearse::{Stage, World, want};
use crate::request::Requirements;
use crate::watch::read_sources;
use asked::{Words, entry, words_of};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

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
    /// What the application writes in `model` (default: the first route that takes a plain request)
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
                    .map(|way| way.iter().map(|tweak| tweak.told(wish.currency)).collect())
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
        None => Words::new(),
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

/// The first that takes a plain request; else the first of all.
fn first_route(sources: &Sources) -> Result<String, String> {
    let compiled = crate::policy::compile(sources, Timestamp::UNIX_EPOCH).map_err(|found| {
        let errors: Vec<String> = found
            .iter()
            .filter(|found| found.is_error())
            .map(ToString::to_string)
            .collect();
        errors.join("\n\n")
    })?;
    let snapshot = Arc::new(compiled.snapshot);
    let names = || snapshot.routes.iter().map(|route| route.name.clone());
    let stage = Stage::new(snapshot.clone(), World::quiet(&snapshot), &[], Timestamp::UNIX_EPOCH);
    let plain = |name: &Arc<str>| {
        let ask = Ask {
            model: name.clone(),
            route: None,
            dialect: "chat".into(),
            headers: Vec::new(),
            fields: Vec::new(),
            needs: Requirements::default(),
        };
        stage.target(&ask).is_some()
    };
    let first = names().find(plain).or_else(|| names().next());
    first
        .map(|name| name.to_string())
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
