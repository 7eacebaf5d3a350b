//! An endpoint that waits for a secret which its provider sends by itself, once.
use boathook_crds::{Reason, SecretCapture, SecretRef, Timestamp, WebhookEndpointSpec};
use boathook_verify::Scheme;

use crate::{Keys, problem::Problems};

/// The capture of a secret, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Where the secret goes.
    pub secret_ref: SecretRef,
    /// It is not taken from then on.
    pub until: Timestamp,
    /// It is not there yet.
    pub awaited: bool,
    /// What a person does with it once it is there, in the provider's words.
    pub next: Option<Box<str>>,
}

impl Capture {
    /// Whether a secret would be taken now.
    pub fn is_armed(&self, now: Timestamp) -> bool {
        self.awaited && now < self.until
    }
}

/// Reads `spec.secretCapture`.
pub(crate) fn capture(
    spec: &WebhookEndpointSpec,
    scheme: &Scheme,
    keys: &Keys,
    problems: &mut Problems<'_>,
) -> Option<Capture> {
    let SecretCapture { secret_ref, until } = spec.secret_capture.as_ref()?;
    if !scheme.brings_secret() {
        let message = "this provider sends no secret by itself: leave it out, and copy the secret from the provider's console";
        problems.add("spec.secretCapture", Reason::InvalidValue, message);
        return None;
    }
    let counts = |secret: &boathook_crds::EndpointSecret| {
        secret.name == secret_ref.name && secret.key == secret_ref.key
    };
    if !spec.secrets.iter().any(counts) {
        let message = format!(
            "the Secret {} with the key `{}` is none of spec.secrets: name it there, too, for what is captured is to count",
            secret_ref.name, secret_ref.key
        );
        problems.add("spec.secretCapture.secretRef", Reason::InvalidValue, message);
        return None;
    }
    let awaited = keys.value(problems.object.namespace(), &secret_ref.name, &secret_ref.key).is_err();
    let next = scheme.next_with_secret().map(Into::into);
    Some(Capture { secret_ref: secret_ref.clone(), until: *until, awaited, next })
}
