//! The daemon in its fleet: joined at the start, exchanged with regularly and when money runs short, left in order.

use super::{DaemonError, FleetOptions};
use crate::clock::Clock;
use crate::fleet::{Call, Fleet, FleetError, Stamp, Target};
use crate::gateway::{Gateway, sharing};
use crate::ledger::{Ledger, LedgerError, Membership};
use crate::live::Policy;
use crate::policy::snapshot::{Model, Snapshot};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The regular exchange of a large fleet, give or take a tenth so that daemons that started together do not ask together.
const REGULARLY: Duration = Duration::from_secs(75);
/// Of a small one, so that plans and alerts see what others spend.
const OFTEN: Duration = Duration::from_secs(10);
/// For each daemon between: then all together exchange thirteen times a second.
const FOR_EACH: Duration = Duration::from_millis(75);
/// How often it is looked whether a share runs short.
const LOOK: Duration = Duration::from_secs(1);
/// Exchanges ahead of need are so far apart.
const APART: Duration = Duration::from_secs(5);
/// How long a daemon that ends waits for the store to take its money back.
const LEAVE_WITHIN: Duration = Duration::from_secs(3);

/// Joins before anything is served. A database that is only gone for now does not keep a daemon from starting that has
/// been in the fleet before; what has to be set right does.
pub async fn join(
    options: &FleetOptions,
    ledger: &Ledger,
    policy: &Policy,
    clock: Clock,
) -> Result<(Fleet, Receiver<Call>), DaemonError> {
    let target = Target::parse(&options.url, std::env::var("PGPASSWORD").ok())?;
    let known = ledger.membership().await?;
    let fresh = known.is_none();
    let membership = match known {
        Some(known) if *known.fleet == *options.name => known,
        Some(other) => {
            return Err(FleetError::OtherFleet(format!(
                "this state directory belongs to the fleet `{}`, not `{}`; give each fleet its own with --state DIR",
                other.fleet, options.name
            ))
            .into());
        }
        None => Membership {
            fleet: options.name.clone(),
            holder: Uuid::now_v7().simple().to_string().into(),
        },
    };
    let stamp = stamp(ledger, policy, clock.now(), fresh).await?;
    let (fleet, calls) = Fleet::new(target, &options.name, &membership.holder, stamp, clock)?;
    match fleet.exchange(&[]).await {
        Ok(_) => {}
        Err(error) if error.passes() && !fresh => {
            tracing::warn!(%error, "starting without the fleet's database: nothing paid is started until it answers");
        }
        Err(error) => return Err(error.into()),
    }
    if fresh {
        ledger.join(membership, clock.now()).await?;
    }
    Ok((fleet, calls))
}

/// What depends on counters that each daemon has for itself alone.
pub fn unshareable(snapshot: &Snapshot) -> Option<FleetError> {
    let metered = |model: &&Model| {
        model
            .price
            .as_ref()
            .is_some_and(|price| price.meters().next().is_some())
    };
    let model = snapshot.models.iter().find(metered)?;
    Some(FleetError::Unshareable(format!(
        "the price of model `{}` has a ladder, a free quota or a commitment, whose counters a fleet cannot share yet: leave it out, or serve without --fleet",
        model.name
    )))
}

/// When this policy's text came into force here, over restarts.
async fn stamp(ledger: &Ledger, policy: &Policy, now: Timestamp, fresh: bool) -> Result<Stamp, LedgerError> {
    let recorded = ledger.policy_at(now).await?;
    let since = recorded.filter(|recorded| recorded.hash == policy.snapshot.hash);
    Ok(Stamp {
        hash: policy.snapshot.hash.clone(),
        edited_at: since.map_or(policy.since, |recorded| recorded.since),
        fresh,
    })
}

/// An edit is newer than all that the fleet has agreed on.
pub fn edited(gateway: &Gateway, policy: &Policy) {
    let Some(fleet) = &gateway.fleet else { return };
    fleet.policy_edited(Stamp {
        hash: policy.snapshot.hash.clone(),
        edited_at: policy.since,
        fresh: false,
    });
    gateway.share_ahead.notify_one();
}

pub struct Exchanger {
    gateway: Arc<Gateway>,
    calls: Receiver<Call>,
    due: Duration,
    wanted_at: Duration,
    /// Limits that were told to differ from the fleet's.
    told: HashMap<Arc<str>, String>,
}

impl Exchanger {
    pub fn new(gateway: Arc<Gateway>, calls: Receiver<Call>) -> Self {
        Self {
            gateway,
            calls,
            due: Duration::ZERO,
            wanted_at: Duration::ZERO,
            told: HashMap::new(),
        }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        let gateway = self.gateway.clone();
        let Some(fleet) = &gateway.fleet else { return };
        loop {
            let urgent = tokio::select! {
                () = stop.cancelled() => return,
                Some(call) = self.calls.recv() => {
                    self.answer(fleet, call).await;
                    continue;
                }
                () = gateway.share_ahead.notified() => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            self.turn(fleet, urgent).await;
        }
    }

    async fn turn(&mut self, fleet: &Fleet, urgent: bool) {
        self.tell_limits();
        let now = self.gateway.clock.uptime();
        let due = urgent || now >= self.due || fleet.is_failing();
        if !due && now < self.wanted_at {
            return;
        }
        let done = sharing::exchange(&self.gateway, fleet, |books, at| {
            if due {
                books.shares_due(at)
            } else {
                books.shares_wanted(at)
            }
        })
        .await;
        match done {
            Ok(answers) if due => {
                self.due = now + apart(fleet.daemons(), now);
                tracing::debug!(accounts = answers.len(), "exchanged with the fleet's store");
            }
            Ok(answers) if !answers.is_empty() => {
                self.wanted_at = now + APART;
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "no exchange with the fleet's store"),
        }
    }

    /// Somebody was refused for want of what this daemon holds, or there is again what it was refused.
    async fn answer(&self, fleet: &Fleet, call: Call) {
        let (Call::Recalled(number) | Call::Freed(number)) = call;
        let Some((pool, key)) = fleet.account(number).await else {
            return;
        };
        let done = sharing::exchange(&self.gateway, fleet, |books, now| match call {
            Call::Recalled(_) => books.shares_recalled(&pool, &key),
            Call::Freed(_) => books.shares_freed(&pool, &key, now),
        })
        .await;
        if let Call::Freed(_) = call {
            self.gateway.share_freed.notify_waiters();
        }
        if let Err(error) = done {
            tracing::debug!(%error, "a call of the fleet's store could not be answered");
        }
    }

    /// Once for each limit that stands against the policy's.
    fn tell_limits(&mut self) {
        let differing = self.gateway.live.books.lock().differing_limits();
        self.told
            .retain(|budget, _| differing.iter().any(|(name, ..)| name == budget));
        for (budget, own, fleet) in differing {
            let said = format!("{own} {fleet}");
            if self.told.get(&budget) != Some(&said) {
                tracing::warn!(
                    budget = &*budget,
                    "this daemon's policy limits the budget to {own}; by a newer edit the fleet's limit is {fleet}, which counts"
                );
                self.told.insert(budget, said);
            }
        }
    }
}

/// Gives everything back. Called when nothing is under way any more.
pub async fn leave(gateway: &Gateway) {
    let Some(fleet) = &gateway.fleet else { return };
    let _turn = gateway.sharing.lock().await;
    let requests = gateway.live.books.lock().shares_returned();
    match tokio::time::timeout(LEAVE_WITHIN, fleet.leave(&requests)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "what is left of the fleet's money stays held until the next start"),
        Err(_) => tracing::warn!("the fleet's database is slow: what is left stays held until the next start"),
    }
}

/// Give or take a tenth, told apart by the moment itself.
fn apart(daemons: u32, now: Duration) -> Duration {
    let regularly = (FOR_EACH * daemons).clamp(OFTEN, REGULARLY);
    let spread = regularly / 5;
    regularly - spread / 2 + spread * (now.subsec_nanos() % 1_000) / 1_000
}
