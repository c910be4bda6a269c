//! Reads a streamed answer event by event: is this the first meaningful one, has it ended, what did it use?
//!
//! Promises to call a stream whole only when every choice that began has a finish reason and, where the stream was cut
//! rather than closed, `[DONE]` came. It holds no bytes and writes none.

use super::billed::usage_of;
use super::wire::{Outline, is_empty};
use crate::usage::{OutputCount, ServiceTier, Usage};

/// What one event's data says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Content, reasoning, a refusal, audio, a tool call or a finish reason: worth committing to.
    Meaningful,
    /// A role, an empty delta: belongs to the answer, commits to nothing.
    Preamble,
    /// Usage without choices, which a client that did not ask for it must not see.
    UsageOnly,
    /// `[DONE]`.
    Done,
    /// An error object; the event's data is the body.
    Error,
    /// A finish reason that names a failure rather than an end.
    FailedFinish(String),
    /// No JSON of this dialect.
    Malformed,
}

/// How the stream stands.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    usage: Option<Usage>,
    /// What another dialect said on the way, where the figures are whole only at the end.
    partial: Option<Usage>,
    /// The service tier that a chunk named last.
    tier: Option<ServiceTier>,
    counted: OutputCount,
    /// Per choice: has its finish reason come?
    finished: Vec<(u64, bool)>,
    done: bool,
}

impl Progress {
    /// `fails` says which finish reasons mean failure.
    pub fn see(&mut self, data: &[u8], fails: impl Fn(&str) -> bool) -> Seen {
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.done = true;
            return Seen::Done;
        }
        let Ok(chunk) = serde_json::from_slice::<Outline<'_>>(data) else {
            return Seen::Malformed;
        };
        if chunk.error.is_some_and(|error| !is_empty(error.get())) {
            return Seen::Error;
        }
        // The last cumulative value wins.
        let tier = chunk.service_tier.as_deref().and_then(ServiceTier::of);
        self.tier = tier.or(self.tier);
        self.usage = usage_of(chunk.usage, None).or(self.usage);
        let choices = chunk.choices.unwrap_or_default();
        if choices.is_empty() {
            return if chunk.usage.is_some_and(|usage| !is_empty(usage.get())) {
                Seen::UsageOnly
            } else {
                Seen::Preamble
            };
        }
        let mut meaningful = false;
        for choice in &choices {
            self.usage = usage_of(choice.usage, None).or(self.usage);
            for tokens in choice.delta.iter().flat_map(|part| part.counted()) {
                meaningful = true;
                self.counted.tokens += tokens;
                self.counted.pieces += 1;
            }
            let finish = choice.finish_reason.as_deref().filter(|reason| !reason.is_empty());
            self.note(choice.index, finish.is_some());
            match finish {
                Some(reason) if fails(reason) => return Seen::FailedFinish(reason.to_owned()),
                Some(_) => meaningful = true,
                None => {}
            }
        }
        if meaningful { Seen::Meaningful } else { Seen::Preamble }
    }

    /// Figures of an answer that is under way: its input is known, its output is not yet.
    pub const fn report(&mut self, usage: Usage) {
        self.partial = Some(usage);
    }

    /// As reported by the provider, if it was; of an answer that is under way, with the output counted so far.
    pub fn usage(&self) -> Option<Usage> {
        let whole = self.usage.map(|usage| Usage {
            tier: usage.tier.or(self.tier),
            ..usage
        });
        whole.or_else(|| {
            self.partial.map(|usage| Usage {
                output: usage.output.max(self.counted.tokens),
                estimated: true,
                ..usage
            })
        })
    }

    /// Safe count of the output so far.
    pub const fn counted(&self) -> OutputCount {
        self.counted
    }

    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// Every choice that began has ended.
    pub fn has_finished(&self) -> bool {
        !self.finished.is_empty() && self.finished.iter().all(|(_, finished)| *finished)
    }

    fn note(&mut self, index: u64, finished: bool) {
        match self.finished.iter_mut().find(|(known, _)| *known == index) {
            Some((_, state)) => *state |= finished,
            None => self.finished.push((index, finished)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(progress: &mut Progress, data: &str) -> Seen {
        progress.see(data.as_bytes(), |reason| reason == "network_error")
    }

    fn chunk(delta: &str, finish: &str) -> String {
        format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#)
    }

    #[test]
    fn the_first_meaningful_event_is_not_the_role() {
        let mut progress = Progress::default();
        assert_eq!(
            see(&mut progress, &chunk(r#"{"role":"assistant","content":""}"#, "null")),
            Seen::Preamble
        );
        assert_eq!(
            see(&mut progress, &chunk(r#"{"content":null,"tool_calls":[]}"#, "null")),
            Seen::Preamble
        );
        assert_eq!(
            see(&mut progress, &chunk(r#"{"reasoning_content":"hm"}"#, "null")),
            Seen::Meaningful
        );
        assert_eq!(
            see(&mut progress, &chunk(r#"{"tool_calls":[{"index":0}]}"#, "null")),
            Seen::Meaningful
        );
        assert_eq!(progress.counted().pieces, 2, "reasoning and calls are output");
    }

    #[test]
    fn a_stream_has_finished_when_every_choice_has() {
        let mut progress = Progress::default();
        let both = r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}"#;
        see(&mut progress, both);
        see(&mut progress, &chunk("{}", "\"stop\""));
        assert!(!progress.has_finished());
        see(
            &mut progress,
            r#"{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}"#,
        );
        assert!(progress.has_finished() && !progress.is_done());
        assert_eq!(see(&mut progress, "[DONE]"), Seen::Done);
        assert!(progress.is_done());
    }

    #[test]
    fn an_empty_stream_has_not_finished() {
        assert!(!Progress::default().has_finished());
    }

    #[test]
    fn the_last_usage_wins_and_its_chunk_is_known() {
        let mut progress = Progress::default();
        see(
            &mut progress,
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}"#,
        );
        let last = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}"#;
        assert_eq!(see(&mut progress, last), Seen::UsageOnly);
        assert_eq!(progress.usage().map(|usage| usage.output), Some(7));
        assert_eq!(see(&mut progress, r#"{"choices":[],"usage":null}"#), Seen::Preamble);
        assert_eq!(progress.usage().map(|usage| usage.output), Some(7));
    }

    #[test]
    fn errors_and_failing_finishes_are_not_content() {
        let mut progress = Progress::default();
        assert_eq!(see(&mut progress, r#"{"error":{"message":"x"}}"#), Seen::Error);
        assert_eq!(
            see(
                &mut progress,
                r#"{"choices":[{"delta":{},"finish_reason":"error"}],"error":{"code":502}}"#
            ),
            Seen::Error
        );
        assert_eq!(see(&mut progress, r#"{"error":null,"choices":[]}"#), Seen::Preamble);
        assert_eq!(
            see(&mut progress, &chunk("{}", "\"network_error\"")),
            Seen::FailedFinish("network_error".into())
        );
        assert_eq!(see(&mut progress, "<html>"), Seen::Malformed);
    }
}
