//! Routes: which requests they take, the models that may serve them, and on which terms.

use super::{Limits, Match, Mirror, ModelId, Need, Shaping, Timeouts};
use crate::money::Money;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    InOrder,
    /// By what this request would cost now.
    Cheapest,
    /// By the measured time to a whole answer.
    Fastest,
    /// By lot, each model by its weight.
    Weighted,
}

impl Pick {
    pub const ALL: [Self; 4] = [Self::InOrder, Self::Cheapest, Self::Fastest, Self::Weighted];

    pub const fn word(self) -> &'static str {
        match self {
            Self::InOrder => "in_order",
            Self::Cheapest => "cheapest",
            Self::Fastest => "fastest",
            Self::Weighted => "weighted",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisconnect {
    Cancel,
    Finish,
}

/// Whether requests of one conversation stay where their prompt is in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stick {
    Conversation,
    None,
}

/// On which terms a route serves: what plans may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The models that may serve, the preferred one first.
    pub candidates: Arc<[ModelId]>,
    pub pick: Pick,
    /// `None`: where it goes by cost or speed.
    pub stick: Option<Stick>,
    /// For `pick: weighted`. A model without one comes after those that have one.
    pub weights: Arc<[(ModelId, u32)]>,
    pub need: Need,
    /// The most that one attempt may cost.
    pub max_cost: Option<Money>,
    /// Attempts a request, 1 to 3.
    pub attempts: u8,
    /// The most output tokens a request may ask for.
    pub max_output: Option<u64>,
    /// Where the client's own output bound is more than everything allows it is lowered, in place of an exclusion.
    pub cap_output: bool,
    /// An answer that must be shorter is not worth starting. `None`: by the model.
    pub min_output: Option<u64>,
    /// A plan switches thinking off, where the model has a switch.
    pub thinking_off: bool,
}

impl Terms {
    /// Are conversations kept together?
    pub fn sticks(&self) -> bool {
        let by_pick = matches!(self.pick, Pick::Cheapest | Pick::Fastest);
        self.stick.map_or(by_pick, |stick| stick == Stick::Conversation)
    }

    /// Those of one model asked for by name: nothing is asked of it but itself.
    pub fn direct(model: ModelId) -> Self {
        Self {
            candidates: Arc::from([model]),
            pick: Pick::InOrder,
            stick: None,
            weights: Arc::from([]),
            need: Need::NOTHING,
            max_cost: None,
            attempts: 1,
            max_output: None,
            cap_output: false,
            min_output: None,
            thinking_off: false,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Route {
    pub name: Arc<str>,
    /// Which requests it takes; of those that several take, the first in file order serves.
    pub matches: Match,
    /// As written; [`crate::plan::Effective`] has them as the active plans leave them.
    pub terms: Terms,
    pub timeouts: Timeouts,
    pub limits: Limits,
    /// How long a request waits for money that others have reserved.
    pub money_wait: Option<Duration>,
    pub shaping: Shaping,
    /// How long a streamed answer may be silent; `None`: as long as it likes.
    pub heartbeat: Option<Duration>,
    pub on_disconnect: OnDisconnect,
    /// Its clients see the names of models and providers.
    pub exposes: bool,
    pub mirror: Option<Mirror>,
}
