//! How much output to reserve, and whether a bound must be sent to the provider.
//!
//! The client's own bound is used as it is. Without one the bound is the largest that everything allows, so that a
//! stock SDK call works on the smallest budget and nothing is cut while money is ample.

use super::{Reason, Standing, Terms};
use crate::price::Price;
use crate::request::{Requirements, Thinking};

/// Below this many tokens an unbounded answer is not worth starting (SPEC'd default of `min_output`).
const MIN_OUTPUT: u64 = 1_000;
/// One unbounded request may take this share of what the tightest budget has left, not all of it from the others.
const SHARE_OF_REST: i64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Output {
    pub tokens: u64,
    pub cap: Option<u64>,
    pub thinking_budget: Option<u64>,
    /// Everything that may be billed as output: choices and thinking in.
    pub billable: u64,
}

pub(super) fn output(
    terms: &Terms,
    needs: &Requirements,
    standing: &Standing<'_>,
    price: &Price,
) -> Result<Output, Reason> {
    let (tokens, cap) = match needs.output_bound {
        Some(asked) => (client_bound(asked, terms, needs, standing)?, None),
        None => own_bound(terms, needs, standing, price)?,
    };
    let thinking = if standing.thinks_outside_bound {
        needs.thinking
    } else {
        Thinking::Off
    };
    let extra = match thinking {
        Thinking::Off => 0,
        Thinking::Budget(tokens) => tokens,
        // As much again as the answer may have: the vendor's own ceiling is not published for every model.
        Thinking::On | Thinking::Unstated => tokens,
    };
    Ok(Output {
        tokens,
        cap,
        thinking_budget: (thinking == Thinking::On).then_some(tokens),
        billable: tokens.saturating_add(extra).saturating_mul(needs.choices.max(1)),
    })
}

fn client_bound(asked: u64, terms: &Terms, needs: &Requirements, standing: &Standing<'_>) -> Result<u64, Reason> {
    let exceeds = |allowed: Option<u64>| allowed.filter(|allowed| asked > *allowed);
    if let Some(allowed) = exceeds(terms.max_output) {
        return Err(Reason::Output {
            asks: asked,
            allowed,
            by: "the route's `limits.output`",
        });
    }
    if let Some(allowed) = exceeds(standing.model.max_output) {
        return Err(Reason::Output {
            asks: asked,
            allowed,
            by: "the model",
        });
    }
    match standing.model.context {
        Some(has) if needs.input.saturating_add(asked) > has => Err(Reason::Context {
            needs: needs.input.saturating_add(asked),
            has,
        }),
        _ => Ok(asked),
    }
}

fn own_bound(
    terms: &Terms,
    needs: &Requirements,
    standing: &Standing<'_>,
    price: &Price,
) -> Result<(u64, Option<u64>), Reason> {
    let model = standing.model;
    let least = [model.max_output, terms.max_output]
        .into_iter()
        .flatten()
        .fold(MIN_OUTPUT, u64::min);
    let room = model.context.map(|has| has.saturating_sub(needs.input));
    if let Some(has) = model.context.filter(|_| room < Some(least)) {
        return Err(Reason::Context {
            needs: needs.input.saturating_add(least),
            has,
        });
    }
    let maximum = [model.max_output, room].into_iter().flatten().min().unwrap_or(u64::MAX);
    let mut bound = maximum.min(terms.max_output.unwrap_or(u64::MAX));
    // Thinking outside the bound may cost as much again.
    let parts = needs.choices.max(1)
        * if standing.thinks_outside_bound && needs.thinking != Thinking::Off {
            2
        } else {
            1
        };
    for (cap, by) in [
        (terms.max_cost, "the route's `limits.cost`"),
        (needs.max_cost, "`x-planb-max-cost`"),
    ] {
        let Some(cap) = cap else { continue };
        let affordable = price
            .affordable_output(cap, needs.input)
            .map_or(u64::MAX, |tokens| tokens / parts);
        if affordable < least || price.worst(needs.input, 0) > cap {
            let costs = price.worst(needs.input, least.saturating_mul(parts));
            return Err(Reason::CostCap { costs, cap, by });
        }
        bound = bound.min(affordable);
    }
    if let Some(funds) = &standing.funds {
        let share = funds.remaining.scaled_down(1, SHARE_OF_REST);
        let affordable = price
            .affordable_output(share, needs.input)
            .map_or(u64::MAX, |tokens| tokens / parts);
        if affordable < least || price.worst(needs.input, 0) > share {
            let needed = price.worst(needs.input, least.saturating_mul(parts));
            return Err(Reason::Budget {
                budget: funds.budget.clone(),
                needs: needed,
                remaining: funds.remaining,
                share: Some(share),
            });
        }
        bound = bound.min(affordable);
    }
    Ok((bound, (bound < maximum).then_some(bound)))
}
