//! One attempt on the wire, until the answer is whole, has begun, or has failed. What is held back until the first
//! content lets a failure before it stay invisible.

use super::attempt::Attempt;
use super::deadlines::Deadlines;
use super::prepare::Prepared;
use super::reader::{Event, Reader, StreamFault};
use super::stream::stream_failure;
use crate::catalog::Wire as Api;
use crate::decide::reshape::messages_target;
use crate::dialect::chat::answer::{self, Answer};
use crate::dialect::chat::request::Shape;
use crate::dialect::messages::Bounds;
use crate::dialect::sse::event_of;
use crate::dialect::translate::{self, Translation};
use crate::failure::{Connect, Failure, Fault, Finish, Phase, classify, finish_of};
use crate::upstream::call::{self, Call};
use crate::upstream::connect::InferenceClient;
use crate::upstream::credentials::Credential;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Uri, header};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// An answer is read whole before the client sees it, up to this size; beyond, it is passed through.
const MOST_ANSWER: usize = 32 * 1024 * 1024;
/// The words of an error are a help; the status alone is enough to go on.
const ERROR_BODY_WITHIN: Duration = Duration::from_secs(5);

pub enum Exchanged {
    Whole(Bytes),
    Large {
        upstream: Incoming,
        head: Bytes,
    },
    Begun {
        upstream: Incoming,
        reader: Box<Reader>,
        head: VecDeque<Bytes>,
    },
}

/// What an attempt is sent with.
pub struct Wire<'a> {
    pub client: InferenceClient,
    pub key: Option<&'a Credential>,
    pub deadlines: Deadlines,
    /// The end of the attempt: its own `total`, or the request's deadline.
    pub until: Instant,
}

pub async fn exchange(prepared: &Prepared, attempt: &mut Attempt, wire: &Wire<'_>) -> Result<Exchanged, Failure> {
    let stream = prepared.inbound.stream();
    let Some(call) = call(prepared, attempt, wire.key) else {
        return Err(failure(attempt, &Fault::Connect(Connect::Other)));
    };
    attempt.sent = true;
    let first_until = if stream {
        wire.until.min(Instant::now() + wire.deadlines.first_token)
    } else {
        wire.until
    };
    let response = match timeout_at(first_until, call::send(&wire.client, call)).await {
        Ok(Ok(response)) => response,
        Ok(Err(none)) => return Err(failure(attempt, &none.fault())),
        Err(_) => return Err(timed_out(attempt, stream, first_until < wire.until)),
    };
    attempt.status = response.status().as_u16();
    attempt.note_headers(response.headers());
    if !response.status().is_success() {
        return Err(refused(attempt, response, first_until).await);
    }
    if stream {
        begin(prepared, attempt, response, first_until, wire).await
    } else {
        whole(prepared, attempt, response, wire).await
    }
}

/// What is sent, in the words of the model's own dialect. `None` where that cannot be said, which made it no candidate.
fn call<'a>(prepared: &Prepared, attempt: &Attempt, key: Option<&'a Credential>) -> Option<Call<'a>> {
    let (model, provider, candidate) = (attempt.model(), attempt.provider(), attempt.candidate);
    let inbound = prepared.inbound_of(candidate.id);
    let stream = prepared.inbound.stream();
    let address = provider.address(&model.upstream, prepared.inbound.path(), stream);
    let uri = address.parse::<Uri>().ok()?;
    let target = messages_target(&prepared.policy.snapshot, candidate.id);
    let body = match target.wire {
        Api::Chat => {
            let switch = prepared.policy.snapshot.thinking_switch(candidate.id);
            let shape = Shape {
                cap: candidate.cap,
                thinking_budget: candidate.thinking_budget,
                thinking_off: switch.filter(|_| candidate.thinking_off),
            };
            inbound.for_upstream(&model.upstream, provider.vendor.facts(), shape)
        }
        Api::Messages | Api::RawPredict => {
            let bounds = Bounds {
                max_tokens: candidate.output,
                stream,
                thinking_off: candidate.thinking_off,
            };
            translate::request(inbound.body(), &target, bounds).ok()?
        }
    };
    Some(Call {
        uri,
        allow_private: provider.allow_private,
        key,
        key_header: provider.key_header,
        versioned: target.wire == Api::Messages,
        body,
        stream,
    })
}

fn failure(attempt: &Attempt, fault: &Fault<'_>) -> Failure {
    classify(attempt.provider().vendor, fault, attempt.now())
}

fn timed_out(attempt: &Attempt, stream: bool, first: bool) -> Failure {
    let phase = if first { Phase::FirstToken } else { Phase::Total };
    failure(attempt, &Fault::Timeout { phase, stream })
}

/// An error status: its body says which.
async fn refused(attempt: &Attempt, response: Response<Incoming>, until: Instant) -> Failure {
    let (parts, body) = response.into_parts();
    let until = until.min(Instant::now() + ERROR_BODY_WITHIN);
    let body = timeout_at(until, call::error_body(body))
        .await
        .ok()
        .flatten()
        .unwrap_or_default();
    failure(
        attempt,
        &Fault::Response {
            status: parts.status.as_u16(),
            headers: &parts.headers,
            body: &body,
        },
    )
}

async fn whole(
    prepared: &Prepared,
    attempt: &mut Attempt,
    response: Response<Incoming>,
    wire: &Wire<'_>,
) -> Result<Exchanged, Failure> {
    let (parts, mut body) = response.into_parts();
    let target = messages_target(&prepared.policy.snapshot, attempt.candidate.id);
    let bytes = match read_all(attempt, &mut body, wire.until).await? {
        Read::Whole(bytes) => bytes,
        Read::Part(head) if target.wire.is_chat() => return Ok(Exchanged::Large { upstream: body, head }),
        Read::Part(_) => {
            let what = "the answer is too large to be translated";
            return Err(failure(attempt, &Fault::Malformed { what, stream: false }));
        }
    };
    let translated = match target.wire {
        Api::Chat => None,
        Api::Messages | Api::RawPredict => translate::answer(&bytes, &target, attempt.now().as_second()),
    };
    let (bytes, told) = translated.unwrap_or((bytes, None));
    match prepared.inbound_of(attempt.candidate.id).answer(&bytes) {
        Answer::Whole {
            usage,
            counted_output,
            finish,
        } => {
            attempt.usage = told.or(usage);
            attempt.seen.tokens = counted_output;
            let vendor = attempt.provider().vendor;
            match finish
                .iter()
                .find(|reason| matches!(finish_of(vendor, reason), Finish::Failed(_)))
            {
                Some(reason) => Err(failure(attempt, &Fault::FinishReason { reason })),
                None => Ok(Exchanged::Whole(bytes)),
            }
        }
        Answer::Error => Err(error_in_success(attempt, &parts.headers, &bytes)),
        Answer::Empty { usage } => {
            attempt.usage = told.or(usage);
            Err(failure(attempt, &Fault::Empty { stream: false }))
        }
        Answer::Malformed(what) => Err(failure(attempt, &Fault::Malformed { what, stream: false })),
    }
}

fn error_in_success(attempt: &mut Attempt, headers: &HeaderMap, body: &[u8]) -> Failure {
    attempt.usage = answer::usage_in(body);
    failure(
        attempt,
        &Fault::Response {
            status: attempt.status,
            headers,
            body,
        },
    )
}

enum Read {
    Whole(Bytes),
    /// There is more than may be held.
    Part(Bytes),
}

async fn read_all(attempt: &Attempt, body: &mut Incoming, until: Instant) -> Result<Read, Failure> {
    let mut all = BytesMut::new();
    loop {
        let frame = match timeout_at(until, body.frame()).await {
            Ok(None) => return Ok(Read::Whole(all.freeze())),
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => {
                return Err(failure(
                    attempt,
                    &Fault::Lost {
                        reused: false,
                        response_started: true,
                    },
                ));
            }
            Err(_) => return Err(timed_out(attempt, false, false)),
        };
        if let Ok(data) = frame.into_data() {
            all.extend_from_slice(&data);
        }
        if all.len() > MOST_ANSWER {
            return Ok(Read::Part(all.freeze()));
        }
    }
}

/// A whole answer in place of a stream: an error, perhaps.
async fn unstreamed(attempt: &mut Attempt, headers: &HeaderMap, mut body: Incoming, until: Instant) -> Failure {
    let bytes = match read_all(attempt, &mut body, until).await {
        Ok(Read::Whole(bytes) | Read::Part(bytes)) => bytes,
        Err(failure) => return failure,
    };
    if answer::read(&bytes, false) == Answer::Error {
        return error_in_success(attempt, headers, &bytes);
    }
    let what = "a stream was asked for and none came";
    failure(attempt, &Fault::Malformed { what, stream: true })
}

async fn begin(
    prepared: &Prepared,
    attempt: &mut Attempt,
    response: Response<Incoming>,
    first_until: Instant,
    wire: &Wire<'_>,
) -> Result<Exchanged, Failure> {
    let (parts, mut upstream) = response.into_parts();
    if !is_event_stream(&parts.headers) {
        return Err(unstreamed(attempt, &parts.headers, upstream, first_until).await);
    }
    let mut reader = Reader::new(
        attempt.provider().vendor,
        !prepared.inbound.wants_usage(),
        prepared.shown_as.clone(),
    )
    .translating(translation(prepared, attempt));
    reader.holds_usage = prepared.compat().usage_cost;
    let (mut head, mut closed) = (VecDeque::new(), false);
    loop {
        while let Some(event) = reader.next_event() {
            match event {
                // A keep-alive is no part of the answer, and without content there is nobody to keep alive.
                Event::Comment(_) | Event::Hidden => {}
                Event::Preamble(bytes) => head.push_back(bytes),
                Event::Usage(data) => head.push_back(event_of(&data)),
                Event::Content(bytes) => {
                    attempt.note_first_token();
                    head.push_back(bytes);
                    return Ok(Exchanged::Begun {
                        upstream,
                        reader: Box::new(reader),
                        head,
                    });
                }
                Event::Done(_) => return Err(failure(attempt, &Fault::Empty { stream: true })),
                Event::Fault(fault) => return Err(uncommitted(attempt, &reader, &fault)),
            }
        }
        if closed {
            let fault = reader.end(true).unwrap_or(StreamFault::Empty);
            return Err(uncommitted(attempt, &reader, &fault));
        }
        match timeout_at(first_until, upstream.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    reader.push(&data);
                }
            }
            Ok(None) => {
                reader.close();
                closed = true;
            }
            Ok(Some(Err(_))) => {
                let fault = reader.end(false).unwrap_or(StreamFault::Empty);
                return Err(uncommitted(attempt, &reader, &fault));
            }
            Err(_) => {
                note(attempt, &reader);
                return Err(timed_out(attempt, true, first_until < wire.until));
            }
        }
    }
}

/// For an answer in another dialect than the client's.
fn translation(prepared: &Prepared, attempt: &Attempt) -> Option<Translation> {
    let target = messages_target(&prepared.policy.snapshot, attempt.candidate.id);
    (!target.wire.is_chat()).then(|| Translation::new(&target, attempt.now().as_second()))
}

fn uncommitted(attempt: &mut Attempt, reader: &Reader, fault: &StreamFault) -> Failure {
    note(attempt, reader);
    stream_failure(attempt, fault, false)
}

fn note(attempt: &mut Attempt, reader: &Reader) {
    attempt.usage = reader.progress().usage();
    attempt.seen = reader.progress().counted();
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream")
}
