//! The tool as kubectl calls it: `kubectl boathook`.
use std::process::ExitCode;

fn main() -> ExitCode {
    boathook_cli::main("kubectl boathook")
}
