//! planb: routes inference requests by policy, price, budget and health. `docs/architecture.md` draws the rooms.

pub mod alert;
pub mod catalog;
pub mod ledger;
pub mod money;
pub mod period;
pub mod policy;
pub mod price;
pub mod request;
pub mod upstream;
pub mod usage;
