//! Server-sent events, in any chunking. `CONTRIBUTING.md` says how to run it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| planb::dialect::trial::stream(bytes).unwrap());
