//! Five hundred clients who come at one instant, again and again: exactly as many are let in as have the money.

use super::*;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

const CLIENTS: usize = 500;
const THREADS: usize = 10;
const ROUNDS: usize = 1_000;
const FIT: usize = 100;

/// Reserves a hundredth of the limit, asking the store as often as the books want.
fn is_let_in(books: &Mutex<Books>, facts: &Facts) -> bool {
    loop {
        let asked = {
            let mut books = books.lock().unwrap();
            let (charges, now) = (books.charges(facts.model(), &facts.caller, books.now), books.now);
            books.reserve(usd(1), &charges, facts.clone(), now)
        };
        match asked {
            // Never ended: its money stays promised.
            Ok(_promised) => return true,
            Err(Refusal::Lease(requests)) => lease(&mut books.lock().unwrap(), &requests),
            Err(Refusal::OverLimit { .. }) => return false,
            Err(refused) => panic!("{refused:?}"),
        }
    }
}

#[test]
fn of_five_hundred_clients_on_a_barrier_exactly_those_that_fit_are_let_in_a_thousand_times() {
    let fresh = || ready(&[budget("month", FIT as i64), teams(FIT as i64)]);
    let books: Vec<Mutex<Books>> = (0..ROUNDS).map(|_| Mutex::new(fresh())).collect();
    let let_in: Vec<AtomicUsize> = (0..ROUNDS).map(|_| AtomicUsize::new(0)).collect();
    let (barrier, facts) = (Barrier::new(THREADS), facts("a"));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for (books, let_in) in books.iter().zip(&let_in) {
                    barrier.wait();
                    let own = (0..CLIENTS / THREADS).filter(|_| is_let_in(books, &facts)).count();
                    let_in.fetch_add(own, Ordering::Relaxed);
                }
            });
        }
    });
    for (round, (books, let_in)) in books.iter().zip(&let_in).enumerate() {
        assert_eq!(let_in.load(Ordering::Relaxed), FIT, "round {round}");
        books.lock().unwrap().prove().unwrap();
    }
}
