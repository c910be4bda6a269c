//! Text to snapshot. `cargo +nightly fuzz run policy tests/policies/wrong policies` from the repository's folder.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| planb::policy::trial::policy(text).unwrap());
