//! What the client is told when no model serves it: from the decision's reasons, a plan's own words, or what was not taken.

use super::Serving;
use crate::decide::{Family, Reason, Refusal};
use crate::failover::{Ending, NotTaken};
use crate::gateway::body::ResponseBody;
use crate::gateway::failed::{self, Told};
use crate::gateway::no_money::NoMoney;
use http::Response;

impl Serving {
    /// Nothing was sent: every model is excluded.
    pub(super) fn refuse(&mut self) -> Response<ResponseBody> {
        let refusal = self.refusal();
        let nearest = refusal.nearest.as_ref().filter(|_| !self.hides()).map(|exclusion| {
            format!(
                "`{}`: {}",
                self.prepared.policy.snapshot.model(exclusion.id).name,
                exclusion.reason
            )
        });
        let told = match self.said_by_plan(&refusal) {
            Some(told) => told,
            None => failed::refused(&refusal, nearest.as_deref().unwrap_or_default()),
        };
        self.end(told, "refused")
    }

    /// Where a plan is the reason: in its own words, and not before it may be over.
    fn said_by_plan(&self, refusal: &Refusal) -> Option<Told> {
        let (Reason::Plan { plan } | Reason::Shed { plan }) = &refusal.nearest.as_ref()?.reason else {
            return None;
        };
        let policy = &self.prepared.policy;
        let at = policy.snapshot.plans.iter().position(|known| known.name == *plan)?;
        let shed = policy
            .effective
            .shed(self.prepared.route_id())
            .map(|shed| &shed.message);
        let message = shed.or(policy.snapshot.plans[at].message.as_ref());
        let stays = policy.effective.stays_until(at);
        let left = stays.saturating_sub(self.gateway.clock.uptime());
        Some(failed::kept_by_plan(plan, message.map(AsRef::as_ref), left))
    }

    pub(super) fn tell(&mut self, ending: Ending) -> Response<ResponseBody> {
        let told = match ending {
            Ending::Failed(failed) => {
                let told = failed::told(&failed.failure, self.hides());
                return self.end(told, "failed");
            }
            Ending::NothingLeft(refusals) => self.nothing_left(&refusals),
            Ending::AnsweredEmpty => failed::empty(),
            // Only a driver that is told so itself comes here.
            Ending::Answered | Ending::ClientLeft => failed::unavailable(String::new(), None),
        };
        self.end(told, "refused")
    }

    /// Nothing was sent, though candidates there were: time before money, as for a refusal.
    fn nothing_left(&self, refusals: &[(usize, NotTaken)]) -> Told {
        let now = self.gateway.clock.uptime();
        let rest = |why: &NotTaken| match why {
            NotTaken::Resting { until } | NotTaken::Full { until } => Some(until.saturating_sub(now)),
            _ => None,
        };
        let out = self.refusal();
        let rests = refusals.iter().filter_map(|(_, why)| rest(why));
        let earliest = rests.chain(out.retry_after).min();
        let waits = |why: &NotTaken| {
            matches!(
                why,
                NotTaken::Resting { .. } | NotTaken::Full { .. } | NotTaken::NotReady | NotTaken::Cold
            )
        };
        let timed = refusals.iter().any(|(_, why)| waits(why)) || out.family == Family::Time;
        match (&self.money, timed) {
            (Some(NoMoney::Refused(text)), false) => failed::out_of_money(text.clone()),
            (Some(NoMoney::Closed(text)), false) => failed::unavailable(text.clone(), None),
            _ => {
                let last = self.ticket.last_reason().filter(|_| !self.hides());
                // The earliest says whose limit it was.
                let own = refusals.iter().filter_map(|(_, why)| match why {
                    NotTaken::Full { until } => Some(until.saturating_sub(now)),
                    _ => None,
                });
                match own.min().filter(|own| earliest.is_none_or(|earliest| *own <= earliest)) {
                    Some(wait) => failed::too_many(last.unwrap_or_else(|| "a limit is reached".to_owned()), wait),
                    None => failed::unavailable(last.unwrap_or_default(), earliest),
                }
            }
        }
    }
}
