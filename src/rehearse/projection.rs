//! What an edit would have done to recorded traffic: each request decided again under both policies, on a quiet day with the
//! plans that were in force then.
//!
//! A projection, no promise: budgets are full, providers up, and a model that was not asked is reckoned by the tokens of
//! the one that was.

use super::stage::DIRECT;
use super::{Stage, World};
use crate::money::Money;
use crate::policy::cases::Ask;
use crate::policy::diff::{self, Renames};
use crate::policy::snapshot::{ModelId, Snapshot};
use crate::price::Moment;
use crate::usage::Usage;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// A month's seconds, and the least that traffic is taken to stand for: an hour's would be multiplied by 720.
const MONTH: i64 = 2_629_746;
const LEAST: i64 = 86_400;

/// A request as it was recorded.
#[derive(Clone, Debug)]
pub struct Traffic {
    pub at: Timestamp,
    pub ask: Ask,
    pub plans: Vec<Arc<str>>,
    pub usage: Option<Usage>,
}

/// Requests, and how many they stand for.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub requests: Vec<Traffic>,
    pub of: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    /// Decided again, and the number of recorded ones that they stand for.
    pub requests: usize,
    pub of: u64,
    /// Requests that another model would serve, or none.
    pub moved: usize,
    /// What they would have cost under the old and the new policy.
    pub before: Money,
    pub after: Money,
    /// `after` less `before`, for a month of such traffic.
    pub monthly_change: Money,
    /// From, to, how many; most first. `none` where a request is refused.
    pub moves: Vec<(String, String, usize)>,
}

impl Projection {
    pub fn moved_share(&self) -> f64 {
        if self.requests == 0 {
            0.0
        } else {
            self.moved as f64 / self.requests as f64
        }
    }

    /// What the change would come to in a month in which as much was asked as in these seconds.
    fn a_month(&self, seconds: i64) -> Money {
        let of = i64::try_from(self.of).unwrap_or(i64::MAX);
        let requests = i64::try_from(self.requests).unwrap_or(i64::MAX);
        self.after
            .minus(self.before)
            .scaled_down(MONTH.saturating_mul(of), seconds.max(LEAST).saturating_mul(requests))
    }
}

/// `None` without traffic, where the two reckon in different currencies, and once `go_on` says no.
pub fn project(
    old: &Arc<Snapshot>,
    new: &Arc<Snapshot>,
    sample: &Sample,
    now: Timestamp,
    go_on: &mut dyn FnMut() -> bool,
) -> Option<Projection> {
    let requests = &sample.requests;
    let oldest = requests.iter().map(|one| one.at).min()?;
    if old.currency != new.currency {
        return None;
    }
    let mean = mean_output(requests);
    let names = Names {
        old,
        new,
        renames: diff::renames(old, new),
    };
    let (mut before, mut after) = (Side::new(old), Side::new(new));
    let mut projection = Projection {
        requests: requests.len(),
        of: sample.of.max(requests.len() as u64),
        ..Projection::default()
    };
    let mut moves: BTreeMap<(String, String), usize> = BTreeMap::new();
    for one in requests {
        if !go_on() {
            return None;
        }
        let usage = one.usage.unwrap_or(Usage {
            input: one.ask.needs.input,
            output: one.ask.needs.output_bound.map_or(mean, |bound| bound.min(mean)),
            ..Usage::NONE
        });
        let (from, was) = before.serve(one, &usage);
        let (to, is) = after.serve(&names.translated(one), &usage);
        projection.before = projection.before.plus(was);
        projection.after = projection.after.plus(is);
        if !names.same(from, to) {
            let (from, to) = (name(old, from), name(new, to));
            projection.moved += 1;
            *moves.entry((from, to)).or_default() += 1;
        }
    }
    projection.monthly_change = projection.a_month(now.duration_since(oldest).as_secs());
    projection.moves = moves.into_iter().map(|((from, to), count)| (from, to, count)).collect();
    projection.moves.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
    Some(projection)
}

fn mean_output(traffic: &[Traffic]) -> u64 {
    let used = traffic.iter().filter_map(|one| one.usage.as_ref());
    let (sum, count) = used.fold((0_u64, 0_u64), |(sum, count), usage| {
        (sum.saturating_add(usage.output), count + 1)
    });
    sum.checked_div(count).unwrap_or(crate::decide::DEFAULT_OUTPUT)
}

fn name(snapshot: &Snapshot, id: Option<ModelId>) -> String {
    id.map_or_else(|| "none".to_owned(), |id| snapshot.model(id).name.to_string())
}

/// What the new policy calls the old one's things: a new name alone moves nothing.
struct Names<'a> {
    old: &'a Snapshot,
    new: &'a Snapshot,
    renames: Renames,
}

impl Names<'_> {
    fn of(&self, section: &str, name: &Arc<str>) -> Arc<str> {
        self.renames.of(section, name).map_or_else(|| name.clone(), Arc::from)
    }

    /// The request with its route and its plans as the new policy calls them.
    fn translated(&self, one: &Traffic) -> Traffic {
        let plans = one.plans.iter().map(|plan| self.of("plans", plan));
        let model = match one.ask.model.strip_prefix(DIRECT) {
            Some(direct) => format!("{DIRECT}{}", self.of("models", &direct.into())).into(),
            None => self.of("routes", &one.ask.model),
        };
        Traffic {
            plans: plans.collect(),
            ask: Ask {
                model,
                route: one.ask.route.as_ref().map(|route| self.of("routes", route)),
                ..one.ask.clone()
            },
            ..one.clone()
        }
    }

    /// The same model serves, or none on both sides.
    fn same(&self, from: Option<ModelId>, to: Option<ModelId>) -> bool {
        let (Some(from), Some(to)) = (from, to) else {
            return from == to;
        };
        let (was, is) = (self.old.model(from), self.new.model(to));
        was.name == is.name || (self.of("models", &was.name) == is.name && self.asks_the_same(from, to))
    }

    /// A guess by likeness alone would take a vendor's next model for the last one.
    fn asks_the_same(&self, from: ModelId, to: ModelId) -> bool {
        let provider = self.of("providers", &self.old.provider_of(from).name);
        self.old.model(from).upstream == self.new.model(to).upstream && provider == self.new.provider_of(to).name
    }
}

/// One policy, its stages kept by the plans in force.
struct Side<'a> {
    snapshot: &'a Arc<Snapshot>,
    stages: HashMap<Vec<bool>, Stage>,
}

impl<'a> Side<'a> {
    fn new(snapshot: &'a Arc<Snapshot>) -> Self {
        Self {
            snapshot,
            stages: HashMap::new(),
        }
    }

    /// Who would serve it, and at what cost.
    fn serve(&mut self, one: &Traffic, usage: &Usage) -> (Option<ModelId>, Money) {
        let plans = self.snapshot.plans.iter();
        let active: Vec<bool> = plans.map(|plan| one.plans.contains(&plan.name)).collect();
        let snapshot = self.snapshot;
        let stage = self
            .stages
            .entry(active)
            .or_insert_with_key(|active| Stage::new(snapshot.clone(), World::quiet(snapshot), active, one.at));
        stage.now = one.at;
        let first = stage.first(&one.ask);
        let cost = first.map_or(Money::ZERO, |id| cost(snapshot, id, one, usage));
        (first, cost)
    }
}

fn cost(snapshot: &Snapshot, id: ModelId, one: &Traffic, usage: &Usage) -> Money {
    let moment = Moment::of(&one.ask.needs, one.at, Duration::ZERO);
    let price = snapshot.model(id).price.as_ref();
    price.map_or(Money::ZERO, |price| price.quote(&moment).cost(usage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Sources, compile};
    use crate::request::Requirements;

    const POLICY: &str = "
providers: {q: {vendor: dashscope, api_key: env:Q}, r: {vendor: deepseek, api_key: env:R}}
models:
  dear: {provider: q, supply: licensed, price: {input: 2 USD/M, output: 6 USD/M}}
  cheap: {provider: r, supply: competitor, context: 32k, price: {input: 1 USD/M, output: 1 USD/M}}
routes: [{name: chat, try: [dear, cheap]}]
plans: [{name: save, when: 'hour > 22', change: {chat: {pick: cheapest}}}]
";

    fn snapshot(text: &str) -> Arc<Snapshot> {
        let sources = Sources::single("p.yaml", std::path::PathBuf::new(), text);
        let compiled = compile(&sources, Timestamp::UNIX_EPOCH);
        Arc::new(compiled.unwrap_or_else(|found| panic!("{found:?}")).snapshot)
    }

    fn traffic(input: u64, plans: &[&str]) -> Traffic {
        let needs = Requirements {
            input,
            choices: 1,
            ..Requirements::default()
        };
        Traffic {
            at: Timestamp::UNIX_EPOCH,
            ask: Ask {
                model: "chat".into(),
                route: Some("chat".into()),
                dialect: "chat".into(),
                headers: Vec::new(),
                fields: Vec::new(),
                needs,
            },
            plans: plans.iter().map(|plan| (*plan).into()).collect(),
            usage: Some(Usage {
                input: 1_000_000,
                output: 1_000_000,
                ..Usage::NONE
            }),
        }
    }

    fn sample(requests: &[Traffic], of: u64) -> Sample {
        Sample {
            requests: requests.to_vec(),
            of,
        }
    }

    #[test]
    fn an_edit_is_reckoned_on_what_was_asked_for_a_month() {
        let (old, new) = (
            snapshot(POLICY),
            snapshot(&POLICY.replace("try: [dear, cheap]", "try: [cheap, dear]")),
        );
        let day = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(LEAST);
        let recorded = [traffic(1_000, &[]), traffic(100_000, &[]), traffic(1_000, &["save"])];
        let project =
            |old, new, (requests, of): (&[Traffic], u64)| project(old, new, &sample(requests, of), day, &mut || true);
        let found = project(&old, &new, (&recorded, 3)).unwrap();
        assert_eq!(
            (found.requests, found.moved),
            (3, 1),
            "too long for the cheap one; cheapest already"
        );
        assert_eq!(found.moves, [("dear".to_owned(), "cheap".to_owned(), 1)]);
        assert_eq!(
            (found.before.to_string(), found.after.to_string()),
            ("18".to_owned(), "12".to_owned())
        );
        let month = Money::parse("-6").unwrap().scaled_down(MONTH, LEAST);
        assert_eq!(found.monthly_change, month);
        let each_stands_for_two = project(&old, &new, (&recorded, 6)).unwrap();
        assert_eq!(each_stands_for_two.monthly_change, month.plus(month));
        assert_eq!(each_stands_for_two.moved_share(), found.moved_share());
        assert_eq!(project(&old, &old, (&recorded, 3)).unwrap().moved, 0);
        assert_eq!(project(&old, &new, (&[], 0)), None);
    }

    #[test]
    fn a_request_stays_with_its_route_whatever_the_route_takes() {
        let canary = "routes: [{name: chat, match: {header: {x-canary: always}, tag: {team: a}}, try: [dear, cheap]}]";
        let matching = POLICY.replace("routes: [{name: chat, try: [dear, cheap]}]", canary);
        let (old, new) = (
            snapshot(&matching),
            snapshot(&matching.replace("try: [dear, cheap]", "try: [cheap, dear]")),
        );
        let moves = |new: &Arc<Snapshot>| {
            let sample = sample(&[traffic(1_000, &[])], 1);
            let found = project(&old, new, &sample, Timestamp::UNIX_EPOCH, &mut || true);
            found.unwrap().moves
        };
        assert_eq!(moves(&new), [("dear".to_owned(), "cheap".to_owned(), 1)]);
        assert_eq!(moves(&old), []);
        let gone = "
providers: {r: {vendor: deepseek, api_key: env:R}}
models: {cheap: {provider: r, supply: competitor, price: {input: 1 USD/M, output: 1 USD/M}}}
routes: [{name: embed, match: {dialect: embeddings}, try: [cheap]}]
";
        assert_eq!(
            moves(&snapshot(gone)),
            [("dear".to_owned(), "none".to_owned(), 1)],
            "its route is gone"
        );
    }

    #[test]
    fn a_new_name_alone_moves_nothing() {
        let old = POLICY.replace("dear: {", "dear: {name: big, ");
        let model = old
            .replace("dear: {", "pricey: {")
            .replace("try: [dear, cheap]", "try: [pricey, cheap]");
        let plan = old.replace("name: save", "name: thrift");
        let route = old
            .replace("name: chat", "name: talk")
            .replace("{chat: {pick", "{talk: {pick");
        let recorded = [traffic(1_000, &[]), traffic(1_000, &["save"])];
        let moves = |new: &str| {
            let (old, new) = (snapshot(&old), snapshot(new));
            let found = project(&old, &new, &sample(&recorded, 2), Timestamp::UNIX_EPOCH, &mut || true);
            let found = found.unwrap();
            (found.moves, found.before == found.after)
        };
        for renamed in [&model, &plan] {
            assert_eq!(moves(renamed), (vec![], true), "{renamed}");
        }
        let (moved, _) = moves(&route.replace(
            "[{name: save, when: 'hour > 22', change: {talk: {pick: cheapest}}}]",
            "[]",
        ));
        assert!(
            moved.iter().all(|(_, to, _)| to != "none"),
            "the route is found: {moved:?}"
        );
        let (moved, _) = moves(&model.replace("name: big", "name: bigger"));
        assert_eq!(moved, [("dear".to_owned(), "pricey".to_owned(), 1)], "another model");
    }

    #[test]
    fn nothing_is_reckoned_on_once_nobody_wants_it() {
        let (old, recorded) = (snapshot(POLICY), vec![traffic(1_000, &[]); 5]);
        let mut asked = 0;
        let mut twice = || {
            asked += 1;
            asked <= 2
        };
        let found = project(&old, &old, &sample(&recorded, 5), Timestamp::UNIX_EPOCH, &mut twice);
        assert_eq!((found, asked), (None, 3));
    }
}
