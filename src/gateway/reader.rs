//! Reads a provider's stream into events for the client: what to pass on, what to hide, where it ended or failed.
//!
//! Knows no socket and no clock: bytes are pushed in, events come out, in any chunking the same.

use crate::catalog::Vendor;
use crate::dialect::chat::mask::masked_event;
use crate::dialect::chat::stream::{Progress, Seen};
use crate::dialect::sse::{Frame, Parser};
use crate::failure::{Finish, finish_of};
use bytes::Bytes;
use std::sync::Arc;

#[derive(Debug)]
pub enum Event {
    /// A comment or a line without data: passed on, but no sign of progress.
    Comment(Bytes),
    /// Belongs to the answer, but commits to nothing.
    Preamble(Bytes),
    /// Content: commits.
    Content(Bytes),
    /// `[DONE]`.
    Done(Bytes),
    /// The usage that the client did not ask for.
    Hidden,
    Fault(StreamFault),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFault {
    /// An error object; its JSON.
    Error(Bytes),
    FailedFinish(String),
    Malformed(&'static str),
    /// The bytes ended before the answer did.
    Truncated,
    /// It ended without ever bringing content.
    Empty,
}

pub struct Reader {
    vendor: Vendor,
    hide_usage: bool,
    shown_as: Option<Arc<str>>,
    parser: Parser,
    progress: Progress,
    content_seen: bool,
}

impl Reader {
    /// `shown_as`: what the client sees as its model, where it may not see the provider's name for it.
    pub fn new(vendor: Vendor, hide_usage: bool, shown_as: Option<Arc<str>>) -> Self {
        Self {
            vendor,
            hide_usage,
            shown_as,
            parser: Parser::default(),
            progress: Progress::default(),
            content_seen: false,
        }
    }

    pub fn push(&mut self, chunk: &[u8]) {
        self.parser.push(chunk);
    }

    /// The next event of what was pushed; `None` when more bytes are needed.
    pub fn next_event(&mut self) -> Option<Event> {
        match self.parser.next_frame() {
            Ok(frame) => frame.map(|frame| self.event(frame)),
            Err(_) => Some(Event::Fault(StreamFault::Malformed(
                "an event is longer than any answer",
            ))),
        }
    }

    /// No more bytes come, in good order: what is left may be an event yet. A last `[DONE]` often lacks its blank line.
    pub fn close(&mut self) {
        if self.parser.rest().trim_ascii_end().ends_with(b"[DONE]") {
            self.parser.push(b"\n\n");
        }
        self.parser.close();
    }

    /// The provider closed. `clean`: by the rules of HTTP rather than by a cut. `None` when the answer was whole.
    pub fn end(&self, clean: bool) -> Option<StreamFault> {
        if self.progress.is_done() && self.progress.has_finished() {
            return None;
        }
        // Some providers leave `[DONE]` out; then only an orderly close after every finish reason is an end.
        if clean && self.progress.has_finished() && !self.parser.has_rest() {
            return None;
        }
        Some(if clean && !self.content_seen && !self.parser.has_rest() {
            StreamFault::Empty
        } else {
            StreamFault::Truncated
        })
    }

    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    fn event(&mut self, frame: Frame) -> Event {
        let Some(data) = frame.data else {
            return Event::Comment(frame.raw);
        };
        let vendor = self.vendor;
        let seen = self
            .progress
            .see(&data, |reason| matches!(finish_of(vendor, reason), Finish::Failed(_)));
        let shown = |raw: Bytes| match &self.shown_as {
            Some(name) => masked_event(&raw, &data, name),
            None => raw,
        };
        match seen {
            Seen::Meaningful => {
                self.content_seen = true;
                Event::Content(shown(frame.raw))
            }
            Seen::Preamble => Event::Preamble(shown(frame.raw)),
            Seen::UsageOnly if self.hide_usage => Event::Hidden,
            Seen::UsageOnly => Event::Preamble(shown(frame.raw)),
            Seen::Done if self.progress.has_finished() => Event::Done(frame.raw),
            // `[DONE]` after nothing, or after a choice without its finish reason, is no end.
            Seen::Done if self.content_seen => Event::Fault(StreamFault::Truncated),
            Seen::Done => Event::Fault(StreamFault::Empty),
            Seen::Error => Event::Fault(StreamFault::Error(data)),
            Seen::FailedFinish(reason) => Event::Fault(StreamFault::FailedFinish(reason)),
            Seen::Malformed => Event::Fault(StreamFault::Malformed("an event is not a chunk of a chat completion")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = concat!(
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\n",
        "data: [DONE]\n\n",
    );

    fn read(bytes: &[u8]) -> (Vec<String>, Reader) {
        let mut reader = Reader::new(Vendor::OpenaiCompatible, true, None);
        reader.push(bytes);
        let mut kinds = Vec::new();
        while let Some(event) = reader.next_event() {
            kinds.push(format!("{event:?}").split('(').next().unwrap().to_owned());
        }
        (kinds, reader)
    }

    #[test]
    fn a_whole_stream_is_whole() {
        let (kinds, reader) = read(STREAM.as_bytes());
        assert_eq!(kinds, ["Preamble", "Content", "Content", "Hidden", "Done"]);
        assert_eq!((reader.end(true), reader.end(false)), (None, None));
    }

    #[test]
    fn a_stream_cut_at_any_byte_is_whole_only_after_its_end() {
        let finish = STREAM.find("data: {\"choices\":[],").unwrap();
        for cut in 0..STREAM.len() {
            let (_, reader) = read(&STREAM.as_bytes()[..cut]);
            assert!(reader.end(false).is_some(), "cut at {cut}");
            if cut < finish {
                assert!(reader.end(true).is_some(), "closed at {cut}");
            }
        }
    }

    #[test]
    fn done_without_a_finish_reason_is_no_end() {
        let half = STREAM.replace("\"stop\"", "null");
        let (kinds, reader) = read(half.as_bytes());
        assert_eq!(kinds.last().map(String::as_str), Some("Fault"));
        assert_eq!(reader.end(true), Some(StreamFault::Truncated));
        let (kinds, _) = read(b"data: [DONE]\n\n");
        assert_eq!(kinds, ["Fault"]);
    }

    #[test]
    fn the_end_of_the_bytes_is_the_end_of_a_last_done_and_of_nothing_else() {
        let closed = |wire: &str| {
            let (_, mut reader) = read(wire.as_bytes());
            reader.close();
            let last = std::iter::from_fn(|| reader.next_event()).last();
            (matches!(last, Some(Event::Done(_))), reader.end(true))
        };
        for end in ["data: [DONE]", "data: [DONE]\n", "data: [DONE]\r\n", "data: [DONE]\r\r"] {
            assert_eq!(
                closed(&STREAM.replace("data: [DONE]\n\n", end)),
                (true, None),
                "{end:?}"
            );
        }
        let half = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"";
        assert_eq!(
            closed(&STREAM.replace("data: [DONE]\n\n", half)),
            (false, Some(StreamFault::Truncated))
        );
    }

    #[test]
    fn nothing_at_all_is_an_empty_answer() {
        assert_eq!(read(b"").1.end(true), Some(StreamFault::Empty));
        assert_eq!(read(b": keep-alive\n\n").1.end(true), Some(StreamFault::Empty));
    }
}
