//! `cargo xtask fuzz`: verification under whatever comes, from the vectors as seeds.
use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::steps;

/// The targets, and what each begins with.
const TARGETS: [(&str, Seeding); 4] =
    [("request", requests), ("scheme", schemes), ("token", tokens), ("xml", documents)];
/// Inputs to begin with.
type Seeds = Vec<Vec<u8>>;
/// Makes them, given the folder of the crate.
type Seeding = fn(&Path) -> anyhow::Result<Seeds>;

const VERIFY: &str = "receiver/verify";

/// Runs each target for so long.
///
/// # Errors
/// When cargo-fuzz is not there, and when a target finds something: what it was is left in `artifacts/`.
pub(crate) fn run(seconds: u32) -> anyhow::Result<()> {
    if steps::run("cargo-fuzz", "cargo", &["+nightly", "fuzz", "--version"]).is_err() {
        bail!(
            "fuzzing needs a nightly toolchain and cargo-fuzz: rustup toolchain install nightly, cargo install cargo-fuzz"
        );
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(VERIFY);
    for (target, seeds) in TARGETS {
        let folder = root.join("fuzz/corpus").join(target);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for (number, seed) in seeds(&root)?.into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed).context("cannot write a seed")?;
        }
        let folder = root.display().to_string();
        let time = format!("-max_total_time={seconds}");
        let arguments = [
            "+nightly",
            "fuzz",
            "run",
            "--fuzz-dir",
            &format!("{folder}/fuzz"),
            target,
            "--",
            &time,
            "-max_len=8192",
        ];
        steps::run(&format!("fuzzing {target} for {seconds} s"), "cargo", &arguments)?;
    }
    Ok(())
}

/// The requests of all vectors, as the target reads them.
fn requests(root: &Path) -> anyhow::Result<Seeds> {
    let mut seeds = Vec::new();
    for (place, file) in files(&root.join("providers"), "yaml")?.iter().enumerate() {
        let vectors = root.join("vectors").join(file.with_extension("jsonl").file_name().unwrap_or_default());
        let lines =
            fs::read_to_string(&vectors).with_context(|| format!("cannot read {}", vectors.display()))?;
        for line in lines.lines() {
            let vector: Value = serde_json::from_str(line).context("a vector is a JSON object")?;
            let place = u8::try_from(place % 256).unwrap_or_default();
            seeds.extend(vector.get("request").map(|sent| request(place, sent)));
        }
    }
    Ok(seeds)
}

fn request(place: u8, request: &Value) -> Vec<u8> {
    let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let method = ["POST", "GET", "HEAD", "OPTIONS"].iter().position(|method| text("/method") == *method);
    let query = text("/path").split_once('?').map_or("", |(_, query)| query);
    let mut seed = vec![place, u8::try_from(method.unwrap_or(0)).unwrap_or_default()];
    seed.extend_from_slice(query.as_bytes());
    let headers = request.get("headers").and_then(Value::as_array);
    for place in 0..headers.map_or(0, Vec::len) {
        let (name, value) = (format!("/headers/{place}/0"), format!("/headers/{place}/1"));
        seed.extend_from_slice(format!("\n{}: {}", text(&name), text(&value)).as_bytes());
    }
    seed.extend_from_slice(b"\n\n");
    seed.extend_from_slice(text("/body").as_bytes());
    seed
}

/// The bodies of the vectors of SOAP.
fn documents(root: &Path) -> anyhow::Result<Seeds> {
    let vectors = root.join("vectors/salesforce-outbound-message.jsonl");
    let lines = fs::read_to_string(&vectors).with_context(|| format!("cannot read {}", vectors.display()))?;
    let mut seeds = Vec::new();
    for line in lines.lines() {
        let vector: Value = serde_json::from_str(line).context("a vector is a JSON object")?;
        let body = vector.pointer("/request/body").and_then(Value::as_str);
        seeds.extend(body.map(|body| body.as_bytes().to_vec()));
    }
    Ok(seeds)
}

/// The presets themselves.
fn schemes(root: &Path) -> anyhow::Result<Seeds> {
    let read = |file: &PathBuf| fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    files(&root.join("providers"), "yaml")?.iter().map(read).collect()
}

/// A set with one key of each kind, and a token.
fn tokens(_: &Path) -> anyhow::Result<Seeds> {
    let set = r#"{"keys":[{"kty":"RSA","kid":"a","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    Ok(vec![format!("{set}\n{token}").into_bytes()])
}

/// The files of a folder, sorted by name.
fn files(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = listed.filter_map(|file| Some(file.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|found| found == extension));
    files.sort();
    Ok(files)
}
