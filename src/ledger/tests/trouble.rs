//! A disk that is full, a file that is gone, a stop that was not in order.

use super::*;

#[tokio::test]
async fn a_full_disk_refuses_leases_keeps_records_and_recovers_by_itself() {
    let (_directory, path) = place();
    let budgets = [budget("month", 1_000_000, None, Period::Month)];
    let mut daemon = Daemon::start(&path, &budgets, noon()).await;
    let ids: Vec<ReservationId> = {
        let mut ids = Vec::new();
        for _ in 0..400 {
            ids.push(daemon.reserve(10, "a").await.unwrap());
        }
        ids
    };
    daemon.ledger.command(Command::With(Box::new(|connection: &Connection| {
        connection.pragma_update(None, "max_page_count", 1).unwrap();
    })));
    for id in ids {
        daemon.end(id, daemon.now, "a", 10, End::Post(usd(10)));
    }
    assert!(matches!(daemon.ledger.flush().await, Err(LedgerError::Degraded(_))));
    assert_eq!(daemon.ledger.state().state, "degraded");
    let facts = facts("a");
    let charges = daemon.books.charges(facts.model(), &facts.caller, daemon.now);
    let Err(Refusal::Lease(requests)) = daemon.books.reserve(usd(900_000), &charges, facts, daemon.now) else {
        panic!("a lease is needed");
    };
    assert!(matches!(
        daemon.ledger.grant(requests).await,
        Err(LedgerError::Degraded(_))
    ));
    daemon.ledger.command(Command::With(Box::new(|connection: &Connection| {
        connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    })));
    while daemon.ledger.flush().await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(daemon.ledger.state().state, "ok");
    daemon.ledger.close().await.unwrap();
    let again = Daemon::start(&path, &budgets, noon()).await;
    assert_eq!(again.total("month", ""), (usd(4_000), usd(0)));
}

#[tokio::test]
async fn a_ledger_that_was_refused_recovers_though_nothing_waits_to_be_written() {
    let (_directory, path) = place();
    let budgets = [budget("month", 1_000_000, None, Period::Month)];
    let mut daemon = Daemon::start(&path, &budgets, noon()).await;
    daemon.ledger.flush().await.unwrap();
    let moved = path.with_extension("away");
    std::fs::rename(&path, &moved).unwrap();
    let facts = facts("a");
    let charges = daemon.books.charges(facts.model(), &facts.caller, daemon.now);
    let Err(Refusal::Lease(requests)) = daemon.books.reserve(usd(1), &charges, facts, daemon.now) else {
        panic!("a lease is needed");
    };
    let answer = daemon.ledger.grant(requests).await;
    assert!(
        matches!(answer, Err(LedgerError::Degraded(_))),
        "nobody will find a lease in a file that is gone: {answer:?}"
    );
    assert!(!daemon.ledger.is_in_order());
    std::fs::rename(&moved, &path).unwrap();
    while !daemon.ledger.is_in_order() {
        tokio::task::yield_now().await;
    }
    daemon.spend(10, "a", End::Post(usd(10))).await;
}

#[tokio::test]
async fn what_a_full_ledger_cannot_take_never_stops_who_is_not_on_a_requests_way() {
    let (_directory, path) = place();
    let (ledger, _) = Ledger::open(&path, noon()).unwrap();
    ledger.command(Command::With(Box::new(|connection: &Connection| {
        connection.pragma_update(None, "max_page_count", 1).unwrap();
    })));
    let mut taken = 0;
    while let Some(permit) = ledger.try_permit() {
        permit.send(Record::Attempt(Box::new(attempt(
            "d",
            noon(),
            "a",
            EndKind::Posted,
            usd(1),
        ))));
        taken += 1;
        if taken > 20_000 {
            panic!("the queue is not bounded");
        }
    }
    ledger.event(event("e1", None)).await.unwrap();
    assert!(matches!(ledger.due(noon(), 10).await, Err(LedgerError::Degraded(_))));
    ledger.command(Command::With(Box::new(|connection: &Connection| {
        connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    })));
    while !ledger.is_in_order() {
        tokio::task::yield_now().await;
    }
    assert_eq!(ledger.due(noon(), 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_stop_with_open_reservations_holds_what_may_be_billed_yet() {
    let (_directory, path) = place();
    let budgets = [budget("month", 1_000, None, Period::Month)];
    let mut daemon = Daemon::start(&path, &budgets, noon()).await;
    let _open = daemon.reserve(100, "a").await.unwrap();
    daemon.ledger.close_unsettled().await.unwrap();
    let again = Daemon::start(&path, &budgets, noon()).await;
    assert!(again.total("month", "").1 >= usd(100), "{:?}", again.total("month", ""));
}
