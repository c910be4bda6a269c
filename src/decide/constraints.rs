//! The hard constraints, one after another; the first that is not met is the reason.
//!
//! Needs come first, so that a request that no model could ever serve is told so and not to come back later.

use super::output::output;
use super::{Candidate, Reason, Standing, Terms};
use crate::money::Money;
use crate::price::{MOST_OF_ONE_ATTEMPT, Quote};
use crate::request::Requirements;
use crate::uptime::Uptime;

pub(super) fn check(
    terms: &Terms,
    needs: &Requirements,
    standing: &Standing<'_>,
    now: Uptime,
) -> Result<Candidate, Reason> {
    capabilities(needs, standing)?;
    quality(terms, needs, standing)?;
    let quote = quote(standing)?;
    let output = match output(terms, needs, standing, &quote) {
        // Money comes after credential and plan: who may not be called at all is not short of money.
        Err(reason @ Reason::Budget { .. }) => {
            available(standing)?;
            return Err(reason);
        }
        other => other?,
    };
    let worst = quote.worst(needs.input, output.billable);
    cost_caps(terms, needs, worst)?;
    available(standing)?;
    funds(standing, worst)?;
    time(standing, now)?;
    Ok(Candidate {
        id: standing.id,
        output: output.tokens,
        cap: output.cap,
        thinking_budget: output.thinking_budget,
        worst,
        cold: standing.cold,
    })
}

fn capabilities(needs: &Requirements, standing: &Standing<'_>) -> Result<(), Reason> {
    let model = standing.model;
    for (needed, there, lacks) in [
        (needs.tools, model.tools, "tools"),
        (needs.images, model.images, "images"),
        (needs.json_schema, model.json_schema, "a JSON schema"),
    ] {
        if needed && !there {
            return Err(Reason::Capability { lacks });
        }
    }
    Ok(())
}

fn quality(terms: &Terms, needs: &Requirements, standing: &Standing<'_>) -> Result<(), Reason> {
    let needed = terms.need_quality.max(needs.min_quality).unwrap_or(0);
    let has = standing.model.quality;
    if needed > 0 && has.is_none_or(|has| has < needed) {
        return Err(Reason::Quality { has, needs: needed });
    }
    Ok(())
}

/// An unpriced model is free only where no hard budget would have to count it.
fn quote<'a>(standing: &Standing<'a>) -> Result<Quote<'a>, Reason> {
    match (&standing.quote, &standing.funds) {
        (Some(quote), _) => match quote.unpriced_tier() {
            Some(tier) => Err(Reason::ServiceTier { tier: tier.word() }),
            None => Ok(*quote),
        },
        (None, None) => Ok(Quote::FREE),
        (None, Some(funds)) => Err(Reason::Unpriced {
            budget: funds.budget.clone(),
        }),
    }
}

fn cost_caps(terms: &Terms, needs: &Requirements, worst: Money) -> Result<(), Reason> {
    for (cap, by) in [
        (terms.max_cost, "the route's `limits.cost`"),
        (needs.max_cost, "`x-planb-max-cost`"),
        (Some(MOST_OF_ONE_ATTEMPT), "planb itself"),
    ] {
        if let Some(cap) = cap.filter(|cap| worst > *cap) {
            return Err(Reason::CostCap { costs: worst, cap, by });
        }
    }
    Ok(())
}

fn available(standing: &Standing<'_>) -> Result<(), Reason> {
    if let Some(what) = &standing.missing_credential {
        return Err(Reason::MissingCredential { what: what.clone() });
    }
    match &standing.shut_by {
        Some(plan) => Err(Reason::Plan { plan: plan.clone() }),
        None => Ok(()),
    }
}

fn funds(standing: &Standing<'_>, worst: Money) -> Result<(), Reason> {
    let Some(funds) = standing.funds.as_ref().filter(|_| worst > Money::ZERO) else {
        return Ok(());
    };
    if let Some(why) = funds.closed {
        return Err(Reason::BudgetClosed {
            budget: funds.budget.clone(),
            why,
        });
    }
    if worst > funds.remaining {
        return Err(Reason::Budget {
            budget: funds.budget.clone(),
            needs: worst,
            remaining: funds.remaining,
            unbounded: false,
        });
    }
    Ok(())
}

fn time(standing: &Standing<'_>, now: Uptime) -> Result<(), Reason> {
    let Some(wait) = standing.wait.as_ref().filter(|wait| wait.until > now) else {
        return Ok(());
    };
    let left = wait.until - now;
    Err(if wait.breaker {
        Reason::BreakerOpen {
            wait: left,
            why: wait.why,
        }
    } else {
        Reason::Cooling {
            wait: left,
            why: wait.why,
        }
    })
}
