//! A month of traffic under plans like those of the language's first example: what the plans save must not end them.
//!
//! Minute by minute: the books' own forecast, real prices, real decisions; the signals are those that conditions read,
//! and what serves costs what it costs. A plan on a signal that its own effect moves is the counter-example.

use super::*;
use crate::budget::{Books, End, Facts, Grant, Rebuilt, Refusal};
use crate::money::Currency;
use crate::plan::{News, Now, Plans, Reading};
use crate::policy::condition::Signals;
use crate::policy::condition::signature::Live;
use crate::policy::{Sources, compile};
use jiff::SignedDuration;
use std::collections::BTreeMap;

const START: &str = "2026-11-01T00:00:00Z";
const MINUTES: i64 = 30 * 24 * 60;

/// The vendor raises its price on the twelfth; the licence ends with the month.
const POLICY: &str = r#"
providers:
  qwen: {vendor: dashscope, api_key: env:Q}
  rival: {vendor: deepseek, api_key: env:D}
  home: {vendor: llama.cpp}
licenses:
  qwen-enterprise: {expires: 2026-11-30}
models:
  qwen-max:
    provider: qwen
    supply: licensed
    license: qwen-enterprise
    quality: 90
    context: 1M
    price:
      - {from: 2026-01-01, input: 2 USD/M, output: 6 USD/M}
      - {from: 2026-11-12, input: 3.4 USD/M, output: 10.2 USD/M}
  deepseek: {provider: rival, supply: competitor, quality: 75, context: 1M, price: {input: 1.9 USD/M, output: 5 USD/M}}
  qwen-4b: {provider: home, supply: local, quality: 30, context: 256k}
routes:
  - {name: chat, try: [qwen-max, deepseek, qwen-4b], need: {quality: 60}}
budgets:
  month: {limit: 2000 USD, per: month, covers: 'model.supply != "local"'}
plans:
  - name: austerity
    when: 'budget("month").used > 0.8 || budget("month").forecast > 1.05'
    until: 'budget("month").forecast < 0.95'
    change: {chat: {pick: cheapest}}
  - name: price-shock
    when: 'model("qwen-max").unit_cost > 1.5 * model("deepseek").unit_cost'
    avoid: 'model.name == "qwen-max" && tag.tier != "gold"'
  - name: licence-ends
    when: 'license("qwen-enterprise").days_left < 14'
    change: {chat: {pick: weighted, weights: {qwen-max: 50, deepseek: 50}}}
  - name: lights-out
    when: 'budget("month").exhausted'
    only: 'model.supply == "local"'
    change: {chat: {need: {quality: 0}}}
"#;

/// A simulated month and what happened in it.
struct Month {
    snapshot: Snapshot,
    books: Books,
    plans: Plans,
    random: u64,
    /// Of full load.
    load: f64,
    /// Input and output tokens of the recent mix, whoever served it.
    mix: (f64, f64),
    turns: BTreeMap<String, Vec<i64>>,
    flapping: Vec<String>,
    served: BTreeMap<String, u64>,
}

struct Minute<'a> {
    funds: Vec<Option<Funds>>,
    now: Uptime,
    books: &'a Books,
}

impl Present for Minute<'_> {
    fn now(&self) -> Uptime {
        self.now
    }

    fn state(&self, model: ModelId) -> State<'_> {
        let _ = self.books;
        State {
            funds: self.funds[model.0].as_ref(),
            ..State::default()
        }
    }

    fn output(&self, _: ModelId) -> Option<u64> {
        None
    }

    fn speed(&self, _: ModelId) -> Option<Speed> {
        None
    }
}

impl Month {
    fn new(policy: &str, load: f64, seed: u64) -> Self {
        let sources = Sources::single("p.yaml", std::env::temp_dir(), policy);
        let compiled = compile(&sources, at(0));
        let snapshot = compiled.unwrap_or_else(|found| panic!("{}", found[0])).snapshot;
        let mut books = Books::new();
        books.judge_by(&snapshot.selectors);
        let requests = books.install(&snapshot.budgets, &snapshot.timezone, Currency::USD, at(0));
        for request in requests {
            books.rebuilt(Rebuilt {
                pool: request.pool,
                accounts: Vec::new(),
                unaccounted: Money::ZERO,
                granted: Money::ZERO,
                known: true,
            });
        }
        for request in books.past_wanted() {
            books.past_found(&request, &crate::budget::PastFound::default());
        }
        Self {
            plans: Plans::new(&snapshot.plans),
            snapshot,
            books,
            random: seed,
            load,
            mix: (30_000.0, 3_000.0),
            turns: BTreeMap::new(),
            flapping: Vec::new(),
            served: BTreeMap::new(),
        }
    }

    fn run(mut self) -> Self {
        for minute in 0..MINUTES {
            self.turn_plans(minute);
            let active = self.plans.active();
            let effective = Effective::compose(&self.snapshot, &active);
            self.request(minute, &effective);
        }
        self
    }

    fn turn_plans(&mut self, minute: i64) {
        let (wall, snapshot) = (at(minute), &self.snapshot);
        let mut signals = Signals::default();
        signals.set_time(wall, &snapshot.timezone);
        let month = self.books.outlook("month").unwrap();
        signals.set(Live::BudgetUsed, "month", month.used);
        signals.set(Live::BudgetExhausted, "month", month.exhausted);
        signals.set(Live::BudgetBurn, "month", month.burn.as_number());
        if let Some(forecast) = month.forecast {
            signals.set(Live::BudgetForecast, "month", forecast);
        }
        for (id, model) in snapshot.models.iter().enumerate() {
            let cost = self.cost(ModelId(id), wall, self.mix.0 as u64, self.mix.1 as u64);
            let per_million = cost.as_number() * 1e6 / (self.mix.0 + self.mix.1);
            signals.set(Live::ModelUnitCost, model.name.clone(), per_million);
        }
        for license in &snapshot.licenses {
            if let Some(days) = license.days_left(wall, &snapshot.timezone) {
                signals.set(Live::LicenseDaysLeft, license.name.clone(), days as f64);
            }
        }
        let readings: Vec<Reading> = snapshot
            .plans
            .iter()
            .map(|plan| Reading::of(plan, &signals, wall))
            .collect();
        let up = Duration::from_secs(minute.unsigned_abs() * 60);
        for news in self.plans.tick(&readings, Now { wall, up }) {
            match news {
                News::Turned(turned) => self.turns.entry(turned.name.to_string()).or_default().push(minute),
                News::Flapping { name, .. } => self.flapping.push(name.to_string()),
            }
        }
    }

    fn cost(&self, id: ModelId, wall: Timestamp, input: u64, output: u64) -> Money {
        let needs = Requirements::default();
        let moment = price::Moment::of(&needs, wall, Duration::ZERO);
        let price = self.snapshot.model(id).price.as_ref();
        price.map_or(Money::ZERO, |price| price.quote(&moment).expected(input, output))
    }

    /// One request stands for a minute's: more by day than by night, less at the weekend, with noise.
    fn request(&mut self, minute: i64, effective: &Effective) {
        let wall = at(minute);
        let (hour, day) = ((minute / 60) % 24, (minute / 1_440 + 6) % 7);
        let by_day = if (8..20).contains(&hour) { 1.5 } else { 0.5 };
        let by_week = if day >= 5 { 0.5 } else { 1.2 };
        let scale = self.load * by_day * by_week * (0.6 + 0.8 * self.chance());
        let (input, output) = ((9_000.0 * scale) as u64 + 100, (1_200.0 * scale) as u64 + 50);
        self.mix.0 += (input as f64 - self.mix.0) / 500.0;
        self.mix.1 += (output as f64 - self.mix.1) / 500.0;
        let needs = Requirements {
            input,
            output_bound: Some(output),
            choices: 1,
            ..Requirements::default()
        };
        let charges: Vec<_> = (0..self.snapshot.models.len())
            .map(|id| {
                self.books
                    .charges(self.snapshot.facts(ModelId(id)), &needs.caller, wall)
            })
            .collect();
        let funds = charges.iter().map(|charges| {
            let headroom = self.books.headroom(charges);
            let budget = headroom.budget;
            headroom.remaining.map(|remaining| Funds {
                budget,
                remaining,
                closed: None,
            })
        });
        let present = Minute {
            funds: funds.collect(),
            now: Duration::from_secs(minute.unsigned_abs() * 60),
            books: &self.books,
        };
        let answers = self.snapshot.selectors.ask(&needs.caller);
        let question = Question {
            target: Target::Route(RouteId(0)),
            needs: &needs,
            answers: &answers,
            at: wall,
            patience: Duration::ZERO,
            seed: self.random,
            held: None,
            attempted: &[],
        };
        let rules = Rules {
            snapshot: &self.snapshot,
            effective,
        };
        let decision = survey(rules, &question, &present);
        let unrestricted = decision.unrestricted;
        let chosen = decision.candidates.first().map(|first| (first.id, first.worst));
        drop(decision);
        if let Some(first) = unrestricted {
            self.books
                .plan_free(&charges[first.id.0], self.cost(first.id, wall, input, output));
        }
        let Some((id, worst)) = chosen else { return };
        *self.served.entry(self.snapshot.model(id).name.to_string()).or_default() += 1;
        self.books.observe(&charges[id.0], worst);
        let cost = self.cost(id, wall, input, output);
        self.spend(id, worst, cost, &charges[id.0], wall);
    }

    fn spend(&mut self, id: ModelId, worst: Money, cost: Money, charges: &crate::budget::Charges, wall: Timestamp) {
        let facts = || Facts {
            model: self.snapshot.facts(id).clone(),
            currency: Currency::USD,
            caller: Arc::default(),
        };
        loop {
            match self.books.reserve(worst, charges, facts(), wall) {
                Ok(reservation) => {
                    self.books.end(reservation, End::Post(cost));
                    return;
                }
                Err(Refusal::Lease(requests)) => {
                    for request in requests {
                        let total = request.bound().map_or(request.upto, |bound| bound.min(request.upto));
                        let enough = total >= request.least;
                        self.books.grant(&Grant {
                            pool: request.pool,
                            total,
                            enough,
                        });
                    }
                }
                Err(_) => return,
            }
        }
    }

    fn chance(&mut self) -> f64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as f64 / f64::from(1_u32 << 31)
    }

    fn turned(&self, plan: &str) -> usize {
        self.turns.get(plan).map_or(0, Vec::len)
    }
}

fn at(minute: i64) -> Timestamp {
    let start: Timestamp = START.parse().unwrap();
    start + SignedDuration::from_mins(minute)
}

#[test]
fn the_examples_plans_do_not_oscillate_over_a_month() {
    for load in [0.9, 1.0, 2.0] {
        let month = Month::new(POLICY, load, 11).run();
        let told = format!("load {load}: {:?} {:?}", month.turns, month.served);
        assert_eq!(month.flapping, [""; 0], "{told}");
        assert!(month.turned("austerity") <= 8, "{told}");
        assert_eq!(month.turned("price-shock"), 1, "the price rises once; {told}");
        assert_eq!(month.turned("licence-ends"), 1, "{told}");
        assert!(month.turned("lights-out") <= 1, "{told}");
    }
}

#[test]
fn a_plan_stays_while_what_it_saves_is_saved() {
    let month = Month::new(POLICY, 2.0, 3).run();
    assert_eq!(month.turned("austerity"), 1, "{:?}", month.turns);
    assert!(month.served.contains_key("deepseek"), "{:?}", month.served);
    let spent = month.books.outlook("month").unwrap().used;
    assert!(spent <= 1.0, "{spent}");
}

/// `burn` is what is really spent: austerity lowers it and so ends itself.
#[test]
fn a_plan_on_a_signal_that_it_moves_itself_flaps_and_is_held_on() {
    let policy = POLICY
        .replace(
            "budget(\"month\").used > 0.8 || budget(\"month\").forecast > 1.05",
            "budget(\"month\").burn > 2.6",
        )
        .replace("    until: 'budget(\"month\").forecast < 0.95'\n", "")
        .replace(
            "change: {chat: {pick: cheapest}}",
            "only: 'model.supply == \"local\"'\n    change: {chat: {need: {quality: 0}}}",
        );
    let month = Month::new(&policy, 1.0, 5).run();
    assert!(month.flapping.contains(&"austerity".to_owned()), "{:?}", month.turns);
    let turns = &month.turns["austerity"];
    for window in turns.windows(4) {
        assert!(window[3] - window[0] >= 60, "never four times in an hour: {window:?}");
    }
}
