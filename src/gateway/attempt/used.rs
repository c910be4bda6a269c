//! What an attempt used where its provider did not say, or not to the end: the estimated input, and the output that was
//! seen as this provider counts it.

use super::Attempt;
use crate::usage::Usage;

impl Attempt {
    pub(super) fn usage_or_estimate(&self) -> Usage {
        self.usage
            .map_or_else(|| self.estimate(), |usage| self.as_they_count(usage))
    }

    /// Figures that came while the answer was under way are those of that moment: the output since is counted.
    pub(super) fn usage_of_cut(&self) -> Usage {
        match self.usage {
            Some(usage) if self.ended => usage,
            Some(usage) => {
                let usage = self.as_they_count(usage);
                Usage {
                    output: usage.output.max(self.expected_output()),
                    estimated: true,
                    ..usage
                }
            }
            None => self.estimate(),
        }
    }

    /// Figures of an answer that is under way have planb's own count for what is not told yet.
    fn as_they_count(&self, usage: Usage) -> Usage {
        let own = usage.estimated && usage.output == self.seen.tokens;
        Usage {
            output: if own { self.expected_output() } else { usage.output },
            ..usage
        }
    }

    /// What was seen of the output, as this provider counts it.
    fn expected_output(&self) -> u64 {
        let (provider, model) = (&self.provider().name, &self.model().upstream);
        self.gateway
            .live
            .output_ratios
            .lock()
            .expected(provider, model, self.seen)
    }

    pub(super) fn estimate(&self) -> Usage {
        Usage {
            input: self.needs.input,
            output: self.expected_output(),
            estimated: true,
            ..Usage::default()
        }
    }

    /// A whole answer's report teaches how the counts of others are to be read.
    pub(super) fn learn_output(&self, reported: u64) {
        if !self.needs.stream {
            return;
        }
        let (provider, model) = (&self.provider().name, &self.model().upstream);
        let mut ratios = self.gateway.live.output_ratios.lock();
        ratios.learn(provider, model, self.seen, reported);
    }
}
