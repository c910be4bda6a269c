//! The words of hosted vendors whose codes mean something of their own. Data only.
//!
//! State of knowledge: 2026-11-23, from the vendors' public error pages. What is not here has its meaning from the
//! general tables and the status. A number is a code only at its own vendor.

use super::Class;
use super::table::{NOTHING, Phrase, Table};

/// The resource's filter and its network rules; the rest is as at OpenAI.
pub(super) const AZURE: Table = Table {
    codes: &[
        ("insufficient_quota", Class::QuotaExhausted),
        ("DeploymentNotFound", Class::ModelNotFound),
        ("PermissionDenied", Class::Auth),
        ("content_filter", Class::ContentFiltered),
        ("ResponsibleAIPolicyViolation", Class::ContentFiltered),
        ("Timeout", Class::Timeout),
    ],
    ..NOTHING
};

pub(super) const MOONSHOT: Table = Table {
    kinds: &[
        // The balance is gone or the account suspended, in spite of the 429.
        ("exceeded_current_quota_error", Class::QuotaExhausted),
        ("rate_limit_reached_error", Class::RateLimited),
        ("engine_overloaded_error", Class::Overloaded),
        ("content_filter", Class::ContentFiltered),
        ("unexpected_output", Class::UpstreamError),
    ],
    phrases: &[Phrase {
        status: 400,
        code: None,
        text: "exceeded model token limit",
        class: Class::ContextTooLong,
    }],
    ..NOTHING
};

pub(super) const ZHIPU: Table = Table {
    codes: &[
        ("1000", Class::Auth),
        ("1001", Class::Auth),
        ("1002", Class::Auth),
        ("1003", Class::Auth),
        ("1004", Class::Auth),
        ("1100", Class::Auth),
        ("1110", Class::Permission),
        ("1111", Class::Permission),
        ("1112", Class::Permission),
        ("1120", Class::Permission),
        ("1121", Class::Permission),
        ("1113", Class::QuotaExhausted),
        ("1200", Class::UpstreamError),
        ("1230", Class::UpstreamError),
        ("1234", Class::UpstreamError),
        ("1211", Class::ModelNotFound),
        ("1212", Class::ModelNotFound),
        ("1220", Class::Permission),
        ("1221", Class::ModelNotFound),
        ("1222", Class::ModelNotFound),
        ("1261", Class::ContextTooLong),
        ("1300", Class::ContentFiltered),
        ("1301", Class::ContentFiltered),
        ("1302", Class::RateLimited),
        ("1303", Class::RateLimited),
        ("1305", Class::RateLimited),
        // A plan's daily, five-hour or weekly allowance: not money, and not back within a minute.
        ("1304", Class::QuotaExhausted),
        ("1308", Class::QuotaExhausted),
        ("1310", Class::QuotaExhausted),
        ("1309", Class::QuotaExhausted),
        ("1311", Class::Permission),
        ("1312", Class::Overloaded),
    ],
    one_model: &["1311", "1220"],
    ..NOTHING
};

pub(super) const QIANFAN: Table = Table {
    codes: &[
        ("invalid_model", Class::ModelNotFound),
        ("method_not_supported", Class::ModelNotFound),
        ("characters_too_long", Class::ContextTooLong),
        ("tokens_too_long", Class::ContextTooLong),
        ("invalid_iam_token", Class::Auth),
        ("invalid_appId", Class::Auth),
        ("access_denied", Class::Permission),
        ("preemptible_rpm_rate_limit_exceeded", Class::RateLimited),
        ("user_rate_limit_exceeded", Class::RateLimited),
        ("cluster_rate_limit_exceeded", Class::Overloaded),
        ("internal_error", Class::UpstreamError),
        ("dispatch_internal_error", Class::UpstreamError),
    ],
    ..NOTHING
};

pub(super) const ARK: Table = Table {
    codes: &[
        ("AuthenticationError", Class::Auth),
        ("InvalidAccountStatus", Class::Auth),
        ("AccountOverdueError", Class::QuotaExhausted),
        ("AccessDenied", Class::Permission),
        ("InvalidEndpoint.ClosedEndpoint", Class::ModelNotFound),
        ("InvalidEndpointOrModel.NotFound", Class::ModelNotFound),
        ("InvalidEndpointOrModel.ModelIDAccessDisabled", Class::ModelNotFound),
        ("ModelNotOpen", Class::ModelNotFound),
        ("UnsupportedModel", Class::ModelNotFound),
        ("RateLimitExceeded.EndpointRPMExceeded", Class::RateLimited),
        ("RateLimitExceeded.EndpointTPMExceeded", Class::RateLimited),
        ("RateLimitExceeded.FoundationModelRPMExceeded", Class::RateLimited),
        ("RequestBurstTooFast", Class::RateLimited),
        ("InflightBatchsizeExceeded", Class::RateLimited),
        // The operator's own cap and the free trial's end look like rate limits, and last until somebody acts.
        ("SetLimitExceeded", Class::QuotaExhausted),
        ("QuotaExceeded", Class::QuotaExhausted),
        ("SensitiveContentDetected", Class::ContentFiltered),
        ("InternalServiceError", Class::UpstreamError),
    ],
    one_model: &["SetLimitExceeded", "QuotaExceeded"],
    ..NOTHING
};

pub(super) const GEMINI: Table = Table {
    kinds: &[
        ("PERMISSION_DENIED", Class::Permission),
        ("NOT_FOUND", Class::ModelNotFound),
        ("RESOURCE_EXHAUSTED", Class::RateLimited),
        ("FAILED_PRECONDITION", Class::Permission),
        ("UNAVAILABLE", Class::Overloaded),
        ("DEADLINE_EXCEEDED", Class::Timeout),
        ("INTERNAL", Class::UpstreamError),
    ],
    phrases: &[
        Phrase {
            status: 400,
            code: None,
            text: "api key not valid",
            class: Class::Auth,
        },
        Phrase {
            status: 400,
            code: None,
            text: "exceeds the maximum number of tokens",
            class: Class::ContextTooLong,
        },
    ],
    ..NOTHING
};

pub(super) const MISTRAL: Table = Table {
    codes: &[
        ("1300", Class::RateLimited),
        // The vendor's capacity, not our limit.
        ("3505", Class::Overloaded),
        ("3700", Class::UpstreamError),
    ],
    ..NOTHING
};

pub(super) const FIREWORKS: Table = Table {
    phrases: &[
        Phrase {
            status: 412,
            code: None,
            text: "suspended",
            class: Class::QuotaExhausted,
        },
        Phrase {
            status: 412,
            code: None,
            text: "spend",
            class: Class::QuotaExhausted,
        },
    ],
    ..NOTHING
};

/// An answer that the model spoiled: another try or another model makes it good.
pub(super) const GROQ: Table = Table {
    codes: &[
        ("capacity_exceeded", Class::Overloaded),
        ("tool_use_failed", Class::UpstreamError),
        ("json_validate_failed", Class::UpstreamError),
    ],
    ..NOTHING
};
