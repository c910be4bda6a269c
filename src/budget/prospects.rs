//! How budgets will end: each learns from the hours that it would have counted, asked of the records at the start, after
//! an edit, and as hours end. Kept by name and shape, so that a reload keeps what is known.

use super::account::AccountView;
use super::charge::UNACCOUNTED_KEY;
use crate::forecast::{Curve, HOURS_OF_WEEK, History, MOST_HOURS, Pace, Projection, Stand, hour_at, hour_of};
use crate::money::{Currency, Money};
use crate::period::Span;
use crate::policy::condition::Selectors;
use crate::policy::snapshot::{Budget, Snapshot};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// An hour is asked for this long after its end, when the last of it is written.
const WRITTEN: SignedDuration = SignedDuration::from_secs(5);
/// What began in an hour is counted in it when it ends: the last hours are read again.
const LATE: i64 = 3;

/// What these budgets would have spent in each hour of UTC from `since` to before `until`.
#[derive(Clone, Debug)]
pub struct HoursRequest {
    pub budgets: Vec<Budget>,
    pub selectors: Arc<Selectors>,
    pub currency: Currency,
    pub since: i64,
    pub until: i64,
    /// Some budget pays for shadow calls, which no other counts.
    pub shadows: bool,
}

/// What the records tell.
#[derive(Clone, Debug, Default)]
pub struct HoursFound {
    /// Since when anything was recorded at all.
    pub first: Option<Timestamp>,
    /// By budget, as they were asked for.
    pub sums: Vec<Vec<(i64, Money)>>,
}

/// A budget's usual week.
#[derive(Clone, Debug)]
pub struct UsualWeek {
    /// From Monday midnight on, by the budget's zone.
    pub burn: [Money; HOURS_OF_WEEK],
    /// Hours that it was learned from.
    pub watched: u64,
}

#[derive(Debug, Default)]
pub struct Prospects {
    known: Vec<Kept>,
    selectors: Arc<Selectors>,
    currency: Option<Currency>,
    shadows: bool,
    /// Counts what was learned.
    news: u64,
}

#[derive(Debug)]
struct Kept {
    budget: Budget,
    zone: TimeZone,
    history: History,
    asked: bool,
    /// Of the present period, as learned from the hours up to the last.
    curve: Option<Curve>,
}

impl Prospects {
    /// Takes a policy's budgets over. A sliding window has no end to foretell.
    pub fn install(&mut self, snapshot: &Snapshot) {
        let mut before = std::mem::take(&mut self.known);
        let same_currency = self.currency == Some(snapshot.currency);
        let kept = |budget: &Budget| {
            let zone = budget.timezone.clone().unwrap_or_else(|| snapshot.timezone.clone());
            let same = |known: &Kept| known.budget.name == budget.name && known.budget.shape == budget.shape;
            let known = before.iter().position(same).filter(|_| same_currency);
            let history = known.map(|at| before.swap_remove(at).history);
            Kept {
                budget: budget.clone(),
                zone,
                history: history.unwrap_or_default(),
                asked: false,
                curve: None,
            }
        };
        let foretold = snapshot.budgets.iter().filter(|budget| budget.rolling().is_none());
        self.known = foretold.map(kept).collect();
        self.selectors = snapshot.selectors.clone();
        self.news += 1;
        self.currency = Some(snapshot.currency);
        self.shadows = snapshot.budgets.iter().any(|budget| budget.shadows);
    }

    /// What must be read. Each hour is asked for once it is over.
    pub fn wanted(&mut self, now: Timestamp) -> Vec<HoursRequest> {
        let until = hour_of(now.saturating_sub(WRITTEN).unwrap_or(now));
        let mut wanted: Vec<HoursRequest> = Vec::new();
        for kept in &mut self.known {
            let known = kept.history.until();
            if kept.asked || known.is_some_and(|known| known >= until) {
                continue;
            }
            kept.asked = true;
            let since = known.map_or(until - MOST_HOURS, |known| known - LATE);
            match wanted.iter_mut().find(|request| request.since == since) {
                Some(request) => request.budgets.push(kept.budget.clone()),
                None => wanted.push(HoursRequest {
                    budgets: vec![kept.budget.clone()],
                    selectors: self.selectors.clone(),
                    currency: self.currency.unwrap_or(Currency::USD),
                    since,
                    until,
                    shadows: self.shadows,
                }),
            }
        }
        wanted
    }

    /// An edit may have come between: what was asked for another shape is of no use.
    pub fn found(&mut self, request: &HoursRequest, found: &HoursFound) {
        if Some(request.currency) != self.currency {
            return;
        }
        let first = found.first.unwrap_or_else(|| hour_at(request.until));
        for (budget, sums) in request.budgets.iter().zip(&found.sums) {
            if let Some(kept) = self.kept(budget) {
                kept.history.learn(first, request.since, request.until, sums);
                (kept.asked, kept.curve) = (false, None);
            }
        }
        self.news += 1;
    }

    /// The records could not be read; they are asked for again.
    pub fn failed(&mut self, request: &HoursRequest) {
        for budget in &request.budgets {
            if let Some(kept) = self.kept(budget) {
                kept.asked = false;
            }
        }
    }

    /// Looks ahead from what is known by now. Called each second; there is something to do once an hour.
    pub fn look_ahead(&mut self, now: Timestamp) {
        for kept in &mut self.known {
            let span: Span = kept.budget.span(now, &kept.zone);
            if kept.curve.as_ref().is_none_or(|curve| curve.span() != span) {
                kept.curve = Curve::learn(&kept.history, &kept.zone, span, now);
            }
        }
    }

    /// Another number once something else is known.
    pub const fn news(&self) -> u64 {
        self.news
    }

    /// Where an account will be; `None` while nothing is known of its pace.
    pub fn of(&self, view: &AccountView, now: Timestamp) -> Option<Projection> {
        let kept = self.known.iter().find(|kept| kept.budget.name == view.budget)?;
        let curve = kept.curve.as_ref().filter(|curve| curve.span() == view.span)?;
        if view.rebuilding || view.degraded || view.key.as_ref() == UNACCOUNTED_KEY {
            return None;
        }
        let spent = view.posted.plus(view.held);
        let recorded = Pace::Recorded {
            own: spent.minus(view.others),
            all: spent,
        };
        curve.project(&Stand {
            now,
            spent,
            limit: view.limit,
            pace: kept.budget.each.as_ref().map_or(recorded, |_| Pace::Own),
        })
    }

    /// What usually burns when, of each budget of which something is known; of a keyed one by all keys together.
    pub fn weeks(&self) -> impl Iterator<Item = (&Arc<str>, UsualWeek)> {
        self.known.iter().filter_map(|kept| {
            let curve = kept.curve.as_ref()?;
            let week = UsualWeek {
                burn: curve.week(),
                watched: curve.watched(),
            };
            Some((&kept.budget.name, week))
        })
    }

    fn kept(&mut self, budget: &Budget) -> Option<&mut Kept> {
        let same = |kept: &&mut Kept| kept.budget.name == budget.name && kept.budget.shape == budget.shape;
        self.known.iter_mut().find(same)
    }
}
