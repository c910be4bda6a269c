//! Fields that are common elsewhere and that a vendor answers with an error: by the vendors' own pages, 2026-11.

use super::members::members;
use crate::catalog::Vendor;
use bytes::Bytes;

/// Fields that steer thinking, which mean nothing to a model that cannot.
const THINKING: [&str; 4] = ["reasoning_effort", "enable_thinking", "thinking_budget", "thinking"];

/// Leaving them out changes no promise that an answer makes: sampling, its explanation, book-keeping. What an answer is
/// made of (tools, schemas, images) is never among them.
pub const fn fields(vendor: Vendor) -> &'static [&'static str] {
    match vendor {
        Vendor::Mistral => &["logit_bias", "logprobs", "top_logprobs", "store", "user"],
        Vendor::Groq => &["logit_bias", "logprobs", "top_logprobs"],
        _ => &[],
    }
}

/// Those of the body that the vendor refuses.
pub fn named(body: &Bytes, vendor: Vendor) -> Vec<&'static str> {
    present(body, fields(vendor))
}

/// Those of the body that a model without thinking has no use for.
pub fn of_thinking(body: &Bytes) -> Vec<&'static str> {
    present(body, &THINKING)
}

fn present(body: &Bytes, fields: &'static [&'static str]) -> Vec<&'static str> {
    if fields.is_empty() {
        return Vec::new();
    }
    let members = members(body).unwrap_or_default();
    let there = |field: &&&str| {
        members
            .iter()
            .any(|member| member.name == **field && member.json(body) != "null")
    };
    fields.iter().filter(there).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_vendor_refuses_is_found_where_it_is_asked_for() {
        let body = Bytes::from_static(br#"{"model":"m","logprobs":true,"user":null,"seed":1,"thinking":{}}"#);
        assert_eq!(named(&body, Vendor::Mistral), ["logprobs"]);
        assert_eq!(named(&body, Vendor::Groq), ["logprobs"]);
        assert!(named(&body, Vendor::Openai).is_empty());
        assert_eq!(of_thinking(&body), ["thinking"]);
    }
}
