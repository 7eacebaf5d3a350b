//! A webhook as GitHub sends it, signed for the examples, and its way to an endpoint and out of the receiver again.
use std::{
    fmt, fs,
    net::SocketAddr,
    process,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{http, lines::Lines};

/// The secret in `crds/examples`: the one that GitHub's documentation signs with.
pub(crate) const SECRET: &str = "It's a Secret to Everybody";
/// A `log` sink has nothing to wait for.
const ARRIVAL_WAIT: Duration = Duration::from_secs(10);
/// A push, shortened to what one looks for first.
const BODY: &str = concat!(
    r#"{"ref":"refs/heads/main","repository":{"full_name":"octo-org/octo-repo"},"#,
    r#""pusher":{"name":"octocat"},"head_commit":{"message":"Try Boathook"}}"#
);

/// Where GitHub would call.
#[derive(Clone, Copy)]
pub(crate) struct Endpoint {
    pub(crate) receiver: SocketAddr,
    pub(crate) path: &'static str,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", http::HOST, self.receiver.port(), self.path)
    }
}

impl Endpoint {
    /// Two lines for a shell that send a delivery; its id is the time, so that it is no duplicate.
    pub(crate) fn shell_lines(&self) -> String {
        format!(
            r#"body='{BODY}'; signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "{SECRET}" | sed 's/.* //')
curl -i {self} -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' -H "X-GitHub-Delivery: $(date +%s%N)" -H "X-Hub-Signature-256: sha256=$signature" --data-binary "$body""#
        )
    }
}

/// One delivery.
pub(crate) struct Delivery {
    /// GitHub's name for it.
    pub(crate) id: String,
}

impl Delivery {
    /// One that no receiver has seen.
    pub(crate) fn fresh() -> Self {
        let id = match fs::read_to_string("/proc/sys/kernel/random/uuid") {
            Ok(uuid) => uuid.trim().to_owned(),
            Err(_) => {
                let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
                format!("{}-{}", since_1970.as_nanos(), process::id())
            }
        };
        Self { id }
    }

    /// Sends it, signed with a secret, and says how it was answered; `what` is what that status means.
    ///
    /// # Errors
    /// When no answer comes, or one with another status.
    pub(crate) fn send(
        &self,
        endpoint: Endpoint,
        secret: &str,
        status: u16,
        what: &str,
    ) -> anyhow::Result<()> {
        let headers = [
            ("Content-Type", "application/json"),
            ("User-Agent", "boathook-xtask"),
            ("X-GitHub-Event", "push"),
            ("X-GitHub-Delivery", &self.id),
            ("X-Hub-Signature-256", &signature(secret, BODY)),
        ];
        let answer = http::post(endpoint.receiver, endpoint.path, &headers, BODY);
        let answer = answer.with_context(|| format!("no answer from {endpoint}"))?;
        if answer.status != status {
            bail!(
                "a delivery to {endpoint} that must be {what} ({status}) was answered {}: {}",
                answer.status,
                answer.body
            );
        }
        println!("{what}: {status} {}", answer.body);
        Ok(())
    }

    /// Waits for it among the lines that the receiver writes, and shows it.
    ///
    /// # Errors
    /// When it does not come.
    pub(crate) fn arrive(&self, lines: &Lines) -> anyhow::Result<()> {
        let Ok(line) = lines.awaited(ARRIVAL_WAIT) else {
            bail!(
                "the delivery {} was stored but did not arrive on the receiver's standard output in {ARRIVAL_WAIT:?}",
                self.id
            );
        };
        println!("delivered: {line}");
        Ok(())
    }
}

/// GitHub's `X-Hub-Signature-256`.
pub(crate) fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body.as_bytes());
    format!("sha256={}", faster_hex::hex_string(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps;

    /// From docs.github.com, "Validating webhook deliveries".
    #[test]
    fn githubs_published_example_is_signed_as_published() {
        let published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(signature("It's a Secret to Everybody", "Hello, World!"), published);
    }

    #[test]
    fn the_examples_still_have_this_secret() {
        let examples = steps::root().unwrap().join("crds/examples");
        for file in ["quick-start/github.yaml", "kubernetes/github.yaml"] {
            let text = fs::read_to_string(examples.join(file)).unwrap();
            let line = format!("secret: \"{SECRET}\"");
            assert!(text.lines().any(|other| other.trim() == line), "change SECRET along with {file}");
        }
    }

    #[test]
    fn body_and_secret_stay_what_they_are_between_the_shells_quotes() {
        assert!(!BODY.contains('\''));
        assert!(!SECRET.contains(['"', '$', '`', '\\', '!']));
    }

    #[test]
    fn two_deliveries_have_different_ids() {
        assert_ne!(Delivery::fresh().id, Delivery::fresh().id);
    }
}
