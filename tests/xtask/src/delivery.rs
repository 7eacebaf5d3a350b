//! A webhook as GitHub sends it, signed for the quick-start folder.
use std::{fs, io, net::SocketAddr, process, time::SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::http::{self, Answer};

/// The secret in `crds/examples/quick-start`: the one that GitHub's documentation signs with.
pub(crate) const SECRET: &str = "It's a Secret to Everybody";
/// The path of the endpoint in `crds/examples/quick-start`.
pub(crate) const PATH: &str = "/github";
/// A push, shortened to what one looks for first.
const BODY: &str = concat!(
    r#"{"ref":"refs/heads/main","repository":{"full_name":"octo-org/octo-repo"},"#,
    r#""pusher":{"name":"octocat"},"head_commit":{"message":"Try Boathook"}}"#
);

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

    /// Sends it, signed with a secret.
    ///
    /// # Errors
    /// When no answer comes.
    pub(crate) fn send(&self, receiver: SocketAddr, secret: &str) -> io::Result<Answer> {
        let headers = [
            ("Content-Type", "application/json"),
            ("User-Agent", "boathook-xtask"),
            ("X-GitHub-Event", "push"),
            ("X-GitHub-Delivery", &self.id),
            ("X-Hub-Signature-256", &signature(secret, BODY)),
        ];
        http::post(receiver, PATH, &headers, BODY)
    }
}

/// Two lines for a shell that send one more; its id is the time, so that it is no duplicate.
pub(crate) fn shell_lines(receiver: SocketAddr) -> String {
    format!(
        r#"body='{BODY}'; signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "{SECRET}" | sed 's/.* //')
curl -i http://{receiver}{PATH} -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' -H "X-GitHub-Delivery: $(date +%s%N)" -H "X-Hub-Signature-256: sha256=$signature" --data-binary "$body""#
    )
}

/// GitHub's `X-Hub-Signature-256`.
fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
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
    fn the_quick_start_still_has_this_secret_and_path() {
        let folder = steps::root().unwrap().join("crds/examples/quick-start");
        let text = fs::read_to_string(folder.join("github.yaml")).unwrap();
        let has = |line: &str| text.lines().any(|other| other.trim() == line);
        assert!(has(&format!("secret: \"{SECRET}\"")), "change SECRET along with {folder:?}");
        assert!(has(&format!("path: {PATH}")), "change PATH along with {folder:?}");
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
