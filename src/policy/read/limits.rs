//! Limits of rate and of requests in flight as written.

use super::fields::Fields;
use crate::policy::report::Report;
use crate::policy::source::Word;

#[derive(Debug, Default)]
pub(in crate::policy) struct Limits {
    pub requests: Option<Word>,
    pub tokens: Option<Word>,
    pub in_flight: Option<Word>,
    pub queue: Option<Word>,
    pub wait: Option<Word>,
}

/// From the entries of a `limits`, whatever else stands there.
pub(super) fn limits(inner: Option<Fields<'_>>, report: &mut Report) -> Limits {
    let Some(inner) = inner else {
        return Limits::default();
    };
    Limits {
        requests: inner.word("requests", report),
        tokens: inner.word("tokens", report),
        in_flight: inner.word("in_flight", report),
        queue: inner.word("queue", report),
        wait: inner.word("wait", report),
    }
}
