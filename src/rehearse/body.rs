//! A body that asks for what a test's request says, so that the policy's own shaping can be tried on it. Its text is empty:
//! what it needs of tokens is said beside it.

use crate::dialect::{Inbound, Unreadable, refused};
use crate::policy::cases::Ask;
use crate::policy::snapshot::Snapshot;
use crate::request::{Requirements, Thinking};
use serde_json::{Map, Value, json};

/// Does any model see another request than the one that was asked?
pub(super) fn matters(snapshot: &Snapshot, ask: &Ask) -> bool {
    let shapes = || {
        let routes = snapshot.routes.iter().map(|route| &route.shaping);
        let models = snapshot.models.iter().map(|model| &model.shaping);
        let providers = snapshot.providers.iter().map(|provider| &provider.shaping);
        let all = routes.chain(models).chain(providers);
        // What a model cannot do is left out of the request, too.
        all.into_iter()
            .any(|shaping| !shaping.is_none() || shaping.drops == Some(true))
    };
    let refuses = || {
        snapshot
            .providers
            .iter()
            .any(|provider| !refused::fields(provider.vendor).is_empty())
    };
    (!ask.fields.is_empty() && refuses()) || shapes()
}

pub(super) fn inbound(ask: &Ask) -> Result<Inbound, Unreadable> {
    let mut body = match ask.needs.embeds {
        true => Map::from_iter([("input".to_owned(), json!(""))]),
        false => chat(&ask.needs),
    };
    body.insert("model".to_owned(), json!(&*ask.model));
    for (name, value) in &ask.fields {
        body.insert(name.to_string(), serde_json::from_str(value).unwrap_or(Value::Null));
    }
    let bytes = Value::Object(body).to_string().into();
    match ask.needs.embeds {
        true => Inbound::embeddings(bytes),
        false => Inbound::chat(bytes),
    }
}

fn chat(needs: &Requirements) -> Map<String, Value> {
    let mut parts = Vec::new();
    if needs.images {
        parts.push(json!({"type": "image_url", "image_url": {"url": "https://images.example/1.png"}}));
    }
    if needs.audio {
        parts.push(json!({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}));
    }
    let content = if parts.is_empty() { json!("") } else { json!(parts) };
    let thinking = match needs.thinking {
        Thinking::Unstated => None,
        Thinking::Off => Some(("enable_thinking", json!(false))),
        Thinking::On => Some(("enable_thinking", json!(true))),
        Thinking::Budget(tokens) => Some(("thinking_budget", json!(tokens))),
    };
    let fields = [
        Some(("messages", json!([{"role": "user", "content": content}]))),
        needs.stream.then_some(("stream", json!(true))),
        needs.output_bound.map(|bound| ("max_tokens", json!(bound))),
        (needs.choices > 1).then(|| ("n", json!(needs.choices))),
        needs.tools.then(|| {
            (
                "tools",
                json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]),
            )
        }),
        needs.json_schema.then(|| {
            (
                "response_format",
                json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}),
            )
        }),
        thinking,
    ];
    let fields = fields.into_iter().flatten();
    fields.map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Sources, compile};

    #[test]
    fn a_model_that_drops_what_it_cannot_do_sees_another_request() {
        let text = |words: &str| {
            let text = format!(
                "providers: {{home: {{vendor: ollama{words}}}}}\nmodels: {{m: {{provider: home, supply: local}}}}\nroutes: [{{name: chat, try: [m]}}]\n"
            );
            let sources = Sources::single("p.yaml", std::path::PathBuf::new(), &text);
            compile(&sources, jiff::Timestamp::UNIX_EPOCH).unwrap().snapshot
        };
        let ask = Ask {
            model: "chat".into(),
            route: None,
            dialect: "chat".into(),
            headers: Vec::new(),
            fields: Vec::new(),
            needs: Requirements::default(),
        };
        assert!(matters(&text(", on_unsupported: drop"), &ask));
        assert!(!matters(&text(", on_unsupported: refuse"), &ask) && !matters(&text(""), &ask));
    }

    #[test]
    fn the_body_needs_what_the_words_say() {
        let base = Requirements {
            choices: 1,
            ..Requirements::default()
        };
        for needs in [
            base.clone(),
            Requirements {
                output_bound: Some(500),
                choices: 2,
                stream: true,
                tools: true,
                images: true,
                json_schema: true,
                thinking: Thinking::Budget(100),
                ..base.clone()
            },
            Requirements {
                audio: true,
                thinking: Thinking::Off,
                ..base.clone()
            },
            Requirements {
                embeds: true,
                ..base.clone()
            },
        ] {
            let ask = Ask {
                model: "chat".into(),
                route: None,
                dialect: "chat".into(),
                headers: Vec::new(),
                fields: Vec::new(),
                needs: needs.clone(),
            };
            let read = inbound(&ask).unwrap().needs(&[]);
            let read = Requirements {
                input: 0,
                extras: needs.extras.clone(),
                ..read
            };
            assert_eq!(read, needs);
        }
    }
}
