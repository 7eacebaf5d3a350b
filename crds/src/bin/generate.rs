//! Writes the files that are generated from the API's types, or checks that they are as they should be.
use std::{fs, path::Path, process::ExitCode};

fn main() -> std::io::Result<ExitCode> {
    let check = std::env::args().any(|argument| argument == "--check");
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut stale = false;
    for (path, content) in boathook_crds::generated() {
        let file = root.join(&path);
        if fs::read_to_string(&file).is_ok_and(|found| found == content) {
            continue;
        }
        if check {
            eprintln!("{path} is not what its source says: run `cargo xtask generate`");
            stale = true;
            continue;
        }
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&file, content)?;
        println!("wrote {path}");
    }
    Ok(if stale { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
