//! Bodies of requests: read, rewritten for providers, shaped. `CONTRIBUTING.md` says how to run it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| planb::dialect::trial::body(bytes).unwrap());
