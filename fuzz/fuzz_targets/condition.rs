//! Conditions of both kinds. `CONTRIBUTING.md` says how to run it.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| planb::policy::trial::condition(text).unwrap());
