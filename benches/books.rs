//! Reserve and settle, with one and four covering budgets, as ratios to a floor that does the least possible: one
//! uncontended lock and four additions. `cargo bench --bench books`; `--smoke` runs a few turns to see that it works.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use planb::budget::{Books, End, Facts, Grant, Rebuilt};
use planb::money::{Currency, Money};
use planb::period::{Period, Start};
use planb::policy::condition::ModelFacts;
use planb::policy::snapshot::{Budget, Cycle, Enforce, Held};
use planb::request::Caller;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const ROUNDS: usize = 15;

fn main() {
    let smoke = std::env::args().any(|arg| arg == "--smoke") || std::env::var_os("PLANB_BENCH_SMOKE").is_some();
    let turns: u32 = if smoke { 100 } else { 200_000 };
    let (one, four) = (books(1), books(4));
    let sums = Mutex::new([0_i64; 4]);
    let mut nanos = [Vec::new(), Vec::new(), Vec::new()];
    // Interleaved, so that a noisy moment hits all three.
    for _ in 0..ROUNDS {
        nanos[0].push(time(turns, || floor(&sums)));
        nanos[1].push(time(turns, || reserve_and_settle(&one)));
        nanos[2].push(time(turns, || reserve_and_settle(&four)));
    }
    let shared = median((0..ROUNDS).map(|_| both(&four, turns)).collect());
    let [floor, one, four] = nanos.map(median);
    println!("floor (lock, 4 additions)          {floor:9.1} ns");
    println!(
        "charges + reserve + post, 1 budget {one:9.1} ns  {:6.1} x floor",
        one / floor
    );
    println!(
        "charges + reserve + post, 4        {four:9.1} ns  {:6.1} x floor",
        four / floor
    );
    println!("the same from two threads at once  {shared:9.0} a second");
}

/// Reservations settled a second, by two threads on the same four budgets.
fn both(books: &(Mutex<Books>, Facts), turns: u32) -> f64 {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..turns).for_each(|_| reserve_and_settle(books)));
        }
    });
    f64::from(2 * turns) / start.elapsed().as_secs_f64()
}

fn time(turns: u32, mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..turns {
        run();
    }
    start.elapsed().as_nanos() as f64 / f64::from(turns)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn floor(sums: &Mutex<[i64; 4]>) {
    let mut sums = sums.lock();
    for sum in sums.iter_mut() {
        *sum = black_box(*sum).wrapping_add(1);
    }
}

fn reserve_and_settle(books: &(Mutex<Books>, Facts)) {
    let (books, facts) = books;
    let id = {
        let mut books = books.lock();
        let charges = books.charges(facts.model(), &facts.caller, now());
        let reserved = books.reserve(Money::from_nanos(2), &charges, facts.clone(), now());
        reserved.expect("the lease is ample")
    };
    let mut books = books.lock();
    black_box(books.end(id, End::Post(Money::from_nanos(1))));
}

/// Books with an ample lease for every budget.
fn books(count: usize) -> (Mutex<Books>, Facts) {
    let budget = |number: usize| Budget {
        name: format!("budget{number}").into(),
        limit: Money::MAX,
        raises: Vec::new(),
        cycle: Cycle::Calendar(Period::Month, Start::default()),
        timezone: None,
        enforce: Enforce::Hard,
        covers: None,
        each: None,
        shadows: false,
        alert_at: vec![5_000, 8_000],
        carry_over: None,
        held: Held::Keep,
        shape: format!("budget{number}").into(),
    };
    let budgets: Vec<Budget> = (0..count).map(budget).collect();
    let mut books = Books::new();
    for request in books.install(&budgets, &TimeZone::UTC, Currency::USD, now()) {
        let pool = request.pool;
        books.rebuilt(Rebuilt {
            pool: pool.clone(),
            accounts: Vec::new(),
            unaccounted: Money::ZERO,
            granted: Money::ZERO,
            known: true,
        });
        books.grant(&Grant {
            pool,
            total: Money::MAX,
            enough: true,
        });
    }
    let facts = Facts {
        model: Arc::new(ModelFacts::recorded("qwen-max", "qwen", "licensed")),
        currency: Currency::USD,
        caller: Arc::new(Caller::default()),
    };
    (Mutex::new(books), facts)
}

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}
