//! One connection to the fleet's database: opened, its schema looked after, its statements prepared, its notifications
//! passed on. A broken one is dropped and opened anew; nothing is kept in it that the database does not have.

use super::error::FleetError;
use super::schema;
use super::statements::Statements;
use super::tls::Tls;
use super::url::Target;
use std::future::poll_fn;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Connection};

/// No statement of ours takes long; one that does waits for something that will not come. A machine that is gone has its
/// connection closed by the server within half a minute.
const SESSION: &str = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
    SET statement_timeout = '5s'; SET lock_timeout = '4s';
    SET idle_in_transaction_session_timeout = '10s'; SET default_transaction_isolation = 'read committed'";

/// What the store says unasked, of the account with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Others need money of it.
    Recalled(i64),
    /// There is money again that this daemon waits for.
    Freed(i64),
}

impl Call {
    fn parse(payload: &str) -> Option<Self> {
        match payload.strip_prefix('+') {
            Some(account) => account.parse().ok().map(Self::Freed),
            None => payload.parse().ok().map(Self::Recalled),
        }
    }
}

pub struct Link {
    pub(super) client: Client,
    pub(super) statements: Statements,
    driver: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Link {
    /// `calls` gets what the store has to say unasked.
    pub(super) async fn open(
        target: &Target,
        tls: &Tls,
        holder: &str,
        calls: Sender<Call>,
    ) -> Result<Self, FleetError> {
        let failed = |error: tokio_postgres::Error| FleetError::of(&target.place, &error);
        let (mut client, connection) = target.config.connect(tls.clone()).await.map_err(failed)?;
        let driver = tokio::spawn(drive(connection, calls));
        // From here on the driver ends with the link, whatever fails.
        let guard = Aborted(Some(driver));
        client.batch_execute(SESSION).await.map_err(failed)?;
        schema::prepare(&mut client, &target.place).await?;
        let statements = Statements::prepare(&client).await.map_err(failed)?;
        client
            .batch_execute(&format!("LISTEN {}", channel(holder)))
            .await
            .map_err(failed)?;
        Ok(Self {
            client,
            statements,
            driver: guard.release().ok_or(FleetError::Slow)?,
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

/// What this holder is called on. Holders are hexadecimal.
pub(super) fn channel(holder: &str) -> String {
    format!("planb_{holder}")
}

struct Aborted(Option<JoinHandle<()>>);

impl Aborted {
    fn release(mut self) -> Option<JoinHandle<()>> {
        self.0.take()
    }
}

impl Drop for Aborted {
    fn drop(&mut self) {
        if let Some(driver) = &self.0 {
            driver.abort();
        }
    }
}

async fn drive<S, T>(mut connection: Connection<S, T>, calls: Sender<Call>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notification(told))) => {
                if let Some(call) = Call::parse(told.payload()) {
                    // One that finds no place is told again by whoever still needs the money.
                    let _ = calls.try_send(call);
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                tracing::debug!(%error, "the connection to the fleet's database broke");
                return;
            }
            None => return,
        }
    }
}
