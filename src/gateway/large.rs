//! An answer too large to be read whole before the client sees it: passed through as it comes, without fallback. Cut, it
//! breaks the client's connection too, so that it never looks whole.
//!
//! Its cost is what it says of its own usage, wherever that stands, else an estimate from its size, within what was
//! reserved.

use super::attempt::Attempt;
use super::overdue::Overdue;
use super::ticket::Ticket;
use crate::dialect::chat::answer::usage_within;
use crate::dialect::chat::mask::Pieces;
use crate::failure::{Fault, Phase, classify};
use crate::money::Money;
use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Usage stands near the end; this much of it is kept to be looked at.
const TAIL: usize = 64 * 1024;
/// Of ordinary text; an answer of this size holds more than its text.
const BYTES_PER_TOKEN: u64 = 4;

/// The answer broke off.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the provider's answer broke off")]
pub struct BrokeOff;

pub struct LargeAnswer {
    /// Gone once the answer has ended.
    upstream: Option<Incoming>,
    head: Option<Bytes>,
    tail: Vec<u8>,
    size: u64,
    /// Hides who answers, to the last byte.
    mask: Option<Pieces>,
    attempt: Attempt,
    ticket: Ticket,
    broke_off: bool,
}

impl LargeAnswer {
    /// `head`: what was read before it was known to be too large. `shown_as`: what the client sees as its model.
    pub fn new(
        upstream: Incoming,
        head: Bytes,
        mut attempt: Attempt,
        ticket: Ticket,
        shown_as: Option<Arc<str>>,
    ) -> Self {
        attempt.usage = usage_within(&head);
        let mut answer = Self {
            upstream: Some(upstream),
            head: None,
            tail: Vec::new(),
            size: 0,
            mask: shown_as.map(|name| Pieces::new(&name)),
            attempt,
            ticket,
            broke_off: false,
        };
        answer.remember(&head);
        answer.head = Some(answer.shown(head));
        answer
    }

    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokeOff>>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(head)));
        }
        loop {
            let Some(upstream) = &mut self.upstream else {
                let end = std::mem::take(&mut self.broke_off).then_some(Err(BrokeOff));
                return Poll::Ready(end);
            };
            match std::task::ready!(Pin::new(upstream).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.remember(&bytes);
                        let shown = self.shown(bytes);
                        if !shown.is_empty() {
                            return Poll::Ready(Some(Ok(shown)));
                        }
                    }
                }
                None => {
                    self.succeed();
                    let rest = self.mask.as_mut().map(Pieces::rest).unwrap_or_default();
                    if !rest.is_empty() {
                        return Poll::Ready(Some(Ok(rest)));
                    }
                }
                Some(Err(_)) => self.fail(&Fault::Lost {
                    reused: false,
                    response_started: true,
                }),
            }
        }
    }

    fn shown(&mut self, bytes: Bytes) -> Bytes {
        match &mut self.mask {
            Some(mask) => mask.next(&bytes),
            None => bytes,
        }
    }

    fn remember(&mut self, bytes: &[u8]) {
        let kept = bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default();
        let surplus = (self.tail.len() + kept.len()).saturating_sub(TAIL);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend_from_slice(kept);
        self.size += bytes.len() as u64;
        self.attempt.seen.tokens = self.attempt.candidate.output.min(self.size / BYTES_PER_TOKEN);
    }

    fn succeed(&mut self) {
        self.upstream = None;
        self.attempt.usage = usage_within(&self.tail).or(self.attempt.usage);
        let cost = self.attempt.succeed();
        self.end(cost, "ok");
    }

    fn fail(&mut self, fault: &Fault<'_>) {
        self.upstream = None;
        self.broke_off = true;
        let failure = classify(self.attempt.provider().vendor, fault, self.attempt.now());
        let cost = self.attempt.fail(&failure);
        self.end(cost, "failed");
    }

    fn end(&mut self, cost: Money, outcome: &'static str) {
        self.ticket.cost = self.ticket.cost.plus(cost);
        let model = self.attempt.model().name.clone();
        self.ticket.finish(Some(model), outcome, 200);
    }
}

impl Overdue for LargeAnswer {
    fn overdue(&mut self) {
        if self.upstream.is_some() {
            self.fail(&Fault::Timeout {
                phase: Phase::Total,
                stream: false,
            });
        }
    }
}
