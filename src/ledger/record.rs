//! What the ledger keeps of a request: plain values, made by the gateway, written by the writer thread.

use crate::money::{Currency, Money};
use crate::period::Span;
use crate::price::Price;
use crate::request::Caller;
use crate::usage::Usage;
use jiff::Timestamp;
use std::sync::Arc;

/// How an attempt's reservation ended. Exactly one per attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndKind {
    Posted,
    Voided,
    Held,
}

/// One account's change by one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    pub budget: Arc<str>,
    /// Empty for a budget without `each`.
    pub key: Arc<str>,
    pub span: Span,
    pub posted: Money,
    pub held: Money,
    /// The part of `posted` that went beyond the reservation: the provider billed more than its bound allows.
    pub overdraft: Money,
}

#[derive(Clone, Debug)]
pub struct AttemptRecord {
    /// The decision's id.
    pub decision: Arc<str>,
    /// 1 for the first attempt of a request.
    pub number: u8,
    /// When its money was reserved; it posts to the period of this instant.
    pub at: Timestamp,
    pub model: Arc<str>,
    pub provider: Arc<str>,
    pub supply: &'static str,
    pub upstream: Arc<str>,
    pub caller: Caller,
    pub end: EndKind,
    /// `ok`, `failed` or `cancelled`.
    pub outcome: &'static str,
    /// The failure's class, empty when there was none.
    pub class: &'static str,
    /// HTTP status of the provider, 0 when there was no response.
    pub status: u16,
    pub usage: Usage,
    /// Posted or held amount; zero when voided.
    pub amount: Money,
    /// What was reserved.
    pub worst: Money,
    pub currency: Currency,
    /// The rates the amount was computed from; `None` for an unpriced model.
    pub price: Option<Price>,
    /// Milliseconds from sending to the first meaningful event, and to the end.
    pub first_token_ms: Option<u64>,
    pub total_ms: u64,
    pub postings: Vec<Posting>,
}

#[derive(Clone, Debug)]
pub struct ExcludedRecord {
    pub model: Arc<str>,
    pub reason: &'static str,
    pub detail: String,
}

#[derive(Clone, Debug)]
pub struct DecisionRecord {
    pub id: Arc<str>,
    pub at: Timestamp,
    pub route: Arc<str>,
    pub dialect: &'static str,
    pub stream: bool,
    pub plans: Vec<Arc<str>>,
    /// The model whose answer the client got.
    pub chosen: Option<Arc<str>>,
    pub excluded: Vec<ExcludedRecord>,
    pub caller: Caller,
    /// Safe estimate of input tokens.
    pub input: u64,
    pub cost: Money,
    pub currency: Currency,
    /// `ok`, `failed`, `refused` or `cancelled`.
    pub outcome: &'static str,
    /// Status the client saw.
    pub status: u16,
    pub policy_hash: Arc<str>,
}
