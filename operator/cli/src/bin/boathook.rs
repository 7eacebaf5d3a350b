//! The tool by its own name: `boathook`.
use std::process::ExitCode;

fn main() -> ExitCode {
    boathook_cli::main("boathook")
}
