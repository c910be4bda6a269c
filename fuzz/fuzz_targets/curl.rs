//! Curl commands and bodies that planb explain is given. `CONTRIBUTING.md` says how to run it.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| planb::cli::curl::trial(text).unwrap());
