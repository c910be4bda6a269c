//! Chat requests into the Messages dialect, its answers and streams back. `CONTRIBUTING.md` says how to run it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| planb::dialect::trial::translated(bytes).unwrap());
