//! Conditions of both kinds. `cargo +nightly fuzz run condition tests/policies/wrong policies` from the repository's folder.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| planb::policy::trial::condition(text).unwrap());
