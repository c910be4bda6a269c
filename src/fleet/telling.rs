//! Who of a fleet tells people of something: one, whoever comes first, and another where that one does not get to it.

use super::error::FleetError;
use super::line::Line;
use super::session::Stamp;

/// Whose it is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// This daemon's; it says when that is done.
    Mine,
    /// Somebody has told it.
    Done,
    /// Somebody else is about to. Who has not done it after a minute will not.
    Others,
}

const CLAIM: &str = "INSERT INTO planb.told AS t (fleet, what, holder) VALUES ($1, $2, $3)
    ON CONFLICT (fleet, what) DO UPDATE SET holder = excluded.holder, claimed_at = now()
    WHERE t.done_at IS NULL AND (t.holder = excluded.holder OR t.claimed_at < now() - interval '60 seconds')";

impl Line {
    pub(super) async fn claim(&mut self, what: &str, stamp: &mut Stamp) -> Result<Telling, FleetError> {
        self.link(stamp).await?;
        let Some(link) = &self.link else {
            return Err(FleetError::Slow);
        };
        let (fleet, holder) = (&self.session.fleet, &self.session.holder);
        let failed = |error: tokio_postgres::Error| self.failed(&error);
        let mine = link
            .client
            .execute(CLAIM, &[fleet, &what, holder])
            .await
            .map_err(failed)?;
        if mine == 1 {
            return Ok(Telling::Mine);
        }
        let asked = "SELECT done_at IS NOT NULL FROM planb.told WHERE fleet = $1 AND what = $2";
        let found = link.client.query_opt(asked, &[fleet, &what]).await.map_err(failed)?;
        let done = found.is_some_and(|row| row.get(0));
        Ok(if done { Telling::Done } else { Telling::Others })
    }

    pub(super) async fn tell_done(&mut self, what: &str, stamp: &mut Stamp) -> Result<(), FleetError> {
        self.link(stamp).await?;
        let Some(link) = &self.link else {
            return Err(FleetError::Slow);
        };
        let done = "UPDATE planb.told SET done_at = now() WHERE fleet = $1 AND what = $2 AND holder = $3";
        let told = link
            .client
            .execute(done, &[&self.session.fleet, &what, &self.session.holder])
            .await;
        told.map(|_| ()).map_err(|error| self.failed(&error))
    }
}
