//! Writes the files that are generated from the API's types, or checks that they are as they should be.
use std::{fs, path::Path, process::ExitCode};

fn main() -> std::io::Result<ExitCode> {
    let check = std::env::args().any(|argument| argument == "--check");
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut stale = false;
    let generated = boathook_crds::generated();
    let known: Vec<_> = generated.iter().map(|(path, _)| root.join(path)).collect();
    let readme = fs::read_to_string(root.join("README.md"))?;
    let readme =
        with_list(&readme).ok_or_else(|| std::io::Error::other("README.md has no providers marks"))?;
    for (path, content) in generated.into_iter().chain([("README.md".to_owned(), readme)]) {
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
    for page in fs::read_dir(root.join(boathook_crds::PROVIDER_PAGES))? {
        let page = page?.path();
        if known.contains(&page) {
            continue;
        }
        if check {
            eprintln!("{} has no preset: run `cargo xtask generate`", page.display());
            stale = true;
            continue;
        }
        fs::remove_file(&page)?;
        println!("removed {}", page.display());
    }
    Ok(if stale { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The README with the list of providers between its marks.
fn with_list(readme: &str) -> Option<String> {
    const MARKS: [&str; 2] = ["<!-- providers -->\n", "<!-- /providers -->"];
    let (before, rest) = readme.split_once(MARKS[0])?;
    let (_, after) = rest.split_once(MARKS[1])?;
    Some([before, MARKS[0], &boathook_crds::provider_list(), MARKS[1], after].concat())
}
