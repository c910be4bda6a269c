//! Leases that somebody waits for go before the records in line; what the store cannot give at once waits for them.

use super::*;
use crate::budget::{GrantRequest, PoolId};
use crate::ledger::write::{Memory, Write};
use std::sync::mpsc;

/// A writer that is busy until the returned end is dropped, with what is sent meanwhile in line.
fn busy(ledger: &Ledger) -> mpsc::Sender<()> {
    let (free, wait) = mpsc::channel::<()>();
    ledger.command(Command::With(Box::new(move |_| {
        let _ = wait.recv();
    })));
    free
}

/// Rows of a table at this place of the line.
fn counts(ledger: &Ledger, table: &'static str) -> mpsc::Receiver<i64> {
    let (told, heard) = mpsc::channel();
    ledger.command(Command::With(Box::new(move |connection: &Connection| {
        let sql = format!("SELECT count(*) FROM {table}");
        told.send(connection.query_row(&sql, [], |row| row.get(0)).unwrap())
            .unwrap();
    })));
    heard
}

async fn asked(daemon: &mut Daemon, worst: i64) -> Vec<GrantRequest> {
    let facts = facts("a");
    let charges = daemon.books.charges(facts.model(), &facts.caller, daemon.now);
    match daemon.books.reserve(usd(worst), &charges, facts, daemon.now) {
        Err(Refusal::Lease(requests)) => requests,
        answer => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn a_lease_goes_before_every_record_in_line() {
    let (_directory, path) = place();
    let mut daemon = Daemon::start(&path, &[budget("month", 1_000, None, Period::Day)], noon()).await;
    let requests = asked(&mut daemon, 100).await;
    let free = busy(&daemon.ledger);
    for number in 0..2_500 {
        let permit = daemon.ledger.try_permit().unwrap();
        let one = attempt(&format!("d{number}"), noon(), "a", EndKind::Posted, usd(1));
        permit.send(Record::Attempt(Box::new(one)));
    }
    let (attempts, leases) = (counts(&daemon.ledger, "attempts"), counts(&daemon.ledger, "leases"));
    let ledger = daemon.ledger.clone();
    let granting = tokio::spawn(async move { ledger.grant(requests).await });
    while daemon
        .ledger
        .shared
        .leases_asked
        .load(std::sync::atomic::Ordering::Relaxed)
        == 0
    {
        tokio::task::yield_now().await;
    }
    drop(free);
    assert!(granting.await.unwrap().unwrap()[0].enough);
    let attempts = tokio::task::spawn_blocking(move || attempts.recv().unwrap())
        .await
        .unwrap();
    assert_eq!(
        (attempts, leases.recv().unwrap()),
        (2_500, 1),
        "and no record is lost or late for it"
    );
}

#[tokio::test]
async fn a_lease_that_the_store_cannot_give_yet_waits_for_what_stands_before_it() {
    let (_directory, path) = place();
    let mut daemon = Daemon::start(&path, &[budget("month", 100, None, Period::Day)], noon()).await;
    let requests = asked(&mut daemon, 100).await;
    assert!(daemon.ledger.grant(requests.clone()).await.unwrap()[0].enough);
    let free = busy(&daemon.ledger);
    daemon
        .ledger
        .send(Record::Return(requests[0].pool.clone()))
        .await
        .unwrap();
    let next = GrantRequest {
        pool: Arc::new(PoolId {
            life: 99,
            ..(*requests[0].pool).clone()
        }),
        ..requests[0].clone()
    };
    let ledger = daemon.ledger.clone();
    let granting = tokio::spawn(async move { ledger.grant(vec![next]).await });
    while daemon
        .ledger
        .shared
        .leases_asked
        .load(std::sync::atomic::Ordering::Relaxed)
        == 0
    {
        tokio::task::yield_now().await;
    }
    drop(free);
    let granted = granting.await.unwrap().unwrap();
    assert!(
        granted[0].enough,
        "the limit is free again once the first lease is back: {granted:?}"
    );
}

#[tokio::test]
async fn a_long_period_is_rebuilt_in_slices_and_leases_are_given_in_between() {
    let (_directory, path) = place();
    let mut daemon = Daemon::start(&path, &[budget("month", 1_000, None, Period::Day)], noon()).await;
    for _ in 0..10 {
        daemon.spend(10, "a", End::Post(usd(10))).await;
    }
    let second = [budget("second", 1_000, None, Period::Day)];
    let request = daemon
        .books
        .install(&second, &TimeZone::UTC, Currency::USD, noon())
        .remove(0);
    daemon.ledger.close_unsettled().await.unwrap();
    let (connection, mut memory) = (Connection::open(&path).unwrap(), Memory::default());
    let mut transactions = 0;
    let rebuilt = loop {
        transactions += 1;
        let mut write = Write::new(&connection, 1, &mut memory);
        if let Some(rebuilt) = write.rebuild(&request).unwrap() {
            break rebuilt;
        }
    };
    assert_eq!(transactions, 4, "three attempts each, and the last");
    assert_eq!(rebuilt.accounts[0].spent.posted, usd(100));
    assert_eq!(memory.rebuilt_upto, None, "the next one begins at the beginning");
}
