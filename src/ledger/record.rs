//! What the ledger keeps of a request: plain values, made by the gateway, written by the writer thread.

use crate::budget::PoolId;
pub use crate::budget::Posting;
use crate::decide::explain::Grounds;
pub use crate::live::RefusedStretch;
use crate::money::{Currency, Money};
use crate::price::{Bill, Line, MeterChange, MeterKey, MeterRow};
use crate::request::{Caller, Requirements};
use crate::usage::{OutputRatioRow, Usage};
use jiff::Timestamp;
use std::sync::Arc;

/// Everything that is sent to the ledger and waits for no answer. Written in the order in which it was sent.
#[derive(Clone, Debug)]
pub enum Record {
    Attempt(Box<AttemptRecord>),
    Decision(Box<DecisionRecord>),
    Event(Box<OutboxEvent>),
    Delivery {
        event: Arc<str>,
        target: Arc<str>,
        delivery: Delivery,
    },
    Plan(Box<PlanRecord>),
    Policy(PolicyRecord),
    Raise(RaiseRecord),
    /// What meters that began anew had counted before.
    MetersFound(Vec<MeterRow>),
    /// No price in force has these any more.
    MetersLeft(Vec<MeterKey>),
    Refused(Vec<RefusedStretch>),
    /// Held money is posted as estimated.
    Release(ReleaseRecord),
    /// How own counts of output stand to reports.
    OutputRatios(Vec<OutputRatioRow>),
    /// From now on its spend is reported to a fleet.
    Joined {
        membership: Membership,
        at: Timestamp,
    },
    /// The books have forgotten this pool: what its lease has left goes back.
    Return(Arc<PoolId>),
    /// An account was found exhausted under this limit; remembered over a restart.
    Exhausted {
        pool: Arc<PoolId>,
        key: Arc<str>,
        at: Timestamp,
        limit: Money,
    },
}

/// How an attempt's reservation ended. Exactly one per attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndKind {
    Posted,
    Voided,
    Held,
}

impl EndKind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Voided => "voided",
            Self::Held => "held",
        }
    }
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
    /// Which of the provider's keys, by its name in the policy; empty where it needs none.
    pub key: Arc<str>,
    pub caller: Arc<Caller>,
    /// The licences that the model is used under.
    pub licenses: Vec<Arc<str>>,
    /// Whose request it was, as a keyed hash.
    pub user: Option<u64>,
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
    /// How the amount came about; `None` for an unpriced model.
    pub bill: Option<Bill>,
    /// Its tokens by rate where a ladder gave them several.
    pub lines: Vec<Line>,
    /// The request's options that may have a price.
    pub options: Vec<Arc<str>>,
    /// The policy's hash under which it was made.
    pub policy: Arc<str>,
    /// Milliseconds from sending to the first meaningful event, and to the end.
    pub first_token_ms: Option<u64>,
    pub total_ms: u64,
    pub postings: Vec<Posting>,
    /// What held money is taken for when nobody tells the bill.
    pub estimate: Option<Money>,
    /// What it added to the meters of its price.
    pub meters: Vec<MeterChange>,
    /// What the threshold that it crossed corrects of the attempts before it.
    pub adjustment: Option<Adjustment>,
}

/// A retroactive ladder's correction: a record of its own beside the attempt's.
#[derive(Clone, Debug)]
pub struct Adjustment {
    pub amount: Money,
    pub postings: Vec<Posting>,
}

/// A held attempt whose bill nobody told.
/// Which fleet a ledger belongs to, and under which name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub fleet: Arc<str>,
    pub holder: Arc<str>,
}

#[derive(Clone, Debug)]
pub struct ReleaseRecord {
    /// Its row in the ledger.
    pub attempt: i64,
    pub estimate: Money,
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
    /// The decision of the request that an SDK sent again, empty for a first one.
    pub retry_of: Arc<str>,
    pub at: Timestamp,
    pub route: Arc<str>,
    pub dialect: &'static str,
    pub stream: bool,
    /// What it rested on: its explanation is written from that, off the request's way.
    pub grounds: Option<Box<Grounds>>,
    /// The model whose answer the client got.
    pub chosen: Option<Arc<str>>,
    /// What would have been asked first without any plan, and what it would have cost there.
    pub first_choice: Option<Arc<str>>,
    pub first_cost: Money,
    /// Candidates that could not be had when their turn came.
    pub passed: Vec<ExcludedRecord>,
    pub caller: Arc<Caller>,
    /// Safe estimate of input tokens.
    pub input: u64,
    /// All that it needed, to be decided again.
    pub needs: Arc<Requirements>,
    pub cost: Money,
    pub currency: Currency,
    /// `ok`, `failed`, `refused` or `cancelled`.
    pub outcome: &'static str,
    /// Status the client saw.
    pub status: u16,
    pub policy_hash: Arc<str>,
}

/// A webhook's event, kept until every target has it.
#[derive(Clone, Debug)]
pub struct OutboxEvent {
    /// The `webhook-id`, the same over all tries.
    pub id: Arc<str>,
    /// `budget.threshold`, …
    pub kind: Arc<str>,
    pub at: Timestamp,
    /// Of two events with the same text here only the first is kept, over restarts too. `None` keeps all.
    pub dedupe: Option<Arc<str>>,
    /// The whole JSON body as it is signed and sent.
    pub body: Arc<str>,
    /// Alert targets' ids.
    pub targets: Vec<Arc<str>>,
}

/// What came of one try to deliver an event to a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    Delivered { at: Timestamp },
    Failed { next_at: Timestamp, error: String },
    Dead { at: Timestamp, error: String },
}

/// A plan's state after it changed; the last one of each plan is restored at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRecord {
    pub plan: Arc<str>,
    pub at: Timestamp,
    pub active: bool,
    /// Since when it is active.
    pub since: Option<Timestamp>,
    /// The condition with its values, or who overrode it.
    pub why: String,
    pub manual: Option<ManualRecord>,
    /// What turned it: `condition`, `window`, `hand`, `policy`; empty where it stands as it stood.
    pub cause: Arc<str>,
    /// The flap latch holds it on.
    pub latched: bool,
}

/// A plan activated or released by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualRecord {
    pub active: bool,
    pub until: Option<Timestamp>,
}

/// A budget's limit raised by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaiseRecord {
    pub budget: Arc<str>,
    pub at: Timestamp,
    /// `None` ends every earlier raise of the budget.
    pub by: Option<Money>,
    pub currency: Currency,
    /// Exclusive.
    pub until: Timestamp,
}

/// A policy that came into force.
#[derive(Clone, Debug)]
pub struct PolicyRecord {
    pub hash: Arc<str>,
    pub text: Arc<str>,
    pub origin: Arc<str>,
    pub since: Timestamp,
}
