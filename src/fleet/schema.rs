//! The schema `planb` in the fleet's database: made by whoever comes first, brought up to date by numbered steps.

use super::error::FleetError;
use tokio_postgres::Client;

pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema/001_fleet.sql"),
    include_str!("schema/002_fits.sql"),
    include_str!("schema/003_told.sql"),
];

/// Anything that nobody else locks; of those who start together one makes the tables.
const LOCK: i64 = 0x706c_616e_6266_6c74;

/// One look where all is in order.
pub(super) async fn prepare(client: &mut Client, place: &str) -> Result<(), FleetError> {
    if version(client, place).await? == Some(MIGRATIONS.len() as i32) {
        return Ok(());
    }
    let failed = |error: tokio_postgres::Error| FleetError::of(place, &error);
    let transaction = client.transaction().await.map_err(failed)?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
        .await
        .map_err(failed)?;
    transaction
        .batch_execute(
            "CREATE SCHEMA IF NOT EXISTS planb;
             CREATE TABLE IF NOT EXISTS planb.schema_version (version integer PRIMARY KEY, since timestamptz NOT NULL DEFAULT now())",
        )
        .await
        .map_err(failed)?;
    let done: i32 = transaction
        .query_one("SELECT coalesce(max(version), 0) FROM planb.schema_version", &[])
        .await
        .map_err(failed)?
        .get(0);
    for (number, sql) in (1_i32..).zip(MIGRATIONS).skip(usize::try_from(done).unwrap_or(0)) {
        transaction.batch_execute(sql).await.map_err(failed)?;
        transaction
            .execute("INSERT INTO planb.schema_version (version) VALUES ($1)", &[&number])
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// `None` where there is no schema yet.
async fn version(client: &Client, place: &str) -> Result<Option<i32>, FleetError> {
    let failed = |error: tokio_postgres::Error| FleetError::of(place, &error);
    let there: bool = client
        .query_one("SELECT to_regclass('planb.schema_version') IS NOT NULL", &[])
        .await
        .map_err(failed)?
        .get(0);
    if !there {
        return Ok(None);
    }
    let found: i32 = client
        .query_one("SELECT coalesce(max(version), 0) FROM planb.schema_version", &[])
        .await
        .map_err(failed)?
        .get(0);
    let known = MIGRATIONS.len() as i32;
    if found > known {
        let place = place.to_owned();
        return Err(FleetError::Newer { place, found, known });
    }
    Ok(Some(found))
}
