//! The one entrance: a [`Fault`] as the edges saw it becomes a [`Failure`].

use super::body::{self, Said};
use super::table::Table;
use super::treatment::{amid, plain};
use super::{
    AlertKind, Billing, Class, ClientForm, Failure, Fallback, RetrySame, Scope, finish, retry_after, scrub, tables,
};
use crate::catalog::Vendor;
use http::HeaderMap;
use jiff::Timestamp;
use std::time::Duration;

/// What the wire showed instead of a good answer.
#[derive(Clone, Copy, Debug)]
pub enum Fault<'a> {
    /// An answer that is an error: any status but 2xx (redirects are never followed), or 2xx with an error as its body.
    Response {
        status: u16,
        headers: &'a HeaderMap,
        body: &'a [u8],
    },
    /// An error object among a stream's events: the event's data.
    StreamError {
        data: &'a [u8],
        committed: bool,
    },
    /// A finish reason of [`finish_of`](super::finish_of) that is no success.
    FinishReason {
        reason: &'a str,
    },
    /// No connection; nothing was sent.
    Connect(Connect),
    /// The connection broke after the request was sent, in an answer that is not a stream.
    Lost {
        reused: bool,
        response_started: bool,
    },
    Timeout {
        phase: Phase,
        stream: bool,
    },
    /// A stream that ended without a finish reason.
    Truncated,
    /// A well-formed answer without text, tool call, refusal or reasoning.
    Empty {
        stream: bool,
    },
    /// An answer that cannot be read; `what` says so for people.
    Malformed {
        what: &'a str,
        stream: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connect {
    Refused,
    UnknownHost,
    DnsTimeout,
    Tls,
    Timeout,
    /// The server closed the connection before it took the request up.
    Goaway,
    /// The address is one that the policy does not allow.
    Forbidden,
    Other,
}

/// Which deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    FirstToken,
    /// Nothing for too long after the first content.
    Idle,
    Total,
}

/// Amazon's word for what is wrong; its bodies have none.
const AMAZON_TYPE: &str = "x-amzn-errortype";

/// `now` serves hints that are dates.
pub fn classify(vendor: Vendor, fault: &Fault<'_>, now: Timestamp) -> Failure {
    match *fault {
        Fault::Response { status, headers, body } => response(vendor, status, headers, body, now),
        Fault::StreamError { data, committed } => {
            let failure = spoken(vendor, None, &body::read(data).unwrap_or_default(), None);
            if committed { amid(failure) } else { failure }
        }
        Fault::FinishReason { reason } => finish::reason_failure(vendor, reason),
        Fault::Connect(kind) => connect(kind),
        Fault::Lost {
            reused,
            response_started,
        } => lost(reused, response_started),
        Fault::Timeout { phase, stream } => timeout(phase, stream),
        Fault::Truncated => told(Class::TruncatedStream, "the stream ended before the answer did"),
        Fault::Empty { stream: false } => told(Class::EmptyCompletion, "the answer is empty"),
        Fault::Empty { stream: true } => Failure {
            fallback: Fallback::IfUncommitted,
            billing: Billing::Estimate,
            ..told(Class::EmptyCompletion, "the stream ended without any content")
        },
        Fault::Malformed { what, stream } => Failure {
            billing: Billing::Estimate,
            fallback: if stream { Fallback::IfUncommitted } else { Fallback::Yes },
            ..told(Class::ProtocolError, what)
        },
    }
}

fn response(vendor: Vendor, status: u16, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Failure {
    if (300..400).contains(&status) {
        let message = format!("the provider answered with a redirect ({status}), which is never followed");
        return Failure {
            status: Some(status),
            ..told(Class::ProtocolError, &message)
        };
    }
    let mut said = body::read(body).unwrap_or_default();
    if let Some(word) = headers.get(AMAZON_TYPE).and_then(|value| value.to_str().ok()) {
        // `ThrottlingException:http://…`
        said.code = word.split(':').next().map(str::to_owned);
    }
    // A gateway that answers 200 with an error puts the real status into the error.
    let status = if (200..300).contains(&status) {
        said.status.unwrap_or(500)
    } else {
        status
    };
    spoken(vendor, Some(status), &said, retry_after::in_headers(headers, now))
}

/// A failure that the provider put into words.
fn spoken(vendor: Vendor, status: Option<u16>, said: &Said, hint: Option<Duration>) -> Failure {
    let status = status.or(said.status);
    let class = class_of(vendor, status, said);
    let hint = hint.or_else(|| hint_in(class, said));
    let mut failure = Failure {
        status,
        ..plain(class, hint)
    };
    let table = tables::of(vendor);
    let code = said.code.as_deref().unwrap_or_default();
    if table.one_model.contains(&code)
        && let Some(cooldown) = &mut failure.cooldown
    {
        cooldown.scope = Scope::CredentialModel;
    }
    let kind = said.kind.as_deref().unwrap_or_default();
    let unknown = [code, kind].iter().any(|word| table.bill_unknown.contains(word));
    if class == Class::Timeout && !unknown {
        failure.billing = Billing::No;
    }
    failure.code = said.code.as_deref().or(said.kind.as_deref()).map(scrub::code);
    failure.message = match (&said.message, status) {
        (Some(message), _) => scrub(message),
        (None, Some(status)) => format!("the provider answered {status} without a readable error"),
        (None, None) => "the provider sent an error without words".to_owned(),
    };
    failure
}

/// Code, then type, then a structured hint, then the vendor's phrases for this status, then the status.
fn class_of(vendor: Vendor, status: Option<u16>, said: &Said) -> Class {
    let table = tables::of(vendor);
    let find = |words: &[(&str, Class)], word: &Option<String>| {
        let word = word.as_deref()?;
        words.iter().find(|(known, _)| *known == word).map(|(_, class)| *class)
    };
    find(table.codes, &said.code)
        .or_else(|| find(table.kinds, &said.kind))
        .or_else(|| find(tables::CODES, &said.code))
        .or_else(|| find(tables::KINDS, &said.kind))
        .or_else(|| said.overflow.then_some(Class::ContextTooLong))
        .or_else(|| phrase(table, status, said))
        .unwrap_or_else(|| status.map_or(Class::UpstreamError, tables::status_class))
}

fn phrase(table: &Table, status: Option<u16>, said: &Said) -> Option<Class> {
    let text = said.message.as_deref()?.to_lowercase();
    table
        .phrases
        .iter()
        .find(|phrase| {
            Some(phrase.status) == status
                && phrase.code.is_none_or(|code| Some(code) == said.code.as_deref())
                && text.contains(phrase.text)
        })
        .map(|phrase| phrase.class)
}

/// Prose is asked last, and only once the code has said that this is a rate limit.
fn hint_in(class: Class, said: &Said) -> Option<Duration> {
    if !matches!(class, Class::RateLimited | Class::Overloaded) {
        return None;
    }
    let delay = said.retry_delay.as_deref().and_then(retry_after::duration);
    delay.or_else(|| {
        (class == Class::RateLimited).then_some(())?;
        retry_after::in_text(said.message.as_deref()?)
    })
}

fn connect(kind: Connect) -> Failure {
    let (message, retry_same) = match kind {
        Connect::Refused => ("the connection was refused", RetrySame::NowOnce),
        Connect::UnknownHost => ("the host's name does not resolve", RetrySame::No),
        Connect::DnsTimeout => ("the host's name did not resolve in time", RetrySame::NowOnce),
        Connect::Tls => (
            "the server's certificate was not accepted; is this machine's clock right?",
            RetrySame::No,
        ),
        Connect::Timeout => ("no connection in time", RetrySame::NowOnce),
        Connect::Goaway => (
            "the server closed the connection before it took the request",
            RetrySame::NowOnce,
        ),
        Connect::Forbidden => ("the address is not allowed by the policy", RetrySame::No),
        Connect::Other => ("no connection", RetrySame::NowOnce),
    };
    let alert = matches!(kind, Connect::Tls | Connect::Forbidden).then_some(AlertKind::Config);
    Failure {
        retry_same,
        alert,
        ..told(Class::ConnectError, message)
    }
}

fn lost(reused: bool, response_started: bool) -> Failure {
    match (reused, response_started) {
        // A pooled connection that died in silence most likely never delivered the request.
        (true, false) => Failure {
            retry_same: RetrySame::NowOnceFreshConnection,
            ..told(Class::ConnectionLost, "a kept connection was dead")
        },
        (false, false) => told(Class::ConnectionLost, "the connection closed before an answer"),
        (_, true) => told(Class::ConnectionLost, "the connection broke within the answer"),
    }
}

fn timeout(phase: Phase, stream: bool) -> Failure {
    match (phase, stream) {
        (Phase::FirstToken, _) => told(Class::Timeout, "no first token in time"),
        (Phase::Idle, true) => told(Class::StalledStream, "the stream fell silent"),
        (Phase::Idle, false) => told(Class::Timeout, "the answer stopped coming"),
        (Phase::Total, false) => told(Class::Timeout, "no whole answer in time"),
        (Phase::Total, true) => Failure {
            fallback: Fallback::IfUncommitted,
            billing: Billing::Estimate,
            client: ClientForm::StreamError,
            ..told(Class::Timeout, "the stream took longer than allowed")
        },
    }
}

fn told(class: Class, message: &str) -> Failure {
    Failure {
        message: scrub(message),
        ..plain(class, None)
    }
}
