//! Every vector is decided as it says, and every provider has the vectors that its scheme calls for.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test reads its data and fails where it cannot go on"
)]
use std::{collections::BTreeSet, fs, path::PathBuf, sync::Arc};

use boathook_verify::{
    Answered, Expected, Handshakes, Kind, Part, RawRequest, Scheme, Secret, Setup, Verifier, preset,
    preset_ids,
};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vector {
    id: String,
    #[serde(rename = "comment")]
    _comment: String,
    source: String,
    flags: BTreeSet<String>,
    secrets: Vec<VectorSecret>,
    #[serde(rename = "publicURL")]
    public_url: Option<String>,
    verify_token: Option<String>,
    /// The endpoint waits for a secret (`spec.secretCapture`).
    #[serde(default)]
    awaits_secret: bool,
    jwt: Option<VectorJwt>,
    /// What is published at the URL that the request names.
    certificate: Option<String>,
    request: VectorRequest,
    now: Timestamp,
    expect: Expect,
    /// In `variants.jsonl`: the scheme, which no preset is.
    scheme: Option<Scheme>,
}

/// Published vectors of schemes that are no preset.
const VARIANTS: &str = "variants";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VectorSecret {
    text: String,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VectorJwt {
    issuer: Option<String>,
    audience: Option<String>,
    email: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VectorRequest {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// What it says about the event is for the tests of reading.
    Accepted(IgnoredAny),
    AcceptedBatch(IgnoredAny),
    Rejected(String),
    Handshake(String),
    /// A handshake that brings this secret.
    Brings(String),
    RefusedSecret(bool),
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn vectors(id: &str) -> Vec<Vector> {
    let path = folder("vectors").join(format!("{id}.jsonl"));
    let text =
        fs::read_to_string(&path).unwrap_or_else(|_| panic!("{id} has no vectors: write {}", path.display()));
    let read =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{id}: {error}: {line}"));
    text.lines().map(read).collect()
}

impl Vector {
    fn request(&self) -> RawRequest {
        let headers = self.request.headers.iter();
        let (path, query) = match self.request.path.split_once('?') {
            Some((path, query)) => (path, Some(query.into())),
            None => (&*self.request.path, None),
        };
        RawRequest {
            method: self.request.method.parse().unwrap(),
            path: path.into(),
            query,
            headers: headers
                .map(|(name, value)| {
                    (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
                })
                .collect(),
            body: self.request.body.clone().into(),
        }
    }

    fn secrets(&self) -> Vec<Secret> {
        let secrets = self.secrets.iter();
        secrets
            .map(|secret| Secret {
                text: secret.text.clone().into_bytes().into(),
                not_before: secret.not_before,
                not_after: secret.not_after,
            })
            .collect()
    }

    /// What checks the vector's request; `None` where its secret is refused.
    fn compiled(&self, scheme: &Scheme) -> Option<(Verifier, Handshakes)> {
        let secrets = self.secrets();
        let verify_token = self.verify_token.as_ref().map(|text| Secret {
            text: text.clone().into_bytes().into(),
            not_before: None,
            not_after: None,
        });
        let expected = self.jwt.as_ref().map(|jwt| Expected {
            issuer: jwt.issuer.as_deref(),
            audience: jwt.audience.as_deref(),
            email: jwt.email.as_deref(),
            jwks_url: None,
        });
        let setup = Setup {
            secrets: &secrets,
            tolerance: None,
            public_url: self.public_url.as_deref(),
            verify_token: verify_token.as_ref(),
            jwt: expected.as_ref(),
            awaits_secret: self.awaits_secret,
        };
        let verifier = match Verifier::compile(scheme, &setup) {
            Ok(verifier) => verifier,
            Err(errors) if errors.iter().all(|error| error.field.starts_with("secrets")) => {
                return None;
            }
            Err(errors) => panic!("{}: {errors:?}", self.id),
        };
        let lacking = verifier.lacks_key(&self.request(), self.now);
        if let Some((slot, certificate)) = lacking.zip(self.certificate.as_deref()) {
            let document = slot.source().format().parse(certificate.as_bytes());
            slot.fill(Arc::new(document.unwrap_or_else(|error| panic!("{}: {error}", self.id))));
        }
        Some((verifier, Handshakes::compile(scheme, &setup).unwrap()))
    }

    /// What is said of the request, in the words of `expect`.
    fn decide(&self, scheme: &Scheme) -> String {
        let Some((verifier, handshakes)) = self.compiled(scheme) else { return "refused".into() };
        let answered = |answered: Answered| match answered.secret {
            Some(secret) => format!("brings {}", secret.text()),
            None => format!("answered {}", answered.body),
        };
        let request = self.request();
        match handshakes.before_proof(&request, self.awaits_secret) {
            Some(Ok(answer)) => return answered(answer),
            Some(Err(rejection)) => return rejection.code.as_str().into(),
            None => {}
        }
        match verifier.verify(&request, self.now) {
            Err(rejection) => rejection.code.as_str().into(),
            Ok(verified) => handshakes.after_proof(&verified).map_or("genuine".into(), answered),
        }
    }
}

impl Expect {
    /// In the words of [`Vector::decide`].
    fn words(&self) -> String {
        match self {
            Self::Accepted(_) | Self::AcceptedBatch(_) => "genuine".into(),
            Self::Rejected(code) => code.clone(),
            Self::Handshake(text) => format!("answered {text}"),
            Self::Brings(secret) => format!("brings {secret}"),
            Self::RefusedSecret(refused) => {
                assert!(refused, "a secret that is not refused needs no word");
                "refused".into()
            }
        }
    }
}

#[test]
fn every_vector_is_decided_as_it_says() {
    let mut wrong = Vec::new();
    for id in preset_ids().chain([VARIANTS]) {
        let mut seen = BTreeSet::new();
        for vector in vectors(id) {
            let scheme = if id == VARIANTS { vector.scheme.clone() } else { preset(id) }.unwrap();
            let (decided, expected) = (vector.decide(&scheme), vector.expect.words());
            if decided != expected {
                wrong.push(format!("{id}/{}: expected {expected}, found {decided}", vector.id));
            }
            let origin = vector.flags.contains("published") != vector.flags.contains("self-made");
            assert!(origin && !vector.source.is_empty(), "{id}/{} does not say where it is from", vector.id);
            assert!(seen.insert(vector.id.clone()), "{id}/{} stands twice", vector.id);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A byte of a request, changed.
fn changed(request: &RawRequest, chance: u64) -> RawRequest {
    let mut request = request.clone();
    let names: Vec<HeaderName> = request.headers.keys().cloned().collect();
    let place = usize::try_from(chance >> 8).unwrap();
    let flip = |bytes: &mut Vec<u8>| {
        let length = bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(place / 7 % length) {
            *byte ^= 1 << (chance % 8);
        }
    };
    match names.get(place % (names.len() + 2)) {
        Some(name) => {
            let mut value = request.headers.get(name).unwrap().as_bytes().to_vec();
            flip(&mut value);
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request.headers.insert(name, value);
            }
        }
        None => {
            let mut body = request.body.to_vec();
            flip(&mut body);
            request.body = body.into();
        }
    }
    request
}

/// Whether the bytes of a body are signed, and not what they mean: a form's `%2B` may be written `%2b`.
fn covers_bytes(scheme: &Scheme) -> bool {
    scheme.body_protected && !scheme.signed.iter().any(|part| matches!(part, Part::FormSorted(_)))
}

#[test]
fn no_changed_byte_panics_and_none_of_a_protected_body_stays_genuine() {
    let mut chance = 0x9e37_79b9_7f4a_7c15u64;
    for id in preset_ids() {
        let scheme = preset(id).unwrap();
        for vector in vectors(id) {
            let Some((verifier, handshakes)) = vector.compiled(&scheme) else { continue };
            let sent = vector.request();
            for _ in 0..16 {
                // Marsaglia's xorshift: any sequence will do, and a failure comes again.
                chance ^= chance << 13;
                chance ^= chance >> 7;
                chance ^= chance << 17;
                let request = changed(&sent, chance);
                let _ = handshakes.before_proof(&request, vector.awaits_secret);
                let verified = verifier.verify(&request, vector.now);
                let same_body = request.body == sent.body;
                let was_genuine = vector.expect.words() == "genuine";
                let may_pass = same_body || !covers_bytes(&scheme) || !was_genuine;
                assert!(verified.is_err() || may_pass, "{id}/{}: {request:?}", vector.id);
                if let Err(rejection) = verified {
                    let _ = verifier.hint(&request, &rejection, vector.now);
                }
            }
        }
    }
}

#[test]
fn every_provider_has_the_vectors_that_its_scheme_calls_for() {
    for id in preset_ids() {
        let scheme = preset(id).unwrap();
        let mut wanted = vec!["valid"];
        let proves = scheme.kind != Kind::None;
        let signature = scheme.signature.clone();
        let grammar = signature.as_ref().and_then(|signature| signature.grammar.clone()).unwrap_or_default();
        let from = signature.map(|signature| signature.from).unwrap_or_default();
        let signs = matches!(scheme.kind, Kind::Hmac | Kind::Hash | Kind::PublicKey);
        let several = grammar.key_value.is_some() || grammar.list.is_some() || grammar.pairs.is_some();
        let tagged = grammar.list.as_ref().is_some_and(|list| list.tag.is_some());
        for (condition, flag) in [
            (proves, "body-changed"),
            (proves, "wrong-secret"),
            (proves, "missing-signature"),
            (proves, "empty-signature"),
            (!from.headers.is_empty() || scheme.kind == Kind::Basic, "duplicate-header"),
            (proves, "rotated"),
            (proves, "empty-secret"),
            (signs, "wrong-encoding"),
            (scheme.timestamp.as_ref().is_some_and(|rule| rule.enforce) || scheme.jwt.is_some(), "stale"),
            (scheme.jwt.is_some(), "wrong-algorithm"),
            (scheme.jwt.is_some(), "other-claim"),
            (grammar.prefix.is_some() || tagged, "wrong-prefix"),
            (
                several || !from.every_header.is_empty() || from.numbered_header.is_some(),
                "several-signatures",
            ),
            (!scheme.handshakes.is_empty(), "handshake"),
            (scheme.brings_secret(), "brings-secret"),
            (scheme.batch.is_some(), "batch"),
        ] {
            wanted.extend(condition.then_some(flag));
        }
        let has: BTreeSet<String> = vectors(id).into_iter().flat_map(|vector| vector.flags).collect();
        for flag in wanted {
            assert!(has.contains(flag), "{id} has no vector with the flag `{flag}`");
        }
    }
}

#[test]
fn every_file_of_vectors_belongs_to_a_provider() {
    let providers: BTreeSet<&str> = preset_ids().collect();
    for file in fs::read_dir(folder("vectors")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if let Some(id) = name.strip_suffix(".jsonl").filter(|id| *id != VARIANTS) {
            assert!(providers.contains(id), "vectors/{name} has no providers/{id}.yaml");
        }
    }
}

#[test]
fn the_map_names_exactly_the_published_vectors() {
    let map = fs::read_to_string(folder("vectors/map")).unwrap();
    let lines = map.lines().filter(|line| !line.starts_with('#'));
    let mapped: BTreeSet<String> = lines.map(str::to_owned).collect();
    let mut published = BTreeSet::new();
    for id in preset_ids().chain([VARIANTS]) {
        for vector in vectors(id) {
            published.extend(vector.id.strip_prefix("published-").map(|line| format!("{line} {id}")));
        }
    }
    assert_eq!(mapped, published);
}

#[test]
fn presets_say_who_they_are_and_have_no_unknown_member() {
    for id in preset_ids() {
        let text = fs::read_to_string(folder("providers").join(format!("{id}.yaml"))).unwrap();
        let written: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let scheme = preset(id).unwrap();
        assert!(scheme.title.is_some() && scheme.docs.is_some() && scheme.setup.is_some(), "{id}");
        let understood = serde_json::to_value(&scheme).unwrap();
        for name in written.as_object().unwrap().keys() {
            let default_is_left_out = ["idSigned", "bodyProtected"].contains(&name.as_str());
            assert!(understood.get(name).is_some() || default_is_left_out, "{id}: unknown member `{name}`");
        }
        for (name, value) in understood.as_object().unwrap() {
            assert_eq!(&written[name], value, "{id}: member `{name}` was not understood as written");
        }
    }
}
