//! Why a model is no candidate, with the numbers; the one text of explanation, status page and log.

use crate::license::Breach;
use crate::limit::{Kind, Scope};
use crate::money::Money;
use crate::uptime::Uptime;
use jiff::civil::Date;
use std::fmt;
use std::sync::Arc;

/// What kind of reason it is, in the order in which a refusal looks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// The request or the route's need.
    Need,
    Time,
    Money,
    Credential,
    /// Terms that no request can meet.
    License,
    Plan,
}

/// Why a request cannot be sent to a model at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The vendor refuses a field of it, or the policy's shaping leaves it unreadable.
    Unsupported(Arc<str>),
    /// What the model's dialect has no word for.
    Untranslatable(Arc<str>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// A field of the request that the vendor refuses, or that shaping leaves unreadable.
    Unsupported {
        why: Arc<str>,
    },
    /// It asks for something that the model's dialect cannot say.
    Untranslatable {
        what: Arc<str>,
    },
    Capability {
        lacks: &'static str,
    },
    /// Its data does not stay where the route needs it to.
    Residence,
    Label {
        label: Arc<str>,
    },
    Quality {
        has: Option<u8>,
        needs: u8,
    },
    Context {
        needs: u64,
        has: u64,
    },
    Output {
        asks: u64,
        allowed: u64,
        by: &'static str,
    },
    CostCap {
        costs: Money,
        cap: Money,
        by: &'static str,
    },
    /// Its provider is switched off in the policy.
    Disabled {
        provider: Arc<str>,
    },
    /// The policy switched the model off.
    SwitchedOff,
    Retired {
        day: Date,
    },
    License {
        license: Arc<str>,
        breach: Breach,
    },
    MissingCredential {
        what: Arc<str>,
    },
    Unpriced {
        budget: Arc<str>,
    },
    /// Nobody can say that it stays within a cost that is capped.
    UnpricedUnderCap {
        by: &'static str,
    },
    /// The service tier that is asked for has no price at this model.
    ServiceTier {
        tier: &'static str,
    },
    Plan {
        plan: Arc<str>,
    },
    /// A plan refuses the request, whichever model would have served it.
    Shed {
        plan: Arc<str>,
    },
    Budget {
        budget: Arc<str>,
        /// What the budget would have to have left.
        needs: Money,
        remaining: Money,
        /// The client set no output bound: the request may take only a share of what is left.
        unbounded: bool,
    },
    BudgetClosed {
        budget: Arc<str>,
        why: &'static str,
    },
    Cooling {
        wait: Uptime,
        why: &'static str,
    },
    /// Its answers came slower lately than the route needs them to.
    Slow {
        has: u64,
        needs: u32,
    },
    /// The request was sent there before, in vain.
    Attempted,
    /// A limit that the policy sets.
    Limited {
        wait: Uptime,
        kind: Kind,
        of: Scope,
    },
    BreakerOpen {
        wait: Uptime,
        why: &'static str,
    },
}

impl Reason {
    /// The stable word for records and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unsupported { .. } => "unsupported",
            Self::Capability { .. } | Self::Untranslatable { .. } => "capability",
            Self::Residence => "residence",
            Self::Label { .. } => "label",
            Self::Quality { .. } => "quality",
            Self::Context { .. } => "context",
            Self::Output { .. } => "output",
            Self::CostCap { .. } => "cost_cap",
            Self::Disabled { .. } | Self::SwitchedOff => "disabled",
            Self::Retired { .. } => "retired",
            Self::License { .. } => "license",
            Self::MissingCredential { .. } => "missing_credential",
            Self::Unpriced { .. } | Self::UnpricedUnderCap { .. } => "unpriced",
            Self::ServiceTier { .. } => "service_tier",
            Self::Plan { .. } => "plan",
            Self::Shed { .. } => "shed",
            Self::Budget { .. } => "budget",
            Self::BudgetClosed { .. } => "budget_closed",
            Self::Cooling { .. } => "cooling",
            Self::BreakerOpen { .. } => "breaker_open",
            Self::Attempted => "attempted",
            Self::Slow { .. } => "slow",
            Self::Limited {
                kind: Kind::InFlight, ..
            } => "in_flight",
            Self::Limited { .. } => "rate_limit",
        }
    }

    /// A budget has not enough left, or is not in order.
    pub const fn is_money(&self) -> bool {
        matches!(self, Self::Budget { .. } | Self::BudgetClosed { .. })
    }

    pub const fn family(&self) -> Family {
        match self {
            Self::Unsupported { .. }
            | Self::Untranslatable { .. }
            | Self::Capability { .. }
            | Self::Residence
            | Self::Label { .. }
            | Self::Quality { .. }
            | Self::Context { .. }
            | Self::Output { .. }
            | Self::CostCap { .. }
            | Self::UnpricedUnderCap { .. }
            | Self::ServiceTier { .. } => Family::Need,
            Self::License { breach, .. } if breach.is_of_request() => Family::Need,
            Self::License { .. } => Family::License,
            // Books that are not in order are so for a moment.
            Self::Cooling { .. }
            | Self::BreakerOpen { .. }
            | Self::BudgetClosed { .. }
            | Self::Attempted
            | Self::Slow { .. }
            | Self::Limited { .. } => Family::Time,
            Self::Budget { .. } | Self::Unpriced { .. } => Family::Money,
            Self::Disabled { .. } | Self::SwitchedOff | Self::Retired { .. } | Self::MissingCredential { .. } => {
                Family::Credential
            }
            Self::Plan { .. } | Self::Shed { .. } => Family::Plan,
        }
    }

    /// How far a need is missed, as a share; what misses least is named to the client.
    pub(super) fn excess(&self) -> f64 {
        let over = |asked: f64, allowed: f64| if allowed > 0.0 { asked / allowed } else { f64::MAX };
        match self {
            Self::Context { needs, has } => over(*needs as f64, *has as f64),
            Self::Output { asks, allowed, .. } => over(*asks as f64, *allowed as f64),
            Self::CostCap { costs, cap, .. } => over(costs.nanos() as f64, cap.nanos() as f64),
            Self::Quality { has, needs } => over(f64::from(*needs), f64::from(has.unwrap_or(0))),
            _ => f64::MAX,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { why } => f.write_str(why),
            Self::Untranslatable { what } => write!(f, "does not take {what}"),
            Self::Capability { lacks } => write!(f, "does not take {lacks}"),
            Self::Residence => f.write_str("is not known to keep data where the route needs it to stay"),
            Self::Label { label } => write!(f, "has no label `{label}`"),
            Self::Quality { has: Some(has), needs } => write!(f, "quality {has} is below the {needs} that is needed"),
            Self::Quality { has: None, needs } => write!(f, "has no quality, and {needs} is needed"),
            Self::Context { needs, has } => write!(f, "needs {needs} tokens of context and has {has}"),
            Self::Output { asks, allowed, by } => {
                write!(f, "{asks} output tokens are asked for and {by} allows {allowed}")
            }
            Self::CostCap { costs, cap, by } => write!(f, "could cost {costs} and {by} allows {cap}"),
            Self::Disabled { provider } => write!(f, "provider `{provider}` is disabled"),
            Self::SwitchedOff => f.write_str("is switched off in the policy"),
            Self::Retired { day } => write!(f, "retired on {day}"),
            Self::License { license, breach } => write!(f, "licence `{license}` {breach}"),
            Self::MissingCredential { what } => f.write_str(what),
            Self::Unpriced { budget } => write!(f, "has no price, and the hard budget `{budget}` covers it"),
            Self::UnpricedUnderCap { by } => write!(f, "has no price, and {by} caps what the request may cost"),
            Self::ServiceTier { tier } => write!(
                f,
                "has no price for `service_tier: {tier}`; its `price` may name one under `service`"
            ),
            Self::Plan { plan } => write!(f, "plan `{plan}` keeps it from traffic"),
            Self::Shed { plan } => write!(f, "plan `{plan}` sheds such requests"),
            Self::Budget {
                budget,
                needs,
                remaining,
                unbounded: false,
            } => write!(f, "needs {needs} and budget `{budget}` has {remaining} left"),
            Self::Budget {
                budget,
                needs,
                remaining,
                unbounded: true,
            } => write!(
                f,
                "without `max_tokens` a request may take a share of a budget only: `{budget}` has {remaining} left and would need {needs}"
            ),
            Self::BudgetClosed { budget, why } => write!(f, "budget `{budget}` {why}"),
            Self::Cooling { wait, why } => write!(f, "cooling for {} s ({why})", wait.as_secs().max(1)),
            Self::Slow { has, needs } => {
                write!(f, "answered at {has} tokens a second lately, and {needs} are needed")
            }
            Self::Attempted => f.write_str("was attempted already"),
            Self::Limited { kind, of, .. } => write!(f, "`limits.{}` of {of} is reached", kind.word()),
            Self::BreakerOpen { wait, why } => write!(f, "breaker open for {} s ({why})", wait.as_secs().max(1)),
        }
    }
}
