//! Files of policy tests. `CONTRIBUTING.md` says how to run it.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| planb::policy::trial::cases(text).unwrap());
