//! The program: reads its arguments and does what they say.

use clap::Parser;
use std::process::ExitCode;

/// A request makes many small values that its end frees at once; `docs/performance.md` says what this gains.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    planb::cli::Arguments::parse().run()
}
