//! The hard constraints, one after another; the first that is not met is the reason.

use super::output::{caps, output};
use super::{Candidate, Misfit, Reason, Speed, Standing, Terms};
use crate::money::Money;
use crate::policy::snapshot::{Model, Unmet};
use crate::price::{MOST_OF_ONE_ATTEMPT, Quote};
use crate::request::{Requirements, Thinking};
use crate::uptime::Uptime;

pub(super) fn check(
    terms: &Terms,
    needs: &Requirements,
    standing: &Standing<'_>,
    now: Uptime,
) -> Result<Candidate, Reason> {
    disabled(standing)?;
    credential(standing)?;
    let ceiling = quote(terms, needs, standing)?.ceiling(needs.input);
    standing.barred.retired()?;
    capabilities(needs, standing)?;
    let output = match output(terms, needs, standing, &ceiling) {
        // Money comes after plan and need: who may not be called at all is not short of money.
        Err(reason @ (Reason::Budget { .. } | Reason::CostCap { .. })) => {
            standing.barred.licensed()?;
            plan(standing)?;
            need(terms, needs, standing)?;
            return Err(reason);
        }
        other => other?,
    };
    standing.barred.licensed()?;
    plan(standing)?;
    need(terms, needs, standing)?;
    let worst = output.worst;
    cost_caps(terms, needs, worst)?;
    funds(standing, worst)?;
    // What failed rests, too; that it was tried says more.
    attempted(standing)?;
    speed(terms, standing)?;
    time(standing, now)?;
    Ok(Candidate {
        id: standing.id,
        output: output.tokens,
        billable: output.billable,
        cap: output.cap,
        thinking_budget: output.thinking_budget,
        thinking_off: terms.thinking_off && standing.stops_thinking && needs.thinking != Thinking::Off,
        worst,
        cold: standing.state.cold,
    })
}

/// What the request or the route's need has against the model, whatever else is against it.
pub(super) fn unmet(terms: &Terms, needs: &Requirements, standing: &Standing<'_>) -> Option<Reason> {
    let unfunded = Standing {
        state: super::State::default(),
        ..standing.clone()
    };
    let met = || {
        let ceiling = quote(terms, needs, &unfunded)?.ceiling(needs.input);
        capabilities(needs, standing)?;
        let output = output(terms, needs, &unfunded, &ceiling)?;
        standing.barred.licensed_as_asked()?;
        need(terms, needs, standing)?;
        cost_caps(terms, needs, output.worst)
    };
    met().err()
}

fn disabled(standing: &Standing<'_>) -> Result<(), Reason> {
    match standing.disabled {
        Some(provider) => Err(Reason::Disabled {
            provider: provider.clone(),
        }),
        None if standing.model.traits.disabled => Err(Reason::SwitchedOff),
        None => Ok(()),
    }
}

fn credential(standing: &Standing<'_>) -> Result<(), Reason> {
    match &standing.state.missing_credential {
        Some(what) => Err(Reason::MissingCredential { what: what.clone() }),
        None => Ok(()),
    }
}

/// An unpriced model is free only where no hard budget would have to count it and nothing caps what it may cost.
fn quote<'s, 'a>(terms: &Terms, needs: &Requirements, standing: &'s Standing<'a>) -> Result<&'s Quote<'a>, Reason> {
    if let Some(quote) = &standing.quote {
        return Ok(quote);
    }
    if let Some(funds) = standing.state.funds {
        return Err(Reason::Unpriced {
            budget: funds.budget.clone(),
        });
    }
    match caps(terms, needs).into_iter().find(|(cap, _)| cap.is_some()) {
        Some((_, by)) => Err(Reason::UnpricedUnderCap { by }),
        None => Ok(&Quote::FREE),
    }
}

fn capabilities(needs: &Requirements, standing: &Standing<'_>) -> Result<(), Reason> {
    match standing.misfit {
        None => {}
        Some(Misfit::Unsupported(why)) => return Err(Reason::Unsupported { why: why.clone() }),
        Some(Misfit::Untranslatable(what)) => return Err(Reason::Untranslatable { what: what.clone() }),
    }
    if let Some(lacks) = lacking(needs, standing.model) {
        return Err(Reason::Capability { lacks });
    }
    match standing.quote.as_ref().and_then(Quote::unpriced_tier) {
        Some(tier) => Err(Reason::ServiceTier { tier: tier.word() }),
        None => Ok(()),
    }
}

fn lacking(needs: &Requirements, model: &Model) -> Option<&'static str> {
    let lacks = |needed: bool, there: bool, what| (needed && !there).then_some(what);
    let vectors = model.traits.space.is_some();
    lacks(needs.tools, model.tools, "tools")
        .or_else(|| lacks(needs.images, model.images, "images"))
        .or_else(|| lacks(needs.json_schema, model.json_schema, "a JSON schema"))
        .or_else(|| lacks(thinks(needs), model.traits.reasoning, "a request to think"))
        .or_else(|| lacks(needs.audio, model.traits.audio, "audio"))
        .or_else(|| lacks(needs.embeds, vectors, "a request for vectors"))
        .or_else(|| lacks(!needs.embeds, !vectors, "anything but a request for vectors"))
}

/// It was asked to; where nobody said, the model's own default counts.
const fn thinks(needs: &Requirements) -> bool {
    matches!(needs.thinking, Thinking::On | Thinking::Budget(_))
}

fn plan(standing: &Standing<'_>) -> Result<(), Reason> {
    match standing.shut_by {
        Some(plan) => Err(Reason::Plan { plan: plan.clone() }),
        None => Ok(()),
    }
}

/// The route's need, and the quality that the request itself asks for.
fn need(terms: &Terms, needs: &Requirements, standing: &Standing<'_>) -> Result<(), Reason> {
    let model = standing.model;
    if let Some(asked) = needs.min_quality.filter(|asked| *asked > 0)
        && model.quality.is_none_or(|has| has < asked)
    {
        let needs = terms.need.quality.map_or(asked, |need| need.max(asked));
        return Err(Reason::Quality {
            has: model.quality,
            needs,
        });
    }
    match terms.need.unmet(model, standing.barred.licenses) {
        None => Ok(()),
        Some(Unmet::Capability(lacks)) => Err(Reason::Capability { lacks }),
        Some(Unmet::Residence) => Err(Reason::Residence),
        Some(Unmet::Label(label)) => Err(Reason::Label { label }),
        Some(Unmet::License { license, breach }) => Err(Reason::License { license, breach }),
        Some(Unmet::Context { needs, has }) => Err(Reason::Context { needs, has }),
        Some(Unmet::Quality { needs, has }) => Err(Reason::Quality { needs, has }),
    }
}

fn cost_caps(terms: &Terms, needs: &Requirements, worst: Money) -> Result<(), Reason> {
    let [route, request] = caps(terms, needs);
    for (cap, by) in [route, request, (Some(MOST_OF_ONE_ATTEMPT), "planb itself")] {
        if let Some(cap) = cap.filter(|cap| worst > *cap) {
            return Err(Reason::CostCap { costs: worst, cap, by });
        }
    }
    Ok(())
}

fn funds(standing: &Standing<'_>, worst: Money) -> Result<(), Reason> {
    let Some(funds) = standing.state.funds.filter(|_| worst > Money::ZERO) else {
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

fn attempted(standing: &Standing<'_>) -> Result<(), Reason> {
    if standing.attempted {
        Err(Reason::Attempted)
    } else {
        Ok(())
    }
}

/// Slow is for now: what nobody measured of late is tried again.
fn speed(terms: &Terms, standing: &Standing<'_>) -> Result<(), Reason> {
    let has = standing.speed.and_then(Speed::per_second);
    match terms.need.speed.zip(has) {
        Some((needs, has)) if has < u64::from(needs) => Err(Reason::Slow { has, needs }),
        _ => Ok(()),
    }
}

fn time(standing: &Standing<'_>, now: Uptime) -> Result<(), Reason> {
    if let Some(full) = &standing.state.full {
        return Err(Reason::Limited {
            wait: full.after,
            kind: full.kind,
            of: full.scope.clone(),
        });
    }
    let Some(wait) = standing.state.wait.as_ref().filter(|wait| wait.until > now) else {
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
