//! The program: reads its arguments and does what they say.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    planb::cli::Arguments::parse().run()
}
