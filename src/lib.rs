//! planb: routes inference requests by policy, price, budget and health. `docs/architecture.md` draws the rooms.

pub mod alert;
pub mod budget;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod control;
pub mod daemon;
pub mod decide;
pub mod dialect;
pub mod failover;
pub mod failure;
pub mod gateway;
pub mod health;
pub mod ledger;
pub mod live;
pub mod money;
pub mod peer;
pub mod period;
pub mod plan;
pub mod policy;
pub mod price;
pub mod request;
pub mod telemetry;
pub mod upstream;
pub mod usage;
pub mod watch;
