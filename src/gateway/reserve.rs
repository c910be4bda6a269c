//! Takes the worst case of an attempt from every budget that covers it, asking the ledger for a lease where need be.
//!
//! Promises that only the limit refuses for good: what is slow (the disk, a crowd, a budget that is being rebuilt) is
//! waited for, and is told as "not now" when it takes too long.

use super::no_money::NoMoney;
use super::reserved::Reserved;
use super::tariff::Tariff;
use super::{Gateway, sharing};
use crate::budget::{Charges, Facts, Refusal, ReservationId};
use crate::ledger::{LedgerError, Permit};
use crate::money::Money;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How long paid traffic waits for the ledger: for its disk, a place in its channel, a budget's spend and a lease
/// together.
pub const LEDGER_WITHIN: Duration = Duration::from_secs(2);
/// How often somebody who waits looks whether the books or the ledger are in order again.
pub const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A request for money, the same over all its rounds.
struct Claimant<'a> {
    gateway: &'a Arc<Gateway>,
    worst: Money,
    /// It counts against a meter of its price, which must outlive the daemon.
    metered: bool,
    charges: &'a Charges,
    facts: Facts,
    until: Instant,
}

pub async fn reserve(
    gateway: &Arc<Gateway>,
    tariff: Tariff,
    charges: &Charges,
    facts: Facts,
    until: Instant,
) -> Result<Reserved, NoMoney> {
    let claimant = Claimant {
        gateway,
        worst: tariff.worst,
        metered: tariff.is_metered(),
        charges,
        facts,
        until,
    };
    let permit = claimant.permit().await?;
    let (reservation, at) = claimant.take().await?;
    Ok(Reserved {
        reservation,
        permit,
        at,
        tariff,
    })
}

impl Claimant<'_> {
    /// A place in the ledger's channel, so that what is spent can be recorded, while the ledger can write at all. What
    /// is free goes on without one, but for what draws on a free quota: were that forgotten, paid calls would pass as free.
    async fn permit(&self) -> Result<Option<Permit>, NoMoney> {
        let ledger = &self.gateway.ledger;
        if self.worst == Money::ZERO && !self.metered {
            let permit = ledger.try_permit();
            if permit.is_none() {
                self.gateway.metrics.records_dropped.inc();
            }
            return Ok(permit);
        }
        if !ledger.is_in_order() {
            return Err(NoMoney::Closed("the ledger cannot be written".to_owned()));
        }
        if let Some(permit) = ledger.try_permit() {
            return Ok(Some(permit));
        }
        match timeout_at(self.until, ledger.permit()).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            _ => Err(NoMoney::Closed("the ledger cannot keep up".to_owned())),
        }
    }

    async fn take(&self) -> Result<(ReservationId, Timestamp), NoMoney> {
        let mut round = 0;
        loop {
            match self.try_take() {
                Ok(taken) => return Ok(taken),
                Err(Refusal::Share(wanted)) => {
                    round += 1;
                    sharing::ask(self.gateway, wanted, round, self.until).await?;
                }
                Err(Refusal::Apart { budget }) => {
                    return Err(NoMoney::Closed(format!(
                        "budget `{budget}` is shared, and the fleet's database has not answered for too long"
                    )));
                }
                Err(Refusal::Lease(_)) => {
                    if let Some(taken) = self.lease().await? {
                        return Ok(taken);
                    }
                }
                Err(Refusal::Rebuilding { budget }) => {
                    let why = format!("budget `{budget}` is being rebuilt from the ledger");
                    self.look_again(&why).await?;
                }
                Err(Refusal::OverLimit {
                    budget,
                    needed,
                    remaining,
                    ..
                }) => {
                    return Err(NoMoney::Refused(format!(
                        "budget `{budget}` has {remaining} left and {needed} is needed"
                    )));
                }
                Err(Refusal::Currency) => {
                    return Err(NoMoney::Closed("the policy's currency has changed".to_owned()));
                }
                Err(Refusal::Degraded { budget }) => {
                    return Err(NoMoney::Closed(format!(
                        "budget `{budget}` does not add up and is closed"
                    )));
                }
            }
        }
    }

    fn try_take(&self) -> Result<(ReservationId, Timestamp), Refusal> {
        let mut books = self.gateway.live.books.lock();
        let now = self.gateway.clock.now();
        if let Some(fleet) = &self.gateway.fleet {
            books.lapse(!fleet.is_good());
        }
        let reservation = books.reserve(self.worst, self.charges, self.facts.clone(), now)?;
        if books.run_short(self.charges) {
            self.gateway.lease_ahead.notify_one();
        }
        Ok((reservation, now))
    }

    /// One at a time, and only if it is still needed: of a crowd of requests the first leases for the others too. The
    /// store's answer reaches the books also when nobody waits for it any more, so that a slow disk delays each lease
    /// once and not for ever. `None`: ask the books again.
    async fn lease(&self) -> Result<Option<(ReservationId, Timestamp)>, NoMoney> {
        let slow = || NoMoney::Closed("the ledger could not lease in time".to_owned());
        let Ok(turn) = timeout_at(self.until, self.gateway.leasing.clone().lock_owned()).await else {
            return Err(slow());
        };
        let requests = match self.try_take() {
            Err(Refusal::Lease(requests)) => requests,
            Ok(taken) => return Ok(Some(taken)),
            Err(_) => return Ok(None),
        };
        let gateway = self.gateway.clone();
        let granting = self.gateway.tasks.spawn(async move {
            let grants = gateway.ledger.grant(requests).await?;
            let mut books = gateway.live.books.lock();
            grants.iter().for_each(|grant| books.grant(grant));
            Ok::<_, LedgerError>(turn)
        });
        match timeout_at(self.until, granting).await {
            // Still in turn, so that nobody else who waits for a lease takes this one.
            Ok(Ok(Ok(_turn))) => Ok(self.try_take().ok()),
            Ok(Ok(Err(error))) => Err(NoMoney::Closed(error.to_string())),
            Ok(Err(_)) | Err(_) => Err(slow()),
        }
    }

    async fn look_again(&self, why: &str) -> Result<(), NoMoney> {
        if Instant::now() >= self.until {
            return Err(NoMoney::Closed(why.to_owned()));
        }
        sleep(LOOK_AGAIN).await;
        Ok(())
    }
}
