//! Which word of which vendor means what. Data only.
//!
//! State of knowledge: 2026-11-23. Sources: the vendors' public error pages (help.aliyun.com/en/model-studio/error-code,
//! api-docs.deepseek.com/quick_start/error_codes, developers.openai.com/docs/guides/error-codes), the public repositories
//! of llama.cpp, Ollama and vLLM. A word that two vendors use in two meanings stands in a vendor's table, never in the
//! general one alone.

use super::table::{NOTHING, Phrase, Table, Words};
use super::{Class, claude, hosted};
use crate::catalog::Vendor;

pub(super) const fn of(vendor: Vendor) -> &'static Table {
    match vendor {
        Vendor::Dashscope => &DASHSCOPE,
        Vendor::Deepseek => &DEEPSEEK,
        Vendor::Openai => &OPENAI,
        Vendor::OpenaiCompatible => &COMPATIBLE,
        Vendor::LlamaCpp => &LLAMA_CPP,
        Vendor::Ollama => &OLLAMA,
        Vendor::Vllm => &VLLM,
        Vendor::Azure => &hosted::AZURE,
        Vendor::Moonshot => &hosted::MOONSHOT,
        Vendor::Zhipu => &hosted::ZHIPU,
        Vendor::Qianfan => &hosted::QIANFAN,
        Vendor::Ark => &hosted::ARK,
        Vendor::Gemini => &hosted::GEMINI,
        Vendor::Mistral => &hosted::MISTRAL,
        Vendor::Fireworks => &hosted::FIREWORKS,
        Vendor::Groq => &hosted::GROQ,
        Vendor::Sglang => &VLLM,
        Vendor::Anthropic | Vendor::AnthropicCompatible => &claude::ANTHROPIC,
        Vendor::Bedrock => &claude::BEDROCK,
        Vendor::Vertex => &claude::VERTEX,
        Vendor::Minimax
        | Vendor::Hunyuan
        | Vendor::Xai
        | Vendor::Openrouter
        | Vendor::Together
        | Vendor::Siliconflow
        | Vendor::Lmstudio => &NOTHING,
    }
}

const DASHSCOPE: Table = Table {
    codes: &[
        ("invalid_api_key", Class::Auth),
        ("InvalidApiKey", Class::Auth),
        ("Arrearage", Class::QuotaExhausted),
        ("AllocationQuota.FreeTierOnly", Class::QuotaExhausted),
        ("PrepaidBillOverdue", Class::QuotaExhausted),
        ("PostpaidBillOverdue", Class::QuotaExhausted),
        ("CommodityNotPurchased", Class::QuotaExhausted),
        ("AccessDenied.Unpurchased", Class::Permission),
        ("AccessDenied", Class::Permission),
        ("Model.AccessDenied", Class::Permission),
        ("Workspace.AccessDenied", Class::Permission),
        ("access_denied", Class::Permission),
        ("model_not_found", Class::ModelNotFound),
        ("ModelNotFound", Class::ModelNotFound),
        ("limit_requests", Class::RateLimited),
        ("LimitRequests", Class::RateLimited),
        // Tokens a minute, not money, in spite of OpenAI's use of the same word.
        ("insufficient_quota", Class::RateLimited),
        ("limit_burst_rate", Class::RateLimited),
        ("Throttling", Class::RateLimited),
        ("Throttling.User", Class::RateLimited),
        ("Throttling.RateQuota", Class::RateLimited),
        ("Throttling.AllocationQuota", Class::RateLimited),
        ("Throttling.BurstRate", Class::RateLimited),
        ("data_inspection_failed", Class::ContentFiltered),
        ("DataInspectionFailed", Class::ContentFiltered),
        ("InternalError", Class::UpstreamError),
        ("InternalError.Algo", Class::UpstreamError),
        ("InternalError.Timeout", Class::UpstreamError),
        ("internal_server_error", Class::UpstreamError),
        ("ModelServingError", Class::Overloaded),
        ("ModelUnavailable", Class::Overloaded),
        ("service_unavailable", Class::Overloaded),
        ("RequestTimeOut", Class::Timeout),
        ("ResponseTimeout", Class::Timeout),
    ],
    phrases: &[
        Phrase {
            status: 400,
            code: Some("invalid_parameter_error"),
            text: "range of input length should be",
            class: Class::ContextTooLong,
        },
        Phrase {
            status: 400,
            code: Some("InvalidParameter"),
            text: "range of input length should be",
            class: Class::ContextTooLong,
        },
    ],
    one_model: &["AllocationQuota.FreeTierOnly", "CommodityNotPurchased"],
    bill_unknown: &["RequestTimeOut", "ResponseTimeout"],
    ..NOTHING
};

const DEEPSEEK: Table = Table {
    kinds: &[("authentication_error", Class::Auth)],
    phrases: &[Phrase {
        status: 400,
        code: None,
        text: "maximum context length",
        class: Class::ContextTooLong,
    }],
    ..NOTHING
};

const OPENAI: Table = Table {
    codes: &[
        ("insufficient_quota", Class::QuotaExhausted),
        ("billing_hard_limit_reached", Class::QuotaExhausted),
        ("billing_not_active", Class::QuotaExhausted),
        ("invalid_organization", Class::Auth),
        ("ip_not_authorized", Class::Auth),
        ("unsupported_country_region_territory", Class::Permission),
        ("permission_denied", Class::Permission),
        ("model_not_allowed", Class::Permission),
        ("content_policy_violation", Class::ContentFiltered),
        ("invalid_prompt", Class::ContentFiltered),
        ("cyber_policy", Class::ContentFiltered),
        ("bio_policy", Class::ContentFiltered),
        ("misalignment_policy_violation", Class::ContentFiltered),
        ("resource_unavailable", Class::Overloaded),
        ("slow_down", Class::Overloaded),
        ("server_is_overloaded", Class::Overloaded),
        ("engine_overloaded", Class::Overloaded),
    ],
    ..NOTHING
};

/// Behind an address of the operator's own there is often vLLM or SGLang.
const COMPATIBLE: Table = Table {
    phrases: &[Phrase {
        status: 400,
        code: None,
        text: "maximum context length is",
        class: Class::ContextTooLong,
    }],
    ..NOTHING
};

const LLAMA_CPP: Table = Table {
    kinds: &[
        ("exceed_context_size_error", Class::ContextTooLong),
        // "Loading model": a server that will be there, not one that is down.
        ("unavailable_error", Class::NotReady),
    ],
    phrases: &[Phrase {
        status: 500,
        code: None,
        text: "context size has been exceeded",
        class: Class::ContextTooLong,
    }],
    ..NOTHING
};

const OLLAMA: Table = Table {
    phrases: &[Phrase {
        status: 400,
        code: None,
        text: "exceeds the available context size",
        class: Class::ContextTooLong,
    }],
    ..NOTHING
};

const VLLM: Table = Table {
    phrases: &[Phrase {
        status: 400,
        code: None,
        text: "maximum context length is",
        class: Class::ContextTooLong,
    }],
    ..NOTHING
};

/// Codes that mean the same wherever they were met.
pub(super) const CODES: Words = &[
    ("invalid_api_key", Class::Auth),
    ("insufficient_quota", Class::QuotaExhausted),
    ("AccountOverdueError", Class::QuotaExhausted),
    ("model_not_found", Class::ModelNotFound),
    ("rate_limit_exceeded", Class::RateLimited),
    ("rpm_rate_limit_exceeded", Class::RateLimited),
    ("tpm_rate_limit_exceeded", Class::RateLimited),
    ("ModelAccountRpmRateLimitExceeded", Class::RateLimited),
    ("ModelAccountTpmRateLimitExceeded", Class::RateLimited),
    ("AccountRateLimitExceeded", Class::RateLimited),
    ("ServerOverloaded", Class::Overloaded),
    ("server_is_overloaded", Class::Overloaded),
    ("engine_overloaded", Class::Overloaded),
    ("context_length_exceeded", Class::ContextTooLong),
    ("content_filter", Class::ContentFiltered),
    ("content_policy_violation", Class::ContentFiltered),
    ("InputTextRiskDetection", Class::ContentFiltered),
    ("OutputTextRiskDetection", Class::ContentFiltered),
    ("InputTextSensitiveContentDetected", Class::ContentFiltered),
    ("OutputTextSensitiveContentDetected", Class::ContentFiltered),
];

/// Types that mean the same wherever they were met. `invalid_request_error` is not here: DeepSeek sends it with an
/// empty balance, OpenAI with a wrong key. Nor is `server_error`: the status says as much, and more where it is 503.
pub(super) const KINDS: Words = &[
    ("insufficient_quota", Class::QuotaExhausted),
    ("exceeded_current_quota_error", Class::QuotaExhausted),
    ("billing_error", Class::QuotaExhausted),
    ("authentication_error", Class::Auth),
    ("invalid_authentication_error", Class::Auth),
    ("incorrect_api_key_error", Class::Auth),
    ("permission_error", Class::Permission),
    ("permission_denied_error", Class::Permission),
    ("not_found_error", Class::ModelNotFound),
    ("resource_not_found_error", Class::ModelNotFound),
    ("rate_limit_error", Class::RateLimited),
    ("rate_limit_exceeded", Class::RateLimited),
    ("rate_limit_reached_error", Class::RateLimited),
    ("overloaded_error", Class::Overloaded),
    ("engine_overloaded_error", Class::Overloaded),
    ("service_unavailable_error", Class::Overloaded),
    ("request_too_large", Class::PayloadTooLarge),
    ("exceed_context_size_error", Class::ContextTooLong),
    ("content_filter", Class::ContentFiltered),
];

/// What a status means where no word said more.
pub(super) const fn status_class(status: u16) -> Class {
    match status {
        300..=399 => Class::ProtocolError,
        401 => Class::Auth,
        402 => Class::QuotaExhausted,
        403 => Class::Permission,
        404 => Class::ModelNotFound,
        // The server closed a lock or gave up waiting for us: its trouble, nothing was produced.
        408 | 409 | 425 => Class::UpstreamError,
        413 => Class::PayloadTooLarge,
        429 => Class::RateLimited,
        // 498 is Groq's flex capacity, 529 Anthropic's overload.
        498 | 503 | 529 => Class::Overloaded,
        400..=499 => Class::BadRequest,
        _ => Class::UpstreamError,
    }
}
