//! Replays the catalogue of upstream faults in `tests/data/upstream-faults.json`.

use super::*;
use crate::catalog::Vendor;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::Value;

/// Entries that this room does not judge, each with its reason.
const NOT_HERE: [(&str, &str); 5] = [
    (
        "deepseek-keepalive-comments-then-ok",
        "a success: the stream's reader sees no failure",
    ),
    ("stream-finish-without-done", "a success"),
    ("stream-usage-missing", "a success, settled by an estimate"),
    ("stream-usage-chunk-empty-choices", "a success"),
    ("gemini-429-retryinfo", "Gemini's own dialect is not spoken upstream"),
];

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn vendor(provider: &str) -> Vendor {
    match provider {
        "dashscope" => Vendor::Dashscope,
        "deepseek" => Vendor::Deepseek,
        "openai" => Vendor::Openai,
        "moonshot" => Vendor::Moonshot,
        "zhipu" => Vendor::Zhipu,
        "volcengine-ark" => Vendor::Ark,
        "baidu-qianfan" => Vendor::Qianfan,
        "openrouter" => Vendor::Openrouter,
        "gemini" => Vendor::Gemini,
        "anthropic" => Vendor::Anthropic,
        "llama.cpp" => Vendor::LlamaCpp,
        "ollama" => Vendor::Ollama,
        "vllm" => Vendor::Vllm,
        _ => Vendor::OpenaiCompatible,
    }
}

fn headers(wire: &Value) -> HeaderMap {
    let pairs = wire["headers"].as_object().into_iter().flatten();
    pairs
        .map(|(name, value)| {
            let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), value)
        })
        .collect()
}

/// The data of a stream's events, comments left out.
fn events(wire: &Value) -> Vec<Value> {
    let events = wire["sse"].as_array().into_iter().flatten();
    events
        .filter_map(|event| event.as_str().unwrap().split_once("data: "))
        .filter_map(|(_, data)| serde_json::from_str(data).ok())
        .collect()
}

fn speaks(event: &Value) -> bool {
    let delta = &event["choices"][0]["delta"];
    [&delta["content"], &delta["reasoning_content"], &event["delta"]["text"]]
        .iter()
        .any(|text| text.as_str().is_some_and(|t| !t.is_empty()))
        || !delta["tool_calls"].is_null()
}

/// What a reader of this stream reports.
fn streamed(vendor: Vendor, wire: &Value) -> Failure {
    let mut committed = false;
    for event in events(wire) {
        if !event["error"].is_null() {
            let data = event.to_string();
            return classify(
                vendor,
                &Fault::StreamError {
                    data: data.as_bytes(),
                    committed,
                },
                now(),
            );
        }
        committed |= speaks(&event);
        if let Some(reason) = event["choices"][0]["finish_reason"].as_str() {
            return classify(vendor, &Fault::FinishReason { reason }, now());
        }
    }
    let fault = match (committed, wire["then"].as_str()) {
        (_, Some("stall")) => Fault::Timeout {
            phase: Phase::Idle,
            stream: true,
        },
        (false, _) => Fault::Empty { stream: true },
        (true, _) => Fault::Truncated,
    };
    classify(vendor, &fault, now())
}

fn transported(transport: &str, wire: &Value) -> Option<Failure> {
    let fault = match transport {
        "connect_refused" => Fault::Connect(Connect::Refused),
        "dns_nxdomain" => Fault::Connect(Connect::UnknownHost),
        "dns_timeout" => Fault::Connect(Connect::DnsTimeout),
        "tls_bad_certificate" => Fault::Connect(Connect::Tls),
        "h2_goaway" => Fault::Connect(Connect::Goaway),
        "accept_then_silence" => Fault::Timeout {
            phase: Phase::FirstToken,
            stream: false,
        },
        "close_before_response" => Fault::Lost {
            reused: wire["connection"] == "reused_idle",
            response_started: false,
        },
        "reset_mid_body" | "short_content_length" => Fault::Lost {
            reused: false,
            response_started: true,
        },
        "sse_cut" => Fault::Truncated,
        "corrupt_gzip" => Fault::Malformed {
            what: "not decodable",
            stream: false,
        },
        "sse_giant_line" => Fault::Malformed {
            what: "a line too long",
            stream: true,
        },
        _ => return None,
    };
    Some(classify(Vendor::OpenaiCompatible, &fault, now()))
}

fn replay(entry: &Value) -> Failure {
    let (wire, vendor) = (&entry["wire"], vendor(entry["provider"].as_str().unwrap()));
    if let Some(transport) = wire["transport"].as_str() {
        return transported(transport, wire).expect(transport);
    }
    if wire["sse"].is_array() {
        return streamed(vendor, wire);
    }
    let status = u16::try_from(wire["status"].as_u64().unwrap()).unwrap();
    let text = wire["body_text"].as_str().map(str::to_owned);
    let body = text.unwrap_or_else(|| wire["body"].to_string());
    let fault = match (status, wire["body"]["error"].is_null()) {
        (200, true) if !wire["body"].is_object() => Fault::Malformed {
            what: "no JSON",
            stream: false,
        },
        (200, true) => Fault::Empty { stream: false },
        _ => {
            let headers = headers(wire);
            return classify(
                vendor,
                &Fault::Response {
                    status,
                    headers: &headers,
                    body: body.as_bytes(),
                },
                now(),
            );
        }
    };
    classify(vendor, &fault, now())
}

fn entries() -> Vec<Value> {
    let text = include_str!("../../tests/data/upstream-faults.json");
    let catalogue: Value = serde_json::from_str(text).unwrap();
    catalogue["faults"].as_array().unwrap().clone()
}

fn spelled(retry: RetrySame) -> &'static str {
    match retry {
        RetrySame::No => "no",
        RetrySame::NowOnce => "now_once",
        RetrySame::NowOnceFreshConnection => "now_once_fresh_connection",
        RetrySame::AfterHint => "after_hint",
        RetrySame::AfterBackoff => "after_backoff",
    }
}

fn fallback(fallback: Fallback) -> &'static str {
    match fallback {
        Fallback::Yes => "yes",
        Fallback::YesOnce => "yes_once",
        Fallback::IfUncommitted => "if_uncommitted",
        Fallback::LargerContextOnly => "larger_context_only",
        Fallback::LargerLimitOnly => "larger_limit_only",
        Fallback::PolicyOptIn => "policy_opt_in",
        Fallback::No => "no",
    }
}

fn billing(billing: Billing) -> &'static str {
    match billing {
        Billing::No => "no",
        Billing::ActualElseEstimate => "actual_else_estimate",
        Billing::Estimate => "estimate",
        Billing::Hold => "hold",
    }
}

fn breaker(effect: BreakerEffect) -> &'static str {
    match effect {
        BreakerEffect::Count => "count",
        BreakerEffect::Trip => "trip",
        BreakerEffect::Ignore => "ignore",
    }
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Credential => "credential",
        Scope::CredentialModel => "credential+model",
        Scope::EndpointModel => "endpoint+model",
        Scope::Endpoint => "endpoint",
    }
}

fn length(length: Length) -> &'static [&'static str] {
    match length {
        Length::Told => &["retry_after_else_backoff"],
        Length::Backoff => &["retry_after_else_backoff", "backoff"],
        Length::Fixed => &["fixed"],
        Length::UntilReload => &["until_reload"],
    }
}

#[test]
fn every_fault_of_the_catalogue_is_judged_as_it_says() {
    let mut judged = 0;
    for entry in entries() {
        let id = entry["id"].as_str().unwrap();
        if NOT_HERE.iter().any(|(left_out, _)| *left_out == id) {
            continue;
        }
        assert!(
            ["openai", "dashscope", "anthropic"].contains(&entry["dialect"].as_str().unwrap()),
            "{id} is neither replayed nor named"
        );
        let (failure, expect) = (replay(&entry), &entry["expect"]);
        assert_eq!(failure.class.word(), expect["class"], "{id}: class of {failure:?}");
        assert_eq!(spelled(failure.retry_same), expect["retry_same"], "{id}: retry_same");
        assert_eq!(fallback(failure.fallback), expect["fallback"], "{id}: fallback");
        assert_eq!(breaker(failure.breaker), expect["breaker"], "{id}: breaker");
        assert_eq!(billing(failure.billing), expect["billable"], "{id}: billable");
        assert_eq!(failure.client.word(), expect["client"], "{id}: client");
        assert_eq!(
            failure.alert.map(AlertKind::word),
            expect["alert"].as_str(),
            "{id}: alert"
        );
        match (&failure.cooldown, &expect["cooldown"]) {
            (None, Value::Null) => {}
            (Some(cooldown), bounds) => {
                assert_eq!(scope(cooldown.scope), bounds["scope"], "{id}: scope");
                assert_eq!(Some(cooldown.min.as_secs()), bounds["min_s"].as_u64(), "{id}: min");
                assert_eq!(Some(cooldown.max.as_secs()), bounds["max_s"].as_u64(), "{id}: max");
                assert!(
                    (cooldown.min..=cooldown.max).contains(&cooldown.lasts),
                    "{id}: {cooldown:?}"
                );
                assert!(
                    length(cooldown.length).contains(&bounds["hint"].as_str().unwrap()),
                    "{id}: {cooldown:?}"
                );
            }
            other => panic!("{id}: {other:?}"),
        }
        judged += 1;
    }
    assert_eq!(judged + NOT_HERE.len(), entries().len());
}

#[test]
fn hints_are_the_ones_that_the_provider_gave() {
    let hint = |id: &str| {
        let entries = entries();
        let entry = entries.iter().find(|entry| entry["id"] == id).unwrap();
        replay(entry).hint.map(|hint| hint.as_millis())
    };
    assert_eq!(hint("openai-429-rate-with-headers"), Some(6_800));
    assert_eq!(hint("openai-503-overloaded"), Some(3_000));
    assert_eq!(hint("kimi-429-rpm"), Some(1_000));
    assert_eq!(hint("retry-after-http-date"), Some(300_000));
    assert_eq!(hint("qwen-429-limit-requests"), None);
}

#[test]
fn no_account_and_no_key_is_in_any_message() {
    for entry in entries() {
        let failure = replay(&entry);
        for secret in ["sk-****abcd", "abcd", "org-0", "ak-0"] {
            assert!(!failure.message.contains(secret), "{}", failure.message);
        }
    }
}

fn of(vendor: Vendor, status: u16, body: &str) -> Failure {
    let headers = HeaderMap::new();
    classify(
        vendor,
        &Fault::Response {
            status,
            headers: &headers,
            body: body.as_bytes(),
        },
        now(),
    )
}

#[test]
fn one_word_means_two_things_at_two_vendors() {
    let body = r#"{"error":{"code":"insufficient_quota","type":"insufficient_quota","message":"m"}}"#;
    assert_eq!(of(Vendor::Dashscope, 429, body).class, Class::RateLimited);
    assert_eq!(of(Vendor::Openai, 429, body).class, Class::QuotaExhausted);
    assert_eq!(of(Vendor::OpenaiCompatible, 429, body).class, Class::QuotaExhausted);
}

#[test]
fn money_under_a_429_is_money() {
    for code in ["PrepaidBillOverdue", "PostpaidBillOverdue", "CommodityNotPurchased"] {
        let failure = of(Vendor::Dashscope, 429, &format!(r#"{{"code":"{code}","message":"m"}}"#));
        assert_eq!(failure.class, Class::QuotaExhausted, "{code}");
        assert_eq!(failure.breaker, BreakerEffect::Trip);
    }
    assert_eq!(
        of(Vendor::Openai, 429, r#"{"error":{"code":"billing_not_active"}}"#).class,
        Class::QuotaExhausted
    );
}

#[test]
fn prose_alone_decides_nothing() {
    let prose = r#"{"error":{"message":"insufficient_quota: maximum context length, invalid api key"}}"#;
    assert_eq!(of(Vendor::Openai, 500, prose).class, Class::UpstreamError);
    assert_eq!(of(Vendor::Openai, 400, prose).class, Class::BadRequest);
    assert_eq!(of(Vendor::Vllm, 429, prose).class, Class::RateLimited);
}

#[test]
fn an_older_llama_server_reports_overflow_as_500() {
    let body = r#"{"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}"#;
    let counted = r#"{"error":{"code":500,"message":"m","type":"x","n_prompt_tokens":9,"n_ctx":4}}"#;
    assert_eq!(of(Vendor::LlamaCpp, 500, counted).class, Class::ContextTooLong);
    assert_eq!(of(Vendor::LlamaCpp, 500, body).class, Class::ContextTooLong);
}

#[test]
fn a_vendors_own_timeout_may_have_been_billed() {
    let failure = of(Vendor::Dashscope, 500, r#"{"code":"RequestTimeOut","message":"m"}"#);
    assert_eq!((failure.class, failure.billing), (Class::Timeout, Billing::Hold));
    assert_eq!(of(Vendor::Dashscope, 504, "").billing, Billing::No);
}

#[test]
fn a_body_of_rubbish_is_judged_by_its_status_and_never_shown() {
    let failure = of(Vendor::Openai, 502, "<html>secret</html>");
    assert_eq!(failure.message, "the provider answered 502 without a readable error");
    for (status, class) in [
        (401, Class::Auth),
        (402, Class::QuotaExhausted),
        (404, Class::ModelNotFound),
    ] {
        assert_eq!(of(Vendor::OpenaiCompatible, status, "").class, class);
    }
}

#[test]
fn money_that_comes_as_a_rate_limit_is_money() {
    let body = r#"{"error":{"code":"1113","message":"m"}}"#;
    assert_eq!(of(Vendor::Zhipu, 429, body).class, Class::QuotaExhausted);
    assert_eq!(
        of(Vendor::Openai, 429, body).class,
        Class::RateLimited,
        "a number of another vendor"
    );
    let body = r#"{"error":{"type":"exceeded_current_quota_error","message":"m"}}"#;
    assert_eq!(of(Vendor::Moonshot, 429, body).class, Class::QuotaExhausted);
    let body = r#"{"error":{"code":"SetLimitExceeded","message":"m"}}"#;
    assert_eq!(of(Vendor::Ark, 429, body).class, Class::QuotaExhausted);
    let body = r#"{"error":{"code":"DeploymentNotFound","message":"m"}}"#;
    assert_eq!(of(Vendor::Azure, 404, body).class, Class::ModelNotFound);
    let body = r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid one.","status":"INVALID_ARGUMENT"}}]"#;
    assert_eq!(of(Vendor::Gemini, 400, body).class, Class::Auth);
}

#[test]
fn money_under_four_statuses_is_money_at_anthropic() {
    let error = |kind: &str, message: &str, details: &str| {
        format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"{details}}},"request_id":"req_0"}}"#)
    };
    let limit = r#","details":{"error_code":"enforced_spend_limit_reached"}"#;
    for (status, body) in [
        (
            400,
            error(
                "invalid_request_error",
                "Your credit balance is too low to access the API.",
                "",
            ),
        ),
        (
            400,
            error(
                "invalid_request_error",
                "You have reached your specified API usage limits.",
                "",
            ),
        ),
        (402, error("billing_error", "m", "")),
        (429, error("rate_limit_error", "m", limit)),
        (403, error("permission_error", "m", limit)),
    ] {
        let failure = of(Vendor::Anthropic, status, &body);
        assert_eq!(
            (failure.class, failure.breaker),
            (Class::QuotaExhausted, BreakerEffect::Trip),
            "{body}"
        );
    }
    let long = error(
        "invalid_request_error",
        "prompt is too long: 300000 tokens > 200000 maximum",
        "",
    );
    assert_eq!(of(Vendor::Anthropic, 400, &long).class, Class::ContextTooLong);
    assert_eq!(
        of(Vendor::Anthropic, 504, &error("timeout_error", "m", "")).billing,
        Billing::Hold
    );
    assert_eq!(of(Vendor::Anthropic, 529, "").class, Class::Overloaded);
}

#[test]
fn amazons_word_stands_in_a_header() {
    let mut headers = HeaderMap::new();
    let judged = |headers: &HeaderMap, status, body: &str| {
        let body = body.as_bytes();
        classify(Vendor::Bedrock, &Fault::Response { status, headers, body }, now())
    };
    let word = "ServiceQuotaExceededException:http://internal.amazon.com/coral/";
    headers.insert("x-amzn-errortype", HeaderValue::from_static(word));
    let failure = judged(&headers, 400, r#"{"message":"Too many."}"#);
    assert_eq!(
        (failure.class, failure.message.as_str()),
        (Class::RateLimited, "Too many.")
    );
    headers.insert("x-amzn-errortype", HeaderValue::from_static("ValidationException"));
    let long = r#"{"message":"Input is too long for requested model."}"#;
    assert_eq!(judged(&headers, 400, long).class, Class::ContextTooLong);
    assert_eq!(judged(&headers, 400, r#"{"message":"m"}"#).class, Class::BadRequest);
}
