//! Asking the fleet's store for money: what the books want, one exchange, what the store said.
//!
//! Promises that reports reach the store in the order in which the books made them, and that a request is refused only
//! when the store said that nobody who is there could give the money back.

use super::Gateway;
use super::no_money::NoMoney;
use crate::budget::{Books, PoolId, ShareAnswer, ShareRequest};
use crate::fleet::{Fleet, FleetError};
use crate::money::Money;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How long somebody who waits for others' money does so without a word from the store, which says when enough has come
/// back. Who is asked for money and says nothing for two seconds is not counted on by it.
const RECALL: Duration = Duration::from_secs(1);
/// Far more rounds than any request that fits can need.
const ROUNDS: u32 = 100;

/// What the store made of a request's wish.
enum Verdict {
    Given,
    /// Others hold it idle and are asked to give it back.
    Recalled,
    /// The fleet's spend on the budget is being counted.
    Counting,
    Refused {
        budget: Arc<str>,
        left: Money,
    },
}

/// One exchange of what `build` has the books want. The books know the answer when this returns.
pub async fn exchange(
    gateway: &Gateway,
    fleet: &Fleet,
    build: impl FnOnce(&mut Books, Timestamp) -> Vec<ShareRequest>,
) -> Result<Vec<ShareAnswer>, FleetError> {
    let _turn = gateway.sharing.lock().await;
    let requests = build(&mut gateway.live.books.lock(), gateway.clock.now());
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let answers = fleet.exchange(&requests).await?;
    gateway.live.books.lock().shared(&answers, gateway.clock.now());
    Ok(answers)
}

/// For one request that waits. Returns when the books should be asked again.
pub(super) async fn ask(
    gateway: &Arc<Gateway>,
    wanted: Vec<ShareRequest>,
    round: u32,
    until: Instant,
) -> Result<(), NoMoney> {
    let asking = gateway.clone();
    // From before the question, so that no word between it and the wait is missed.
    let freed = gateway.share_freed.notified();
    let mut freed = std::pin::pin!(freed);
    freed.as_mut().enable();
    // Goes on when the client leaves: what the store gave must reach the books.
    let asked = gateway.tasks.spawn(async move { ask_store(&asking, wanted).await });
    let verdict = match timeout_at(until, asked).await {
        Ok(Ok(Ok(verdict))) => verdict,
        Ok(Ok(Err(FleetError::Superseded))) => return Err(closed("another daemon has taken this one's place")),
        Ok(_) | Err(_) => return Err(closed("the fleet's database does not answer")),
    };
    let late = Instant::now() + RECALL >= until || round >= ROUNDS;
    match verdict {
        Verdict::Given if round < ROUNDS => {}
        Verdict::Refused { budget, left } => {
            return Err(NoMoney::Refused(format!(
                "budget `{budget}` has {left} left that no daemon of the fleet holds, and more is needed"
            )));
        }
        Verdict::Counting if late => return Err(closed("what the fleet has spent on it is being counted")),
        Verdict::Given | Verdict::Recalled if late => {
            return Err(closed(
                "other daemons of the fleet hold it and have not given it back in time",
            ));
        }
        Verdict::Given | Verdict::Recalled | Verdict::Counting => {
            let _ = timeout(RECALL, freed).await;
        }
    }
    Ok(())
}

fn closed(why: &str) -> NoMoney {
    NoMoney::Closed(format!("no share of the budget can be had: {why}"))
}

async fn ask_store(gateway: &Gateway, wanted: Vec<ShareRequest>) -> Result<Verdict, FleetError> {
    let Some(fleet) = &gateway.fleet else {
        return Ok(Verdict::Given);
    };
    let asks = |pool: &PoolId, key: &str| wanted.iter().any(|own| *own.pool == *pool && *own.key == *key);
    let answers = exchange(gateway, fleet, |books, now| {
        // Somebody else may have asked for the same while this one waited for its turn.
        let mut requests = books.shares_again(&wanted);
        if !requests.is_empty() {
            let more = books.shares_wanted(now);
            requests.extend(more.into_iter().filter(|request| !asks(&request.pool, &request.key)));
        }
        requests
    })
    .await?;
    let is_short = |answer: &&ShareAnswer| answer.lacks > Money::ZERO && asks(&answer.pool, &answer.key);
    let short: Vec<&ShareAnswer> = answers.iter().filter(is_short).collect();
    if short.is_empty() {
        return Ok(Verdict::Given);
    }
    if short.iter().any(|answer| answer.counting) {
        return Ok(Verdict::Counting);
    }
    let out_of_reach = |answer: &&&ShareAnswer| answer.lacks > answer.left.plus(answer.idle);
    let Some(refused) = short.iter().find(out_of_reach) else {
        return Ok(Verdict::Recalled);
    };
    let now = gateway.clock.now();
    let asked = wanted
        .iter()
        .find(|own| own.pool == refused.pool && own.key == refused.key);
    if let Some(asked) = asked {
        gateway.live.books.lock().refuse_share(asked, fleet.daemons(), now);
    }
    Ok(Verdict::Refused {
        budget: refused.pool.budget.clone(),
        left: refused.left,
    })
}
