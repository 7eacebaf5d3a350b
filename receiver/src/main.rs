//! The receiver's program: settings in, an exit status out.
use std::process::ExitCode;

use boathook_receiver::{Settings, run};

fn main() -> ExitCode {
    let settings = Settings::read();
    match run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("boathook-receiver: {failed}");
            failed.exit_code()
        }
    }
}
