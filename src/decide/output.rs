//! How much output to reserve, and whether a bound must be sent to the provider.
//!
//! The client's own bound is used as it is, or lowered where the route says so. Without one the bound is the largest
//! that everything allows, so that a stock SDK call works on the smallest budget and nothing is cut while money is ample.

use super::{Reason, Standing, Terms};
use crate::money::Money;
use crate::policy::defaults::MIN_OUTPUT;
use crate::price::Ceiling;
use crate::request::{Requirements, Thinking};

/// A model that reasons spends much of its answer before it says anything.
const MIN_OUTPUT_REASONING: u64 = 4_000;
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
    /// What an attempt with all of it costs at worst.
    pub worst: Money,
}

pub(super) fn output(
    terms: &Terms,
    needs: &Requirements,
    standing: &Standing<'_>,
    ceiling: &Ceiling<'_, '_>,
) -> Result<Output, Reason> {
    if needs.embeds {
        return Ok(vectors(ceiling));
    }
    let asked = Asked {
        terms,
        needs,
        standing,
        ceiling,
    };
    let (tokens, cap) = match needs.output_bound {
        Some(bound) if terms.cap_output => asked.lowered(bound)?,
        Some(bound) => (asked.client_bound(bound)?, None),
        None => match asked.ample()? {
            Some(output) => return Ok(output),
            None => asked.bound_by_money()?,
        },
    };
    Ok(asked.of(tokens, cap, ceiling.worst(asked.billable(tokens))))
}

/// Vectors are billed by their input alone. How long each of the texts may be is the provider's to say: the context
/// bounds one of them and not all together.
fn vectors(ceiling: &Ceiling<'_, '_>) -> Output {
    Output {
        tokens: 0,
        cap: None,
        thinking_budget: None,
        billable: 0,
        worst: ceiling.worst(0),
    }
}

/// What a request may cost at most, and who says so.
pub(super) fn caps(terms: &Terms, needs: &Requirements) -> [(Option<Money>, &'static str); 2] {
    [
        (terms.max_cost, "the route's `limits.cost`"),
        (needs.max_cost, "`x-planb-max-cost`"),
    ]
}

/// One request on one model.
struct Asked<'a> {
    terms: &'a Terms,
    needs: &'a Requirements,
    standing: &'a Standing<'a>,
    ceiling: &'a Ceiling<'a, 'a>,
}

impl Asked<'_> {
    /// What is thought outside the bound.
    fn thinking(&self) -> Thinking {
        if self.standing.thinks_outside_bound {
            self.asked_thinking()
        } else {
            Thinking::Off
        }
    }

    /// What the request says of thinking, or a plan in its place. A model that always thinks does not ask.
    fn asked_thinking(&self) -> Thinking {
        if self.needs.thinking == Thinking::Off && self.standing.model.traits.always_thinks {
            Thinking::Unstated
        } else if self.terms.thinking_off && self.standing.stops_thinking {
            Thinking::Off
        } else {
            self.needs.thinking
        }
    }

    /// All that answers of `tokens` each may be billed for as output.
    fn billable(&self, tokens: u64) -> u64 {
        let extra = match self.thinking() {
            Thinking::Off => 0,
            Thinking::Budget(tokens) => tokens,
            // As much again as the answer may have: the vendor's own ceiling is not published for every model.
            Thinking::On | Thinking::Unstated => tokens,
        };
        tokens.saturating_add(extra).saturating_mul(self.needs.choices.max(1))
    }

    /// The largest answer whose [`Self::billable`] output is at most `total`.
    fn answer_within(&self, total: u64) -> u64 {
        let each = total / self.needs.choices.max(1);
        match self.thinking() {
            Thinking::Off => each,
            Thinking::Budget(tokens) => each.saturating_sub(tokens),
            Thinking::On | Thinking::Unstated => each / 2,
        }
    }

    /// The shortest answer that is worth starting on this model.
    fn least(&self) -> u64 {
        let model = self.standing.model;
        let thinks = matches!(self.asked_thinking(), Thinking::On | Thinking::Budget(_));
        // What is thought outside the bound takes nothing of it.
        let usual = if thinks && !self.standing.thinks_outside_bound {
            MIN_OUTPUT_REASONING
        } else {
            MIN_OUTPUT
        };
        let least = self.terms.min_output.or(model.min_output).unwrap_or(usual);
        let bounds = [model.max_output, self.terms.max_output];
        bounds.into_iter().flatten().fold(least, u64::min)
    }

    fn client_bound(&self, asked: u64) -> Result<u64, Reason> {
        let model = self.standing.model;
        for (allowed, by) in [
            (self.terms.max_output, "the route's `limits.output`"),
            (model.max_output, "the model"),
        ] {
            if let Some(allowed) = allowed.filter(|allowed| asked > *allowed) {
                return Err(Reason::Output {
                    asks: asked,
                    allowed,
                    by,
                });
            }
        }
        let needs = self.needs.input.saturating_add(asked);
        match model.context.filter(|has| needs > *has) {
            Some(has) => Err(Reason::Context { needs, has }),
            None => Ok(asked),
        }
    }

    /// The client's bound, or less where a limit, the context or money allows less.
    fn lowered(&self, asked: u64) -> Result<(u64, Option<u64>), Reason> {
        let least = self.least().min(asked);
        let (maximum, bound) = self.bound_without_budget(least)?;
        let mut bound = bound.min(maximum).min(asked);
        if let Some(funds) = self.standing.state.funds.filter(|funds| funds.closed.is_none()) {
            let affordable = self.answer_for(funds.remaining);
            if affordable < least {
                return Err(Reason::Budget {
                    budget: funds.budget.clone(),
                    needs: self.ceiling.worst(self.billable(least)),
                    remaining: funds.remaining,
                    unbounded: false,
                });
            }
            bound = bound.min(affordable);
        }
        Ok((bound, (bound < asked).then_some(bound)))
    }

    /// The longest answer that the model may give, where no cap and no budget shortens it. It is enough that the whole
    /// request costs no more than the share of the rest: that the input is paid from the whole only adds to it.
    fn ample(&self) -> Result<Option<Output>, Reason> {
        let least = self.least();
        let (maximum, bound) = self.bound_without_money(least)?;
        let worst = self.ceiling.worst(self.billable(bound));
        let capped = caps(self.terms, self.needs).into_iter().filter_map(|(cap, _)| cap);
        let funds = self.standing.state.funds.filter(|funds| funds.closed.is_none());
        let share = funds.map(|funds| Money::from_nanos(funds.remaining.nanos().div_euclid(SHARE_OF_REST)));
        let is_ample = least <= bound && capped.chain(share).all(|most| worst <= most);
        let cap = (bound < maximum).then_some(bound);
        Ok(is_ample.then(|| self.of(bound, cap, worst)))
    }

    fn of(&self, tokens: u64, cap: Option<u64>, worst: Money) -> Output {
        Output {
            tokens,
            cap,
            thinking_budget: (self.thinking() == Thinking::On).then_some(tokens),
            billable: self.billable(tokens),
            worst,
        }
    }

    fn bound_by_money(&self) -> Result<(u64, Option<u64>), Reason> {
        let least = self.least();
        let (maximum, mut bound) = self.bound_without_budget(least)?;
        // Books that are not in order say nothing of what is left.
        if let Some(funds) = self.standing.state.funds.filter(|funds| funds.closed.is_none()) {
            let input = self.ceiling.worst(0);
            let left = funds.remaining.minus(input);
            let share = self.answer_for(input.plus(left.scaled_down(1, SHARE_OF_REST)));
            let least_left = self.least_left(least);
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

    /// The longest answer that the model can give to this input, and what limits leave of it.
    fn bound_without_money(&self, least: u64) -> Result<(u64, u64), Reason> {
        let model = self.standing.model;
        let room = model.context.map(|has| has.saturating_sub(self.needs.input));
        if let Some(has) = model.context.filter(|_| room < Some(least)) {
            return Err(Reason::Context {
                needs: self.needs.input.saturating_add(least),
                has,
            });
        }
        let maximum = [model.max_output, room]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(UNKNOWN_MAXIMUM);
        Ok((maximum, maximum.min(self.terms.max_output.unwrap_or(u64::MAX))))
    }

    /// The same, and what caps leave of it.
    fn bound_without_budget(&self, least: u64) -> Result<(u64, u64), Reason> {
        let (maximum, mut bound) = self.bound_without_money(least)?;
        for (cap, by) in caps(self.terms, self.needs) {
            let Some(cap) = cap else { continue };
            let costs = self.ceiling.worst(self.billable(least));
            if costs > cap {
                return Err(Reason::CostCap { costs, cap, by });
            }
            bound = bound.min(self.answer_for(cap));
        }
        Ok((maximum, bound))
    }

    /// The largest answer that `money` buys, the input included.
    fn answer_for(&self, money: Money) -> u64 {
        self.ceiling
            .affordable_output(money)
            .map_or(u64::MAX, |total| self.answer_within(total))
    }

    /// What a budget must have left so that its share buys the least useful answer. What has no open end, the input, is
    /// paid from the whole.
    fn least_left(&self, least: u64) -> Money {
        let input = self.ceiling.worst(0);
        let answer = self.ceiling.worst(self.billable(least)).minus(input);
        let shares = Money::from_nanos(answer.nanos().saturating_mul(SHARE_OF_REST));
        input.plus(shares)
    }
}
