//! A world before one request: each model's state as a decision asks for it.

use super::World;
use super::body;
use crate::decide::reshape::{self, Reshapes, reshape};
use crate::decide::{Funds, Present, Rules, Shaped, Speed, State, Target, Wait};
use crate::limit::{Full, Kind, Scope};
use crate::policy::cases::{Ask, Counter, Health, KeyState, Reached};
use crate::policy::snapshot::{ModelId, Provider, Snapshot};
use crate::price::Positions;
use crate::request::Caller;
use crate::uptime::Uptime;
use std::sync::Arc;
use std::time::Duration;

/// How long something is out of reach, where nobody says: an open breaker, a resting key, a limit.
pub(super) const REST: Duration = Duration::from_secs(60);

pub(super) struct Scene<'a> {
    world: &'a World,
    snapshot: &'a Snapshot,
    /// By model.
    funds: Vec<Option<Funds>>,
    positions: Vec<Positions>,
    pub reshapes: Reshapes,
}

impl<'a> Scene<'a> {
    pub fn new(world: &'a World, snapshot: &'a Snapshot, caller: &Caller) -> Self {
        let ids = || (0..snapshot.models.len()).map(ModelId);
        Self {
            world,
            snapshot,
            funds: ids().map(|id| world.funds(snapshot, id, caller)).collect(),
            positions: ids().map(|id| positions(world, snapshot, id)).collect(),
            reshapes: Reshapes::new(),
        }
    }

    /// With the request as the policy shapes it on its way to each model.
    pub fn shaping(self, rules: Rules<'_>, target: Target, ask: &Ask) -> Self {
        if !body::matters(self.snapshot, ask) {
            return self;
        }
        // What cannot be read was refused before.
        let Ok(inbound) = body::inbound(ask) else { return self };
        let mut reshapes = reshape(rules, target, &inbound, &ask.needs);
        for (_, reshaped) in &mut reshapes {
            if let Ok(reshaped) = reshaped {
                // The words stand for a text that nobody wrote.
                Arc::make_mut(&mut reshaped.needs).input = ask.needs.input;
            }
        }
        Self { reshapes, ..self }
    }

    /// Names of a provider's keys that can be used now.
    pub fn keys(&self, provider: &Provider) -> Vec<Arc<str>> {
        let usable = |name: &Arc<str>| self.world.key(&provider.name, name) == KeyState::Up;
        let names = provider.keys.iter().map(|key| key.name.clone());
        names.filter(usable).collect()
    }

    /// How its provider's keys leave it: out where all of them are.
    fn by_keys(&self, provider: &Provider) -> KeyState {
        let mut states = provider
            .keys
            .iter()
            .map(|key| self.world.key(&provider.name, &key.name));
        let Some(first) = states.next() else {
            return KeyState::Up;
        };
        // The one that is nearest to being used again.
        let order = [KeyState::Up, KeyState::Limited, KeyState::Cooling, KeyState::Missing];
        let rank = |state: &KeyState| order.iter().position(|known| known == state);
        states.fold(
            first,
            |best, state| if rank(&state) < rank(&best) { state } else { best },
        )
    }

    fn full(&self, model: ModelId, keys: KeyState) -> Option<Full> {
        let (model, provider) = (self.snapshot.model(model), self.snapshot.provider_of(model));
        let used_up = &self.world.given().moment.used_up;
        let find = |all: &[(Arc<str>, Reached)], name: &Arc<str>| {
            let found = all.iter().find(|(known, _)| known == name);
            found.map(|(_, reached)| kind(*reached))
        };
        let of_provider =
            find(&used_up.providers, &provider.name).map(|kind| (Scope::Provider(provider.name.clone()), kind));
        let of_key = || {
            let key = provider.keys.first().filter(|_| keys == KeyState::Limited)?;
            Some((Scope::Key(provider.name.clone(), key.name.clone()), Kind::Requests))
        };
        let of_model = || find(&used_up.models, &model.name).map(|kind| (Scope::Model(model.name.clone()), kind));
        let (scope, kind) = of_provider.or_else(of_key).or_else(of_model)?;
        Some(full(scope, kind))
    }
}

pub(super) fn full(scope: Scope, kind: Kind) -> Full {
    Full {
        scope,
        kind,
        after: REST,
        wait: None,
    }
}

pub(super) const fn kind(reached: Reached) -> Kind {
    match reached {
        Reached::Requests => Kind::Requests,
        Reached::Tokens => Kind::Tokens,
        Reached::InFlight => Kind::InFlight,
    }
}

/// Meters are found by name: models that count together stand together.
fn positions(world: &World, snapshot: &Snapshot, id: ModelId) -> Positions {
    let given = &world.given().moment.meters;
    let own = snapshot.model(id).price.as_ref();
    let (Some(own), false) = (own, given.is_empty()) else {
        return Positions::START;
    };
    let mut positions = Positions::START;
    for (model, counter, used) in given {
        let theirs = snapshot
            .model_named(model)
            .and_then(|id| snapshot.model(id).price.as_ref());
        let Some(theirs) = theirs else { continue };
        let at = world.given().time.unwrap_or(world.given().noon);
        let (theirs, ours) = (theirs.meters_at(at), own.meters_at(at));
        let place = match counter {
            Counter::Ladder => (theirs[0], ours[0], &mut positions.ladder),
            Counter::Free => (theirs[1], ours[1], &mut positions.free),
            Counter::Commit => (theirs[2], ours[2], &mut positions.commitment),
        };
        if let (Some(theirs), Some(ours), position) = place
            && theirs.name == ours.name
        {
            position.used = *used;
        }
    }
    positions
}

impl Present for Scene<'_> {
    fn now(&self) -> Uptime {
        Uptime::ZERO
    }

    fn state(&self, model: ModelId) -> State<'_> {
        let health = self.world.health(self.snapshot, model);
        let provider = self.snapshot.provider_of(model);
        let keys = self.by_keys(provider);
        let wait = |lasts: Duration, why, breaker| {
            let until = Uptime::ZERO + lasts;
            Some(Wait { until, why, breaker })
        };
        let key = || {
            let key = provider.keys.first();
            key.map_or_else(
                || "it has no credential".to_owned(),
                |key| format!("{} is not set", key.credential.label()),
            )
        };
        let missing = health == Health::NoCredential || keys == KeyState::Missing;
        State {
            full: self.full(model, keys),
            missing_credential: missing.then(|| key().into()),
            wait: match health {
                Health::Down => wait(REST, "given as down", true),
                Health::Cooling(lasts) => wait(lasts, "given as cooling", false),
                Health::Up | Health::Cold if keys == KeyState::Cooling => wait(REST, "given as cooling", false),
                Health::Up | Health::Cold | Health::NoCredential => None,
            },
            cold: health == Health::Cold,
            funds: self.funds.get(model.0).and_then(Option::as_ref),
        }
    }

    fn positions(&self, model: ModelId) -> &Positions {
        self.positions.get(model.0).unwrap_or(&Positions::START)
    }

    fn shaped(&self, model: ModelId) -> Shaped<'_> {
        reshape::of(&self.reshapes, model)
    }

    fn output(&self, model: ModelId) -> Option<u64> {
        let name = &self.snapshot.model(model).name;
        let answers = &self.world.given().moment.answers;
        answers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, tokens)| *tokens)
    }

    fn speed(&self, model: ModelId) -> Option<Speed> {
        let name = &self.snapshot.model(model).name;
        let speeds = &self.world.given().moment.speeds;
        speeds.iter().find(|(known, _)| known == name).map(|(_, pace)| Speed {
            first_token: pace.first_token,
            per_thousand: pace.per_thousand,
        })
    }
}
