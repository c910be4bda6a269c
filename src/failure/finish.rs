//! Finish reasons that mean something else than an end: a failure in a well-formed answer.
//!
//! A reason that is not listed is an end like any other and passes through; new ones are no failures.

use super::treatment::plain;
use super::{Billing, BreakerEffect, Class, ClientForm, Failure, Fallback, RetrySame};
use crate::catalog::Vendor;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// A normal end, also where the provider's filter stopped the answer under OpenAI's own word for it.
    Complete,
    /// The provider's own word for a filtered answer: the client gets `finish_reason: content_filter`, nothing failed.
    Filtered,
    Failed(Box<Failure>),
}

pub fn finish_of(vendor: Vendor, reason: &str) -> Finish {
    match reason {
        "sensitive" => Finish::Filtered,
        _ => match failed_class(vendor, reason) {
            Some(class) => Finish::Failed(Box::new(failed(class, reason))),
            None => Finish::Complete,
        },
    }
}

/// The failure as which a finish reason counts; a reason that ends normally counts as a filtered answer here, since the
/// caller has judged it no success.
pub(super) fn reason_failure(vendor: Vendor, reason: &str) -> Failure {
    match failed_class(vendor, reason) {
        Some(class) => failed(class, reason),
        None => Failure {
            fallback: Fallback::No,
            billing: Billing::ActualElseEstimate,
            client: ClientForm::FinishContentFilter,
            breaker: BreakerEffect::Ignore,
            message: format!("the answer ended with finish_reason {reason}"),
            ..plain(Class::ContentFiltered, None)
        },
    }
}

fn failed_class(vendor: Vendor, reason: &str) -> Option<Class> {
    match (vendor, reason) {
        (_, "insufficient_system_resource") => Some(Class::Overloaded),
        // `pause_turn`: it wants to go on with a tool of its maker's, which nobody asked for.
        (_, "network_error" | "error" | "pause_turn") => Some(Class::UpstreamError),
        // vLLM ends an aborted request so, also when its engine dies.
        (Vendor::Vllm, "abort") => Some(Class::UpstreamError),
        _ => None,
    }
}

fn failed(class: Class, reason: &str) -> Failure {
    Failure {
        retry_same: RetrySame::No,
        fallback: Fallback::IfUncommitted,
        billing: Billing::ActualElseEstimate,
        client: ClientForm::StreamError,
        code: Some(reason.to_owned()),
        message: format!("the answer ended with finish_reason {reason}"),
        ..plain(class, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_ends_are_complete() {
        for reason in [
            "stop",
            "length",
            "tool_calls",
            "function_call",
            "content_filter",
            "something_new",
        ] {
            assert_eq!(finish_of(Vendor::Openai, reason), Finish::Complete, "{reason}");
        }
    }

    #[test]
    fn reasons_of_failure_are_failures() {
        for reason in ["insufficient_system_resource", "network_error", "error"] {
            assert!(
                matches!(finish_of(Vendor::Deepseek, reason), Finish::Failed(_)),
                "{reason}"
            );
        }
        assert_eq!(finish_of(Vendor::OpenaiCompatible, "sensitive"), Finish::Filtered);
    }
}
