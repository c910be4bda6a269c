//! One file a command: parse arguments, call one library function, print.

pub mod spend;
