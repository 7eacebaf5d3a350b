//! Certificates and keys, by `openssl`.
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

/// Of the machine's own configuration nothing is read: it may add what we say already.
const CONFIG: &str = "\
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,digitalSignature,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,\
DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
[client]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
";
/// Name, subject, section of the configuration. The authorities sign themselves, `ca` all others.
const CERTIFICATES: [(&str, &str, &str); 5] = [
    ("ca", "/CN=testbed", "ca"),
    ("front-proxy-ca", "/CN=testbed-front-proxy", "ca"),
    ("apiserver", "/CN=kube-apiserver", "server"),
    ("admin", "/O=system:masters/CN=admin", "client"),
    ("controller-manager", "/CN=system:kube-controller-manager", "client"),
];

/// Makes all that a control plane needs, in `folder`: `<name>.crt` and `<name>.key` for each certificate, and the pair
/// `sa.key`, `sa.pub` for the tokens of service accounts.
///
/// # Errors
/// When `openssl` is missing and cannot be installed, or fails.
pub(crate) fn make(folder: &Path) -> anyhow::Result<()> {
    ensure_openssl()?;
    fs::create_dir_all(folder)?;
    fs::write(folder.join("openssl.cnf"), CONFIG)?;
    let openssl = |words: &str| run(Command::new("openssl").args(words.split(' ')).current_dir(folder));
    let key = "ec -pkeyopt ec_paramgen_curve:P-256";
    for (name, subject, section) in CERTIFICATES {
        let signed = if section == "ca" { "" } else { " -CA ca.crt -CAkey ca.key" };
        openssl(&format!(
            "req -x509 -config openssl.cnf -extensions {section} -days 30 -subj {subject} -newkey {key} -noenc \
             -keyout {name}.key -out {name}.crt{signed}"
        ))?;
    }
    openssl(&format!("genpkey -algorithm {key} -out sa.key"))?;
    openssl("pkey -in sa.key -pubout -out sa.pub")
}

/// Makes sure that there is an `openssl`; on Debian it is installed where we may.
fn ensure_openssl() -> anyhow::Result<()> {
    let can_start = |program: &str| {
        let mut command = Command::new(program);
        command.arg("version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok()
    };
    if can_start("openssl") {
        return Ok(());
    }
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !is_root || !can_start("apt-get") {
        bail!("no openssl for the testbed's certificates: install the package openssl");
    }
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get").args(["install", "-y", "-qq", "--no-install-recommends", "openssl"]))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}
