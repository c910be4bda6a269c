use super::*;
use proptest::prelude::*;

fn vendor(bound: &'static str, needs_key: bool) -> VendorFacts {
    VendorFacts {
        needs_key,
        output_bound_field: bound,
        ..crate::catalog::Vendor::OpenaiCompatible.facts().clone()
    }
}

fn read(json: &str) -> ChatRequest {
    ChatRequest::read(Bytes::copy_from_slice(json.as_bytes())).unwrap()
}

fn refused(json: &str) -> Unreadable {
    ChatRequest::read(Bytes::copy_from_slice(json.as_bytes())).unwrap_err()
}

fn sent(json: &str, shape: Shape) -> String {
    let bytes = read(json).for_upstream("qwen3.8-max", &vendor("max_tokens", false), shape);
    String::from_utf8(bytes.to_vec()).unwrap()
}

const PLAIN: &str =
    r#"{ "model" : "chat", "messages":[{"role":"user","content":"hi"}],  "x_unknown": {"a": [1, 2.50]} }"#;

#[test]
fn only_the_model_changes_in_a_plain_request() {
    assert_eq!(
        sent(PLAIN, Shape::default()),
        PLAIN.replace("\"chat\"", "\"qwen3.8-max\"")
    );
}

#[test]
fn a_stream_asks_for_usage_whatever_the_client_wrote() {
    for (options, wants) in [
        ("", false),
        (r#","stream_options":null"#, false),
        (r#","stream_options":{}"#, false),
        (r#","stream_options":{"include_usage":false,"x":1}"#, false),
        (r#","stream_options":{"include_usage":true}"#, true),
    ] {
        let json = format!(r#"{{"model":"a","messages":[],"stream":true{options}}}"#);
        assert_eq!(read(&json).wants_usage, wants, "{options}");
        let sent: serde_json::Value = serde_json::from_str(&sent(&json, Shape::default())).unwrap();
        assert_eq!(sent["stream_options"]["include_usage"], true, "{options}");
        if options.contains('x') {
            assert_eq!(sent["stream_options"]["x"], 1);
        }
    }
}

#[test]
fn a_cap_of_ours_is_sent_and_a_bound_of_the_clients_is_kept() {
    let capped: serde_json::Value = serde_json::from_str(&sent(
        PLAIN,
        Shape {
            cap: Some(512),
            ..Shape::default()
        },
    ))
    .unwrap();
    assert_eq!(capped["max_tokens"], 512);
    let own = r#"{"model":"a","messages":[],"max_tokens":7}"#;
    assert_eq!(read(own).output_bound, Some(7));
    assert!(sent(own, Shape::default()).contains(r#""max_tokens":7"#));
}

#[test]
fn a_hosted_vendor_gets_the_clients_bound_in_its_own_spelling() {
    let json = r#"{"model":"a","messages":[],"max_completion_tokens":7}"#;
    let hosted = read(json).for_upstream("m", &vendor("max_tokens", true), Shape::default());
    assert_eq!(
        hosted,
        Bytes::from_static(br#"{"model":"m","messages":[],"max_tokens":7}"#)
    );
    let own = read(json).for_upstream("m", &vendor("max_tokens", false), Shape::default());
    assert_eq!(
        own,
        Bytes::from_static(br#"{"model":"m","messages":[],"max_completion_tokens":7}"#)
    );
}

#[test]
fn fields_that_would_pass_the_policy_by_are_cut_wherever_they_stand() {
    for json in [
        r#"{"models":["x"],"model":"a","messages":[]}"#,
        r#"{"model":"a","models":["x"],"fallbacks":[],"messages":[]}"#,
        r#"{"model":"a","messages":[] , "provider":{"order":["z"]} , "models":["x"] }"#,
        r#"{"num_retries":2,"model":"a","messages":[],"mock_testing_fallbacks":true}"#,
        r#"{"models":[],"fallbacks":[1],"model":"a","messages":[],"max_tokens":null}"#,
        r#"{"model":"a","messages":[],"mod\u0065ls":["x"],"max_tokens":-1}"#,
    ] {
        let sent: serde_json::Value = serde_json::from_str(&sent(json, Shape::default())).unwrap();
        assert_eq!(
            sent,
            serde_json::json!({"model": "qwen3.8-max", "messages": []}),
            "{json}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_the_field() {
    assert!(matches!(refused("[]"), Unreadable::NotJson(_)));
    assert!(matches!(refused("{\"model\":"), Unreadable::NotJson(_)));
    assert_eq!(refused(r#"{"messages":[]}"#), Unreadable::Missing("model"));
    assert_eq!(refused(r#"{"model":"a"}"#), Unreadable::Missing("messages"));
    assert_eq!(refused(r#"{"model":"a","messages":"x"}"#).field(), Some("messages"));
    assert_eq!(
        refused(r#"{"model":"a","model":"b","messages":[]}"#),
        Unreadable::Twice("model".into())
    );
    assert_eq!(
        refused(r#"{"model":"a","messages":[],"max_tokens":0}"#).field(),
        Some("max_tokens")
    );
    assert_eq!(
        refused(r#"{"model":"a","messages":[],"max_tokens":1.5}"#).field(),
        Some("max_tokens")
    );
    assert_eq!(
        refused(r#"{"model":"a","messages":[],"max_tokens":1,"max_completion_tokens":1}"#),
        Unreadable::TwoBounds
    );
    assert_eq!(refused(r#"{"model":"a","messages":[],"n":0}"#).field(), Some("n"));
    assert_eq!(
        refused(r#"{"model":"a","messages":[],"service_tier":"gold"}"#).field(),
        Some("service_tier")
    );
}

#[test]
fn needs_are_seen() {
    let request = read(
        r#"{"model":"a","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/i.png"}}]}],
            "tools":[{"type":"function"}],"response_format":{"type":"json_schema"},"n":3,"stop":"x"}"#,
    );
    assert!(request.images && request.tools && request.json_schema && request.stop);
    assert_eq!(request.choices, 3);
    let none = read(
        r#"{"model":"a","messages":[{"content":"an image_url in words"}],"tools":[],"response_format":{"type":"json_object"}}"#,
    );
    assert!(!none.images && !none.tools && !none.json_schema);
}

#[test]
fn a_conversation_is_named_by_the_first_field_that_names_one() {
    let named = |extra: &str| {
        let request = read(&format!(r#"{{"model":"a","messages":[]{extra}}}"#));
        request
            .session_name()
            .map(|name| String::from_utf8(name.to_vec()).unwrap())
    };
    assert_eq!(named(""), None);
    assert_eq!(
        named(r#","session_id":"s","prompt_cache_key":"k""#).as_deref(),
        Some("\"k\"")
    );
    assert_eq!(
        named(r#","session_id":"s","prompt_cache_key":"""#).as_deref(),
        Some("\"s\"")
    );
    assert_eq!(named(r#","conversation":{"id":"c"}"#).as_deref(), Some(r#"{"id":"c"}"#));
    assert_eq!(
        named(r#","metadata":{"user_id":"u","session_id":"m"}"#).as_deref(),
        Some("\"m\"")
    );
    assert_eq!(
        named(r#","metadata":{"user_id":"u_session_9"}"#).as_deref(),
        Some("\"u_session_9\"")
    );
    assert_eq!(
        named(r#","metadata":{"user_id":"u"}"#),
        None,
        "a user has many conversations"
    );
    assert_eq!(named(r#","metadata":"x","session_id":7"#), None);
}

#[test]
fn a_lowered_bound_takes_the_place_of_the_clients() {
    let shape = Shape {
        cap: Some(70),
        ..Shape::default()
    };
    let of = |field: &str| sent(&format!(r#"{{"model":"a","{field}": 900,"messages":[]}}"#), shape);
    assert_eq!(
        of("max_tokens"),
        r#"{"model":"qwen3.8-max","max_tokens": 70,"messages":[]}"#
    );
    assert_eq!(
        of("max_completion_tokens"),
        r#"{"model":"qwen3.8-max","max_completion_tokens": 70,"messages":[]}"#
    );
}

#[test]
fn thinking_is_read() {
    let thinking = |extra: &str| read(&format!(r#"{{"model":"a","messages":[]{extra}}}"#)).thinking;
    assert_eq!(thinking(""), Thinking::Unstated);
    assert_eq!(thinking(r#","enable_thinking":false"#), Thinking::Off);
    assert_eq!(thinking(r#","enable_thinking":true"#), Thinking::On);
    assert_eq!(
        thinking(r#","enable_thinking":true,"thinking_budget":9"#),
        Thinking::Budget(9)
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ChatRequest::read(Bytes::from(bytes));
    }

    #[test]
    fn what_is_sent_differs_from_what_came_only_as_promised(
        extras in proptest::collection::hash_map("[a-z_]{1,12}", prop_oneof![Just("1"), Just("null"), Just("\"a,}\\\"\""), Just("{\"model\":[1,{}]}"), Just("-1")], 0..6),
        stream in any::<bool>(), cap in proptest::option::of(1_u64..9999), first in any::<bool>(),
    ) {
        let reserved = ["model", "messages", "stream", "n", "max_tokens", "service_tier", "stop", "tools", "user"];
        let extras: Vec<String> = extras.iter().filter(|(k, _)| !reserved.contains(&k.as_str())).map(|(k, v)| format!("\"{k}\": {v} ")).collect();
        let head = format!("\"model\":\"a\" , \"messages\" :[ ],\"stream\":{stream}");
        let json = if extras.is_empty() { format!("{{{head}}}") } else if first { format!("{{{},{head}}}", extras.join(",")) } else { format!("{{{head},{}}}", extras.join(",")) };
        let mut expected: serde_json::Value = serde_json::from_str(&json).unwrap();
        let sent: serde_json::Value = serde_json::from_str(&sent(&json, Shape { cap, ..Shape::default() })).unwrap();
        expected["model"] = "qwen3.8-max".into();
        for gone in STRIPPED { expected.as_object_mut().unwrap().remove(gone); }
        if stream { expected["stream_options"] = serde_json::json!({"include_usage": true}); }
        if let Some(cap) = cap { expected["max_tokens"] = cap.into(); }
        prop_assert_eq!(sent, expected);
    }
}

#[test]
fn a_cap_takes_the_place_of_a_larger_bound_of_the_clients() {
    let own = r#"{"model":"a","max_completion_tokens": 700 ,"messages":[]}"#;
    let capped = sent(
        own,
        Shape {
            cap: Some(64),
            ..Shape::default()
        },
    );
    let json: serde_json::Value = serde_json::from_str(&capped).unwrap();
    let bounds: Vec<_> = ["max_tokens", "max_completion_tokens"]
        .into_iter()
        .filter_map(|field| json.get(field))
        .collect();
    assert_eq!(bounds, [64], "{capped}");
}

#[test]
fn thinking_is_switched_off_whatever_the_client_says_of_it() {
    use crate::catalog::ThinkingSwitch::{Effort, Enable, Template, Type};
    let own = r#"{"reasoning_effort":"high","model":"a","thinking":{"type":"enabled"},"messages":[],"chat_template_kwargs":{"a":1,"enable_thinking":true},"enable_thinking":true,"thinking_budget":9,"seed":7}"#;
    for (switch, field, value) in [
        (Enable, "enable_thinking", serde_json::json!(false)),
        (Type, "thinking", serde_json::json!({"type": "disabled"})),
        (Effort, "reasoning_effort", serde_json::json!("none")),
        (
            Template,
            "chat_template_kwargs",
            serde_json::json!({"a": 1, "enable_thinking": false}),
        ),
    ] {
        let shape = Shape {
            thinking_off: Some(switch),
            ..Shape::default()
        };
        let json: serde_json::Value = serde_json::from_str(&sent(own, shape)).unwrap();
        let object = json.as_object().unwrap();
        assert_eq!(object.get(field), Some(&value));
        let about = [
            "enable_thinking",
            "thinking",
            "thinking_budget",
            "reasoning_effort",
            "chat_template_kwargs",
        ];
        assert_eq!(
            about.iter().filter(|name| object.contains_key(**name)).count(),
            1,
            "{json}"
        );
        assert_eq!(object["seed"], 7);
    }
}

/// Requests that ask for what is billed or served apart.
const SPECIAL: [&str; 8] = [
    r#"{"model":"a","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/i.png"}}]}]}"#,
    r#"{"model":"a","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}],"modalities":["text","audio"]}"#,
    r#"{"model":"a","messages":[{"role":"system","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}"#,
    r#"{"model":"a","messages":[],"prompt_cache_retention":"24h"}"#,
    r#"{"model":"a","messages":[],"prompt_cache_options":{"ttl":"12h"}}"#,
    r#"{"model":"a","messages":[],"tools":[{"type":"web_search_20260209","max_uses":2},{"type":"code_interpreter"}]}"#,
    r#"{"model":"a","messages":[],"response_format":{"type":"json_schema","json_schema":{}},"service_tier":"flex","inference_geo":"us"}"#,
    r#"{"model":"a","messages":[{"role":"user","content":"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz 㐀㐁㐂 你好 Straße 🙂 12 34"}],"max_tokens":5}"#,
];

#[test]
fn what_escapes_hide_is_found_and_counted_all_the_same() {
    for json in SPECIAL {
        let plain = read(json);
        for every in 1..7 {
            let text = crate::dialect::plain::tests::escaped(json, every);
            let request = read(&text);
            assert_eq!(
                (request.images, request.audio, request.tools, request.json_schema),
                (plain.images, plain.audio, plain.tools, plain.json_schema),
                "{text}"
            );
            assert_eq!(request.extras, plain.extras, "{text}");
            assert!(
                request.input >= plain.input,
                "{} < {}: {text}",
                request.input,
                plain.input
            );
            assert_eq!(
                (&request.model, request.output_bound),
                (&plain.model, plain.output_bound)
            );
            assert_eq!(request.body(), text.as_bytes(), "and the bytes stay the client's");
        }
    }
}

#[test]
fn a_part_that_cannot_be_read_hides_no_image() {
    let images = |part: &str| {
        let text = r#"{"type":"text","text":"a"}"#;
        read(&format!(
            r#"{{"model":"a","messages":[{{"content":[{text},{part}]}}]}}"#
        ))
        .images
    };
    assert!(images(
        r#"{"type":"text","type":"image_url","image_url":"https://x/i"}"#
    ));
    assert!(images(r#"{"type":7},{"type":"image_url"}"#));
    assert!(!images(r#"{"type":"text","text":"an image"}"#));
}

proptest! {
    #[test]
    fn no_way_of_writing_a_prompt_is_cheaper(text in "\\PC{0,80}", every in 1_usize..5) {
        let message = serde_json::Value::from(text);
        let json = format!(r#"{{"model":"a","messages":[{{"role":"user","content":{message}}}]}}"#);
        let escaped = crate::dialect::plain::tests::escaped(&json, every);
        prop_assert!(read(&escaped).input >= read(&json).input, "{}", escaped);
    }
}
