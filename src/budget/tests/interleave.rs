//! Two requests on two accounts, step by step in every order that two threads can take: each step is one critical section
//! under the books' lock, so that all there is of concurrency is the order of the steps.

use super::*;

/// What a thread does next.
#[derive(Clone, Debug)]
enum Next {
    Reserve,
    /// The store was asked and has not answered.
    Ask(Vec<GrantRequest>),
    /// The store's answer is on its way to the books.
    Answer(Vec<Grant>),
    End,
    Done,
}

struct Thread {
    worst: i64,
    actual: i64,
    team: &'static str,
    next: Next,
    held: Option<ReservationId>,
    admitted: bool,
}

/// A store that leases what the limit leaves, as the ledger does.
#[derive(Default)]
struct Store {
    granted: std::collections::HashMap<u64, Money>,
}

impl Store {
    fn grant(&mut self, requests: &[GrantRequest]) -> Vec<Grant> {
        let grant = |request: &GrantRequest| {
            let known = self.granted.get(&request.pool.life).copied().unwrap_or_default();
            let upto = request.bound().map_or(request.upto, |bound| bound.min(request.upto));
            let total = known.max(upto);
            self.granted.insert(request.pool.life, total);
            Grant {
                pool: request.pool.clone(),
                total,
                enough: total >= request.least,
            }
        };
        requests.iter().map(grant).collect::<Vec<_>>()
    }
}

impl Thread {
    fn new(team: &'static str, worst: i64, actual: i64) -> Self {
        Self {
            worst,
            actual,
            team,
            next: Next::Reserve,
            held: None,
            admitted: false,
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.next, Next::Done)
    }

    fn step(&mut self, books: &mut Books, store: &mut Store) {
        self.next = match std::mem::replace(&mut self.next, Next::Done) {
            Next::Reserve => match try_reserve(books, self.worst, self.team) {
                Ok(id) => {
                    (self.held, self.admitted) = (Some(id), true);
                    Next::End
                }
                Err(Refusal::Lease(requests)) => Next::Ask(requests),
                Err(_) => Next::Done,
            },
            Next::Ask(requests) => Next::Answer(store.grant(&requests)),
            Next::Answer(grants) => {
                grants.iter().for_each(|grant| books.grant(grant));
                Next::Reserve
            }
            Next::End => {
                if let Some(id) = self.held.take() {
                    books.end(id, End::Post(usd(self.actual)));
                }
                Next::Done
            }
            Next::Done => Next::Done,
        };
    }
}

/// Plays one order of steps; bits say whose turn it is. Returns who was let in.
fn play(order: u32, limit: i64, costs: [(i64, i64); 2]) -> [bool; 2] {
    let mut books = ready(&[budget("month", limit), teams(limit)]);
    let mut store = Store::default();
    let [(first, paid), (second, paid_too)] = costs;
    let mut threads = [Thread::new("a", first, paid), Thread::new("b", second, paid_too)];
    let mut turn = 0;
    while threads.iter().any(|thread| !thread.is_done()) {
        let whose = (order >> (turn % 32) & 1) as usize;
        let whose = if threads[whose].is_done() { 1 - whose } else { whose };
        threads[whose].step(&mut books, &mut store);
        books.prove().unwrap();
        for view in books.views() {
            let all = view.posted.plus(view.held).plus(view.reserved);
            assert!(all <= view.limit, "{order:b}: {view:?}");
        }
        turn += 1;
        assert!(turn < 64, "{order:b}: nobody gets on");
    }
    assert_eq!(books.open_reservations(), 0);
    [threads[0].admitted, threads[1].admitted]
}

#[test]
fn in_every_order_of_two_threads_both_fit_or_the_first_to_reserve_does() {
    for order in 0..1_u32 << 14 {
        assert_eq!(play(order, 100, [(60, 60), (40, 40)]), [true, true], "{order:b}");
        let admitted = play(order, 100, [(60, 60), (60, 60)]);
        assert_eq!(admitted.iter().filter(|admitted| **admitted).count(), 1, "{order:b}");
        // What is released in time is there for the other.
        let admitted = play(order, 100, [(60, 10), (90, 10)]);
        assert!(admitted.contains(&true), "{order:b}");
    }
}
