//! Embeds every file of `providers/`.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a build script is the edge: it reads the folder and tells cargo"
)]
use std::{env, fmt::Write, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=providers");
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("providers");
    let files = fs::read_dir(&folder).expect("the folder of presets is beside this script");
    let mut ids: Vec<String> = files
        .map(|file| file.expect("the folder can be read").file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned))
        .collect();
    ids.sort();
    let mut code = format!("static PROVIDERS: [(&str, &str); {}] = [\n", ids.len());
    for id in ids {
        let path = folder.join(format!("{id}.yaml"));
        writeln!(code, "({id:?}, include_str!({path:?})),").expect("writing to a String does not fail");
    }
    code.push_str("];\n");
    let target = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("providers.rs");
    fs::write(target, code).expect("cargo's output folder can be written");
}
