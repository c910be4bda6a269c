//! Text to the same text laid out. `cargo +nightly fuzz run layout tests/policies/wrong policies` from the repository's folder.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| planb::policy::trial::layout(text).unwrap());
