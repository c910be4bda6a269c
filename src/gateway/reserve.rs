//! Takes the worst case of an attempt from every budget that covers it, asking the ledger for a lease where need be.

use super::Gateway;
use super::attempt::Reserved;
use crate::budget::{Charges, Facts, Refusal};
use crate::ledger::Permit;
use crate::money::Money;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long paid traffic waits for the ledger, for a place in its channel and for a lease together.
const LEDGER_WITHIN: Duration = Duration::from_secs(2);
/// A lease that was granted can be taken by others before we come back; each round leases for this request anew.
const ROUNDS: u32 = 16;

/// Why no money could be had.
#[derive(Clone, Debug, PartialEq)]
pub enum NoMoney {
    /// The budget has not enough left: final.
    Refused(String),
    /// The ledger or the books are not in order: paid models are closed, for now.
    Closed(String),
}

pub async fn reserve(gateway: &Gateway, worst: Money, charges: &Charges, facts: Facts) -> Result<Reserved, NoMoney> {
    let until = Instant::now() + LEDGER_WITHIN;
    let permit = permit(gateway, worst, until).await?;
    for _ in 0..ROUNDS {
        let now = gateway.clock.now();
        let (taken, short) = {
            let mut books = gateway.live.books.lock();
            let taken = books.reserve(worst, charges, facts.clone(), now);
            (taken, books.run_short(charges))
        };
        match taken {
            Ok(reservation) => {
                if short {
                    gateway.lease_ahead.notify_one();
                }
                return Ok(Reserved {
                    reservation,
                    permit,
                    at: now,
                });
            }
            Err(Refusal::Lease(_)) => lease(gateway, worst, charges, &facts, until).await?,
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
            Err(Refusal::Rebuilding { budget }) => {
                return Err(NoMoney::Closed(format!(
                    "budget `{budget}` is being rebuilt from the ledger"
                )));
            }
            Err(Refusal::Degraded { budget }) => {
                return Err(NoMoney::Closed(format!(
                    "budget `{budget}` does not add up and is closed"
                )));
            }
        }
    }
    Err(NoMoney::Closed("the ledger could not lease in time".to_owned()))
}

/// A place in the ledger's channel, so that what is spent can be recorded. What is free goes on without one.
async fn permit(gateway: &Gateway, worst: Money, until: Instant) -> Result<Option<Permit>, NoMoney> {
    if let Some(permit) = gateway.ledger.try_permit() {
        return Ok(Some(permit));
    }
    if worst == Money::ZERO {
        gateway.metrics.records_dropped.inc();
        return Ok(None);
    }
    match timeout_at(until, gateway.ledger.permit()).await {
        Ok(Ok(permit)) => Ok(Some(permit)),
        _ => Err(NoMoney::Closed("the ledger cannot keep up".to_owned())),
    }
}

/// One at a time, and only if it is still needed: of a crowd of requests the first leases for the others too.
async fn lease(
    gateway: &Gateway,
    worst: Money,
    charges: &Charges,
    facts: &Facts,
    until: Instant,
) -> Result<(), NoMoney> {
    let Ok(_turn) = timeout_at(until, gateway.leasing.lock()).await else {
        return Err(NoMoney::Closed("the ledger could not lease in time".to_owned()));
    };
    let requests = {
        let mut books = gateway.live.books.lock();
        let now = gateway.clock.now();
        match books.reserve(worst, charges, facts.clone(), now) {
            Err(Refusal::Lease(requests)) => requests,
            // Another's lease is enough. Given back at once: the caller reserves for itself.
            Ok(reservation) => {
                books.end(reservation, crate::budget::End::Void);
                return Ok(());
            }
            Err(_) => return Ok(()),
        }
    };
    match timeout_at(until, gateway.ledger.grant(requests)).await {
        Ok(Ok(grants)) => {
            let mut books = gateway.live.books.lock();
            grants.iter().for_each(|grant| books.grant(grant));
            Ok(())
        }
        Ok(Err(error)) => Err(NoMoney::Closed(error.to_string())),
        Err(_) => Err(NoMoney::Closed("the ledger could not lease in time".to_owned())),
    }
}
