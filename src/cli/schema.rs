//! `planb schema`: the policy's JSON Schema, so that editors complete and check while somebody types.

use crate::policy::schema;
use std::io::Write;
use std::process::ExitCode;

pub fn run() -> ExitCode {
    // A reader that has gone away (`| head`) is no failure.
    let _ = std::io::stdout().write_all(schema::schema().as_bytes());
    ExitCode::SUCCESS
}
