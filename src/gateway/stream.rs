//! A committed stream on its way to the client: passes events on, settles when the answer is whole, and turns a
//! failure into an error event. Never an invented `[DONE]` or finish reason, never another model's text.
//!
//! Dropping it (the client left) drops the provider's connection and settles the attempt with an estimate. A client that
//! reads slowly is waited for: while it does not ask for more, the provider is not idle.

use super::attempt::Attempt;
use super::deadlines::Silence;
use super::drain::drain;
use super::failed;
use super::overdue::Overdue;
use super::reader::{Event, Reader, StreamFault};
use super::ticket::Ticket;
use crate::dialect::chat::cost::with_cost;
use crate::dialect::chat::error::ErrorBody;
use crate::dialect::sse::event_of;
use crate::failure::{Failure, Fault, Phase, classify};
use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

pub struct AnswerStream {
    /// Gone once the answer has ended.
    upstream: Option<Incoming>,
    reader: Reader,
    /// Events that are ready to go out.
    ready: VecDeque<Bytes>,
    /// The data of the last event with usage, held back until its cost is known.
    usage: Option<Bytes>,
    attempt: Attempt,
    ticket: Ticket,
    timer: Pin<Box<Sleep>>,
    silence: Silence,
    total_until: Instant,
}

/// How long a committed stream may take.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    pub idle: Duration,
    pub total_until: Instant,
}

impl AnswerStream {
    /// `head`: what was held back until the first content.
    pub fn new(
        upstream: Incoming,
        reader: Reader,
        head: VecDeque<Bytes>,
        attempt: Attempt,
        ticket: Ticket,
        limits: StreamLimits,
    ) -> Self {
        let silence = Silence::from(Instant::now(), limits.idle);
        Self {
            upstream: Some(upstream),
            reader,
            ready: head,
            usage: None,
            attempt,
            ticket,
            timer: Box::pin(tokio::time::sleep_until(silence.until().min(limits.total_until))),
            silence,
            total_until: limits.total_until,
        }
    }

    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.silence.asked(Instant::now());
        loop {
            self.read_events();
            if let Some(bytes) = self.take_ready() {
                self.silence.handed(Instant::now());
                return Poll::Ready(Some(bytes));
            }
            let Some(upstream) = &mut self.upstream else {
                return Poll::Ready(None);
            };
            match Pin::new(upstream).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        self.reader.push(&chunk);
                    }
                }
                Poll::Ready(Some(Err(_))) => self.close(false),
                Poll::Ready(None) => self.close(true),
                Poll::Pending => match self.poll_timers(context) {
                    Poll::Ready(()) => {}
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }

    /// Everything ready goes out as one frame: fewer writes where the provider sends many events at once.
    fn take_ready(&mut self) -> Option<Bytes> {
        let first = self.ready.pop_front()?;
        if self.ready.is_empty() {
            return Some(first);
        }
        let mut all = Vec::from(first);
        for bytes in self.ready.drain(..) {
            all.extend_from_slice(&bytes);
        }
        Some(Bytes::from(all))
    }

    fn read_events(&mut self) {
        while self.upstream.is_some() {
            let Some(event) = self.reader.next_event() else { break };
            match event {
                Event::Comment(bytes) => self.ready.push_back(bytes),
                Event::Preamble(bytes) | Event::Content(bytes) => {
                    self.silence.broken(Instant::now());
                    self.release_usage();
                    self.ready.push_back(bytes);
                }
                Event::Usage(data) => {
                    self.silence.broken(Instant::now());
                    self.release_usage();
                    self.usage = Some(data);
                }
                Event::Hidden => self.silence.broken(Instant::now()),
                Event::Done(bytes) => {
                    self.succeed();
                    self.ready.push_back(bytes);
                }
                Event::Fault(fault) => self.fail(&stream_failure(&self.attempt, &fault, true)),
            }
        }
        self.note();
    }

    /// What an end at this moment would be billed by.
    fn note(&mut self) {
        let progress = self.reader.progress();
        self.attempt.seen = progress.counted();
        self.attempt.usage = progress.usage();
        self.attempt.ended = progress.has_finished();
    }

    fn poll_timers(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if now >= self.total_until {
                self.time_out(Phase::Total);
                return Poll::Ready(());
            }
            if now >= self.silence.until() {
                self.time_out(Phase::Idle);
                return Poll::Ready(());
            }
            // The timer is moved only when it fires, not with each event.
            let next = self.silence.until().min(self.total_until);
            self.timer.as_mut().reset(next);
        }
    }

    fn time_out(&mut self, phase: Phase) {
        let vendor = self.attempt.provider().vendor;
        let fault = Fault::Timeout { phase, stream: true };
        let failure = classify(vendor, &fault, self.ticket.gateway.clock.now());
        self.fail(&failure);
    }

    fn close(&mut self, clean: bool) {
        if clean {
            self.reader.close();
            self.read_events();
        }
        match self.reader.end(clean) {
            None => self.succeed(),
            Some(fault) => self.fail(&stream_failure(&self.attempt, &fault, true)),
        }
    }

    fn succeed(&mut self) {
        let Some(rest) = self.upstream.take() else { return };
        drain(rest, &self.ticket.gateway.tasks);
        self.note();
        let cost = self.attempt.succeed();
        self.ticket.cost = self.ticket.cost.plus(cost);
        if let Some(data) = self.usage.take() {
            let priced = with_cost(&data, &self.ticket.cost.to_string());
            self.ready.push_back(event_of(&priced));
        }
        let currency = self.ticket.policy.snapshot.currency;
        let comment = format!(": x-planb-cost {} {currency}\n\n", self.ticket.cost);
        self.ready.push_back(Bytes::from(comment));
        let model = self.attempt.model().name.clone();
        self.ticket.finish(Some(model), "ok", 200);
    }

    /// It was not the last thing that came.
    fn release_usage(&mut self) {
        self.ready.extend(self.usage.take().map(|data| event_of(&data)));
    }

    fn fail(&mut self, failure: &Failure) {
        if self.upstream.take().is_none() {
            return;
        }
        self.note();
        let cost = self.attempt.fail(failure);
        self.ticket.cost = self.ticket.cost.plus(cost);
        self.release_usage();
        let told = failed::told(failure, self.ticket.hides);
        let error = ErrorBody {
            message: &told.message,
            kind: told.kind,
            code: told.code,
            param: None,
        };
        self.ready.push_back(Bytes::from(error.event()));
        let model = self.attempt.model().name.clone();
        self.ticket.finish(Some(model), "failed", 200);
    }
}

impl Overdue for AnswerStream {
    fn overdue(&mut self) {
        self.time_out(Phase::Total);
    }
}

/// The failure that a fault inside a stream means.
pub fn stream_failure(attempt: &Attempt, fault: &StreamFault, committed: bool) -> Failure {
    let fault = match fault {
        StreamFault::Error(data) => Fault::StreamError { data, committed },
        StreamFault::FailedFinish(reason) => Fault::FinishReason { reason },
        StreamFault::Malformed(why) => Fault::Malformed {
            what: why,
            stream: true,
        },
        StreamFault::Truncated => Fault::Truncated,
        StreamFault::Empty => Fault::Empty { stream: true },
    };
    classify(attempt.provider().vendor, &fault, attempt.now())
}
