//! What an attempt used where its provider did not say, or not to the end: the estimated input, and the output that was
//! seen as this provider counts it.

use super::Attempt;
use crate::usage::Usage;

impl Attempt {
    pub(super) fn usage_or_estimate(&self) -> Usage {
        self.usage.unwrap_or_else(|| self.estimate())
    }

    /// Figures that came while the answer was under way are those of that moment: the output since is counted.
    pub(super) fn usage_of_cut(&self) -> Usage {
        match self.usage {
            Some(usage) if self.ended => usage,
            Some(usage) => Usage {
                output: usage.output.max(self.expected_output()),
                estimated: true,
                ..usage
            },
            None => self.estimate(),
        }
    }

    /// What was seen of the output, as this provider counts it.
    fn expected_output(&self) -> u64 {
        let (provider, model) = (&self.provider().name, &self.model().upstream);
        self.gateway
            .live
            .output_ratios
            .lock()
            .expected(provider, model, self.counted)
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
        ratios.learn(provider, model, self.counted, reported);
    }
}
