//! How much output to reserve, and whether a bound must be sent to the provider.
//!
//! The client's own bound is used as it is. Without one the bound is the largest that everything allows, so that a
//! stock SDK call works on the smallest budget and nothing is cut while money is ample.

use super::{Reason, Standing, Terms};
use crate::money::Money;
use crate::price::Quote;
use crate::request::{Requirements, Thinking};

/// Below this many tokens an unbounded answer is not worth starting (SPEC'd default of `min_output`).
const MIN_OUTPUT: u64 = 1_000;
/// One unbounded request may take this share of what the tightest budget has left, not all of it from the others.
const SHARE_OF_REST: i64 = 8;
/// Where neither the model nor the policy says how long an answer may get, so much is reserved for it.
const UNKNOWN_MAXIMUM: u64 = 1_000_000;

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
    quote: &Quote<'_>,
) -> Result<Output, Reason> {
    let (tokens, cap) = match needs.output_bound {
        Some(asked) => (client_bound(asked, terms, needs, standing)?, None),
        None => own_bound(terms, needs, standing, quote)?,
    };
    Ok(Output {
        tokens,
        cap,
        thinking_budget: (thinking(needs, standing) == Thinking::On).then_some(tokens),
        billable: billable(tokens, needs, standing),
    })
}

/// What is thought outside the bound.
fn thinking(needs: &Requirements, standing: &Standing<'_>) -> Thinking {
    if standing.thinks_outside_bound {
        needs.thinking
    } else {
        Thinking::Off
    }
}

/// All that answers of `tokens` each may be billed for as output.
fn billable(tokens: u64, needs: &Requirements, standing: &Standing<'_>) -> u64 {
    let extra = match thinking(needs, standing) {
        Thinking::Off => 0,
        Thinking::Budget(tokens) => tokens,
        // As much again as the answer may have: the vendor's own ceiling is not published for every model.
        Thinking::On | Thinking::Unstated => tokens,
    };
    tokens.saturating_add(extra).saturating_mul(needs.choices.max(1))
}

/// The largest answer whose [`billable`] output is at most `total`.
fn answer_within(total: u64, needs: &Requirements, standing: &Standing<'_>) -> u64 {
    let each = total / needs.choices.max(1);
    match thinking(needs, standing) {
        Thinking::Off => each,
        Thinking::Budget(tokens) => each.saturating_sub(tokens),
        Thinking::On | Thinking::Unstated => each / 2,
    }
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
    quote: &Quote<'_>,
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
    let maximum = [model.max_output, room]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(UNKNOWN_MAXIMUM);
    let mut bound = maximum.min(terms.max_output.unwrap_or(u64::MAX));
    for (cap, by) in [
        (terms.max_cost, "the route's `limits.cost`"),
        (needs.max_cost, "`x-planb-max-cost`"),
    ] {
        let Some(cap) = cap else { continue };
        let costs = quote.worst(needs.input, billable(least, needs, standing));
        if costs > cap {
            return Err(Reason::CostCap { costs, cap, by });
        }
        bound = bound.min(answer_for(cap, needs, standing, quote));
    }
    // Books that are not in order say nothing of what is left.
    if let Some(funds) = standing.funds.as_ref().filter(|funds| funds.closed.is_none()) {
        let input = quote.worst(needs.input, 0);
        let left = funds.remaining.minus(input);
        let share = input.plus(left.scaled_down(1, SHARE_OF_REST));
        let share = answer_for(share, needs, standing, quote);
        let least_left = least_left(least, needs, standing, quote);
        if funds.remaining < least_left || share < least {
            return Err(Reason::Budget {
                budget: funds.budget.clone(),
                needs: least_left,
                remaining: funds.remaining,
                unbounded: true,
            });
        }
        bound = bound.min(share);
    }
    Ok((bound, (bound < maximum).then_some(bound)))
}

/// The largest answer that `money` buys, the input included.
fn answer_for(money: Money, needs: &Requirements, standing: &Standing<'_>, quote: &Quote<'_>) -> u64 {
    quote
        .affordable_output(money, needs.input)
        .map_or(u64::MAX, |total| answer_within(total, needs, standing))
}

/// What a budget must have left so that its share buys the least useful answer. What has no open end, the input, is
/// paid from the whole.
fn least_left(least: u64, needs: &Requirements, standing: &Standing<'_>, quote: &Quote<'_>) -> Money {
    let input = quote.worst(needs.input, 0);
    let answer = quote.worst(needs.input, billable(least, needs, standing)).minus(input);
    let shares = Money::from_nanos(answer.nanos().saturating_mul(SHARE_OF_REST));
    input.plus(shares)
}
