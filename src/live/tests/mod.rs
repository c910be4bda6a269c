//! The live state as a whole, without a daemon around it.

mod month;
