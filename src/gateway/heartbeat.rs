//! Keeps a streamed answer's connection alive while nothing comes: a comment each time that nothing was sent for so long.
//!
//! The first beat sends the answer's head, status 200, before anybody knows who will answer: from then on what the headers
//! would have said comes as comments, and a failure as an event. Knows nothing of how an answer is come by.

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body, Frame};
use std::fmt::Write;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// A comment, which is no event to any reader of streams.
const BEAT: &[u8] = b": heartbeat\n\n";
/// Headers that come as comments where the head is out already.
const LATE: &str = "x-planb-";
/// The one of them that the head has had all along.
const EARLY: &str = "x-planb-decision";

/// A route's heartbeat for one request.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    pub every: Duration,
    head_sent: Arc<AtomicBool>,
}

impl Heartbeat {
    pub fn new(every: Duration) -> Self {
        Self {
            every,
            head_sent: Arc::default(),
        }
    }

    pub fn send_head(&self) {
        self.head_sent.store(true, Ordering::Relaxed);
    }

    /// The client saw status 200, whatever came then.
    pub fn sent_head(&self) -> bool {
        self.head_sent.load(Ordering::Relaxed)
    }
}

/// What an answer will come of.
pub type Work<B> = Pin<Box<dyn Future<Output = Response<B>> + Send>>;

/// An answer with beats wherever nothing else comes.
pub struct Beating<B> {
    /// Gone once there is an answer.
    work: Option<Work<B>>,
    answer: Option<B>,
    /// The answer is an error that no status can tell any more.
    failed: bool,
    /// Goes out before anything else.
    ready: Option<Bytes>,
    every: Duration,
    /// When something last went out.
    last: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<B: Body<Data = Bytes> + Unpin> Beating<B> {
    /// An answer that has begun.
    pub fn over(answer: B, every: Duration) -> Self {
        Self {
            work: None,
            answer: Some(answer),
            failed: false,
            ready: None,
            every,
            last: Instant::now(),
            timer: Box::pin(sleep(every)),
        }
    }

    /// One that is still awaited: it begins with a beat, which takes the head along.
    pub fn awaiting(work: Work<B>, every: Duration) -> Self {
        Self {
            work: Some(work),
            answer: None,
            failed: false,
            ready: Some(Bytes::from_static(BEAT)),
            every,
            last: Instant::now(),
            timer: Box::pin(sleep(every)),
        }
    }

    pub fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        loop {
            if let Some(bytes) = self.ready.take() {
                self.last = Instant::now();
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if let Some(work) = &mut self.work {
                let Poll::Ready(response) = work.as_mut().poll(context) else {
                    return self.poll_beat(context);
                };
                self.begin(response);
                continue;
            }
            let Some(answer) = &mut self.answer else {
                return Poll::Ready(None);
            };
            return match Pin::new(answer).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.last = Instant::now();
                    let failed = self.failed;
                    Poll::Ready(Some(
                        Ok(frame.map_data(|data| if failed { event(&data) } else { data })),
                    ))
                }
                Poll::Ready(end) => Poll::Ready(end),
                Poll::Pending => self.poll_beat(context),
            };
        }
    }

    fn begin(&mut self, response: Response<B>) {
        self.work = None;
        self.failed = !response.status().is_success();
        self.ready = late(response.headers());
        self.answer = Some(response.into_body());
    }

    fn poll_beat<E>(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        loop {
            if self.timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            // The timer is moved only when it fires, not with each frame.
            let (now, due) = (Instant::now(), self.last + self.every);
            if due <= now {
                self.last = now;
                self.timer.as_mut().reset(now + self.every);
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(BEAT)))));
            }
            self.timer.as_mut().reset(due);
        }
    }
}

/// The body of an error is one line of JSON.
fn event(data: &Bytes) -> Bytes {
    Bytes::from([b"data: ", data.as_ref(), b"\n\n"].concat())
}

/// What the headers would have said: `: x-planb-model NAME`, a line each.
fn late(headers: &HeaderMap) -> Option<Bytes> {
    let mut lines = String::new();
    let told = headers.iter().filter(|(name, _)| {
        let name = name.as_str();
        name.starts_with(LATE) && name != EARLY
    });
    for (name, value) in told {
        let value = String::from_utf8_lossy(value.as_bytes());
        let _ = writeln!(lines, ": {name} {value}");
    }
    (!lines.is_empty()).then(|| Bytes::from(lines + "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};
    use std::convert::Infallible;
    use tokio::sync::{mpsc, oneshot};

    const EVERY: Duration = Duration::from_millis(5);
    /// None comes while a test lasts.
    const NEVER: Duration = Duration::from_secs(86_400);

    struct Whole<B>(Beating<B>);

    impl<B: Body<Data = Bytes> + Unpin> Body for Whole<B> {
        type Data = Bytes;
        type Error = B::Error;

        fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
            self.get_mut().0.poll_frame(context)
        }
    }

    struct Events(mpsc::Receiver<&'static str>);

    impl Body for Events {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let event = self.0.poll_recv(context);
            event.map(|event| event.map(|event| Ok(Frame::data(Bytes::from(event)))))
        }
    }

    async fn next<B: Body<Data = Bytes, Error = Infallible> + Unpin>(body: &mut Whole<B>) -> Option<String> {
        let frame = body.frame().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    fn answered(status: u16, text: &'static str) -> Response<Full<Bytes>> {
        Response::builder()
            .status(status)
            .header("x-planb-decision", "0")
            .header("x-planb-model", "tiny")
            .body(Full::from(text))
            .unwrap()
    }

    fn awaiting(every: Duration) -> (oneshot::Sender<Response<Full<Bytes>>>, Whole<Full<Bytes>>) {
        let (answer, awaited) = oneshot::channel();
        let work = Box::pin(async move { awaited.await.unwrap() });
        (answer, Whole(Beating::awaiting(work, every)))
    }

    #[tokio::test]
    async fn an_awaited_answer_begins_with_a_beat_and_has_more_until_it_comes() {
        let (answer, mut body) = awaiting(EVERY);
        for _ in 0..3 {
            assert_eq!(next(&mut body).await.as_deref(), Some(": heartbeat\n\n"));
        }
        answer.send(answered(200, "data: 1\n\n")).unwrap();
        assert_eq!(next(&mut body).await.as_deref(), Some(": x-planb-model tiny\n\n"));
        assert_eq!(next(&mut body).await.as_deref(), Some("data: 1\n\n"));
        assert_eq!(next(&mut body).await, None);
    }

    #[tokio::test]
    async fn a_failure_behind_the_head_is_an_event_and_the_end_and_waits_for_no_beat() {
        let (answer, mut body) = awaiting(NEVER);
        assert_eq!(next(&mut body).await.as_deref(), Some(": heartbeat\n\n"));
        answer.send(answered(503, "{\"error\":{}}")).unwrap();
        assert_eq!(next(&mut body).await.as_deref(), Some(": x-planb-model tiny\n\n"));
        assert_eq!(next(&mut body).await.as_deref(), Some("data: {\"error\":{}}\n\n"));
        assert_eq!(next(&mut body).await, None);
    }

    #[tokio::test]
    async fn an_answer_under_way_has_beats_in_its_pauses() {
        let (events, coming) = mpsc::channel(8);
        let mut body = Whole(Beating::over(Events(coming), EVERY));
        for _ in 0..3 {
            assert_eq!(next(&mut body).await.as_deref(), Some(": heartbeat\n\n"));
            events.send("data: 1\n\n").await.unwrap();
            assert_eq!(next(&mut body).await.as_deref(), Some("data: 1\n\n"));
        }
        let (events, coming) = mpsc::channel(8);
        let mut body = Whole(Beating::over(Events(coming), NEVER));
        for _ in 0..3 {
            events.send("data: 1\n\n").await.unwrap();
            assert_eq!(next(&mut body).await.as_deref(), Some("data: 1\n\n"));
        }
        drop(events);
        assert_eq!(next(&mut body).await, None);
    }
}
