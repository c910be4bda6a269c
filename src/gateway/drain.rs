//! Reads the little that an ended stream has left (HTTP's own end after `[DONE]`), so that its connection serves the
//! next request too: a new one would cost another TLS handshake.

use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// A provider that takes longer to end costs us a connection and nothing else.
const WITHIN: Duration = Duration::from_secs(1);
/// What may follow the end is a chunk of length zero; more is none of ours.
const MOST_FRAMES: usize = 4;

pub fn drain(mut rest: Incoming, tasks: &TaskTracker) {
    if rest.is_end_stream() {
        return;
    }
    tasks.spawn(tokio::time::timeout(WITHIN, async move {
        for _ in 0..MOST_FRAMES {
            match rest.frame().await {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    }));
}
