//! How planb's own count of streamed output stands to what a provider reports: learned for each model of a provider, for
//! answers that are cut before the report comes.
//!
//! Two counts are kept against the reports, of the text and of the pieces that it came in: most servers send a piece a
//! token, others do not, and the count that has lately been nearer is believed. Whole numbers, bounded, and without a
//! say before twenty answers.

use std::collections::HashMap;
use std::sync::Arc;

/// Answers before the count is corrected.
pub const ENOUGH: u64 = 20;
/// From so many answers on the older half of what is known is forgotten.
const MEMORY: u64 = 128;
/// Two counts are compared after half of those that are needed.
const COMPARED: u64 = ENOUGH / 2;
/// No correction is larger: to an eighth, or to four times the count.
const LEAST: u64 = 8;
const MOST: u64 = 4;

/// What was seen of one answer's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputCount {
    /// On the safe side.
    pub tokens: u64,
    /// In which they came; none of an answer that was not streamed.
    pub pieces: u64,
}

/// Sums over the last answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputRatio {
    pub answers: u64,
    pub reported: u64,
    pub tokens: u64,
    pub pieces: u64,
    /// How far off each count would have been, before the report was known.
    pub off_tokens: u64,
    pub off_pieces: u64,
}

impl OutputRatio {
    /// A streamed answer was whole, and the provider told what it billed.
    pub fn learn(&mut self, count: OutputCount, reported: u64) {
        if count.tokens == 0 || count.pieces == 0 || reported == 0 {
            return;
        }
        if self.answers >= COMPARED {
            self.off_tokens += self.by_tokens(count).abs_diff(reported);
            self.off_pieces += self.by_pieces(count).abs_diff(reported);
        }
        if self.answers >= MEMORY {
            let all = [
                &mut self.answers,
                &mut self.reported,
                &mut self.tokens,
                &mut self.pieces,
                &mut self.off_tokens,
                &mut self.off_pieces,
            ];
            all.into_iter().for_each(|sum| *sum /= 2);
        }
        self.answers += 1;
        self.reported = self.reported.saturating_add(reported);
        self.tokens = self.tokens.saturating_add(count.tokens);
        self.pieces = self.pieces.saturating_add(count.pieces);
    }

    /// What the provider will most likely bill for what was seen.
    pub fn expected(&self, count: OutputCount) -> u64 {
        // An answer that was not streamed is counted by other means, too.
        if self.answers < ENOUGH || count.pieces == 0 {
            return count.tokens;
        }
        let by_pieces = self.off_pieces < self.off_tokens;
        let expected = if by_pieces {
            self.by_pieces(count)
        } else {
            self.by_tokens(count)
        };
        expected.clamp(count.tokens.div_ceil(LEAST), count.tokens.saturating_mul(MOST))
    }

    fn by_tokens(&self, count: OutputCount) -> u64 {
        scaled(count.tokens, self.reported, self.tokens)
    }

    fn by_pieces(&self, count: OutputCount) -> u64 {
        scaled(count.pieces, self.reported, self.pieces)
    }
}

/// Rounded up.
fn scaled(count: u64, numerator: u64, denominator: u64) -> u64 {
    let product = u128::from(count) * u128::from(numerator);
    u64::try_from(product.div_ceil(u128::from(denominator.max(1)))).unwrap_or(u64::MAX)
}

/// By provider, and by the model's name there: what they say of themselves stays over edits.
#[derive(Debug, Default)]
pub struct OutputRatios {
    known: HashMap<(Arc<str>, Arc<str>), OutputRatio>,
    changed: bool,
}

/// What is kept of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRatioRow {
    pub provider: Arc<str>,
    pub model: Arc<str>,
    pub ratio: OutputRatio,
}

impl OutputRatios {
    pub fn restore(&mut self, rows: Vec<OutputRatioRow>) {
        let rows = rows.into_iter().map(|row| ((row.provider, row.model), row.ratio));
        self.known = rows.collect();
    }

    pub fn learn(&mut self, provider: &Arc<str>, model: &Arc<str>, count: OutputCount, reported: u64) {
        let ratio = self.known.entry((provider.clone(), model.clone())).or_default();
        ratio.learn(count, reported);
        self.changed = true;
    }

    pub fn expected(&self, provider: &Arc<str>, model: &Arc<str>, count: OutputCount) -> u64 {
        let known = self.known.get(&(provider.clone(), model.clone()));
        known.map_or(count.tokens, |ratio| ratio.expected(count))
    }

    /// All, where anything was learned since the last call.
    pub fn take_changed(&mut self) -> Vec<OutputRatioRow> {
        if !std::mem::take(&mut self.changed) {
            return Vec::new();
        }
        let row = |((provider, model), ratio): (&(Arc<str>, Arc<str>), &OutputRatio)| OutputRatioRow {
            provider: provider.clone(),
            model: model.clone(),
            ratio: *ratio,
        };
        self.known.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn learned(answers: impl IntoIterator<Item = (u64, u64, u64)>) -> OutputRatio {
        let mut ratio = OutputRatio::default();
        for (tokens, pieces, reported) in answers {
            ratio.learn(OutputCount { tokens, pieces }, reported);
        }
        ratio
    }

    const COUNT: OutputCount = OutputCount {
        tokens: 190,
        pieces: 25,
    };

    #[test]
    fn before_twenty_answers_the_safe_count_stands() {
        assert_eq!(learned([(200, 100, 100); 19]).expected(COUNT), 190);
        assert_eq!(learned([(200, 100, 100); 20]).expected(COUNT), 95);
        // What says nothing teaches nothing.
        assert_eq!(learned([(0, 0, 100); 30]).answers, 0);
        assert_eq!(learned([(200, 10, 0); 30]).answers, 0);
    }

    #[test]
    fn the_count_that_was_nearer_is_believed() {
        let uneven = (0..30).map(|at| (150 + at % 7 * 20, 100 + at, 100 + at));
        let count = OutputCount {
            tokens: 400,
            pieces: 130,
        };
        assert_eq!(learned(uneven).expected(count), 130, "a piece a token");
        let batched = (0..30).map(|at| (200 + 2 * at, 5 + at % 9, 100 + at));
        assert_eq!(learned(batched).expected(count), 200, "pieces of any size");
        let whole = OutputCount { pieces: 0, ..count };
        assert_eq!(
            learned((0..30).map(|at| (200, 100 + at, 100 + at))).expected(whole),
            400
        );
    }

    #[test]
    fn newer_answers_outweigh_older_ones_and_no_correction_is_absurd() {
        let before = [(100, 100, 50); 128];
        let now = [(100, 100, 100); 128];
        let ratio = learned(before.into_iter().chain(now));
        let found = ratio.expected(OutputCount {
            tokens: 1_000,
            pieces: 1_000,
        });
        assert!(found > 800, "{found}");
        assert_eq!(learned([(10, 10, 1_000_000); 30]).expected(COUNT), 190 * 4);
        assert_eq!(learned([(1_000_000, 10, 1); 30]).expected(COUNT), 190_u64.div_ceil(8));
    }

    #[test]
    fn what_was_learned_is_told_once_and_restored() {
        let mut ratios = OutputRatios::default();
        let (provider, model): (Arc<str>, Arc<str>) = ("home".into(), "tiny".into());
        for _ in 0..20 {
            ratios.learn(&provider, &model, OutputCount { tokens: 20, pieces: 9 }, 10);
        }
        let rows = ratios.take_changed();
        assert_eq!((rows.len(), ratios.take_changed().len()), (1, 0));
        let mut again = OutputRatios::default();
        again.restore(rows);
        let count = OutputCount {
            tokens: 100,
            pieces: 45,
        };
        assert_eq!(again.expected(&provider, &model, count), 50);
        assert_eq!(
            again.expected(&model, &model, count),
            100,
            "nothing is known of another"
        );
    }

    proptest! {
        #[test]
        fn any_answers_give_a_bounded_count(
            answers in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 0..60),
            tokens in 0_u64..1_000_000, pieces in any::<u64>(),
        ) {
            let small = answers.into_iter().map(|(a, b, c)| (a >> 20, b >> 20, c >> 20));
            let expected = learned(small).expected(OutputCount { tokens, pieces });
            prop_assert!(expected >= tokens.div_ceil(8) && expected <= tokens * 4);
        }
    }
}
