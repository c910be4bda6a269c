//! Counting, queueing and reloading, by hand and by chance.

use super::*;
use crate::policy::snapshot::Rate;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

fn rate(count: u64, seconds: u64) -> Option<Rate> {
    Some(Rate {
        count,
        per: Duration::from_secs(seconds),
    })
}

fn at(milliseconds: u64) -> Uptime {
    Duration::from_millis(milliseconds)
}

fn scope() -> Scope {
    Scope::Provider("p".into())
}

fn book(limits: Limits) -> Book {
    let mut book = Book::default();
    book.install([(scope(), limits)], at(0));
    book
}

fn enter(book: &mut Book, tokens: u64, now: Uptime) -> bool {
    book.enter(&[scope()], tokens, None, now).is_ok()
}

fn nobody() -> Wake {
    Arc::new(|| {})
}

#[test]
fn a_rate_lets_its_count_through_and_then_one_at_a_time() {
    let mut book = book(Limits {
        requests: rate(600, 60),
        ..Limits::default()
    });
    let passed = (0..1_000).filter(|_| enter(&mut book, 0, at(0))).count();
    assert_eq!(passed, 600);
    let full = book.enter(&[scope()], 0, None, at(0)).unwrap_err();
    assert_eq!((full.kind, full.after, full.wait), (Kind::Requests, at(100), None));
    assert!(!enter(&mut book, 0, at(99)) && enter(&mut book, 0, at(100)) && !enter(&mut book, 0, at(100)));
}

#[test]
fn tokens_are_reserved_and_corrected_by_what_was_used() {
    let mut book = book(Limits {
        tokens: rate(1_000, 60),
        ..Limits::default()
    });
    assert!(enter(&mut book, 900, at(0)) && !enter(&mut book, 200, at(0)));
    book.release(&[scope()], 900, 100);
    assert!(enter(&mut book, 900, at(0)) && !enter(&mut book, 1, at(0)));
    // More than was reserved is owed.
    book.release(&[scope()], 900, 1_900);
    assert!(!enter(&mut book, 1, at(59_000)) && enter(&mut book, 1, at(61_000)));
    // A request larger than the bucket passes when that is full.
    assert!(enter(&mut book, 50_000, at(1_000_000)));
}

#[test]
fn huge_rates_are_counted_in_grains_and_stay_true() {
    let mut book = book(Limits {
        tokens: rate(5_000_000_000, 60),
        ..Limits::default()
    });
    let passed = (0..100).filter(|_| enter(&mut book, 100_000_000, at(0))).count();
    assert_eq!(passed, 50);
    let (_, tokens) = book.left(&[scope()], at(30_000));
    let left = tokens.unwrap().remaining;
    assert!((2_490_000_000..=2_500_000_000).contains(&left), "{left}");
}

#[test]
fn a_queue_is_bounded_in_turn_and_left_by_who_gives_up() {
    let mut book = book(Limits {
        in_flight: Some(1),
        queue: 2,
        wait: at(2_000),
        ..Limits::default()
    });
    assert!(enter(&mut book, 0, at(0)));
    let woken = Arc::new(AtomicUsize::new(0));
    let wake = |number: usize| -> Wake {
        let woken = woken.clone();
        Arc::new(move || woken.store(number, Ordering::Relaxed))
    };
    let first = book.join(&scope(), wake(1)).unwrap();
    let second = book.join(&scope(), wake(2)).unwrap();
    assert_eq!(book.join(&scope(), nobody()), None, "bounded");
    let full = book.enter(&[scope()], 0, None, at(0)).unwrap_err();
    assert_eq!(full.wait, None, "no place is left");
    book.release(&[scope()], 0, 0);
    assert_eq!(woken.load(Ordering::Relaxed), 1);
    // Neither a newcomer nor the second overtakes.
    assert!(!enter(&mut book, 0, at(0)));
    assert!(book.enter(&[scope()], 0, Some(second), at(0)).is_err());
    // The first gives up: the second is next, and is told.
    book.leave(first);
    assert_eq!(woken.load(Ordering::Relaxed), 2);
    assert!(book.enter(&[scope()], 0, Some(second), at(0)).is_ok());
    assert!(book.join(&scope(), nobody()).is_some(), "its place is free");
}

#[test]
fn all_scopes_are_entered_or_none() {
    let (tight, wide) = (Scope::Key("p".into(), "env:A".into()), scope());
    let mut book = Book::default();
    let one = |count| Limits {
        requests: rate(count, 60),
        ..Limits::default()
    };
    book.install([(wide.clone(), one(10)), (tight.clone(), one(1))], at(0));
    let both = [wide.clone(), tight.clone()];
    assert!(book.enter(&both, 0, None, at(0)).is_ok());
    let full = book.enter(&both, 0, None, at(0)).unwrap_err();
    assert_eq!(full.scope, tight);
    assert_eq!(
        book.left(&[wide], at(0)).0.unwrap().remaining,
        9,
        "nothing was taken from the wider one"
    );
}

#[test]
fn a_reload_keeps_what_was_counted() {
    let limits = |count, in_flight| Limits {
        requests: rate(count, 60),
        in_flight: Some(in_flight),
        ..Limits::default()
    };
    let mut book = book(limits(10, 100));
    (0..8).for_each(|_| assert!(enter(&mut book, 0, at(0))));
    book.install([(scope(), limits(10, 100))], at(0));
    assert_eq!(book.left(&[scope()], at(0)).0.unwrap().remaining, 2);
    book.install([(scope(), limits(9, 100))], at(0));
    assert_eq!((0..5).filter(|_| enter(&mut book, 0, at(0))).count(), 1);
    book.install([(scope(), limits(1_000, 9))], at(0));
    assert!(!enter(&mut book, 0, at(0)), "nine are in flight");
    book.install([], at(0));
    assert!(enter(&mut book, 0, at(0)), "no limits any more");
    book.release(&[scope()], 0, 0);
    book.install([(scope(), limits(1_000, 10))], at(0));
    assert!(
        enter(&mut book, 0, at(0)) && !enter(&mut book, 0, at(0)),
        "nine are still in flight"
    );
}

proptest! {
    #[test]
    fn whatever_happens_nothing_leaks(steps in proptest::collection::vec((0..4_u8, 0..3_000_u64), 1..200)) {
        let limits = Limits { requests: rate(50, 1), tokens: rate(100_000, 1), in_flight: Some(5), queue: 3, wait: at(100) };
        let mut book = book(limits);
        let (mut now, mut inside, mut seats) = (0_u64, Vec::new(), Vec::new());
        for (step, number) in steps {
            match step {
                0 => if book.enter(&[scope()], number, None, at(now)).is_ok() { inside.push(number); },
                1 => if let Some(reserved) = inside.pop() { book.release(&[scope()], reserved, number); },
                2 => if let Some(seat) = book.join(&scope(), nobody()) { seats.push(seat); },
                _ => { now += number; if let Some(seat) = seats.pop() { book.leave(seat); } }
            }
            prop_assert!(inside.len() <= 5 && seats.len() <= 3);
        }
        for seat in seats { book.leave(seat); }
        for reserved in inside { book.release(&[scope()], reserved, 0); }
        // Much later everything is as at the beginning.
        let later = at(now + 10_000_000);
        let passed = (0..10).filter(|_| book.enter(&[scope()], 10, None, later).is_ok()).count();
        prop_assert_eq!(passed, 5);
    }
}

#[test]
fn who_comes_beside_leaves_half_of_everything_to_others() {
    let mut requests = book(Limits {
        requests: rate(10, 60),
        ..Limits::default()
    });
    let beside = (0..20).filter(|_| requests.enter_beside(&[scope()], 0, at(0))).count();
    assert_eq!(beside, 5);
    assert!(
        (0..5).all(|_| enter(&mut requests, 0, at(0))),
        "the other half is there"
    );
    let mut tokens = book(Limits {
        tokens: rate(1_000, 60),
        ..Limits::default()
    });
    assert!(!tokens.enter_beside(&[scope()], 501, at(0)) && tokens.enter_beside(&[scope()], 500, at(0)));
    let mut flights = book(Limits {
        in_flight: Some(3),
        queue: 5,
        ..Limits::default()
    });
    assert!(flights.enter_beside(&[scope()], 0, at(0)) && !flights.enter_beside(&[scope()], 0, at(0)));
    flights.release(&[scope()], 0, 0);
    let _first = flights.join(&scope(), nobody()).unwrap();
    assert!(!flights.enter_beside(&[scope()], 0, at(0)), "somebody waits");
    let mut single = book(Limits {
        in_flight: Some(1),
        ..Limits::default()
    });
    assert!(!single.enter_beside(&[scope()], 0, at(0)), "one place is a client's");
}
