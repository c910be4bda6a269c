//! The ways a provider fails before its answer is whole, each with the status an application sees when nothing is left.

use super::wire::{Reply, Seen};
use super::{Gate, sse};
use serde_json::json;

pub struct Fault {
    pub name: &'static str,
    pub reply: fn() -> Reply,
    /// What the client gets when this was the last attempt.
    pub client: u16,
}

/// Faults of an answer that is not streamed.
pub const PLAIN: &[Fault] = &[
    Fault {
        name: "500",
        reply: || error(500, "server_error", &[]),
        client: 502,
    },
    Fault {
        name: "503",
        reply: || error(503, "server_error", &[]),
        client: 503,
    },
    Fault {
        name: "429 with seconds",
        reply: || error(429, "rate_limit_exceeded", &[("retry-after", "7")]),
        client: 429,
    },
    Fault {
        name: "429 with a date",
        reply: || error(429, "rate_limit_exceeded", &[("retry-after", FAR)]),
        client: 429,
    },
    Fault {
        name: "401",
        reply: || error(401, "invalid_api_key", &[]),
        client: 502,
    },
    Fault {
        name: "403",
        reply: || error(403, "permission_denied", &[]),
        client: 502,
    },
    Fault {
        name: "hung up",
        reply: Reply::hang_up,
        client: 502,
    },
    Fault {
        name: "cut in the body",
        reply: cut_body,
        client: 502,
    },
    Fault {
        name: "malformed JSON",
        reply: || ok("application/json", "{\"choices\": [{]"),
        client: 502,
    },
    Fault {
        name: "a page",
        reply: || ok("text/html", "<html><body>Welcome</body></html>"),
        client: 502,
    },
    Fault {
        name: "a bad gateway's page",
        reply: bad_gateway,
        client: 502,
    },
    Fault {
        name: "empty content",
        reply: empty_content,
        client: 502,
    },
    Fault {
        name: "an error in a 200",
        reply: error_in_200,
        client: 502,
    },
    Fault {
        name: "silence",
        reply: Reply::silence,
        client: 504,
    },
];

/// Faults of a stream before its first content.
pub const STREAMED: &[Fault] = &[
    Fault {
        name: "500",
        reply: || error(500, "server_error", &[]),
        client: 502,
    },
    Fault {
        name: "empty stream",
        reply: || Reply::stream(["data: [DONE]\n\n"]),
        client: 502,
    },
    Fault {
        name: "nothing at all",
        reply: || Reply::stream([""; 0]),
        client: 502,
    },
    Fault {
        name: "error first",
        reply: error_first,
        client: 502,
    },
    Fault {
        name: "role, then cut",
        reply: || Reply::stream_until_close(sse::content_event("m", "")),
        client: 502,
    },
    Fault {
        name: "comments, then silence",
        reply: comments_then_silence,
        client: 504,
    },
];

const FAR: &str = "Fri, 31 Dec 2049 23:59:59 GMT";

/// The reply that a request asks for in its own body: `"x_fault": "NAME"`.
pub fn asked_for(faults: &'static [Fault], seen: &Seen) -> Option<Reply> {
    let request = seen.json();
    let name = request["x_fault"].as_str()?;
    let fault = faults.iter().find(|fault| fault.name == name);
    Some((fault.unwrap_or_else(|| panic!("no fault {name}")).reply)())
}

pub fn error(status: u16, code: &str, headers: &[(&str, &str)]) -> Reply {
    let body = json!({"error": {"message": "The provider says no.", "type": code, "param": null, "code": code}});
    let headers = [&[("content-type", "application/json")], headers].concat();
    Reply::http(status, &headers, body.to_string())
}

fn ok(content_type: &str, body: &'static str) -> Reply {
    Reply::http(200, &[("content-type", content_type)], body)
}

fn cut_body() -> Reply {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n";
    Reply::default()
        .send(head)
        .send("{\"id\":\"chatcmpl-test\",\"object\":\"chat.comp")
        .close()
}

fn bad_gateway() -> Reply {
    Reply::http(
        502,
        &[("content-type", "text/html")],
        "<html><h1>502 Bad Gateway</h1></html>",
    )
}

fn empty_content() -> Reply {
    Reply::json(200, &super::upstream::completion("m", "", super::Usage::new(10, 0)))
}

fn error_in_200() -> Reply {
    Reply::json(
        200,
        &json!({"error": {"message": "Internal Server Error", "code": 502}}),
    )
}

fn error_first() -> Reply {
    let error = json!({"error": {"message": "The provider says no.", "type": "server_error", "code": "server_error"}});
    Reply::stream([format!("data: {error}\n\n")])
}

fn comments_then_silence() -> Reply {
    Reply::stream_head()
        .chunk(": keep-alive\n\n")
        .chunk(": keep-alive\n\n")
        .wait(&Gate::new())
}
