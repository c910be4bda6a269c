//! Turns what the wire showed into one [`Failure`]: what happened, and what follows from it.
//!
//! Code first, then type, then a structured hint, then status; free text counts only where a vendor's table pairs it with
//! a status. It reads no clock and keeps nothing: the same outcome is the same failure. Provider text leaves this room
//! scrubbed and bounded. A well-formed answer is not its business, but for finish reasons that mean failure.

mod body;
mod classify;
mod claude;
mod finish;
mod hosted;
pub mod retry_after;
mod scrub;
mod table;
mod tables;
mod treatment;

#[cfg(test)]
mod tests;

pub use classify::{Connect, Fault, Phase, classify};
pub use finish::{Finish, finish_of};
pub use scrub::scrub;

use std::time::Duration;

/// What kind of failure it is, in one vocabulary for all vendors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    RateLimited,
    QuotaExhausted,
    Auth,
    Permission,
    ModelNotFound,
    ContextTooLong,
    ContentFiltered,
    PayloadTooLarge,
    BadRequest,
    Overloaded,
    UpstreamError,
    NotReady,
    ConnectError,
    ConnectionLost,
    Timeout,
    StalledStream,
    TruncatedStream,
    EmptyCompletion,
    ProtocolError,
}

impl Class {
    pub const fn word(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::Auth => "auth",
            Self::Permission => "permission",
            Self::ModelNotFound => "model_not_found",
            Self::ContextTooLong => "context_too_long",
            Self::ContentFiltered => "content_filtered",
            Self::PayloadTooLarge => "payload_too_large",
            Self::BadRequest => "bad_request",
            Self::Overloaded => "overloaded",
            Self::UpstreamError => "upstream_error",
            Self::NotReady => "not_ready",
            Self::ConnectError => "connect_error",
            Self::ConnectionLost => "connection_lost",
            Self::Timeout => "timeout",
            Self::StalledStream => "stalled_stream",
            Self::TruncatedStream => "truncated_stream",
            Self::EmptyCompletion => "empty_completion",
            Self::ProtocolError => "protocol_error",
        }
    }
}

/// May the same candidate be asked again? The retry budget, the attempts and the deadline bound each of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetrySame {
    No,
    NowOnce,
    /// The connection was stale; only a new one makes sense.
    NowOnceFreshConnection,
    /// After [`Failure::hint`], or a backoff where the provider gave none.
    AfterHint,
    AfterBackoff,
}

/// May another candidate be asked?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    Yes,
    YesOnce,
    /// Only while no content has reached the client.
    IfUncommitted,
    LargerContextOnly,
    LargerLimitOnly,
    /// Never round a safety refusal unless the route says so.
    PolicyOptIn,
    No,
}

/// What a cooldown keeps from traffic. An endpoint is a base URL with its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Credential,
    CredentialModel,
    EndpointModel,
    Endpoint,
}

/// Where a cooldown's length comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// The provider said so.
    Told,
    /// Our own guess: it doubles while the scope keeps failing.
    Backoff,
    Fixed,
    /// Waiting heals nothing; a changed key or a reload ends it.
    UntilReload,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooldown {
    pub scope: Scope,
    pub min: Duration,
    pub max: Duration,
    /// Between `min` and `max`.
    pub lasts: Duration,
    pub length: Length,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerEffect {
    Count,
    /// Opens at once: waiting a little will not help.
    Trip,
    Ignore,
}

/// What the attempt costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billing {
    /// Void the reservation.
    No,
    ActualElseEstimate,
    /// Input estimate plus counted output, flagged.
    Estimate,
    /// Unknown: keep the whole reservation until there is evidence.
    Hold,
}

/// What the application sees when no candidate is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientForm {
    RateLimited429,
    Unavailable503,
    Money402,
    Credential502,
    NotFound404,
    BadRequest400,
    ContextLength400,
    ContentFilter400,
    TooLarge413,
    BadGateway502,
    Empty502,
    Timeout504,
    /// A JSON error while nothing was committed; after that one error event and never a clean end.
    StreamError,
    /// The answer goes through with `finish_reason: content_filter`.
    FinishContentFilter,
}

impl ClientForm {
    pub const fn word(self) -> &'static str {
        match self {
            Self::RateLimited429 => "429_retry_after",
            Self::Unavailable503 => "503_retry_after",
            Self::Money402 => "402_no_retry",
            Self::Credential502 => "502_no_retry",
            Self::NotFound404 => "404_pass",
            Self::BadRequest400 => "400_pass",
            Self::ContextLength400 => "400_context_length_exceeded",
            Self::ContentFilter400 => "400_content_filter",
            Self::TooLarge413 => "413",
            Self::BadGateway502 => "502",
            Self::Empty502 => "502_empty",
            Self::Timeout504 => "504",
            Self::StreamError => "sse_error_no_done",
            Self::FinishContentFilter => "200_finish_content_filter",
        }
    }
}

/// The kind of alert a failure raises, once per cooldown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertKind {
    Billing,
    Auth,
    Config,
}

impl AlertKind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Billing => "billing",
            Self::Auth => "auth",
            Self::Config => "config",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub class: Class,
    /// The provider's HTTP status, where there was one.
    pub status: Option<u16>,
    /// The provider's own code or type, where it gave one.
    pub code: Option<String>,
    /// For people: scrubbed of keys and account ids, at most 500 characters.
    pub message: String,
    pub retry_same: RetrySame,
    /// How long the provider asks us to wait, at most five minutes.
    pub hint: Option<Duration>,
    pub fallback: Fallback,
    pub cooldown: Option<Cooldown>,
    pub breaker: BreakerEffect,
    pub billing: Billing,
    pub client: ClientForm,
    pub alert: Option<AlertKind>,
}

impl Failure {
    /// The status of the JSON error that the client gets while nothing was committed.
    pub const fn client_status(&self) -> u16 {
        match self.client {
            ClientForm::RateLimited429 => 429,
            ClientForm::Unavailable503 => 503,
            ClientForm::Money402 => 402,
            ClientForm::NotFound404 => 404,
            ClientForm::BadRequest400 | ClientForm::ContextLength400 | ClientForm::ContentFilter400 => 400,
            ClientForm::TooLarge413 => 413,
            ClientForm::Credential502 | ClientForm::BadGateway502 | ClientForm::Empty502 => 502,
            ClientForm::Timeout504 => 504,
            ClientForm::FinishContentFilter => 200,
            ClientForm::StreamError => match self.class {
                Class::RateLimited => 429,
                Class::Overloaded | Class::NotReady => 503,
                Class::Timeout | Class::StalledStream => 504,
                Class::ContentFiltered => 400,
                _ => 502,
            },
        }
    }

    /// The `code` of the error object that the client gets.
    pub const fn client_code(&self) -> &'static str {
        match self.client {
            ClientForm::RateLimited429 => "rate_limit_exceeded",
            ClientForm::Money402 => "insufficient_quota",
            ClientForm::NotFound404 => "model_not_found",
            ClientForm::ContextLength400 => "context_length_exceeded",
            ClientForm::ContentFilter400 | ClientForm::FinishContentFilter => "content_filter",
            ClientForm::BadRequest400 => "invalid_request_error",
            ClientForm::TooLarge413 => "request_too_large",
            ClientForm::Empty502 => "empty_completion",
            ClientForm::Credential502 if matches!(self.class, Class::Auth) => "upstream_credential",
            ClientForm::Credential502 => "upstream_permission",
            _ => self.class.word(),
        }
    }

    /// Asking again soon cannot help: the answer carries `x-should-retry: false`.
    pub const fn is_final(&self) -> bool {
        matches!(
            self.client,
            ClientForm::Money402
                | ClientForm::Credential502
                | ClientForm::NotFound404
                | ClientForm::BadRequest400
                | ClientForm::ContextLength400
                | ClientForm::ContentFilter400
                | ClientForm::TooLarge413
        )
    }
}
