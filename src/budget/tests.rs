use super::*;
use crate::money::{Currency, Money};
use crate::period::{Period, Start};
use crate::policy::condition::ModelFacts;
use crate::policy::snapshot::{Budget, Cycle, Each, Enforce, Held, Raise};
use crate::request::{Caller, Tags};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex};

mod barrier;
mod edits;
mod fleet;
mod interleave;
mod months;
mod unknown;

const NOON: &str = "2026-11-23T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn usd(nanos: i64) -> Money {
    Money::from_nanos(nanos)
}

fn budget(name: &str, limit: i64) -> Budget {
    Budget {
        name: name.into(),
        limit: usd(limit),
        raises: Vec::new(),
        cycle: Cycle::Calendar(Period::Day, Start::default()),
        timezone: None,
        enforce: Enforce::Hard,
        covers: None,
        each: None,
        alert_at: vec![5_000, 8_000],
        carry_over: None,
        held: Held::Keep,
        shadows: false,
        shape: format!("{name}/all/day").into(),
    }
}

fn teams(limit: i64) -> Budget {
    Budget {
        each: Some(Each::Tag("team".into())),
        shape: "teams/tag.team/day".into(),
        ..budget("teams", limit)
    }
}

fn facts(team: &str) -> Facts {
    let tags = if team.is_empty() {
        Tags::default()
    } else {
        Tags::new([("team", team)])
    };
    Facts {
        model: Arc::new(ModelFacts::recorded("m", "p", "licensed")),
        currency: Currency::USD,
        caller: Arc::new(Caller {
            tags,
            ..Caller::default()
        }),
    }
}

/// Books whose store never spent anything and leases what the limit allows.
fn ready(budgets: &[Budget]) -> Books {
    let mut books = Books::new();
    let requests = books.install(budgets, &TimeZone::UTC, Currency::USD, at(NOON));
    answer(&mut books, requests);
    books
}

fn answer(books: &mut Books, requests: Vec<RebuildRequest>) {
    for request in requests {
        books.rebuilt(Rebuilt {
            pool: request.pool,
            accounts: Vec::new(),
            unaccounted: Money::ZERO,
            granted: Money::ZERO,
            known: true,
        });
    }
}

fn lease(books: &mut Books, requests: &[GrantRequest]) {
    for request in requests {
        let total = request.bound().map_or(request.upto, |bound| bound.min(request.upto));
        books.grant(&Grant {
            pool: request.pool.clone(),
            total,
            enough: total >= request.least,
        });
    }
}

fn try_reserve(books: &mut Books, worst: i64, team: &str) -> Result<ReservationId, Refusal> {
    let facts = facts(team);
    let charges = books.charges(facts.model(), &facts.caller, books.now);
    books.reserve(usd(worst), &charges, facts, books.now)
}

fn reserve(books: &mut Books, worst: i64, team: &str) -> Result<ReservationId, Refusal> {
    for _ in 0..8 {
        match try_reserve(books, worst, team) {
            Err(Refusal::Lease(requests)) => lease(books, &requests),
            answer => return answer,
        }
    }
    panic!("the lease is never enough");
}

fn view(books: &Books, budget: &str, key: &str) -> AccountView {
    let found = |view: &AccountView| view.budget.as_ref() == budget && view.key.as_ref() == key;
    books.views().into_iter().find(found).unwrap()
}

#[test]
fn a_request_takes_its_worst_case_from_every_budget_or_from_none() {
    let mut books = ready(&[budget("month", 100), teams(30)]);
    let id = reserve(&mut books, 20, "a").unwrap();
    assert_eq!(
        (view(&books, "month", "").reserved, view(&books, "teams", "a").reserved),
        (usd(20), usd(20))
    );
    let refused = reserve(&mut books, 11, "a").unwrap_err();
    let expected = Refusal::OverLimit {
        budget: "teams".into(),
        key: "a".into(),
        needed: usd(11),
        remaining: usd(10),
    };
    assert_eq!(refused, expected);
    assert_eq!(
        view(&books, "month", "").reserved,
        usd(20),
        "nothing of the refused one"
    );
    let postings = books.end(id, End::Post(usd(7)));
    assert_eq!(postings.len(), 2);
    assert_eq!(
        (view(&books, "month", "").posted, view(&books, "month", "").reserved),
        (usd(7), usd(0))
    );
    assert!(reserve(&mut books, 23, "a").is_ok(), "exactly what is left fits");
    books.prove().unwrap();
}

#[test]
fn what_costs_nothing_is_never_refused() {
    let mut books = Books::new();
    books.install(&[budget("month", 0)], &TimeZone::UTC, Currency::USD, at(NOON));
    let id = try_reserve(&mut books, 0, "").unwrap();
    assert!(books.end(id, End::Post(Money::ZERO)).is_empty());
    assert_eq!(
        try_reserve(&mut books, 1, ""),
        Err(Refusal::Rebuilding { budget: "month".into() })
    );
}

#[test]
fn a_held_reservation_counts_in_full_and_a_voided_one_not_at_all() {
    let mut books = ready(&[budget("month", 100)]);
    let (held, voided) = (
        reserve(&mut books, 40, "").unwrap(),
        reserve(&mut books, 60, "").unwrap(),
    );
    books.end(held, End::Hold);
    assert!(books.end(voided, End::Void).is_empty());
    let view = view(&books, "month", "");
    assert_eq!(
        (view.held, view.posted, view.reserved, view.remaining),
        (usd(40), usd(0), usd(0), usd(60))
    );
    assert!((view.used - 0.4).abs() < 1e-9);
}

#[test]
fn a_bill_above_the_bound_posts_in_full_and_shows() {
    let mut books = ready(&[budget("month", 100)]);
    let id = reserve(&mut books, 10, "").unwrap();
    let postings = books.end(id, End::Post(usd(25)));
    assert_eq!((postings[0].posted, postings[0].overdraft), (usd(25), usd(15)));
    assert!(
        reserve(&mut books, 75, "").is_ok(),
        "the overdraft is spent once, not twice"
    );
    books.prove().unwrap();
}

#[test]
fn a_soft_budget_counts_and_never_refuses() {
    let mut books = ready(&[Budget {
        enforce: Enforce::Soft,
        ..budget("month", 10)
    }]);
    let id = reserve(&mut books, 50, "").unwrap();
    books.end(id, End::Post(usd(50)));
    assert!(reserve(&mut books, 50, "").is_ok());
    assert!(books.used("month") > 4.9);
}

#[test]
fn keys_have_a_limit_each_and_strangers_share_one() {
    let mut books = ready(&[teams(10)]);
    let _a = reserve(&mut books, 10, "a").unwrap();
    let _b = reserve(&mut books, 10, "b").unwrap();
    let _none = reserve(&mut books, 10, "").unwrap();
    assert_eq!(view(&books, "teams", NONE_KEY).reserved, usd(10));
    let refused = reserve(&mut books, 1, "").unwrap_err();
    assert!(matches!(refused, Refusal::OverLimit { key, .. } if key.as_ref() == NONE_KEY));
    assert!(reserve(&mut books, 10, UNACCOUNTED_KEY).is_ok());
    assert_eq!(
        view(&books, "teams", OTHER_KEY).reserved,
        usd(10),
        "no caller poses as the store"
    );
}

#[test]
fn ten_thousand_keys_are_kept_apart_and_the_rest_shares_other() {
    let mut books = ready(&[teams(1_000_000)]);
    for key in 0..10_003 {
        let id = reserve(&mut books, 1, &format!("team{key}")).unwrap();
        books.end(id, End::Post(usd(1)));
    }
    assert_eq!(books.views().len(), 10_001);
    assert_eq!(view(&books, "teams", OTHER_KEY).posted, usd(3));
    let full = books
        .take_notices()
        .into_iter()
        .filter(|notice| notice.crossing == Crossing::KeysFull);
    assert_eq!(full.count(), 1);
    books.prove().unwrap();
}

#[test]
fn a_reservation_posts_to_the_period_in_which_it_was_made() {
    let mut books = ready(&[budget("day", 100)]);
    let id = reserve(&mut books, 60, "").unwrap();
    let tomorrow = at("2026-11-24T00:00:01Z");
    let requests = books.roll(tomorrow);
    answer(&mut books, requests);
    assert!(books.returns().is_empty(), "yesterday is still needed");
    let postings = books.end(id, End::Post(usd(60)));
    assert_eq!(postings[0].span.start, at("2026-11-23T00:00:00Z"));
    assert_eq!(view(&books, "day", "").posted, Money::ZERO);
    let back = books.roll(at(NOON));
    assert!(back.is_empty(), "a clock that steps back finds the old period");
    assert_eq!(view(&books, "day", "").posted, usd(60));
    books.roll(at("2026-11-24T02:00:00Z"));
    assert_eq!(books.returns().len(), 1, "yesterday's lease goes back");
}

#[test]
fn the_next_period_is_ready_a_minute_before_it_begins() {
    let mut books = ready(&[budget("day", 100)]);
    assert!(books.roll(at("2026-11-23T23:58:59Z")).is_empty());
    let requests = books.roll(at("2026-11-23T23:59:30Z"));
    assert_eq!(requests[0].pool.span.start, at("2026-11-24T00:00:00Z"));
    assert!(books.roll(at("2026-11-23T23:59:31Z")).is_empty(), "asked once");
    books.rebuild_failed(&requests[0].pool);
    assert_eq!(
        books.roll(at("2026-11-23T23:59:32Z")).len(),
        1,
        "and again when that failed"
    );
}

#[test]
fn thresholds_are_told_once_and_exhaustion_lasts_until_the_limit_is_raised() {
    let mut books = ready(&[budget("month", 100)]);
    let charges = books.charges(facts("").model(), &facts("").caller, books.now);
    for _ in 0..3 {
        books.observe(&charges, usd(30));
    }
    for posted in [45, 10, 20] {
        let id = reserve(&mut books, posted, "").unwrap();
        books.end(id, End::Post(usd(posted)));
    }
    let crossed: Vec<Crossing> = books.take_notices().into_iter().map(|notice| notice.crossing).collect();
    assert_eq!(
        crossed,
        [Crossing::Threshold { basis_points: 5_000 }, Crossing::Exhausted]
    );
    assert!(books.exhausted("month"));
    for _ in 0..100 {
        books.observe(&charges, usd(1));
    }
    assert!(books.exhausted("month"), "cheaper requests do not undo it");
    books.install(&[budget("month", 200)], &TimeZone::UTC, Currency::USD, at(NOON));
    assert!(!books.exhausted("month"));
    let tomorrow = books.roll(at("2026-11-24T00:00:01Z"));
    answer(&mut books, tomorrow);
    assert!(books.take_notices().is_empty());
}

#[test]
fn headroom_is_that_of_the_tightest_hard_budget() {
    let mut books = ready(&[
        budget("month", 100),
        teams(30),
        Budget {
            enforce: Enforce::Soft,
            ..budget("soft", 1)
        },
    ]);
    let _open = reserve(&mut books, 20, "a").unwrap();
    let charges = books.charges(facts("a").model(), &facts("a").caller, books.now);
    let room = books.headroom(&charges);
    assert_eq!(
        (room.remaining, room.budget.as_ref(), room.key.as_ref()),
        (Some(usd(10)), "teams", "a")
    );
    assert!((room.share - 1.0 / 3.0).abs() < 1e-9);
    let free = Books::new();
    assert_eq!(free.headroom(&Charges::default()).remaining, None);
}

#[test]
fn leases_grow_while_they_are_short_and_are_asked_for_early() {
    let mut books = ready(&[budget("month", 1_000_000)]);
    let mut trips = 0;
    for _ in 0..1_000 {
        let id = loop {
            match try_reserve(&mut books, 100, "") {
                Ok(id) => break id,
                Err(Refusal::Lease(requests)) => {
                    trips += 1;
                    lease(&mut books, &requests);
                }
                Err(refused) => panic!("{refused:?}"),
            }
        };
        books.end(id, End::Post(usd(100)));
    }
    assert!(trips < 20, "{trips} trips for a thousand requests");
    let wanted = books.wanted();
    assert!(wanted.iter().all(|request| request.upto <= usd(1_000_000)));
}

#[test]
fn waiting_requests_are_leased_what_they_need_together() {
    let mut books = ready(&[budget("month", 10_000)]);
    let asked: Vec<Vec<GrantRequest>> = (0..500)
        .map(|_| match try_reserve(&mut books, 100, "") {
            Err(Refusal::Lease(requests)) => requests,
            answer => panic!("{answer:?}"),
        })
        .collect();
    asked.iter().for_each(|requests| lease(&mut books, requests));
    let admitted = (0..500).filter(|_| reserve(&mut books, 100, "").is_ok()).count();
    assert_eq!(admitted, 100);
}

#[test]
fn many_threads_never_pass_a_limit_and_nothing_that_fits_is_refused() {
    let books = Arc::new(Mutex::new(ready(&[budget("month", 10_000), teams(3_000)])));
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let books = books.clone();
            std::thread::spawn(move || {
                for turn in 0..2_000_i64 {
                    let team = ["a", "b", "c"][(turn % 3) as usize];
                    let reserved = reserve(&mut books.lock().unwrap(), 1 + turn % 7, team);
                    let Ok(id) = reserved else { continue };
                    let end = match (turn + thread) % 4 {
                        0 => End::Void,
                        1 => End::Hold,
                        _ => End::Post(usd(1)),
                    };
                    books.lock().unwrap().end(id, end);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let books = books.lock().unwrap();
    books.prove().unwrap();
    assert_eq!(books.open_reservations(), 0);
    for view in books.views() {
        assert!(view.posted.plus(view.held) <= view.limit, "{view:?}");
        assert_eq!(view.reserved, Money::ZERO);
    }
}
