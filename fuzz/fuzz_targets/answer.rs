//! What providers answer. `CONTRIBUTING.md` says how to run it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| planb::dialect::trial::answers(bytes).unwrap());
