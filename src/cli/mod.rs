//! The command line: one file a command, each parses nothing but its own and calls one library function.

pub mod check;
