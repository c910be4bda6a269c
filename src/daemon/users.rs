//! Users under licences: the key that hides them, made at the first start, and how many there are this month.

use crate::gateway::Gateway;
use crate::lasting::made_once;
use crate::ledger::LedgerError;
use crate::session::Keyer;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Whoever loses it counts everybody anew.
pub const FILE_NAME: &str = "users.key";
const BYTES: usize = 32;
const EACH: Duration = Duration::from_secs(15);

/// Reads the state directory's key, or makes one that its owner alone can read.
pub fn keyer(state: &Path) -> io::Result<Keyer> {
    let path = state.join(FILE_NAME);
    let found = made_once(&path, || {
        let mut bytes = [0_u8; BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(bytes.to_vec())
    })?;
    let bytes: [u8; BYTES] = found.try_into().map_err(|_| {
        let message = format!(
            "{} does not hold {BYTES} bytes; restore it, or remove it to count users anew",
            path.display()
        );
        io::Error::new(io::ErrorKind::InvalidData, message)
    })?;
    Ok(Keyer::new(bytes))
}

/// Once: who is counted already, so that the first request after a start is judged as the last before it.
pub async fn refresh(gateway: &Gateway) {
    let now = gateway.clock.now();
    let policy = gateway.live.policy();
    let bounded = policy.snapshot.licenses.iter().filter(|license| license.bounds_users());
    let bounded: Vec<Arc<str>> = bounded.map(|license| license.name.clone()).collect();
    let found = async {
        let known = gateway.ledger.users_of(bounded, now).await?;
        Ok::<_, LedgerError>((gateway.ledger.license_users(now).await?, known))
    };
    match found.await {
        Ok((counted, known)) => gateway.live.license_users.lock().found(now, counted, known),
        Err(error) => tracing::debug!(%error, "the users of licences could not be counted"),
    }
}

/// Keeps the counts that conditions read.
pub async fn follow(gateway: Arc<Gateway>, stop: CancellationToken) {
    loop {
        refresh(&gateway).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EACH) => {}
        }
    }
}
