//! While a budget's spend is being found: what plans see of it, and which held money may be touched.

use super::*;

fn spend(books: &mut Books, amount: i64) {
    let id = reserve(books, amount, "a").unwrap();
    books.end(id, End::Post(usd(amount)));
}

#[test]
fn plans_see_the_values_of_a_second_ago_while_the_spend_is_unknown() {
    let mut books = ready(&[budget("month", 100)]);
    spend(&mut books, 70);
    books.roll(at("2026-11-23T23:59:58Z"));
    books.roll(at("2026-11-23T23:59:59Z"));
    // The store is slow: nobody has told what the new day has spent.
    books.roll(at("2026-11-24T00:00:00Z"));
    let outlook = books.outlook("month").unwrap();
    assert!(outlook.stale);
    assert_eq!(
        (outlook.used, outlook.remaining),
        (0.7, usd(30)),
        "not those of the start"
    );
    let again = books.roll(at("2026-11-24T00:00:01Z"));
    assert!(
        again.is_empty() && books.outlook("month").unwrap().used > 0.6,
        "for as long as it takes"
    );
}

fn held(books: &Books, budget: &str) -> HeldAttempt {
    let pools = books.pools.values().filter(|pool| pool.id.budget.as_ref() == budget);
    let account = |pool: &pool::Pool| HeldIn {
        budget: pool.id.budget.clone(),
        shape: pool.id.shape.clone(),
        span: pool.id.span,
        key: "".into(),
    };
    HeldAttempt {
        id: 1,
        at: at(NOON),
        amount: usd(40),
        estimate: usd(10),
        currency: Currency::USD,
        accounts: pools.map(account).collect(),
    }
}

#[test]
fn held_money_is_left_alone_while_and_after_a_rebuild_may_have_found_more_accounts_of_it() {
    let released = Budget {
        held: Held::After(std::time::Duration::from_secs(60)),
        ..budget("month", 100)
    };
    let mut books = ready(std::slice::from_ref(&released));
    let id = reserve(&mut books, 40, "").unwrap();
    books.end(id, End::Hold);
    let attempt = held(&books, "month");
    let read = books.holds_mark().unwrap();
    assert_eq!(books.due(&attempt, Held::Keep), Some(at("2026-11-23T12:01:00Z")));
    let second = Budget {
        held: released.held,
        ..budget("second", 100)
    };
    let requests = books.install(&[released.clone(), second], &TimeZone::UTC, Currency::USD, at(NOON));
    assert_eq!(books.holds_mark(), None, "the second budget may hold it too");
    let found = Spent {
        held: usd(40),
        ..Spent::default()
    };
    books.rebuilt(Rebuilt {
        pool: requests[0].pool.clone(),
        accounts: vec![RebuiltAccount {
            key: "".into(),
            spent: found,
            buckets: Vec::new(),
            exhausted: None,
        }],
        unaccounted: Money::ZERO,
        granted: Money::ZERO,
        known: true,
    });
    assert!(
        books.holds_mark().is_some_and(|now| now != read),
        "the list is an old one"
    );
    let kept = Budget {
        held: Held::Keep,
        ..released
    };
    books.install(&[kept], &TimeZone::UTC, Currency::USD, at(NOON));
    assert_eq!(books.due(&attempt, Held::Keep), None, "and an edit says anew how long");
}

#[test]
fn the_mark_stays_where_no_held_money_is_found() {
    let mut books = ready(&[budget("month", 100)]);
    let read = books.holds_mark();
    let tomorrow = books.roll(at("2026-11-24T00:00:01Z"));
    assert_eq!(books.holds_mark(), None);
    answer(&mut books, tomorrow);
    assert_eq!(books.holds_mark(), read, "a new day alone has nothing read again");
}

#[test]
fn what_is_held_is_told_with_the_account_that_holds_most() {
    let mut books = ready(&[teams(100)]);
    for (team, worst, end) in [
        ("a", 10, End::Hold),
        ("b", 30, End::Hold),
        ("c", 90, End::Post(usd(90))),
    ] {
        let id = reserve(&mut books, worst, team).unwrap();
        books.end(id, end);
    }
    let holding = books.holdings().remove(0);
    assert_eq!((holding.share, holding.keys), (0.3, 3));
    let most = holding.most.unwrap();
    assert_eq!(
        (most.key.as_ref(), most.held, most.crossing),
        ("b", usd(30), Crossing::Held)
    );
}

#[test]
fn a_stranger_to_a_full_budget_is_told_of_the_account_that_it_shares() {
    let mut books = ready(&[teams(10)]);
    for key in 0..10_000 {
        let id = reserve(&mut books, 1, &format!("team{key}")).unwrap();
        books.end(id, End::Post(usd(1)));
    }
    let refused = reserve(&mut books, 11, "stranger").unwrap_err();
    assert!(matches!(refused, Refusal::OverLimit { key, .. } if key.as_ref() == OTHER_KEY));
}

#[test]
fn a_reservation_names_the_accounts_whose_money_its_end_frees() {
    let mut books = ready(&[budget("month", 100), teams(100)]);
    let id = reserve(&mut books, 5, "a").unwrap();
    let named: Vec<(Arc<str>, Arc<str>)> = vec![("month".into(), "".into()), ("teams".into(), "a".into())];
    assert_eq!(books.accounts_of(&id), named);
    books.end(id, End::Void);
}
