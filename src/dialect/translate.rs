//! Chat requests for models that are called in the Messages dialect, and their answers on the way back: through the
//! neutral form, both ways.
//!
//! What a client gets is a chat completion like any other, and is judged like any other from here on: what counts as
//! content, what as an end.

use super::chat::{decode, encode};
use super::messages::stream::{Heard, Reading};
use super::messages::{self, Bounds, Target};
use super::neutral::Untranslatable;
use super::sse::Frame;
use crate::usage::Usage;
use bytes::Bytes;
use std::collections::VecDeque;

const DONE: &[u8] = b"data: [DONE]\n\n";

/// What of a chat request the model would not get: an error where nobody may leave it out, else the fields that the
/// operator may.
pub fn fit(body: &[u8], target: &Target<'_>) -> Result<Vec<&'static str>, Untranslatable> {
    messages::encode::fit(&decode::decode(body)?, target)
}

/// The request that a chat request becomes. What [`fit`] names is left out.
pub fn request(body: &[u8], target: &Target<'_>, bounds: Bounds) -> Result<Bytes, Untranslatable> {
    let conversation = decode::decode(body)?;
    messages::encode::encode(&conversation, target, bounds).map(Bytes::from)
}

/// The chat completion that a whole answer becomes, with what it used; `None` where it is no answer.
pub fn answer(body: &[u8], target: &Target<'_>, created: i64) -> Option<(Bytes, Option<Usage>)> {
    let (events, usage) = messages::answer::read(body, target)?;
    Some((encode::completion(&events, usage.as_ref(), created), usage))
}

/// A streamed answer on its way from the one dialect to the other.
#[derive(Debug)]
pub struct Translation {
    reading: Reading,
    chunks: encode::Chunks,
}

impl Translation {
    /// `created`: seconds since 1970.
    pub fn new(target: &Target<'_>, created: i64) -> Self {
        Self {
            reading: Reading::of(target),
            chunks: encode::Chunks::new(created),
        }
    }

    /// Puts the frames that an event becomes behind those that are waiting. The last of an answer is `[DONE]`, before it
    /// what was used.
    pub fn feed(&mut self, data: &[u8], frames: &mut VecDeque<Frame>) -> Heard {
        let Self { reading, chunks } = self;
        let heard = reading.read(data, &mut |event| {
            frames.push_back(frame(|out| chunks.write(&event, out)));
        });
        if heard == Heard::Over {
            if let Some(usage) = reading.usage() {
                frames.push_back(frame(|out| chunks.write_usage(&usage, out)));
            }
            let raw = Bytes::from_static(DONE);
            frames.push_back(Frame {
                data: Some(raw.slice(6..raw.len() - 2)),
                raw,
            });
        }
        heard
    }

    /// What the provider said so far of what was used. Of the output it speaks at the end.
    pub fn usage(&self) -> Option<Usage> {
        self.reading.usage()
    }
}

fn frame(write: impl FnOnce(&mut Vec<u8>)) -> Frame {
    let mut raw = Vec::with_capacity(256);
    raw.extend_from_slice(b"data: ");
    write(&mut raw);
    raw.extend_from_slice(b"\n\n");
    let raw = Bytes::from(raw);
    Frame {
        data: Some(raw.slice(6..raw.len() - 2)),
        raw,
    }
}

#[cfg(test)]
mod tests;
