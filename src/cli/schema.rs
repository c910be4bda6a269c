//! `planb schema`: the JSON Schema of policies, or of their tests, so that editors complete and check while somebody types.

use crate::policy::schema;
use std::io::Write;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    /// The schema of `*.test.yaml` in place of the policy's
    #[arg(long)]
    tests: bool,
}

pub fn run(args: &SchemaArgs) -> ExitCode {
    let text = if args.tests {
        schema::tests_schema()
    } else {
        schema::schema()
    };
    // A reader that has gone away (`| head`) is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
