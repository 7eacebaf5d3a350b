//! Writes `openapi.json`, or checks that it is as it should be.
use std::{fs, path::Path, process::ExitCode};

use boathook_api::{OPENAPI_FILE, openapi};

fn main() -> std::io::Result<ExitCode> {
    let check = std::env::args().any(|argument| argument == "--check");
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(OPENAPI_FILE);
    let wanted = openapi();
    if fs::read_to_string(&file).is_ok_and(|found| found == wanted) {
        return Ok(ExitCode::SUCCESS);
    }
    if check {
        eprintln!("{OPENAPI_FILE} is not what its source says: run `cargo xtask generate`");
        return Ok(ExitCode::FAILURE);
    }
    fs::write(&file, wanted)?;
    println!("wrote {OPENAPI_FILE}");
    Ok(ExitCode::SUCCESS)
}
