//! One version of a price, compiled: a table of rates for every window and every step of its ladder.

use super::bill::Drawn;
use super::kinds::{Kind, Kinds, Rates};
use super::meter::{Meter, Unit};
use super::sheet::{Commitment, Compute, Fees, FlatFee, FreeQuota, LadderKind, Service, Sheet};
use crate::money::{Currency, Money, Ratio};
use crate::period::window::Window;
use jiff::Timestamp;
use jiff::civil::Date;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) struct Version {
    pub from: Option<Timestamp>,
    pub currency: Currency,
    pub exchange: Ratio,
    pub account: Ratio,
    /// `account` and `exchange` together.
    pub factor: Ratio,
    /// By window (the first is outside all) and, within it, by step of the ladder.
    tables: Vec<Table>,
    pub windows: Vec<Window>,
    pub service: Service,
    pub options: Vec<(Arc<str>, Ratio)>,
    pub fees: Fees,
    pub compute: Option<Compute>,
    /// Neither of the two.
    pub only_tokens: bool,
    pub ladder: Option<Ladder>,
    pub free: Option<FreeQuota>,
    pub commitment: Option<Commitment>,
    pub flat: Option<FlatFee>,
    pub as_of: Option<Date>,
    pub listed: Option<Date>,
    /// The request sets caches up itself where it wants them: what it does not ask for is not written.
    pub explicit_cache: bool,
}

/// More windows than this do not fit a set of bits.
pub const MOST_WINDOWS: usize = 63;

#[derive(Clone, Debug)]
pub(super) struct Ladder {
    pub meter: Meter,
    pub kind: LadderKind,
    /// From which volume each step counts; the first from nothing.
    pub from: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Ascending; the first from no input at all.
    tiers: Vec<(u64, Rates)>,
    pub times: Ratio,
}

impl Table {
    /// The rates for a request with so many input tokens.
    pub fn rates(&self, input: u64) -> &Rates {
        let mut rates = &Rates::FREE;
        for (above, tier) in &self.tiers {
            if *above == 0 || input > *above {
                rates = tier;
            }
        }
        rates
    }

    /// Those that a request with at most so many input tokens may meet.
    pub fn reachable(&self, input: u64) -> impl Iterator<Item = &Rates> {
        let reached = self
            .tiers
            .iter()
            .take_while(move |(above, _)| *above == 0 || input > *above);
        reached.map(|(_, rates)| rates)
    }
}

impl Ladder {
    /// Each token has a place of its own on it.
    pub fn is_placed(&self) -> bool {
        self.kind == LadderKind::Marginal && self.meter.unit == Unit::Tokens
    }

    /// The step that counts at this volume.
    pub fn step(&self, volume: u64) -> usize {
        self.from.iter().rposition(|from| volume >= *from).unwrap_or(0)
    }

    /// The volume at which the step after this one begins.
    pub fn end(&self, step: usize) -> u64 {
        self.from.get(step + 1).copied().unwrap_or(u64::MAX)
    }
}

impl Version {
    /// The same, everything times a share.
    pub fn at(&self, share: Ratio) -> Self {
        Self {
            account: self.account.times(share),
            factor: self.factor.times(share),
            ..self.clone()
        }
    }

    pub fn of(sheet: Sheet) -> Self {
        let explicit_cache = sheet.kinds.get(Kind::CacheReadExplicit).is_some();
        let tables = tables(&sheet);
        let ladder = sheet.ladder.map(|ladder| Ladder {
            meter: ladder.meter,
            kind: ladder.kind,
            from: std::iter::once(0)
                .chain(ladder.steps.iter().map(|(from, _)| *from))
                .collect(),
        });
        Self {
            from: sheet.from,
            currency: sheet.currency,
            exchange: sheet.exchange,
            account: sheet.account,
            factor: sheet.account.times(sheet.exchange),
            tables,
            windows: sheet
                .windows
                .into_iter()
                .take(MOST_WINDOWS)
                .map(|sheet| sheet.window)
                .collect(),
            service: sheet.service,
            options: sheet.options,
            only_tokens: sheet.fees == Fees::NONE && sheet.compute.is_none(),
            fees: sheet.fees,
            compute: sheet.compute,
            ladder,
            free: sheet.free,
            commitment: sheet.commitment,
            flat: sheet.flat,
            as_of: sheet.as_of,
            listed: sheet.listed,
            explicit_cache,
        }
    }

    pub fn steps(&self) -> usize {
        self.ladder.as_ref().map_or(1, |ladder| ladder.from.len())
    }

    /// `window` 0 is outside all; both indices come from this version.
    pub fn table(&self, window: usize, step: usize) -> &Table {
        &self.tables[window * self.steps() + step]
    }

    pub fn meters(&self) -> impl Iterator<Item = &Meter> {
        let ladder = self.ladder.iter().map(|ladder| &ladder.meter);
        let free = self.free.iter().map(|quota| &quota.meter);
        let commitment = self.commitment.iter().map(|commitment| &commitment.meter);
        ladder.chain(free).chain(commitment)
    }

    pub fn meters_mut(&mut self) -> impl Iterator<Item = &mut Meter> {
        let ladder = self.ladder.iter_mut().map(|ladder| &mut ladder.meter);
        let free = self.free.iter_mut().map(|quota| &mut quota.meter);
        let commitment = self.commitment.iter_mut().map(|commitment| &mut commitment.meter);
        ladder.chain(free).chain(commitment)
    }

    /// Its meters with what a usage adds to each, and what that costs at each step.
    pub fn drawn<'v>(
        &'v self,
        drawn: Drawn,
        steps: &'v [Money],
    ) -> impl Iterator<Item = (&'v Meter, u64, &'v [Money])> {
        let ladder = self
            .ladder
            .iter()
            .map(move |ladder| (&ladder.meter, drawn.ladder, steps));
        let free = self.free.iter().map(move |quota| (&quota.meter, drawn.free, &[][..]));
        let commitment = self.commitment.iter();
        let commitment = commitment.map(move |commitment| (&commitment.meter, drawn.commitment, &[][..]));
        let all = ladder.chain(free).chain(commitment);
        all.filter(|(_, added, _)| *added > 0)
    }

    /// Nothing that it is asked for can cost anything.
    pub fn is_free(&self) -> bool {
        let rates = |table: &Table| table.tiers.iter().all(|(_, rates)| rates.are_free());
        self.tables.iter().all(rates) && self.only_tokens
    }

    /// The free quota, as long as it holds.
    pub fn free_at(&self, at: Timestamp) -> Option<&FreeQuota> {
        let quota = self.free.as_ref();
        quota.filter(|quota| quota.until.is_none_or(|until| at < until))
    }

    pub fn window_at(&self, at: Timestamp) -> usize {
        self.windows
            .iter()
            .position(|window| window.contains(at))
            .map_or(0, |place| place + 1)
    }

    /// The windows that are open at some instant between the two, as bits; bit 0 stands for the time outside all.
    pub fn windows_between(&self, from: Timestamp, until: Timestamp) -> u64 {
        let met = self
            .windows
            .iter()
            .enumerate()
            .filter(|(_, window)| window.meets(from, until));
        let outside = u64::from(self.window_at(from) == 0 || self.window_at(until) == 0);
        met.fold(outside, |met, (place, _)| met | 1 << (place + 1))
    }
}

fn tables(sheet: &Sheet) -> Vec<Table> {
    let plain = sheet.kinds.filled(&Rates::FREE);
    let tiers = || {
        let base = std::iter::once((0, plain)).filter(|_| sheet.tiers.first().is_none_or(|(above, _)| *above > 0));
        base.chain(sheet.tiers.iter().map(|(above, kinds)| (*above, kinds.filled(&plain))))
    };
    let steps = || {
        let steps = sheet.ladder.iter().flat_map(|ladder| &ladder.steps);
        std::iter::once(Kinds::default()).chain(steps.map(|(_, kinds)| *kinds))
    };
    let outside = (Kinds::default(), Ratio::ONE);
    let windows = sheet
        .windows
        .iter()
        .take(MOST_WINDOWS)
        .map(|sheet| (sheet.kinds, sheet.times));
    let mut tables = Vec::new();
    for (window, times) in std::iter::once(outside).chain(windows) {
        for step in steps() {
            let tiers = tiers().map(|(above, rates)| (above, window.filled(&step.filled(&rates))));
            tables.push(Table {
                tiers: tiers.collect(),
                times,
            });
        }
    }
    tables
}
