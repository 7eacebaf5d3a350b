//! How an endpoint's requests are checked: its scheme with its secrets and with what it adds to them.
use boathook_crds::{EndpointSecret, Reason, SecretRef, Timestamp, Verification, WebhookEndpointSpec};
use boathook_verify::{Expected, Handshakes, Kind as Proof, Scheme, SchemeError, Secret, Setup, Verifier};

use sha2::{Digest as _, Sha256};

use crate::{Capture, Input, Keys, limits::TOLERANCE_MAX, problem::Problems};

/// What decides on how requests are checked.
#[derive(Clone, Copy)]
pub(crate) struct Checked<'c> {
    pub(crate) spec: &'c WebhookEndpointSpec,
    pub(crate) scheme: &'c Scheme,
    pub(crate) verification: &'c Verification,
    pub(crate) path: &'c str,
    pub(crate) capture: Option<&'c Capture>,
}

/// What checks requests, and what answers handshakes.
pub(crate) struct Checks {
    pub(crate) verifier: Verifier,
    pub(crate) handshakes: Handshakes,
    /// The SHA-256 of each secret's text.
    pub(crate) secrets: Vec<[u8; 32]>,
    /// Where each secret is, and when it ends, in the order of the verifier.
    pub(crate) secret_places: Vec<(SecretRef, Option<Timestamp>)>,
}

/// The SHA-256 of a secret's text, without the line end that editors leave.
pub(crate) fn digest(text: &[u8]) -> [u8; 32] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    Sha256::digest(text.strip_suffix(b"\r").unwrap_or(text)).into()
}

/// Compiles them.
pub(crate) fn checks(
    checked: &Checked<'_>,
    input: &Input<'_>,
    at: &str,
    problems: &mut Problems<'_>,
) -> Option<Checks> {
    let Checked { spec, scheme, verification, path, capture } = *checked;
    let before = problems.found.len();
    let awaited = capture.filter(|capture| capture.awaited).map(|capture| &capture.secret_ref);
    let (secrets, places) = secrets(spec, awaited, input.keys, problems);
    let verify_token = verify_token(scheme, verification, input.keys, problems);
    if let Some(tolerance) = verification.tolerance {
        problems.at_most("spec.verification.tolerance", tolerance.std(), TOLERANCE_MAX);
    }
    let ours = input.class.and_then(|class| class.url_of(spec, path));
    let expected = verification.jwt.as_ref().map(|jwt| Expected {
        issuer: jwt.issuer.as_deref(),
        audience: jwt.audience.as_deref(),
        email: jwt.email.as_deref(),
        jwks_url: jwt.jwks_url.as_deref(),
    });
    if expected.is_some() && scheme.kind != Proof::Jwt {
        let message = "this provider sends no JSON Web Token: leave it out";
        problems.add("spec.verification.jwt", Reason::InvalidValue, message);
    }
    let setup = Setup {
        secrets: &secrets,
        tolerance: verification.tolerance,
        public_url: verification.public_url.as_deref().or(ours.as_deref()).filter(|_| scheme.signs_url()),
        verify_token: verify_token.as_ref(),
        jwt: expected.as_ref(),
        awaits_secret: awaited.is_some(),
    };
    // A missing secret is told once; the scheme would only add that there are too few.
    let missing = problems.found.len() > before;
    let verifier = Verifier::compile(scheme, &setup);
    let handshakes = Handshakes::compile(scheme, &setup);
    match (verifier, handshakes) {
        (Ok(verifier), Ok(handshakes)) => {
            let place = |secret: &EndpointSecret| {
                let EndpointSecret { name, key, not_after, .. } = secret;
                (SecretRef { name: name.clone(), key: key.clone() }, *not_after)
            };
            let secret_places =
                places.iter().filter_map(|place| spec.secrets.get(*place)).map(place).collect();
            let secrets = secrets.iter().map(|secret| digest(&secret.text)).collect();
            Some(Checks { verifier, handshakes, secrets, secret_places })
        }
        _ if missing => None,
        (verifier, handshakes) => {
            let mut errors = verifier.err().unwrap_or_default();
            for error in handshakes.err().unwrap_or_default() {
                if !errors.contains(&error) {
                    errors.push(error);
                }
            }
            errors.into_iter().for_each(|error| tell(error, at, &places, problems));
            None
        }
    }
}

/// What is wrong with the scheme, or with what the endpoint adds to it, under the field where it is written.
fn tell(
    SchemeError { field, message }: SchemeError,
    at: &str,
    places: &[usize],
    problems: &mut Problems<'_>,
) {
    match &*field {
        "publicURL" => problems.add("spec.verification.publicURL", Reason::InvalidValue, message),
        "jwt.jwksURL" => problems.add("spec.verification.jwt.jwksURL", Reason::InvalidValue, message),
        "jwt.email" => problems.add("spec.verification.jwt.email", Reason::InvalidValue, message),
        "jwt.audience" => problems.add("spec.verification.jwt.audience", Reason::InvalidValue, message),
        "verifyToken" => problems.add("spec.verification.verifyToken", Reason::SecretMissing, message),
        _ => match field.strip_prefix("secrets") {
            Some(rest) => {
                // Of those that are there; one that is still to come may stand before it.
                let place = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
                let place = place.and_then(|place| places.get(place.parse::<usize>().ok()?));
                let rest = place.map_or(rest.to_owned(), |place| format!("[{place}]"));
                problems.add(format!("spec.secrets{rest}"), Reason::SecretInvalid, message);
            }
            None => problems.add(format!("{at}.{field}"), Reason::InvalidScheme, message),
        },
    }
}

/// The secrets that are there, and their places in the spec. One that is to be captured may be missing.
fn secrets(
    spec: &WebhookEndpointSpec,
    awaited: Option<&SecretRef>,
    keys: &Keys,
    problems: &mut Problems<'_>,
) -> (Vec<Secret>, Vec<usize>) {
    let (mut secrets, mut places) = (Vec::with_capacity(spec.secrets.len()), Vec::new());
    for (index, EndpointSecret { name, key, not_before, not_after }) in spec.secrets.iter().enumerate() {
        match keys.value(problems.object.namespace(), name, key) {
            Ok(text) => {
                places.push(index);
                secrets.push(Secret { text: text.clone(), not_before: *not_before, not_after: *not_after });
            }
            Err(_) if awaited.is_some_and(|awaited| awaited.name == *name && awaited.key == *key) => {}
            Err(message) => problems.add(format!("spec.secrets[{index}]"), Reason::SecretMissing, message),
        }
        if let (Some(start), Some(end)) = (not_before, not_after)
            && start >= end
        {
            let message = "notBefore is not before notAfter: the secret would never count";
            problems.add(format!("spec.secrets[{index}].notAfter"), Reason::InvalidValue, message);
        }
    }
    (secrets, places)
}

fn verify_token(
    scheme: &Scheme,
    verification: &Verification,
    keys: &Keys,
    problems: &mut Problems<'_>,
) -> Option<Secret> {
    const FIELD: &str = "spec.verification.verifyToken";
    let reference = verification.verify_token.as_ref()?;
    if !scheme.needs_verify_token() {
        problems.add(
            FIELD,
            Reason::InvalidValue,
            "this provider has no handshake that asks for one: leave it out",
        );
        return None;
    }
    match keys.value(problems.object.namespace(), &reference.name, &reference.key) {
        Ok(text) => Some(Secret { text: text.clone(), not_before: None, not_after: None }),
        Err(message) => {
            problems.add(FIELD, Reason::SecretMissing, message);
            None
        }
    }
}
