//! The terms a model may be used under, and whether a use may happen under them now: a pure function of the terms, the
//! use and the time.
//!
//! What only the operator knows (users, revenue, seats, GPUs, where it lives, whether it offers the model as a service)
//! are declared facts; users alone are counted too, elsewhere. Duties are told, never enforced.

mod breach;
mod clause;
mod territory;
#[cfg(test)]
mod tests;

pub use breach::{Breach, Counted};
pub use clause::{Count, Duty, DutyKind, Fee, Per, Revenue, Service, Threshold, Use, Uses};
pub use territory::Territory;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// Users that are told apart for one licence in one month: beyond it a bound is kept by declaration alone.
pub const MOST_COUNTED: u64 = 1_000_000;

/// Where an answer is used, or where the licensee lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TerritoryOf {
    #[default]
    Use,
    Licensee,
}

/// Terms with the operator's declared facts. Everything absent binds nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct License {
    /// As the policy or the catalogue calls it.
    pub name: Arc<str>,
    pub uses: Uses,
    /// Where alone it holds; empty: everywhere.
    pub territories: Vec<Territory>,
    pub except_territories: Vec<Territory>,
    pub territory_of: TerritoryOf,
    /// Where the licensee lives, declared.
    pub domicile: Option<Territory>,
    pub starts: Option<Timestamp>,
    pub term: Option<Term>,
    pub users: Option<Count>,
    pub seats: Option<Count>,
    pub gpus: Option<Count>,
    pub revenue: Option<Revenue>,
    pub service: Service,
    pub duties: Vec<Duty>,
    pub fee: Option<Fee>,
    /// What it takes beyond its bounds, in the licence's own words.
    pub over: Option<Arc<str>>,
    /// What is not confirmed about it.
    pub unsure: Vec<Arc<str>>,
}

/// How long it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// The last day that counts, in the policy's zone.
    pub last_day: Date,
    /// The first instant at which it no longer holds.
    pub end: Timestamp,
    /// Told so long before.
    pub warn: SignedDuration,
}

/// What a request says of its use. Empty where nobody said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask<'a> {
    pub purpose: &'a str,
    pub territory: &'a str,
}

impl License {
    /// Terms that bind nothing.
    pub fn open(name: Arc<str>) -> Self {
        Self {
            name,
            uses: Uses::ALL,
            territories: Vec::new(),
            except_territories: Vec::new(),
            territory_of: TerritoryOf::Use,
            domicile: None,
            starts: None,
            term: None,
            users: None,
            seats: None,
            gpus: None,
            revenue: None,
            service: Service::default(),
            duties: Vec::new(),
            fee: None,
            over: None,
            unsure: Vec::new(),
        }
    }

    /// May this use happen now? What holds for every request comes first, then what the request says of itself.
    pub fn permits(&self, ask: Ask<'_>, at: Timestamp) -> Result<(), Breach> {
        self.in_term(at)?;
        self.within_facts()?;
        self.permits_use(ask.purpose)?;
        match self.territory_of {
            TerritoryOf::Use => self.permits_territory(ask.territory),
            TerritoryOf::Licensee => Ok(()),
        }
    }

    /// Does it permit each of these uses, and hold in each of these places?
    pub fn reaches(&self, uses: &[Use], places: &[Territory]) -> Result<(), Breach> {
        uses.iter().try_for_each(|one| self.permits_use(one.word()))?;
        match self.territory_of {
            TerritoryOf::Use => places.iter().try_for_each(|place| self.permits_place(*place)),
            TerritoryOf::Licensee => Ok(()),
        }
    }

    /// The part that no request can change: its time and the declared facts.
    pub fn holds(&self, at: Timestamp) -> Result<(), Breach> {
        self.in_term(at)?;
        self.within_facts()
    }

    /// Whole days of the policy's calendar up to the last one that counts: 0 on it, negative after it.
    pub fn days_left(&self, at: Timestamp, zone: &TimeZone) -> Option<i64> {
        let today = at.to_zoned_datetime(zone.clone()).date();
        let last = self.term?.last_day;
        Some(i64::from(today.until(last).ok()?.get_days()))
    }

    /// `seats` in conditions: the share of the seats that is taken, as declared.
    pub fn seats_used(&self) -> Option<f64> {
        self.seats.as_ref().and_then(Count::share)
    }

    /// Its users have a bound that a count can reach.
    pub fn bounds_users(&self) -> bool {
        self.users
            .is_some_and(|users| users.max.is_some_and(|max| max <= MOST_COUNTED))
    }

    /// `users` in conditions: the share of the users that is reached, by what was declared or counted, whichever is more.
    pub fn users_used(&self, counted: Option<u64>) -> Option<f64> {
        let users = self.users.as_ref()?;
        let declared = users.declared.max(counted);
        Count { declared, ..*users }.share()
    }

    /// It ends within its warning.
    pub fn is_expiring(&self, at: Timestamp) -> bool {
        self.term
            .is_some_and(|term| at < term.end && term.end.duration_since(at) <= term.warn)
    }

    pub fn has_expired(&self, at: Timestamp) -> bool {
        self.term.is_some_and(|term| at >= term.end)
    }

    /// The duties that the declared facts have brought into force.
    pub fn duties_now(&self) -> impl Iterator<Item = &Duty> {
        self.duties.iter().filter(|duty| match &duty.above {
            None => true,
            Some(above) => {
                let users = self.users.as_ref().and_then(|count| count.declared);
                let revenue = self.revenue.as_ref().and_then(|revenue| revenue.declared);
                above.is_passed(users, revenue)
            }
        })
    }

    fn in_term(&self, at: Timestamp) -> Result<(), Breach> {
        if let Some(from) = self.starts.filter(|from| at < *from) {
            return Err(Breach::NotStarted { from });
        }
        match self.term {
            Some(term) if at >= term.end => Err(Breach::Expired {
                last_day: term.last_day,
            }),
            _ => Ok(()),
        }
    }

    fn within_facts(&self) -> Result<(), Breach> {
        let counts = [
            (Counted::Users, &self.users),
            (Counted::Seats, &self.seats),
            (Counted::Gpus, &self.gpus),
        ];
        for (what, count) in counts {
            if let Some((declared, max)) = count.as_ref().and_then(Count::excess) {
                return Err(Breach::Over { what, declared, max });
            }
        }
        if self.service.offered && !self.service.allowed {
            return Err(Breach::Service);
        }
        if let Some(revenue) = self.revenue.as_ref().filter(|revenue| revenue.binds(self.service)) {
            revenue.check()?;
        }
        match (self.territory_of, self.domicile) {
            (TerritoryOf::Licensee, Some(domicile)) => self.permits_place(domicile),
            _ => Ok(()),
        }
    }

    fn permits_use(&self, purpose: &str) -> Result<(), Breach> {
        let stated = Use::parse(purpose);
        if self.uses.has(stated.unwrap_or(Use::UNSAID)) {
            Ok(())
        } else {
            Err(Breach::Use {
                asked: stated,
                permits: self.uses,
            })
        }
    }

    /// Nobody said where: an enumeration of places is not met, an exception from everywhere is not hit.
    fn permits_territory(&self, territory: &str) -> Result<(), Breach> {
        match Territory::parse(territory) {
            Some(place) => self.permits_place(place),
            None if self.territories.is_empty() => Ok(()),
            None => Err(Breach::Territory { place: None }),
        }
    }

    fn permits_place(&self, place: Territory) -> Result<(), Breach> {
        let allowed = self.territories.is_empty() || place.lies_within(&self.territories);
        if allowed && !place.touches(&self.except_territories) {
            Ok(())
        } else {
            Err(Breach::Territory { place: Some(place) })
        }
    }
}
