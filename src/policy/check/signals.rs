//! What each live signal may come to say under this policy, from now on.
//!
//! Nothing is left out that may be: a limit may be edited, and so the ends of what is spent are only as sure as the policy.

use crate::license::License;
use crate::policy::condition::Signal;
use crate::policy::condition::reach::{Domain, Numbers};
use crate::policy::condition::signature::Live;
use crate::policy::snapshot::{Budget, Enforce, Snapshot};
use jiff::Timestamp;

pub(super) struct Domains<'a> {
    pub snapshot: &'a Snapshot,
    pub now: Timestamp,
    /// A hard budget keeps `used` below 1.
    pub enforced: bool,
}

impl Domains<'_> {
    pub fn of(&self, signal: &Signal) -> Domain {
        if self.silence(signal).is_some() {
            return Domain::NEVER;
        }
        let most = f64::MAX;
        let from_nothing = |most| Domain::Numbers(Numbers::between(0.0, most));
        match signal.live {
            Live::BudgetUsed if self.enforced && self.is_hard(signal) => from_nothing(1.0_f64.next_down()),
            Live::BudgetExhausted | Live::ProviderUp | Live::ProviderCooling => Domain::Truths { no: true, yes: true },
            Live::ProviderErrorRate | Live::ProviderQuotaLeft => from_nothing(1.0),
            Live::ProviderBalance => Domain::Numbers(Numbers::any()),
            Live::LicenseDaysLeft => Domain::Numbers(Numbers::between(f64::MIN, self.days_left(signal)).whole()),
            Live::Hour => Domain::Numbers(Numbers::between(0.0, 23.0).whole()),
            Live::Weekday => Domain::weekdays(),
            Live::Date => Domain::from_day(self.now.to_zoned_datetime(self.snapshot.timezone.clone()).date()),
            _ => from_nothing(most),
        }
    }

    /// Why the signal never has a value, and what may be read instead.
    pub fn silence(&self, signal: &Signal) -> Option<(String, &'static str)> {
        let name = &signal.name;
        let unbounded = |of: &str| format!("licence `{name}` bounds no {of}, so there is no share of them");
        match signal.live {
            Live::BudgetForecast => self.budget(signal).filter(|budget| !budget.has_periods()).map(|_| {
                (
                    format!("budget `{name}` has no period, and so no forecast"),
                    "read its `used`, `remaining` or `burn`",
                )
            }),
            Live::ProviderBalance => {
                let mut providers = self.snapshot.providers.iter();
                let provider = providers.find(|provider| provider.name == *name)?;
                provider.vendor.facts().balance.is_none().then(|| {
                    (
                        format!("the vendor of provider `{name}` tells no balance"),
                        "read `quota_left`, or what a budget has left",
                    )
                })
            }
            Live::LicenseDaysLeft => self.license(signal).filter(|license| license.term.is_none()).map(|_| {
                (
                    format!("licence `{name}` has no `expires`, and so no days that are left"),
                    "give the licence its `expires`",
                )
            }),
            Live::LicenseSeats => self
                .license(signal)
                .filter(|license| license.seats_used().is_none())
                .map(|_| (unbounded("seats"), "give the licence `seats: {max: …, declared: …}`")),
            // What is counted stands in for what nobody declared.
            Live::LicenseUsers => self
                .license(signal)
                .filter(|license| license.users_used(Some(0)).is_none())
                .map(|_| (unbounded("users"), "give the licence `users: {max: …}`")),
            _ => None,
        }
    }

    fn is_hard(&self, signal: &Signal) -> bool {
        self.budget(signal)
            .is_some_and(|budget| budget.enforce == Enforce::Hard)
    }

    /// They only become fewer.
    fn days_left(&self, signal: &Signal) -> f64 {
        let license = self.license(signal);
        let days = license.and_then(|license| license.days_left(self.now, &self.snapshot.timezone));
        days.map_or(f64::MAX, |days| days as f64)
    }

    fn budget(&self, signal: &Signal) -> Option<&Budget> {
        self.snapshot.budgets.iter().find(|budget| budget.name == signal.name)
    }

    fn license(&self, signal: &Signal) -> Option<&License> {
        self.snapshot
            .licenses
            .iter()
            .find(|license| license.name == signal.name)
    }
}
