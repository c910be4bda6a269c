//! A decision in a policy of 50 routes, 100 models and 5 active plans: the route is found, every model of it is put
//! before its restrictions and constraints, and the candidates are ordered. As a ratio to a floor that finds the route
//! in a hash map and prices the same models, nothing else. `cargo bench --bench decide`; `--smoke` runs a few turns.

use jiff::Timestamp;
use planb::decide::{Decision, Funds, Present, Question, Rules, Speed, State, Target, survey};
use planb::live::CallerAnswers;
use planb::money::Money;
use planb::plan::Effective;
use planb::policy::snapshot::{Asked, ModelId, Snapshot};
use planb::policy::{Sources, compile};
use planb::price;
use planb::request::{Caller, Requirements, Tags};
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Counts what is asked of the system's allocator.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: usize = 15;
const ROUTES: usize = 50;
const MODELS: usize = 100;
/// Models that a route tries: one of a few, of many, and of all.
const TRIED: [usize; 3] = [4, 20, 100];

fn main() {
    let smoke = std::env::args().any(|arg| arg == "--smoke") || std::env::var_os("PLANB_BENCH_SMOKE").is_some();
    println!("a decision: {ROUTES} routes, {MODELS} models, 5 active plans; the last route is asked for");
    for tried in TRIED {
        let turns = if smoke { 10 } else { 2_000_000 / (tried as u32 + 10) };
        let bench = Bench::new(tried);
        let decision = bench.decide();
        assert_eq!(decision.candidates.len() + decision.excluded.len(), tried);
        let candidates = decision.candidates.len();
        drop(decision);
        bench.assert_no_allocation();
        let (mut floor, mut decided) = (Vec::new(), Vec::new());
        // Interleaved, so that a noisy moment hits both.
        for _ in 0..ROUNDS {
            floor.push(time(turns, || black_box(bench.floor()).len()));
            decided.push(time(turns, || black_box(bench.decide()).candidates.len()));
        }
        let (floor, decided) = (median(floor), median(decided));
        println!(
            "route of {tried:3} models, {:3} candidates  floor {floor:8.0} ns  decide {decided:8.0} ns  {:5.1} x floor",
            candidates,
            decided / floor
        );
    }
}

struct Bench {
    snapshot: Snapshot,
    effective: Effective,
    answers: CallerAnswers,
    by_name: HashMap<Arc<str>, usize>,
    asked: Arc<str>,
    needs: Requirements,
    funds: Funds,
}

impl Bench {
    fn new(tried: usize) -> Self {
        let sources = Sources::single("bench", std::env::temp_dir(), &policy(tried));
        let snapshot = compile(&sources, Timestamp::UNIX_EPOCH)
            .expect("the bench's own policy")
            .snapshot;
        let routes = snapshot.routes.iter().enumerate();
        Self {
            effective: Effective::compose(&snapshot, &vec![true; snapshot.plans.len()]),
            answers: CallerAnswers::new(&snapshot.selectors),
            by_name: routes.map(|(at, route)| (route.name.clone(), at)).collect(),
            asked: snapshot.routes[ROUTES - 1].name.clone(),
            needs: Requirements {
                caller: Arc::new(Caller {
                    tags: Tags::new([("team", "search")]),
                    ..Caller::default()
                }),
                input: 2_000,
                choices: 1,
                tools: true,
                ..Requirements::default()
            },
            funds: Funds {
                budget: snapshot.budgets[0].name.clone(),
                remaining: Money::MAX,
                closed: None,
            },
            snapshot,
        }
    }

    fn decide(&self) -> Decision {
        let asked = Asked {
            model: &self.asked,
            dialect: "chat",
            needs: &self.needs,
            headers: &(),
            routes: None,
        };
        let route = self.snapshot.route_for(&asked).expect("it is there");
        let rules = Rules {
            snapshot: &self.snapshot,
            effective: &self.effective,
        };
        let answers = self.answers.to(&self.needs.caller);
        let question = Question {
            target: Target::Route(route),
            needs: &self.needs,
            answers: &answers,
            at: Timestamp::UNIX_EPOCH,
            patience: Duration::from_secs(600),
            seed: 7,
            held: None,
            attempted: &[],
        };
        survey(rules, &question, self)
    }

    /// Once a thread has decided, it decides on without asking for memory, however large the policy is.
    fn assert_no_allocation(&self) {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for _ in 0..10 {
            black_box(self.decide());
        }
        let asked = ALLOCATIONS.load(Ordering::Relaxed) - before;
        assert_eq!(asked, 0, "allocations in ten decisions");
    }

    fn floor(&self) -> Vec<(ModelId, Money)> {
        let route = self.by_name.get(&self.asked).expect("it is there");
        let moment = price::Moment::of(&self.needs, Timestamp::UNIX_EPOCH, Duration::from_secs(600));
        let worst = |id: &ModelId| {
            let price = self.snapshot.model(*id).price.as_ref().expect("all are priced");
            (*id, price.quote(&moment).worst(self.needs.input, 64_000))
        };
        self.snapshot.routes[*route]
            .terms
            .candidates
            .iter()
            .map(worst)
            .collect()
    }
}

/// A budget covers everything, and answers have been measured.
impl Present for Bench {
    fn now(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn state(&self, _: ModelId) -> State<'_> {
        State {
            funds: Some(&self.funds),
            ..State::default()
        }
    }

    fn output(&self, model: ModelId) -> Option<u64> {
        Some(300 + model.0 as u64)
    }

    fn speed(&self, _: ModelId) -> Option<Speed> {
        None
    }
}

fn policy(tried: usize) -> String {
    let mut text = "providers:\n  a: {vendor: openai-compatible, base_url: \"http://127.0.0.1:9/v1\"}\n  \
                    b: {vendor: openai-compatible, base_url: \"http://127.0.0.1:10/v1\"}\nmodels:\n"
        .to_owned();
    for model in 0..MODELS {
        let (provider, supply) = [("a", "licensed"), ("b", "competitor")][model % 2];
        let _ = writeln!(
            text,
            "  model{model}: {{provider: {provider}, name: m{model}, supply: {supply}, quality: {}, context: 1M, \
             max_output: 64k, tools: true, price: {{input: {} USD/M, output: 6 USD/M}}}}",
            50 + model % 40,
            1 + model
        );
    }
    text.push_str("routes:\n");
    for route in 0..ROUTES {
        let tries: Vec<String> = (0..tried)
            .map(|nth| format!("model{}", (route + nth) % MODELS))
            .collect();
        let _ = writeln!(
            text,
            "  - {{name: route{route}, match: {{model: [\"alias{route}-*\"]}}, try: [{}], need: {{quality: 60}}, limits: {{cost: 5 USD}}}}",
            tries.join(", ")
        );
    }
    text.push_str("budgets:\n  month: {limit: 2000 USD, per: month}\nplans:\n");
    let when = "when: 'budget(\"month\").used > 0.8'";
    for selector in [
        "model.supply == \"licensed\" && tag.team != \"search\"",
        "model.name == \"model7\"",
        "model.provider == \"b\" && tag.team == \"batch\"",
    ] {
        let _ = writeln!(text, "  - {{name: avoid{}, {when}, avoid: '{selector}'}}", text.len());
    }
    let changed = format!("route{}", ROUTES - 1);
    let _ = writeln!(
        text,
        "  - {{name: cheap, {when}, change: {{{changed}: {{pick: cheapest}}}}}}"
    );
    let _ = writeln!(
        text,
        "  - {{name: lower, {when}, change: {{{changed}: {{need: {{quality: 55}}}}}}}}"
    );
    text
}

/// In nanoseconds of this thread's processor, so that others who use the machine are not counted.
fn time(turns: u32, mut run: impl FnMut() -> usize) -> f64 {
    let start = processor_time();
    for _ in 0..turns {
        black_box(run());
    }
    (processor_time() - start).as_nanos() as f64 / f64::from(turns)
}

fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to the place that it is given, and nowhere else.
    assert_eq!(
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) },
        0
    );
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
