//! A month of traffic under the plans that a team would write down: what they save must not end them.

use crate::budget::{Books, Charges, End, Facts, Grant, RebuildRequest, Rebuilt};
use crate::decide::{self, Calm, Funds, Present, Question, Rules, Speed, State, Target};
use crate::live::Live;
use crate::money::{Currency, Money};
use crate::plan::{News, Now, Plans, Reading};
use crate::policy::snapshot::{ModelId, RouteId, Supply};
use crate::policy::{Sources, compile};
use crate::price::Moment;
use crate::request::{Caller, Requirements};
use crate::uptime::Uptime;
use crate::usage::Usage;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const POLICY: &str = r#"
timezone: UTC
providers:
  modelstudio: {vendor: dashscope, api_key: env:A}
  deepseek: {vendor: deepseek, api_key: env:B}
  local: {vendor: llama.cpp}
licenses:
  enterprise: {expires: 2026-12-05}
models:
  qwen-max: {provider: modelstudio, name: mine, supply: licensed, license: enterprise, quality: 88, context: 256k, max_output: 8k, price: {input: 2 USD/M, output: 6 USD/M}}
  deepseek: {provider: deepseek, name: theirs, supply: competitor, quality: 84, context: 128k, max_output: 8k, price: {input: 0.2 USD/M, output: 0.6 USD/M}}
  qwen-4b: {provider: local, name: tiny, supply: local, quality: 52, context: 32k, max_output: 4k}
routes:
  - {name: chat, try: [qwen-max, deepseek, qwen-4b], need: {quality: 60}}
budgets:
  month: {limit: LIMIT USD, per: month, covers: 'model.supply != "local"'}
plans:
  - name: austerity
    when: 'budget("month").used > 0.8 || budget("month").forecast > 1.05'
    until: 'budget("month").forecast < 0.95'
    change: {chat: {pick: cheapest}}
  - name: price-shock
    when: 'model("qwen-max").unit_cost > 15 * model("deepseek").unit_cost'
    avoid: 'model.name == "qwen-max" && tag.tier != "gold"'
  - name: licence-ends
    when: 'license("enterprise").days_left < 14'
    change: {chat: {pick: weighted, weights: {qwen-max: 50, deepseek: 50}}}
  - name: lights-out
    when: 'budget("month").exhausted'
    only: 'model.supply == "local"'
    change: {chat: {need: {quality: 0}}}
"#;

struct World {
    live: Live,
    now: Now,
    turns: BTreeMap<String, usize>,
    served: usize,
}

/// What the budget leaves to hosted models.
struct Left(Funds, Vec<bool>);

impl Present for Left {
    fn now(&self) -> Uptime {
        Calm.now()
    }

    fn state(&self, model: ModelId) -> State<'_> {
        State {
            funds: self.1[model.0].then_some(&self.0),
            ..State::default()
        }
    }

    fn output(&self, _: ModelId) -> Option<u64> {
        Some(1_000)
    }

    fn speed(&self, _: ModelId) -> Option<Speed> {
        None
    }
}

/// A store without any spend that leases without end.
fn answer(books: &mut Books, rebuilds: Vec<RebuildRequest>) {
    for request in rebuilds {
        books.rebuilt(Rebuilt {
            pool: request.pool.clone(),
            accounts: Vec::new(),
            unaccounted: Money::ZERO,
            granted: Money::ZERO,
            known: true,
        });
        books.grant(&Grant {
            pool: request.pool,
            total: Money::MAX,
            enough: true,
        });
    }
}

impl World {
    fn new(limit: &str) -> Self {
        let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let sources = Sources::single("policy.yaml", "/".into(), &POLICY.replace("LIMIT", limit));
        let snapshot = compile(&sources, start)
            .unwrap_or_else(|found| panic!("{found:?}"))
            .snapshot;
        let plans = Plans::new(&snapshot.plans);
        let (live, rebuilds) = Live::new(snapshot, plans, start);
        answer(&mut live.books.lock(), rebuilds);
        Self {
            live,
            now: Now {
                wall: start,
                up: Duration::ZERO,
            },
            turns: BTreeMap::new(),
            served: 0,
        }
    }

    fn pass(&mut self, minutes: u64) {
        let step = Duration::from_secs(minutes * 60);
        self.now.up += step;
        self.now.wall += SignedDuration::try_from(step).unwrap();
        {
            let mut books = self.live.books.lock();
            let rebuilds = books.roll(self.now.wall);
            answer(&mut books, rebuilds);
            for request in books.past_wanted() {
                books.past_found(&request, &Default::default());
            }
        }
        let policy = self.live.policy();
        let signals = self.live.freeze(&policy, self.now);
        let readings: Vec<Reading> = policy
            .snapshot
            .plans
            .iter()
            .map(|plan| Reading::of(plan, &signals, self.now.wall))
            .collect();
        let mut plans = self.live.plans.lock();
        let news = plans.tick(&readings, self.now);
        for one in &news {
            match one {
                News::Turned(turn) => *self.turns.entry(turn.name.to_string()).or_default() += 1,
                News::Flapping { name, why, .. } => panic!("{name} flaps at {}: {why}", self.now.wall),
            }
        }
        if !news.is_empty() {
            self.live.recompose(&plans, self.now.wall);
        }
    }

    /// Ten thousand tokens in, a thousand out.
    fn ask(&mut self, seed: u64) {
        let policy = self.live.policy();
        let caller = Arc::new(Caller {
            route: "chat".into(),
            ..Caller::default()
        });
        let answers = policy.answers.to(&caller);
        let needs = Requirements {
            caller: caller.clone(),
            input: 10_000,
            output_bound: Some(2_000),
            choices: 1,
            ..Requirements::default()
        };
        let rules = Rules {
            snapshot: &policy.snapshot,
            effective: &policy.effective,
        };
        let question = Question {
            target: Target::Route(RouteId(0)),
            needs: &needs,
            answers: &answers,
            at: self.now.wall,
            patience: Duration::from_secs(60),
            seed,
            held: None,
            attempted: &[],
        };
        let mut books = self.live.books.lock();
        let funds = Funds {
            budget: "month".into(),
            remaining: books.outlook("month").unwrap().remaining,
            closed: None,
        };
        let models = policy.snapshot.models.iter();
        let left = Left(funds, models.map(|model| model.supply != Supply::Local).collect());
        let decision = decide::survey(rules, &question, &left);
        let usage = Usage {
            input: 10_000,
            output: 1_000,
            ..Usage::default()
        };
        let cost = |id: ModelId| {
            let price = policy.snapshot.model(id).price.as_ref();
            price.map_or(Money::ZERO, |price| {
                price.quote(&Moment::plain(self.now.wall)).cost(&usage)
            })
        };
        let charges = |books: &Books, id| -> Charges { books.charges_by(&answers, id, &caller, self.now.wall) };
        let wished = decision.wished.expect("something would serve");
        let of_wished = charges(&books, wished.id);
        books.plan_free(&of_wished, cost(wished.id));
        let Some(first) = decision.candidates.first() else {
            return;
        };
        let of_first = charges(&books, first.id);
        if !of_first.is_empty() {
            books.observe(&of_first, first.worst);
        }
        let facts = Facts {
            model: policy.snapshot.facts(first.id).clone(),
            currency: Currency::USD,
            caller: caller.clone(),
        };
        let id = books
            .reserve(first.worst, &of_first, facts, self.now.wall)
            .expect("it fits");
        books.end(id, End::Post(cost(first.id)));
        policy.mixes.answered(RouteId(0), &usage);
        self.served += 1;
    }

    /// A request every 47 minutes to the end of November, plans looked at every ten.
    fn month(mut self) -> Self {
        let mut minute = 0_u64;
        while minute < 29 * 24 * 60 {
            self.pass(10);
            minute += 10;
            if minute / 47 != (minute - 10) / 47 {
                self.ask(minute);
            }
        }
        self
    }
}

#[test]
fn plans_that_save_money_stay_and_do_not_swing() {
    // Without plans the month would cost 23 USD, a fifth more than there is.
    let world = World::new("19").month();
    assert!(world.served > 880, "nobody was turned away: {}", world.served);
    assert_eq!(world.turns.get("austerity"), Some(&1), "{:?}", world.turns);
    assert_eq!(world.turns.get("licence-ends"), Some(&1));
    assert_eq!(world.turns.get("price-shock"), None);
    assert_eq!(world.turns.get("lights-out"), None);
    let spent = world.live.books.lock().used("month");
    assert!(spent < 0.5, "it saved what it was for: {spent}");
    let forecast = world.live.books.lock().outlook("month").unwrap().forecast.unwrap();
    assert!(
        (1.1..1.3).contains(&forecast),
        "and the forecast does not know: {forecast}"
    );
}

#[test]
fn ample_money_and_a_month_without_trouble_turn_no_plan_but_the_licences() {
    let world = World::new("100").month();
    let expected: BTreeMap<String, usize> = [("licence-ends".to_owned(), 1)].into();
    assert_eq!(world.turns, expected);
}

#[test]
fn a_budget_that_is_gone_turns_the_lights_out_once() {
    let world = World::new("0.3").month();
    assert_eq!(world.turns.get("lights-out"), Some(&1), "{:?}", world.turns);
    assert!(world.turns.values().all(|turns| *turns == 1), "{:?}", world.turns);
    assert!(world.served > 880, "the local model answers: {}", world.served);
}
