//! The words of Anthropic's own API and of the clouds that serve Claude beside other models. Data only.
//!
//! State of knowledge: 2026-11-23, from the vendors' public error pages. Money comes under several statuses here; free text
//! counts only where a status has no word for it.

use super::Class;
use super::table::{NOTHING, Phrase, Table, Words};

/// `details.error_code`, where there is one.
const CODES: Words = &[
    ("enforced_spend_limit_reached", Class::QuotaExhausted),
    ("contract_spend_limit_reached", Class::QuotaExhausted),
    ("workspace_spend_limit_reached", Class::QuotaExhausted),
    ("ramp_limit_exceeded", Class::RateLimited),
];

const KINDS: Words = &[
    ("authentication_error", Class::Auth),
    ("billing_error", Class::QuotaExhausted),
    ("permission_error", Class::Permission),
    ("not_found_error", Class::ModelNotFound),
    ("request_too_large", Class::PayloadTooLarge),
    ("rate_limit_error", Class::RateLimited),
    ("timeout_error", Class::Timeout),
    ("api_error", Class::UpstreamError),
    ("overloaded_error", Class::Overloaded),
];

const fn under_400(text: &'static str, class: Class) -> Phrase {
    Phrase {
        status: 400,
        code: None,
        text,
        class,
    }
}

/// All of these come as `invalid_request_error`.
const PHRASES: [Phrase; 4] = [
    under_400("prompt is too long", Class::ContextTooLong),
    under_400("exceed context limit", Class::ContextTooLong),
    under_400("credit balance is too low", Class::QuotaExhausted),
    under_400("reached your specified api usage limits", Class::QuotaExhausted),
];

pub(super) const ANTHROPIC: Table = Table {
    codes: CODES,
    kinds: KINDS,
    phrases: &PHRASES,
    bill_unknown: &["timeout_error"],
    ..NOTHING
};

/// By `x-amzn-errortype`; Claude's own words on the Messages path.
pub(super) const BEDROCK: Table = Table {
    codes: &[
        ("ThrottlingException", Class::RateLimited),
        ("ServiceQuotaExceededException", Class::RateLimited),
        ("ModelNotReadyException", Class::NotReady),
        ("ModelTimeoutException", Class::Timeout),
        ("ModelErrorException", Class::UpstreamError),
        ("ModelStreamErrorException", Class::UpstreamError),
        ("ServiceUnavailableException", Class::Overloaded),
        ("InternalServerException", Class::UpstreamError),
        ("AccessDeniedException", Class::Permission),
        ("UnrecognizedClientException", Class::Auth),
        ("ExpiredTokenException", Class::Auth),
        ("ResourceNotFoundException", Class::ModelNotFound),
    ],
    kinds: KINDS,
    phrases: &[
        under_400("prompt is too long", Class::ContextTooLong),
        under_400("exceed context limit", Class::ContextTooLong),
        under_400("input is too long for requested model", Class::ContextTooLong),
    ],
    bill_unknown: &["ModelTimeoutException", "timeout_error"],
    ..NOTHING
};

/// Google's words; Claude's own behind `rawPredict`.
pub(super) const VERTEX: Table = Table {
    kinds: &[
        ("UNAUTHENTICATED", Class::Auth),
        ("PERMISSION_DENIED", Class::Permission),
        ("NOT_FOUND", Class::ModelNotFound),
        ("RESOURCE_EXHAUSTED", Class::RateLimited),
        ("FAILED_PRECONDITION", Class::Permission),
        ("UNAVAILABLE", Class::Overloaded),
        ("DEADLINE_EXCEEDED", Class::Timeout),
        ("INTERNAL", Class::UpstreamError),
        ("authentication_error", Class::Auth),
        ("permission_error", Class::Permission),
        ("request_too_large", Class::PayloadTooLarge),
        ("rate_limit_error", Class::RateLimited),
        ("timeout_error", Class::Timeout),
        ("api_error", Class::UpstreamError),
        ("overloaded_error", Class::Overloaded),
    ],
    phrases: &[
        under_400("prompt is too long", Class::ContextTooLong),
        under_400("exceed context limit", Class::ContextTooLong),
    ],
    bill_unknown: &["DEADLINE_EXCEEDED", "timeout_error"],
    ..NOTHING
};
