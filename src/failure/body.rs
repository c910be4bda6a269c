//! Reads a provider's error body, in whichever of its shapes it comes.
//!
//! OpenAI's `{"error": {…}}`, an `error` that is a string, the flat `{code, message}` of Model Studio's native API and of
//! older vLLM, the `{message}` alone of Amazon's services, `{"detail": …}`, and an SSE event sent as the body of a 4xx. Anything else has no words for us: the
//! status decides, and the text is never passed on.

use serde_json::{Map, Value};

/// What an error body says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// A code in words. An integer that repeats an HTTP status is [`Said::status`] instead.
    pub code: Option<String>,
    pub kind: Option<String>,
    pub message: Option<String>,
    pub status: Option<u16>,
    /// llama.cpp's counts: the prompt's tokens and the context it did not fit.
    pub overflow: bool,
    /// Google's `RetryInfo.retryDelay`.
    pub retry_delay: Option<String>,
}

/// `None` when the body is no error in a known shape.
pub(super) fn read(body: &[u8]) -> Option<Said> {
    let json = serde_json::from_slice::<Value>(body)
        .ok()
        .or_else(|| event_data(body))?;
    let top = match &json {
        // Gemini's OpenAI path wraps its one error in a list.
        Value::Array(items) => items.first()?.as_object()?,
        other => other.as_object()?,
    };
    match top.get("error") {
        Some(Value::Object(error)) => Some(said(error)),
        Some(Value::String(message)) => Some(Said {
            message: Some(message.clone()),
            ..said(top)
        }),
        _ if top.contains_key("choices") => None,
        _ if top.contains_key("code") || top.get("object").is_some_and(|o| o == "error") => Some(said(top)),
        _ if top.len() == 1 && top.contains_key("message") => Some(said(top)),
        _ => match top.get("detail") {
            Some(Value::String(detail)) => Some(Said {
                message: Some(detail.clone()),
                ..Said::default()
            }),
            _ => None,
        },
    }
}

/// The JSON of the first `data:` line, for a body that is an SSE event in spite of its status.
fn event_data(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok()?;
    let data = text.lines().find_map(|line| line.strip_prefix("data:"))?;
    serde_json::from_str(data.trim_start()).ok()
}

fn said(error: &Map<String, Value>) -> Said {
    let word = |name: &str| {
        error
            .get(name)
            .and_then(Value::as_str)
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
    };
    let number = error.get("code").and_then(Value::as_u64);
    let status = number
        .and_then(|number| u16::try_from(number).ok())
        .filter(|status| (400..600).contains(status));
    // Anthropic's; Google has a list there.
    let detail = || error.get("details")?.get("error_code")?.as_str().map(str::to_owned);
    Said {
        code: word("code")
            .or_else(detail)
            .or_else(|| number.filter(|_| status.is_none()).map(|number| number.to_string())),
        kind: word("type").or_else(|| word("status")),
        message: word("message"),
        status,
        overflow: error.contains_key("n_prompt_tokens") && error.contains_key("n_ctx"),
        retry_delay: error
            .get("details")
            .and_then(Value::as_array)
            .and_then(|details| details.iter().find_map(|detail| detail.get("retryDelay")?.as_str()))
            .map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_yields_its_words() {
        let code = |body: &str| read(body.as_bytes()).and_then(|said| said.code);
        assert_eq!(
            code(r#"{"error":{"code":"Arrearage","message":"m"}}"#).as_deref(),
            Some("Arrearage")
        );
        assert_eq!(
            code(r#"{"code":"InternalError","message":"m"}"#).as_deref(),
            Some("InternalError")
        );
        assert_eq!(
            code("id:1\nevent:error\n:HTTP_STATUS/400\ndata:{\"code\":\"X\"}\n\n").as_deref(),
            Some("X")
        );
        assert_eq!(code(r#"[{"error":{"code":1302}}]"#).as_deref(), Some("1302"));
        let message = |body: &str| read(body.as_bytes()).and_then(|said| said.message);
        assert_eq!(
            message(r#"{"error":"model not found"}"#).as_deref(),
            Some("model not found")
        );
        assert_eq!(message(r#"{"detail":"Not Found"}"#).as_deref(), Some("Not Found"));
        assert_eq!(message(r#"{"message":"Too many"}"#).as_deref(), Some("Too many"));
        let of_anthropic = r#"{"type":"error","error":{"type":"rate_limit_error","message":"m",
            "details":{"error_code":"enforced_spend_limit_reached"}},"request_id":"req_0"}"#;
        assert_eq!(code(of_anthropic).as_deref(), Some("enforced_spend_limit_reached"));
    }

    #[test]
    fn a_numeric_status_is_no_code() {
        let said = read(br#"{"error":{"code":502,"message":"m"}}"#).unwrap();
        assert_eq!((said.code, said.status), (None, Some(502)));
    }

    #[test]
    fn what_is_no_error_says_nothing() {
        for body in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"choices":[],"code":1}"#,
            "data: nothing",
            r#"{"error":null}"#,
        ] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
    }
}
