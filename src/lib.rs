//! planb: routes inference requests by policy, price, budget and health. `docs/architecture.md` draws the rooms.

pub mod catalog;
pub mod failover;
pub mod failure;
pub mod health;
pub mod ledger;
pub mod money;
pub mod period;
pub mod plan;
pub mod policy;
pub mod price;
pub mod request;
pub mod usage;
