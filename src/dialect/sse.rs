//! Server-sent events from bytes in any chunking: whole events out, each with the very bytes it came in.
//!
//! Promises the same events for any split of the same bytes, and a bound on what it keeps. It does not know what the
//! data means.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The largest single event that is kept; real ones are below 1 MiB, an endless line is a fault or an attack, and what is
/// held of it must stay small however many there are.
pub const MAX_EVENT: usize = 2 * 1024 * 1024;
/// May stand before the first event and belongs to none.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One event: everything up to and including its blank line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The bytes as they came, to be passed on.
    pub raw: Bytes,
    /// The `data:` lines joined by newlines; `None` for comments and events without data.
    pub data: Option<Bytes>,
}

/// An event with this data.
pub fn event_of(data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len() + 16);
    for line in data.split(|byte| *byte == b'\n') {
        out.put_slice(b"data: ");
        out.put_slice(line);
        out.put_u8(b'\n');
    }
    out.put_u8(b'\n');
    out.freeze()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {MAX_EVENT} bytes")]
pub struct TooLong;

/// Feeds on chunks, hands out frames.
#[derive(Debug, Default)]
pub struct Parser {
    buffer: BytesMut,
    /// Everything before this was searched for a blank line already.
    searched: usize,
    /// It is known whether a byte order mark comes first.
    begun: bool,
    closed: bool,
}

impl Parser {
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
        if !self.begun {
            self.begun = !BYTE_ORDER_MARK.starts_with(&self.buffer);
            if self.buffer.starts_with(BYTE_ORDER_MARK) {
                self.buffer.advance(BYTE_ORDER_MARK.len());
                self.begun = true;
            }
        }
    }

    /// No more bytes come: a last CR is a line's end and not half of one.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// What is not a whole event yet.
    pub fn rest(&self) -> &[u8] {
        &self.buffer
    }

    /// The next whole event, if it is there.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, TooLong> {
        match self.blank_line() {
            Some(end) => {
                let raw = self.buffer.split_to(end).freeze();
                self.searched = 0;
                Ok(Some(Frame {
                    data: data_of(&raw),
                    raw,
                }))
            }
            None if self.buffer.len() > MAX_EVENT => Err(TooLong),
            None => Ok(None),
        }
    }

    /// Bytes of an event that never got its blank line.
    pub fn has_rest(&self) -> bool {
        self.buffer.iter().any(|byte| !byte.is_ascii_whitespace())
    }

    /// The end of the first blank line. Lines end with LF, CRLF or CR; a CR at the very end may be half of a CRLF and
    /// waits for the next chunk.
    fn blank_line(&mut self) -> Option<usize> {
        let mut line_start = self.searched;
        loop {
            let rest = self.buffer.get(line_start..)?;
            let Some(found) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.searched = line_start;
                return None;
            };
            let end_of_text = line_start + found;
            let next = match (self.buffer.get(end_of_text), self.buffer.get(end_of_text + 1)) {
                (Some(b'\r'), None) if !self.closed => {
                    self.searched = line_start;
                    return None;
                }
                (Some(b'\r'), Some(b'\n')) => end_of_text + 2,
                _ => end_of_text + 1,
            };
            if found == 0 && line_start > 0 {
                return Some(next);
            }
            // A blank line before any event is dropped into that event's bytes.
            line_start = next;
        }
    }
}

fn data_of(raw: &Bytes) -> Option<Bytes> {
    let mut only: Option<Bytes> = None;
    let mut joined: Option<Vec<u8>> = None;
    for line in lines(raw) {
        let Some(value) = line.strip_prefix(b"data") else {
            continue;
        };
        let value = match value.split_first() {
            None => value,
            Some((b':', rest)) => rest.strip_prefix(b" ").unwrap_or(rest),
            Some(_) => continue,
        };
        match (&mut joined, &only) {
            (Some(all), _) => {
                all.push(b'\n');
                all.extend_from_slice(value);
            }
            (None, Some(first)) => joined = Some([first, &b"\n"[..], value].concat()),
            (None, None) => only = Some(raw.slice_ref(value)),
        }
    }
    joined.map(Bytes::from).or(only)
}

fn lines(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    raw.split(|byte| matches!(byte, b'\n' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(chunks: &[&[u8]]) -> Vec<Frame> {
        let mut parser = Parser::default();
        let mut frames = Vec::new();
        for chunk in chunks {
            parser.push(chunk);
            while let Some(frame) = parser.next_frame().unwrap() {
                frames.push(frame);
            }
        }
        frames
    }

    fn data(frames: &[Frame]) -> Vec<Option<String>> {
        let text = |data: &Bytes| String::from_utf8_lossy(data).into_owned();
        frames.iter().map(|frame| frame.data.as_ref().map(text)).collect()
    }

    #[test]
    fn events_comments_and_line_endings_are_told_apart() {
        let frames = parse(&[b"data: a\n\n: keep-alive\n\nevent: x\r\ndata:b\r\ndata: c\r\n\r\ndata: d\r\rid: 1\n\n"]);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(data(&frames), [some("a"), None, some("b\nc"), some("d"), None]);
    }

    #[test]
    fn an_event_without_its_blank_line_is_not_an_event() {
        let mut parser = Parser::default();
        parser.push(b"data: {\"half\":");
        assert_eq!(parser.next_frame(), Ok(None));
        assert!(parser.has_rest());
    }

    #[test]
    fn the_bytes_go_on_unchanged() {
        let wire: &[u8] = b"\n\ndata: a\r\n\r\n:c\n\ndata: [DONE]\n\n";
        let frames = parse(&[wire]);
        assert_eq!(
            frames.iter().flat_map(|frame| frame.raw.to_vec()).collect::<Vec<_>>(),
            wire
        );
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_event() {
        let wire = b"\xEF\xBB\xBFdata: a\n\ndata: b\n\n";
        let some = |text: &str| Some(text.to_owned());
        for cut in 0..wire.len() {
            let (before, after) = wire.split_at(cut);
            assert_eq!(data(&parse(&[before, after])), [some("a"), some("b")], "cut at {cut}");
        }
    }

    #[test]
    fn a_last_carriage_return_ends_a_line_once_no_more_can_come() {
        let mut parser = Parser::default();
        parser.push(b"data: a\r\r");
        assert_eq!(parser.next_frame(), Ok(None));
        parser.close();
        assert_eq!(data(&[parser.next_frame().unwrap().unwrap()]), [Some("a".to_owned())]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = Parser::default();
        parser.push(&vec![b'x'; MAX_EVENT + 1]);
        assert_eq!(parser.next_frame(), Err(TooLong));
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_events(
            pieces in proptest::collection::vec(prop_oneof![
                Just("data: {\"a\":1}"), Just("data"), Just(": c"), Just("event: e"), Just("\n"), Just("\r\n"), Just("\r"), Just("\n\n"), Just("x")
            ], 0..24),
            cuts in proptest::collection::vec(0_usize..200, 0..12),
        ) {
            let wire = pieces.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(wire.len())).collect();
            cuts.extend([0, wire.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect();
            prop_assert_eq!(parse(&chunks), parse(&[&wire]));
        }
    }
}
