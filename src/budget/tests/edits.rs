//! What becomes of accounts when an edit, a raise or the store changes what a budget is.

use super::*;

#[test]
fn a_new_budget_takes_over_open_reservations_and_what_the_store_found() {
    let mut books = ready(&[budget("month", 100)]);
    let id = reserve(&mut books, 30, "a").unwrap();
    let requests = books.install(
        &[budget("month", 100), teams(50)],
        &TimeZone::UTC,
        Currency::USD,
        at(NOON),
    );
    assert_eq!(requests.len(), 1);
    assert_eq!(
        try_reserve(&mut books, 1, "a"),
        Err(Refusal::Rebuilding { budget: "teams".into() })
    );
    assert_eq!(view(&books, "teams", "a").reserved, usd(30));
    let postings = books.end(id, End::Post(usd(20)));
    assert_eq!(postings.len(), 2);
    let spent = Spent {
        posted: usd(5),
        ..Spent::default()
    };
    books.rebuilt(Rebuilt {
        pool: requests[0].pool.clone(),
        accounts: vec![RebuiltAccount {
            key: "a".into(),
            spent,
            buckets: Vec::new(),
            exhausted: None,
        }],
        unaccounted: usd(10),
        granted: Money::ZERO,
        known: true,
    });
    let refused = reserve(&mut books, 16, "a").unwrap_err();
    assert!(matches!(refused, Refusal::OverLimit { remaining, .. } if remaining == usd(15)));
    let refused = reserve(&mut books, 41, "b").unwrap_err();
    assert!(
        matches!(refused, Refusal::OverLimit { remaining, .. } if remaining == usd(40)),
        "counts for every key"
    );
    assert!(reserve(&mut books, 15, "a").is_ok());
    books.prove().unwrap();
}

#[test]
fn a_budget_that_was_away_is_counted_anew_and_open_money_is_counted_once() {
    let all = [budget("month", 100)];
    let mut books = ready(&all);
    let id = reserve(&mut books, 30, "").unwrap();
    books.install(&[], &TimeZone::UTC, Currency::USD, at(NOON));
    let requests = books.install(&all, &TimeZone::UTC, Currency::USD, at(NOON));
    assert_eq!(requests.len(), 1, "it may have missed spend");
    answer(&mut books, requests);
    assert_eq!(books.end(id, End::Post(usd(30))).len(), 1);
    assert_eq!(books.returns().len(), 1, "the abandoned lease goes back");
    books.prove().unwrap();
}

#[test]
fn a_limit_may_change_at_any_time_and_the_past_stays() {
    let mut books = ready(&[budget("month", 100)]);
    let id = reserve(&mut books, 80, "").unwrap();
    books.end(id, End::Post(usd(80)));
    assert!(
        books
            .install(&[budget("month", 50)], &TimeZone::UTC, Currency::USD, at(NOON))
            .is_empty()
    );
    assert!(matches!(reserve(&mut books, 1, ""), Err(Refusal::OverLimit { .. })));
    assert!((books.used("month") - 1.6).abs() < 1e-9);
    books.install(&[budget("month", 90)], &TimeZone::UTC, Currency::USD, at(NOON));
    assert!(reserve(&mut books, 10, "").is_ok());
}

#[test]
fn stale_charges_are_found_anew() {
    let mut books = ready(&[budget("month", 100)]);
    let facts = facts("");
    let old = books.charges(facts.model(), &facts.caller, books.now);
    let requests = books.install(
        &[budget("month", 100), budget("second", 5)],
        &TimeZone::UTC,
        Currency::USD,
        at(NOON),
    );
    answer(&mut books, requests);
    let refused = books.reserve(usd(6), &old, facts, at(NOON)).unwrap_err();
    assert!(matches!(refused, Refusal::OverLimit { budget, .. } if budget.as_ref() == "second"));
    let later = at(NOON) + SignedDuration::from_hours(24);
    assert!(
        matches!(try_reserve_at(&mut books, &old, later), Err(Refusal::Rebuilding { .. })),
        "a period that nobody rolled is made, and asked for by the next roll"
    );
    assert_eq!(books.roll(later).len(), 2);
}

#[test]
fn a_policy_of_another_currency_neither_counts_in_nor_draws_from_the_new_budgets() {
    let mut books = ready(&[budget("month", 100)]);
    let id = reserve(&mut books, 60, "").unwrap();
    let yuan = Currency::parse("CNY").unwrap();
    let requests = books.install(&[budget("month", 100)], &TimeZone::UTC, yuan, at(NOON));
    answer(&mut books, requests);
    assert_eq!(view(&books, "month", "").reserved, Money::ZERO);
    assert_eq!(try_reserve(&mut books, 1, ""), Err(Refusal::Currency));
    let postings = books.end(id, End::Post(usd(60)));
    assert_eq!(postings.len(), 1, "in the account that it was taken from");
    assert_eq!(view(&books, "month", "").posted, Money::ZERO);
    books.prove().unwrap();
}

fn try_reserve_at(books: &mut Books, charges: &Charges, now: Timestamp) -> Result<ReservationId, Refusal> {
    books.reserve(usd(1), charges, facts(""), now)
}

#[test]
fn a_raise_lifts_the_limit_until_its_end_and_forgets_no_spend() {
    let until = at("2026-11-23T18:00:00Z");
    let raised = Budget {
        raises: vec![Raise {
            by: usd(50),
            from: None,
            until,
        }],
        ..budget("month", 100)
    };
    let mut books = ready(&[raised]);
    assert_eq!(books.views()[0].limit, usd(150));
    let spent = reserve(&mut books, 120, "").unwrap();
    books.end(spent, End::Post(usd(120)));
    books.roll(until);
    assert_eq!((books.views()[0].limit, books.views()[0].remaining), (usd(100), usd(0)));
    assert!(
        books.exhausted("month"),
        "the raise is over and more than the limit is spent"
    );
    let by_hand = vec![Raise {
        by: usd(500),
        from: None,
        until: at("2026-11-24T00:00:00Z"),
    }];
    assert!(books.raise("month", by_hand.clone(), until));
    assert_eq!((books.views()[0].limit, books.exhausted("month")), (usd(600), false));
    assert_eq!(books.raises("month", until), by_hand);
    books.install(&[budget("month", 100)], &TimeZone::UTC, Currency::USD, until);
    assert_eq!(
        books.views()[0].limit,
        usd(600),
        "an edit of the policy keeps what people added"
    );
    assert!(!books.raise("no such budget", Vec::new(), until));
}

#[test]
fn a_budget_whose_sums_are_wrong_is_closed_and_opens_again_when_it_was_read_anew() {
    let mut books = ready(&[budget("month", 100), budget("other", 100)]);
    books.tolerant = true;
    let open = reserve(&mut books, 30, "").unwrap();
    for (_, pool) in books
        .pools
        .iter_mut()
        .filter(|(_, pool)| pool.id.budget.as_ref() == "month")
    {
        pool.accounts[0].reserved = usd(7);
    }
    books.check();
    let broken = books.take_violations();
    assert_eq!(broken[0].budget.as_deref(), Some("month"));
    assert!(broken[0].dump.contains("reserved"), "{}", broken[0].dump);
    assert_eq!(
        try_reserve(&mut books, 1, ""),
        Err(Refusal::Degraded { budget: "month".into() })
    );
    assert_eq!(books.degraded(), [Arc::from("month")]);
    let requests = books.roll(at(NOON));
    assert_eq!(books.degraded(), [Arc::from("month")], "until the store has told");
    answer(&mut books, requests);
    assert!(books.degraded().is_empty());
    assert_eq!(view(&books, "month", "").reserved, usd(30), "with what is under way");
    assert_eq!(books.end(open, End::Post(usd(10))).len(), 2);
    assert!(reserve(&mut books, 90, "").is_ok());
    books.prove().unwrap();
}
