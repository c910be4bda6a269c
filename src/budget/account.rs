//! One account: what one key of one budget spent in one period, and what it has promised to attempts under way.

use super::forecast::HourlyBurn;
use super::notice::{Crossing, Violation};
use super::share::Share;
use super::spent::Spent;
use super::window::Buckets;
use crate::money::Money;
use crate::period::Span;
use jiff::Timestamp;
use std::sync::Arc;

/// What people and the control API see of an account.
#[derive(Clone, Debug)]
pub struct AccountView {
    pub budget: Arc<str>,
    pub key: Arc<str>,
    pub span: Span,
    pub hard: bool,
    /// Raises and what was carried over are in it.
    pub limit: Money,
    /// What the period before has left.
    pub carried: Money,
    pub posted: Money,
    pub reserved: Money,
    pub held: Money,
    pub overdraft: Money,
    /// The part of posted and held that other daemons of the fleet spent.
    pub others: Money,
    /// Never below zero.
    pub remaining: Money,
    /// (posted + held) / limit.
    pub used: f64,
    /// Over the limit; `None` while too little was seen.
    pub forecast: Option<f64>,
    pub exhausted: bool,
    pub exhausted_at: Option<Timestamp>,
    /// Its spend is being found; nothing paid is admitted.
    pub rebuilding: bool,
    pub degraded: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) key: Arc<str>,
    /// What the store knew when this pool began, spend of this pool's own life left out.
    pub(super) base: Spent,
    /// What ended here since.
    pub(super) own: Spent,
    /// In a fleet.
    pub(super) share: Share,
    pub(super) reserved: Money,
    /// Of a sliding window, when that was; else empty.
    pub(super) buckets: Buckets,
    /// What its requests would have cost at their first choice without plans.
    pub(super) plan_free: Money,
    pub(super) burn: HourlyBurn,
    pub(super) exhausted_at: Option<Timestamp>,
    pub(super) overdraft_told: bool,
    /// Thresholds that were told, in basis points.
    told: Vec<u32>,
}

impl Account {
    pub(super) fn new(key: Arc<str>) -> Self {
        Self {
            key,
            base: Spent::default(),
            own: Spent::default(),
            share: Share::default(),
            reserved: Money::ZERO,
            buckets: Buckets::default(),
            plan_free: Money::ZERO,
            burn: HourlyBurn::default(),
            exhausted_at: None,
            overdraft_told: false,
            told: Vec::new(),
        }
    }

    /// In a fleet, by everybody.
    pub(super) fn spent(&self) -> Spent {
        self.base.plus(self.own).plus(self.share.others)
    }

    /// What its requests would have cost without plans, in a fleet everybody's.
    pub(super) fn plan_free(&self) -> Money {
        self.plan_free.plus(self.share.plan_free)
    }

    /// Takes a reservation back; more than is there is a broken book.
    pub(super) fn release(&mut self, worst: Money) -> Result<(), Violation> {
        let left = self.reserved.minus(worst);
        self.reserved = left.max(Money::ZERO);
        if left < Money::ZERO {
            return Err(Violation::ReleasedTwice {
                by: Money::ZERO.minus(left),
            });
        }
        Ok(())
    }

    /// Thresholds that are no longer reached may be told again: a credit was topped up.
    pub(super) fn rearm(&mut self, used: Money, limit: Money) {
        self.told
            .retain(|basis_points| used >= limit.scaled_down(i64::from(*basis_points), 10_000));
    }

    /// Thresholds that `used` has reached and that nobody was told of.
    pub(super) fn reached(&mut self, used: Money, limit: Money, alert_at: &[u32]) -> Vec<Crossing> {
        let mut crossed = Vec::new();
        for basis_points in alert_at {
            let line = limit.scaled_down(i64::from(*basis_points), 10_000);
            if used >= line && used > Money::ZERO && !self.told.contains(basis_points) {
                self.told.push(*basis_points);
                crossed.push(Crossing::Threshold {
                    basis_points: *basis_points,
                });
            }
        }
        crossed
    }
}
