//! The order of what the constraints left. Ties break by declared order; a cold server comes after warm models.

use super::{Candidate, Standing};
use crate::money::Money;
use crate::policy::snapshot::Pick;
use crate::request::Requirements;

pub(super) fn order(pick: Pick, needs: &Requirements, standings: &[Standing<'_>], candidates: &mut [Candidate]) {
    if pick == Pick::Cheapest {
        // Each at the same output, or a model with a small bound would look cheap.
        let output = candidates.iter().map(|candidate| candidate.output).min().unwrap_or(0);
        let cost = |candidate: &Candidate| {
            let standing = standings.iter().find(|standing| standing.id == candidate.id);
            let quote = standing.and_then(|standing| standing.quote.as_ref());
            quote.map_or(Money::ZERO, |quote| {
                quote.expected(needs.input, output.saturating_mul(needs.choices.max(1)))
            })
        };
        candidates.sort_by_cached_key(cost);
    }
    candidates.sort_by_key(|candidate| candidate.cold);
}
