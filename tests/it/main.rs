//! Black-box tests of the real binary, one module a capability. `tests/support` holds the daemon, the scripted
//! providers and the webhook receiver that they share.

#[path = "../support/mod.rs"]
mod support;

mod alerts;
mod bad_state;
mod bills;
mod books_kept;
mod broken_disk;
mod budgets;
mod cases;
mod cli;
mod clients;
mod counted;
mod crash;
mod cycles;
mod docs;
mod edges;
mod embeddings;
mod explained;
mod fallback;
mod fits;
mod fleet;
mod forecasts;
mod heartbeats;
mod house;
mod keys;
mod licenses;
mod limits;
mod local_server;
mod messages;
mod meters;
mod mirror;
mod plan_changes;
mod plans;
mod power_cut;
mod prices;
mod projection;
mod reconcile;
mod refusals;
mod reload;
mod retention;
mod rights;
mod routes;
mod serve;
mod shaping;
mod signals;
mod streams;
mod surface;
mod terms;
mod trouble;
mod unreadable;
mod waiting;
