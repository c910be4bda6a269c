//! Who a daemon is to the fleet's store, and what the two have told each other.

use crate::budget::PoolId;
use crate::money::Currency;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The policy in force and when it was edited last, to which limits belong.
#[derive(Clone, Debug)]
pub struct Stamp {
    pub hash: Arc<str>,
    pub edited_at: Timestamp,
    /// This daemon has just come to be: its edit may be an old one that it sees for the first time.
    pub fresh: bool,
}

/// An account as the store names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct AccountKey {
    budget: Arc<str>,
    shape: Arc<str>,
    span: (Timestamp, Timestamp),
    currency: Currency,
    key: Arc<str>,
}

impl AccountKey {
    pub(super) fn of(pool: &PoolId, key: &Arc<str>) -> Self {
        Self {
            budget: pool.budget.clone(),
            shape: pool.shape.clone(),
            span: (pool.span.start, pool.span.end),
            currency: pool.currency,
            key: key.clone(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) pool: i64,
    pub(super) account: i64,
}

/// Who this daemon is to the store. Outlives connections.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) fleet: String,
    pub(super) holder: String,
    /// 0 before the store has minted one.
    pub(super) incarnation: i64,
    /// How many exchanges went through.
    pub(super) exchange: i64,
    pub(super) accounts: HashMap<AccountKey, Row>,
    /// The same by number, as they were asked for last.
    pub(super) named: HashMap<i64, (Arc<PoolId>, Arc<str>)>,
    /// Of the exchange whose answer is not known yet.
    pub(super) nonce: Option<i64>,
    /// Pools whose past is not told by all yet.
    pub(super) counting: HashSet<i64>,
    /// Limits and their edits, as far as the store has heard of them.
    pub(super) agreed: HashMap<(String, String), (i64, String)>,
    /// The policy that the store has heard of.
    pub(super) told: Option<Arc<str>>,
    /// How many are there.
    pub(super) daemons: u32,
}

impl Session {
    pub(super) fn new(fleet: &str, holder: &str) -> Self {
        Self {
            fleet: fleet.to_owned(),
            holder: holder.to_owned(),
            incarnation: 0,
            exchange: 0,
            accounts: HashMap::new(),
            named: HashMap::new(),
            nonce: None,
            counting: HashSet::new(),
            agreed: HashMap::new(),
            told: None,
            daemons: 1,
        }
    }

    /// The store is an older one than it was: what it knows of this daemon is found anew.
    pub(super) fn forget_store(&mut self) {
        self.accounts.clear();
        self.named.clear();
        self.counting.clear();
        self.agreed.clear();
        (self.nonce, self.told) = (None, None);
    }
}
