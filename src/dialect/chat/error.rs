//! Errors in the shape that OpenAI's SDKs expect, so that each raises its own right exception class.

use serde_json::json;

/// `{"error": {message, type, param, code}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody<'a> {
    pub message: &'a str,
    pub kind: &'a str,
    pub code: &'a str,
    pub param: Option<&'a str>,
}

impl ErrorBody<'_> {
    pub fn json(&self) -> String {
        json!({"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}})
            .to_string()
    }

    /// For a stream that has begun: one event, after which the stream ends without `[DONE]`.
    pub fn event(&self) -> String {
        format!("data: {}\n\n", self.json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_is_one_line_of_data_whatever_the_message_holds() {
        let error = ErrorBody {
            message: "a\n\ndata: [DONE]\n\n\"b\"",
            kind: "server_error",
            code: "x",
            param: None,
        };
        let event = error.event();
        assert_eq!(event.matches('\n').count(), 2);
        assert!(event.ends_with("\n\n"));
    }
}
