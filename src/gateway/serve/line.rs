//! A request that would be refused for want of money waits for what others have reserved, where its route says so.

use super::{Go, Serving};
use crate::failover::{Ending, NotTaken, Turn};
use crate::gateway::no_money::NoMoney;
use crate::gateway::reserve::LOOK_AGAIN;
use crate::gateway::survey::survey_in_order;
use crate::gateway::wait;
use std::ops::ControlFlow::{Break, Continue};
use tokio::time::Instant;

impl Serving {
    /// Before anything is tried: behind those who wait already, or because there is no candidate but for the money.
    pub(super) async fn stand_in_line(&mut self) {
        let Some(until) = self.line_until() else { return };
        let account = if self.survey.decision.candidates.is_empty() {
            wait::wanting(&self.gateway, &self.prepared)
        } else {
            wait::behind(&self.gateway, &self.prepared, &self.survey)
        };
        let Some(account) = account else { return };
        let stood = wait::stand(&self.gateway, &self.prepared, (account, self.head.take()), until).await;
        if let Some((survey, head)) = stood {
            (self.survey, self.head) = (survey, Some(head));
            self.ticket.decided_anew(&self.prepared, &self.survey);
        }
    }

    /// A candidate was not taken. One who lacks something else than money keeps nobody else from money.
    pub(super) fn pass(&mut self, turn: Turn, why: NotTaken) -> Go {
        let lacks_money = why == NotTaken::Money && matches!(self.money, Some(NoMoney::Refused(_)));
        if !lacks_money {
            self.head = None;
        }
        Continue(turn.refused(why, self.gateway.clock.uptime()))
    }

    /// Nothing was sent because somebody else took the money first: it is waited for again.
    pub(super) fn may_wait(&self, ending: &Ending) -> bool {
        let refused = matches!(self.money, Some(NoMoney::Refused(_)));
        let in_time = self.line_until().is_some_and(|until| Instant::now() < until);
        matches!(ending, Ending::NothingLeft(_)) && refused && in_time
    }

    pub(super) async fn wait_again(&mut self) -> Go {
        // The books may say no for as long as the decision says yes: an edit can make the two see other budgets.
        tokio::time::sleep(LOOK_AGAIN).await;
        self.survey = survey_in_order(&self.gateway, &self.prepared).await;
        self.stand_in_line().await;
        self.money = None;
        self.ticket.decided_anew(&self.prepared, &self.survey);
        if self.survey.decision.candidates.is_empty() {
            return Break(self.refuse());
        }
        Continue(self.begin())
    }

    /// Counted from the request's arrival.
    fn line_until(&self) -> Option<Instant> {
        let wait = self.prepared.money_wait()?;
        let until = (self.began + wait).min(self.deadline);
        Some(self.gateway.clock.instant(until))
    }
}
