//! The text of a kubeconfig.
use std::path::Path;

use serde_json::{Value, json};

/// Who calls.
pub(crate) enum User<'a> {
    /// Whoever this certificate names.
    Certificate { certificate: &'a Path, key: &'a Path },
    /// Whoever this token was made for.
    Token(&'a str),
}

/// A kubeconfig with one cluster and one user; JSON, which is YAML too.
pub(crate) fn text(server: &str, ca: &Path, user: &User) -> String {
    let user = match user {
        User::Certificate { certificate, key } => {
            json!({ "client-certificate": path(certificate), "client-key": path(key) })
        }
        User::Token(token) => json!({ "token": token }),
    };
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "testbed", "cluster": { "server": server, "certificate-authority": path(ca) } }],
        "users": [{ "name": "testbed", "user": user }],
        "contexts": [{ "name": "testbed", "context": { "cluster": "testbed", "user": "testbed" } }],
        "current-context": "testbed",
    });
    format!("{config:#}\n")
}

/// Our folders have plain names.
fn path(path: &Path) -> Value {
    Value::from(path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_names_server_authority_and_user() {
        let certificate = User::Certificate { certificate: Path::new("/a.crt"), key: Path::new("/a.key") };
        for (user, expected) in [
            (User::Token("a\"b"), json!({ "token": "a\"b" })),
            (certificate, json!({ "client-certificate": "/a.crt", "client-key": "/a.key" })),
        ] {
            let config: Value =
                serde_json::from_str(&text("https://a", Path::new("/ca.crt"), &user)).unwrap();
            let cluster = json!({ "server": "https://a", "certificate-authority": "/ca.crt" });
            assert_eq!(
                (&config["users"][0]["user"], &config["clusters"][0]["cluster"]),
                (&expected, &cluster)
            );
        }
    }
}
