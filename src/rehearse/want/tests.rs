//! What is told to change is changed in the words of the policy and of the state, read anew, and must do.

use super::*;
use crate::policy::Sources;
use crate::policy::cases::{Step, read_parts};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A policy, a state and a request, as text that can be written again with a change.
#[derive(Clone, Debug)]
struct Words {
    tried: Vec<usize>,
    pick: &'static str,
    quality: u8,
    cost: Option<String>,
    output: Option<u64>,
    needs_tools: bool,
    context: Option<u64>,
    /// In per cent.
    prices: [u8; 3],
    off: [bool; 3],
    left: String,
    down: [bool; 3],
    full: bool,
    released: Vec<String>,
    ask: BTreeMap<&'static str, String>,
}

const NAMES: [&str; 3] = ["dear", "fair", "own"];
const HOSTS: [&str; 3] = ["a", "b", "home"];
const LIST: [(u64, u64); 3] = [(2_000, 6_000), (300, 1_200), (100, 200)];

impl Words {
    fn policy(&self) -> String {
        let price = |at: usize| {
            let milli = |rate: u64| {
                let share = rate * u64::from(self.prices[at]) * 10;
                format!("{}.{:06}", share / 1_000_000, share % 1_000_000)
            };
            format!(
                "{{input: {} USD/M, output: {} USD/M}}",
                milli(LIST[at].0),
                milli(LIST[at].1)
            )
        };
        let rest = [
            "supply: licensed, quality: 88, context: 200k, max_output: 16k",
            "supply: competitor, quality: 80, context: 64k, max_output: 8k",
            "supply: local, quality: 40, context: 8k, max_output: 2k, tools: false, images: false",
        ];
        let models: String = (0..3)
            .map(|at| {
                let off = if self.off[at] { ", disabled: true" } else { "" };
                format!(
                    "  {}: {{provider: {}, {}, price: {}{off}}}\n",
                    NAMES[at],
                    HOSTS[at],
                    rest[at],
                    price(at)
                )
            })
            .collect();
        let limits = [
            self.cost.as_ref().map(|cost| format!("cost: {cost} USD")),
            self.output.map(|output| format!("output: {output}")),
        ];
        let limits: Vec<String> = limits.into_iter().flatten().collect();
        let needs = [
            Some(format!("quality: {}", self.quality)),
            self.needs_tools.then(|| "tools: true".to_owned()),
            self.context.map(|context| format!("context: {context}")),
        ];
        let needs: Vec<String> = needs.into_iter().flatten().collect();
        let tried: Vec<&str> = self.tried.iter().map(|at| NAMES[*at]).collect();
        format!(
            "providers:
  a: {{vendor: openai, api_key: env:A, limits: {{requests: 600/min}}}}
  b: {{vendor: openai, base_url: 'https://b.example/v1', api_key: env:B}}
  home: {{vendor: llama.cpp}}
models:
{models}routes:
  - {{name: chat, try: [{}], pick: {}, need: {{{}}}, limits: {{{}}}}}
budgets:
  month: {{limit: 20 USD, per: month, covers: 'model.supply != \"local\"'}}
plans:
  - {{name: outage, when: '!provider(\"a\").up', avoid: 'model.provider == \"a\"'}}
  - {{name: save, when: 'budget(\"month\").used > 0.8', avoid: 'model.name == \"dear\"'}}
  - {{name: frugal, when: 'budget(\"month\").used > 0.6', change: {{chat: {{pick: cheapest}}}}}}
  - {{name: dry, when: 'budget(\"month\").exhausted', only: 'model.supply == \"local\"', change: {{chat: {{need: {{quality: 0}}}}}}}}
",
            tried.join(", "),
            self.pick,
            needs.join(", "),
            limits.join(", "),
        )
    }

    fn given(&self) -> String {
        let down: Vec<String> = (0..3)
            .filter(|at| self.down[*at])
            .map(|at| format!("{}: down", HOSTS[at]))
            .collect();
        let plans: Vec<String> = self.released.iter().map(|plan| format!("{plan}: false")).collect();
        let full = if self.full { "providers: {a: requests}" } else { "" };
        format!(
            "{{budgets: {{month: {{left: {} USD}}}}, providers: {{{}}}, plans: {{{}}}, limits: {{{full}}}}}",
            self.left,
            down.join(", "),
            plans.join(", ")
        )
    }

    fn step(&self) -> Step {
        let sources = Sources::single("p.yaml", PathBuf::new(), &self.policy());
        let ask: Vec<String> = self.ask.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        let asked = format!("{{model: chat, {}}}", ask.join(", "));
        read_parts(&sources, &self.given(), &asked, "").unwrap_or_else(|found| panic!("{self:#?}\n{found:?}"))
    }

    fn place(name: &str) -> usize {
        NAMES.iter().position(|known| *known == name).unwrap()
    }

    /// What is told, done by hand.
    fn changed(&mut self, tweak: &Tweak) {
        match tweak {
            Tweak::ReleasePlan(plan) => self.released.push(plan.to_string()),
            Tweak::Left { money, .. } => self.left = money.to_string(),
            Tweak::Up(provider) => {
                let at = HOSTS.iter().position(|host| *host == provider.as_ref()).unwrap();
                self.down[at] = false;
            }
            Tweak::Quality { least, .. } => self.quality = *least,
            Tweak::CostLimit { most, .. } => self.cost = Some(most.to_string()),
            Tweak::OutputLimit { most, .. } => self.output = Some(*most),
            Tweak::Ability { .. } => self.needs_tools = false,
            Tweak::Context { least, .. } => self.context = Some(*least),
            Tweak::Enable(model) => self.off[Self::place(model)] = false,
            Tweak::Front { model, .. } => {
                let at = Self::place(model);
                self.tried.retain(|known| *known != at);
                self.tried.insert(0, at);
            }
            Tweak::Pick { pick, .. } => self.pick = pick.word(),
            Tweak::Cheaper { model, percent, .. } => {
                let price = &mut self.prices[Self::place(model)];
                assert_eq!(*price, 100, "once");
                *price = *percent;
            }
            // Of one model alone: its provider has no other here.
            Tweak::Down(model) => self.down[Self::place(model)] = true,
            Tweak::Room(_) => self.full = false,
            Tweak::Ask("without", what) => {
                let key = if *what == "a JSON schema" {
                    "json_schema"
                } else {
                    what.as_str()
                };
                self.ask.retain(|known, _| *known != key);
            }
            Tweak::Ask(key, value) => {
                let key = ["min_quality", "output", "max_cost", "input"]
                    .into_iter()
                    .find(|known| known == key);
                self.ask.insert(key.unwrap(), value.clone());
            }
            other => panic!("{other:?}"),
        }
    }
}

fn words() -> impl Strategy<Value = Words> {
    let cost = proptest::option::of(prop_oneof![Just("0.001"), Just("0.01"), Just("0.05")]);
    let route = (
        proptest::sample::subsequence(vec![0_usize, 1, 2], 1..=3),
        prop_oneof![Just("in_order"), Just("cheapest")],
        prop_oneof![Just(0_u8), Just(60), Just(85), Just(95)],
        cost.clone(),
        proptest::option::of(prop_oneof![Just(500_u64), Just(4_000)]),
        (
            any::<bool>(),
            proptest::option::of(prop_oneof![Just(32_000_u64), Just(100_000)]),
        ),
    );
    let state = (
        prop_oneof![Just("20"), Just("7"), Just("3"), Just("0.002"), Just("0")],
        [any::<bool>(), any::<bool>(), any::<bool>()],
        [
            proptest::bool::weighted(0.2),
            proptest::bool::weighted(0.2),
            proptest::bool::weighted(0.2),
        ],
        proptest::bool::weighted(0.3),
    );
    let ask = (
        prop_oneof![Just(500_u64), Just(7_500), Just(50_000), Just(150_000)],
        proptest::option::of(prop_oneof![Just(200_u64), Just(1_500), Just(6_000)]),
        proptest::option::of(prop_oneof![Just(50_u8), Just(90)]),
        cost,
        (any::<bool>(), any::<bool>()),
    );
    (route, state, ask).prop_map(|(route, state, (input, output, quality, cost, (tools, images)))| {
        let asked = [
            Some(("input", input.to_string())),
            output.map(|output| ("output", output.to_string())),
            quality.map(|quality| ("min_quality", quality.to_string())),
            cost.map(|cost| ("max_cost", cost.to_owned())),
            tools.then(|| ("tools", "true".to_owned())),
            images.then(|| ("images", "true".to_owned())),
        ];
        Words {
            tried: route.0,
            pick: route.1,
            quality: route.2,
            cost: route.3.map(str::to_owned),
            output: route.4,
            needs_tools: route.5.0,
            context: route.5.1,
            prices: [100; 3],
            off: state.2,
            left: state.0.to_owned(),
            down: state.1,
            full: state.3,
            released: Vec::new(),
            ask: asked.into_iter().flatten().collect(),
        }
    })
}

fn chosen(step: &Step) -> Option<String> {
    let stage = Stage::of(step);
    let first = stage.first(step.ask.as_ref()?)?;
    Some(stage.snapshot.model(first).name.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_told_is_enough(words in words(), wanted in 0_usize..3) {
        let step = words.step();
        let stage = Stage::of(&step);
        let model = stage.snapshot.model_named(NAMES[wanted]).unwrap();
        let wish = want(&stage, step.ask.as_ref().unwrap(), model);
        prop_assert_eq!(wish.standing == Standing::Chosen, chosen(&step).as_deref() == Some(NAMES[wanted]));
        for way in &wish.ways {
            let mut changed = words.clone();
            way.iter().for_each(|tweak| changed.changed(tweak));
            let found = chosen(&changed.step());
            prop_assert_eq!(found.as_deref(), Some(NAMES[wanted]), "{}\n{:#?}\nnow\n{:#?}", &wish, &words, &changed);
        }
    }
}

#[test]
fn most_is_the_largest_that_holds() {
    for limit in [0, 1, 7, 100] {
        for largest in 0..=limit {
            assert_eq!(
                most(limit, |number| number <= largest),
                Some(largest),
                "{largest} of {limit}"
            );
        }
    }
    assert_eq!(most(10, |_| false), None);
}
