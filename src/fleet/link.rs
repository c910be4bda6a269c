//! One connection to the fleet's database: opened, its schema looked after, its statements prepared, its notifications
//! passed on. A broken one is dropped and opened anew; nothing is kept in it that the database does not have.

use super::error::FleetError;
use super::exchange::Statements;
use super::schema;
use super::tls::Tls;
use super::url::Target;
use std::future::poll_fn;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Connection};

/// No statement of ours takes long; one that does waits for something that will not come.
const SESSION: &str = "SET statement_timeout = '5s'; SET lock_timeout = '4s';
    SET idle_in_transaction_session_timeout = '10s'; SET default_transaction_isolation = 'read committed'";

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
    /// `recalls` gets the accounts whose money others need.
    pub(super) async fn open(
        target: &Target,
        tls: &Tls,
        holder: &str,
        recalls: Sender<i64>,
    ) -> Result<Self, FleetError> {
        let failed = |error: tokio_postgres::Error| FleetError::of(&target.place, &error);
        let (mut client, connection) = target.config.connect(tls.clone()).await.map_err(failed)?;
        let driver = tokio::spawn(drive(connection, recalls));
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

/// What recalls of this holder's money are told on. Holders are hexadecimal.
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

async fn drive<S, T>(mut connection: Connection<S, T>, recalls: Sender<i64>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notification(told))) => {
                if let Ok(account) = told.payload().parse() {
                    // One that finds no place is told again by whoever still needs the money.
                    let _ = recalls.try_send(account);
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
