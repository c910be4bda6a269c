use std::path::Path;
use std::process::ExitCode;
pub fn run(_: &Path) -> ExitCode {
    ExitCode::SUCCESS
}
