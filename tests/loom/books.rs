//! Every order in which threads can come to the books' lock, found by loom: reserve, settle, extend, recall and an edit
//! between two accounts. What fits is let in, nothing passes a limit, and the sums hold after every step.
//!
//! `cargo test --manifest-path tests/loom/Cargo.toml`, bounded to three pre-emptions.
#![cfg(test)]

mod scene;

use loom::sync::{Arc, Mutex};
use loom::thread;
use planb::budget::{End, Refusal};
use scene::{Daemon, FleetStore, Store, budget, nanos, teams};

/// Three pre-emptions find what two threads can do to each other; more only takes longer.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// One request from its reservation to its end: reserve, ask the store, tell the books, settle. Says whether it was let in.
fn request(daemon: &Daemon, store: &Mutex<Store>, team: &str, worst: i64, end: End) -> bool {
    for _ in 0..8 {
        let asked = daemon.books().reserve(worst, team);
        match asked {
            Ok(id) => {
                daemon.books().end(id, end);
                return true;
            }
            Err(Refusal::Lease(requests)) => {
                let grants = store.lock().unwrap().grant(&requests);
                daemon.books().grant(&grants);
            }
            Err(_) => return false,
        }
    }
    panic!("the store leases less than fits");
}

/// Two requests at once, of two teams. Returns who was let in.
fn both(limit: i64, first: (i64, End), second: (i64, End)) -> [bool; 2] {
    let daemon = Arc::new(Daemon::new(&[budget("month", limit), teams(limit)]));
    let store = Arc::new(Mutex::new(Store::default()));
    let other = {
        let (daemon, store) = (daemon.clone(), store.clone());
        thread::spawn(move || request(&daemon, &store, "b", second.0, second.1))
    };
    let one = request(&daemon, &store, "a", first.0, first.1);
    let admitted = [one, other.join().unwrap()];
    daemon.books().is_sound(limit);
    assert_eq!(daemon.books().open(), 0, "every reservation has ended");
    admitted
}

#[test]
fn two_that_fit_are_both_let_in() {
    explore(|| {
        let admitted = both(100, (60, End::Post(nanos(60))), (40, End::Hold));
        assert_eq!(admitted, [true, true]);
    });
}

#[test]
fn of_two_for_whom_there_is_money_once_one_is_let_in() {
    explore(|| {
        let admitted = both(100, (60, End::Hold), (60, End::Post(nanos(60))));
        assert_eq!(admitted.iter().filter(|admitted| **admitted).count(), 1);
    });
}

#[test]
fn what_is_released_is_there_for_the_other_at_once() {
    explore(|| {
        let admitted = both(100, (100, End::Void), (100, End::Void));
        assert!(admitted.contains(&true));
    });
}

#[test]
fn a_limit_that_is_lowered_between_two_steps_lets_in_what_fits_it_or_what_came_before() {
    explore(|| {
        let daemon = Arc::new(Daemon::new(&[budget("month", 100)]));
        let store = Arc::new(Mutex::new(Store::default()));
        let edit = {
            let daemon = daemon.clone();
            thread::spawn(move || {
                // The second budget is new: its spend is found between two steps of the other.
                let asked = daemon.books().install(&[budget("month", 50), budget("second", 50)]);
                daemon.books().answer(asked);
            })
        };
        let admitted = request(&daemon, &store, "a", 60, End::Post(nanos(60)));
        edit.join().unwrap();
        daemon.books().is_sound(100);
        let spent = daemon.books().spent("month");
        assert_eq!(spent, if admitted { 60 } else { 0 });
        assert!(!request(&daemon, &store, "a", 51, End::Void), "the new limit stands");
        assert_eq!(request(&daemon, &store, "a", 50, End::Void), !admitted);
    });
}

#[test]
fn a_share_that_is_recalled_is_spent_by_one_daemon_or_the_other() {
    explore(|| {
        let store = Arc::new(Mutex::new(FleetStore::new(100)));
        let (first, second) = (Arc::new(Daemon::in_fleet(100)), Arc::new(Daemon::in_fleet(100)));
        // The first holds all of it and needs none of it now.
        first.exchange(&store, 0, |books| books.wish(100));
        let recalled = {
            let (first, store) = (first.clone(), store.clone());
            thread::spawn(move || first.exchange(&store, 0, |books| books.recall()))
        };
        let own = {
            let (first, store) = (first.clone(), store.clone());
            thread::spawn(move || first.spend_share(&store, 0, 70))
        };
        let others = second.spend_share(&store, 1, 70);
        recalled.join().unwrap();
        let own = own.join().unwrap();
        assert_ne!(
            own, others,
            "one share is spent by one daemon, and by one of them it can be"
        );
        store.lock().unwrap().is_sound();
        for daemon in [&first, &second] {
            daemon.books().is_sound(100);
        }
    });
}
