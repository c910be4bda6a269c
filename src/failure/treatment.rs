//! What follows from a class: one table, so that every vendor's rate limit is treated alike.
//!
//! [`plain`] is the treatment of an error answer before any content. What the moment changes (a stream that already
//! speaks, an unknown bill) is the business of `classify`.

use super::{
    AlertKind, Billing, BreakerEffect, Class, ClientForm, Cooldown, Failure, Fallback, Length, RetrySame, Scope,
};
use std::time::Duration;

/// Own wait after a rate limit without a hint; it doubles. Model Studio, which sends none, recovers within a minute.
const RATE_WAIT: Duration = Duration::from_secs(4);
/// Own wait for capacity.
const CAPACITY_WAIT: Duration = Duration::from_secs(2);
/// A loading model is asked again soon: its health path is cheap.
const LOADING_WAIT: Duration = Duration::from_secs(1);
const TEN_MINUTES: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(86_400);

/// The treatment of `class` before any content, without status, code and message.
pub(super) fn plain(class: Class, hint: Option<Duration>) -> Failure {
    use BreakerEffect as Breaker;
    let mut failure = Failure {
        class,
        status: None,
        code: None,
        message: String::new(),
        retry_same: RetrySame::No,
        hint,
        fallback: Fallback::Yes,
        cooldown: cooldown(class, hint),
        breaker: Breaker::Count,
        billing: Billing::No,
        client: client(class),
        alert: None,
    };
    match class {
        Class::RateLimited => (failure.retry_same, failure.breaker) = (RetrySame::AfterHint, Breaker::Ignore),
        Class::QuotaExhausted => (failure.breaker, failure.alert) = (Breaker::Trip, Some(AlertKind::Billing)),
        Class::Auth => (failure.breaker, failure.alert) = (Breaker::Trip, Some(AlertKind::Auth)),
        Class::Permission | Class::ModelNotFound => {
            (failure.breaker, failure.alert) = (Breaker::Trip, Some(AlertKind::Config));
        }
        Class::ContextTooLong => (failure.fallback, failure.breaker) = (Fallback::LargerContextOnly, Breaker::Ignore),
        Class::ContentFiltered => (failure.fallback, failure.breaker) = (Fallback::PolicyOptIn, Breaker::Ignore),
        Class::PayloadTooLarge => (failure.fallback, failure.breaker) = (Fallback::LargerLimitOnly, Breaker::Ignore),
        Class::BadRequest => (failure.fallback, failure.breaker) = (Fallback::No, Breaker::Ignore),
        Class::Overloaded | Class::UpstreamError => failure.retry_same = RetrySame::AfterBackoff,
        Class::NotReady => (failure.retry_same, failure.breaker) = (RetrySame::AfterBackoff, Breaker::Ignore),
        Class::ConnectError | Class::ProtocolError => {}
        Class::ConnectionLost | Class::Timeout => failure.billing = Billing::Hold,
        Class::StalledStream | Class::TruncatedStream => {
            (failure.fallback, failure.billing) = (Fallback::IfUncommitted, Billing::Estimate);
        }
        Class::EmptyCompletion => {
            (failure.fallback, failure.billing) = (Fallback::YesOnce, Billing::ActualElseEstimate);
        }
    }
    failure
}

/// Fits a failure to an answer that had begun: nothing is repeated, and what was produced is billed.
pub(super) fn amid(mut failure: Failure) -> Failure {
    failure.retry_same = RetrySame::No;
    failure.fallback = match failure.class {
        Class::ContentFiltered | Class::BadRequest => Fallback::No,
        _ => Fallback::IfUncommitted,
    };
    failure.billing = Billing::Estimate;
    failure.client = ClientForm::StreamError;
    failure
}

const fn client(class: Class) -> ClientForm {
    match class {
        Class::RateLimited => ClientForm::RateLimited429,
        Class::QuotaExhausted => ClientForm::Money402,
        Class::Auth | Class::Permission => ClientForm::Credential502,
        Class::ModelNotFound => ClientForm::NotFound404,
        Class::ContextTooLong => ClientForm::ContextLength400,
        Class::ContentFiltered => ClientForm::ContentFilter400,
        Class::PayloadTooLarge => ClientForm::TooLarge413,
        Class::BadRequest => ClientForm::BadRequest400,
        Class::Overloaded | Class::NotReady => ClientForm::Unavailable503,
        Class::Timeout => ClientForm::Timeout504,
        Class::StalledStream | Class::TruncatedStream => ClientForm::StreamError,
        Class::EmptyCompletion => ClientForm::Empty502,
        Class::UpstreamError | Class::ConnectError | Class::ConnectionLost | Class::ProtocolError => {
            ClientForm::BadGateway502
        }
    }
}

fn cooldown(class: Class, hint: Option<Duration>) -> Option<Cooldown> {
    let seconds = Duration::from_secs;
    let (scope, min, max, own, length) = match class {
        Class::RateLimited => (
            Scope::CredentialModel,
            seconds(1),
            seconds(300),
            RATE_WAIT,
            Length::Backoff,
        ),
        Class::Overloaded => (
            Scope::EndpointModel,
            seconds(1),
            seconds(60),
            CAPACITY_WAIT,
            Length::Backoff,
        ),
        Class::NotReady => (Scope::Endpoint, seconds(1), seconds(30), LOADING_WAIT, Length::Backoff),
        Class::QuotaExhausted => (Scope::Credential, TEN_MINUTES, DAY, TEN_MINUTES, Length::Fixed),
        Class::Auth => (Scope::Credential, seconds(300), DAY, DAY, Length::UntilReload),
        Class::Permission | Class::ModelNotFound => {
            (Scope::CredentialModel, seconds(300), DAY, DAY, Length::UntilReload)
        }
        _ => return None,
    };
    let told = hint.filter(|_| length == Length::Backoff);
    Some(Cooldown {
        scope,
        min,
        max,
        lasts: told.unwrap_or(own).clamp(min, max),
        length: if told.is_some() { Length::Told } else { length },
    })
}
