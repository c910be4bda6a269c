//! Reads a provider's stream into events for the client: what to pass on, what to hide, where it ended or failed. A stream
//! in another dialect is translated first, event by event, and then read like any other.
//!
//! Knows no socket and no clock: bytes are pushed in, events come out, in any chunking the same.

use crate::catalog::Vendor;
use crate::dialect::chat::mask::{masked, masked_event};
use crate::dialect::chat::stream::{Progress, Seen};
use crate::dialect::messages::stream::Heard;
use crate::dialect::sse::{Frame, Parser};
use crate::dialect::translate::Translation;
use crate::failure::{Finish, finish_of};
use bytes::Bytes;
use std::collections::VecDeque;
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
    /// The data of an event with the usage alone, to which the cost is to be added.
    Usage(Bytes),
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
    /// Usage comes as [`Event::Usage`], whether the client asked for it or not.
    pub holds_usage: bool,
    shown_as: Option<Arc<str>>,
    parser: Parser,
    translation: Option<Translation>,
    /// What the last translated event has become, as far as it is not read yet.
    ahead: VecDeque<Frame>,
    progress: Progress,
    content_seen: bool,
}

const PING: &[u8] = b": ping\n\n";

impl Reader {
    /// `shown_as`: what the client sees as its model, where it may not see the provider's name for it.
    pub fn new(vendor: Vendor, hide_usage: bool, shown_as: Option<Arc<str>>) -> Self {
        Self {
            vendor,
            hide_usage,
            holds_usage: false,
            shown_as,
            parser: Parser::default(),
            translation: None,
            ahead: VecDeque::new(),
            progress: Progress::default(),
            content_seen: false,
        }
    }

    /// The provider speaks another dialect than the client.
    pub fn translating(mut self, translation: Option<Translation>) -> Self {
        self.translation = translation;
        self
    }

    pub fn push(&mut self, chunk: &[u8]) {
        self.parser.push(chunk);
    }

    /// The next event of what was pushed; `None` when more bytes are needed.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(frame) = self.ahead.pop_front() {
                return Some(self.event(frame));
            }
            let frame = match self.parser.next_frame() {
                Ok(frame) => frame?,
                Err(_) => {
                    let why = "an event is longer than any answer";
                    return Some(Event::Fault(StreamFault::Malformed(why)));
                }
            };
            let (Some(translation), Some(data)) = (&mut self.translation, &frame.data) else {
                return Some(self.event(frame));
            };
            let heard = translation.feed(data, &mut self.ahead);
            if let Some(usage) = translation.usage() {
                self.progress.report(usage);
            }
            match heard {
                Heard::Going | Heard::Over => {}
                Heard::Ping => return Some(Event::Comment(Bytes::from_static(PING))),
                Heard::Error => return Some(Event::Fault(StreamFault::Error(data.clone()))),
                Heard::Malformed(why) => return Some(Event::Fault(StreamFault::Malformed(why))),
            }
        }
    }

    /// No more bytes come, in good order: what is left may be an event yet. A last `[DONE]` often lacks its blank line.
    pub fn close(&mut self) {
        let rest = self.parser.rest().trim_ascii_end();
        let is_last = match self.translation {
            None => rest.ends_with(b"[DONE]"),
            Some(_) => rest.ends_with(b"}") && memchr::memmem::find(rest, b"message_stop").is_some(),
        };
        if is_last {
            self.parser.push(b"\n\n");
        }
        self.parser.close();
    }

    /// The provider closed. `clean`: by the rules of HTTP rather than by a cut. `None` when the answer was whole.
    pub fn end(&self, clean: bool) -> Option<StreamFault> {
        if self.progress.is_done() && self.progress.has_finished() {
            return None;
        }
        // Some providers leave `[DONE]` out; then only an orderly close after every finish reason is an end. The Messages
        // dialect has an end of its own.
        if clean && self.translation.is_none() && self.progress.has_finished() && !self.parser.has_rest() {
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
            Seen::UsageOnly if self.holds_usage => Event::Usage(match &self.shown_as {
                Some(name) => masked(&data, name),
                None => data,
            }),
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
    use crate::catalog::Wire;
    use crate::dialect::messages::Target;

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

    const MESSAGES: &str = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"c\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n",
        "event: ping\ndata: {\"type\":\"ping\"}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );

    fn translate<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Reader) {
        let target = Target {
            vendor: Vendor::Anthropic,
            upstream: "c",
            wire: Wire::Messages,
            thinks: true,
            always_thinks: false,
        };
        let translation = Translation::new(&target, 0);
        let mut reader = Reader::new(Vendor::Anthropic, true, None).translating(Some(translation));
        let mut told = Vec::new();
        for piece in pieces {
            reader.push(piece);
            told.extend(std::iter::from_fn(|| reader.next_event()).map(|event| format!("{event:?}")));
        }
        (told, reader)
    }

    #[test]
    fn a_stream_in_another_dialect_is_the_same_in_any_pieces() {
        let (whole, reader) = translate([MESSAGES.as_bytes()]);
        let kinds: Vec<&str> = whole.iter().map(|event| event.split('(').next().unwrap()).collect();
        assert_eq!(kinds, ["Preamble", "Comment", "Content", "Content", "Hidden", "Done"]);
        let usage = reader.progress().usage().unwrap();
        assert_eq!((usage.input, usage.output, usage.estimated), (9, 5, false));
        for size in 1..64 {
            assert_eq!(
                translate(MESSAGES.as_bytes().chunks(size)).0,
                whole,
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn a_stream_in_another_dialect_is_whole_only_after_its_own_end() {
        for cut in 0..MESSAGES.len() - 2 {
            let (told, mut reader) = translate([&MESSAGES.as_bytes()[..cut]]);
            assert!(
                reader.end(false).is_some() && reader.end(true).is_some(),
                "cut at {cut}"
            );
            assert!(!told.iter().any(|event| event.starts_with("Done")), "cut at {cut}");
            reader.close();
            let done = std::iter::from_fn(|| reader.next_event()).any(|event| matches!(event, Event::Done(_)));
            // The bytes of the last event are all there; only its blank line is not.
            assert_eq!(done, cut >= MESSAGES.trim_end().len(), "closed at {cut}");
        }
        let (_, reader) = translate([&MESSAGES.as_bytes()[..MESSAGES.find("event: content_block_stop").unwrap()]]);
        let usage = reader.progress().usage().unwrap();
        assert!(usage.estimated && usage.input == 9 && usage.output >= 1);
    }
}
