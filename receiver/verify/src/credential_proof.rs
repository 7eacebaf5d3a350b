//! Proof by the secret itself: in a header, in Basic credentials, in the query, or in the body.
use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use boathook_template::{Pointers, Slot};
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::{
    Diagnosis, RawRequest, form,
    key::{self, Dated},
    limits::{SIGNATURE_HEADER_BYTES_MAX, SIGNED_ITEMS_MAX},
    parsed::Parsed,
    place::Place,
    proven::Proven,
};

/// A scheme of kind `token`, `basic`, `queryToken` or `bodyToken`, compiled.
pub(crate) struct CredentialProof {
    from: CredentialFrom,
    /// The secrets' digests: comparing them takes the same time however much of one was guessed, and its length does not
    /// show.
    digests: Vec<Dated<[u8; 32]>>,
    /// The first secret, for signing.
    first: Zeroizing<Vec<u8>>,
}

/// Where Basic credentials are.
static BASIC: [HeaderName; 1] = [AUTHORIZATION];

/// Where the credential is.
pub(crate) enum CredentialFrom {
    /// One header or query parameter, or one value of the body; before the secret stands a fixed text, which may be empty.
    Place(Place, Box<str>),
    /// Basic credentials (RFC 7617).
    Basic,
    /// A value of every item of an array in the JSON body.
    EveryItem {
        array: Slot,
        pointer: Box<str>,
        /// Those of an item.
        pointers: Pointers,
        value: Slot,
    },
}

impl CredentialProof {
    pub(crate) fn new(from: CredentialFrom, keys: &[Dated<Zeroizing<Vec<u8>>>]) -> Self {
        let digests = keys.iter().map(|dated| dated.map(|key| Sha256::digest(key).into())).collect();
        let first = keys.first().map(|first| first.key.clone()).unwrap_or_default();
        Self { from, digests, first }
    }

    pub(crate) fn check(&self, parsed: &Parsed<'_>, now: Timestamp) -> Result<Proven, Diagnosis> {
        let secret = match &self.from {
            CredentialFrom::Place(place, prefix) => {
                let found = place.find(parsed)?;
                let text = found.texts().next().unwrap_or_default();
                let fits = |token: &&str| !token.is_empty() && text.len() <= SIGNATURE_HEADER_BYTES_MAX;
                let token = text.strip_prefix(&**prefix).filter(fits);
                let malformed = || Diagnosis::SignatureMalformed { place: found.place.words() };
                self.find(token.ok_or_else(malformed)?.as_bytes(), now)?
            }
            CredentialFrom::Basic => self.find(&basic(parsed.request)?, now)?,
            CredentialFrom::EveryItem { array, pointer, pointers, value } => {
                let place = || pointer.replacen("/*", "/0", 1);
                let missing = || Diagnosis::SignatureMissing { place: format!("body's {}", place()).into() };
                let items = parsed
                    .values()?
                    .items(*array, SIGNED_ITEMS_MAX)
                    .filter(|items| (1..=SIGNED_ITEMS_MAX).contains(&items.len()))
                    .ok_or_else(missing)?;
                self.find_all(&items, pointers, *value, now).ok_or_else(missing)??
            }
        };
        Ok(Proven { secret: Some(secret), signed_at: None })
    }

    fn find(&self, credential: &[u8], now: Timestamp) -> Result<usize, Diagnosis> {
        let digest: [u8; 32] = Sha256::digest(credential).into();
        key::find(&self.digests, now, |known| known.ct_eq(&digest))
    }

    /// All items must hold the same secret; `None` where one has no value at all.
    fn find_all(
        &self,
        items: &[&str],
        pointers: &Pointers,
        value: Slot,
        now: Timestamp,
    ) -> Option<Result<usize, Diagnosis>> {
        let mut sent: Vec<[u8; 32]> = Vec::with_capacity(items.len());
        for item in items {
            let text: Cow<'_, str> = pointers.scan(item.as_bytes()).ok()?.text(value)?;
            sent.push(Sha256::digest(text.as_bytes()).into());
        }
        let all = |known: &[u8; 32]| sent.iter().fold(Choice::from(1), |all, sent| all & known.ct_eq(sent));
        Some(key::find(&self.digests, now, all))
    }

    /// Adds the credential: the first secret.
    pub(crate) fn sign(&self, request: &mut RawRequest) -> Result<(), Diagnosis> {
        let (name, text) = match &self.from {
            CredentialFrom::Place(Place::Query(name), _) => {
                let secret = std::str::from_utf8(&self.first).map_err(|_| Diagnosis::NotSignedByUs)?;
                let secret = form::encoded(secret);
                let query = request.query.take().map_or(String::new(), |query| format!("{query}&"));
                request.query = Some(format!("{query}{name}={secret}").into());
                return Ok(());
            }
            CredentialFrom::Place(place, prefix) => {
                let name = place.headers().first().ok_or(Diagnosis::NotSignedByUs)?;
                (name, Zeroizing::new([prefix.as_bytes(), &self.first].concat()))
            }
            CredentialFrom::Basic => {
                let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(&*self.first)));
                (&AUTHORIZATION, Zeroizing::new(text.as_bytes().to_vec()))
            }
            CredentialFrom::EveryItem { .. } => return Err(Diagnosis::NotSignedByUs),
        };
        let mut value =
            HeaderValue::from_bytes(&text).expect("a token is visible ASCII, and so is its prefix");
        value.set_sensitive(true);
        request.headers.insert(name, value);
        Ok(())
    }

    /// Whether [`CredentialProof::sign`] can.
    pub(crate) fn can_sign(&self) -> bool {
        match &self.from {
            CredentialFrom::Place(Place::Query(_), _) | CredentialFrom::Basic => true,
            CredentialFrom::Place(place, _) => !place.headers().is_empty(),
            CredentialFrom::EveryItem { .. } => false,
        }
    }

    /// The headers in which the credential is looked for.
    pub(crate) fn headers(&self) -> &[HeaderName] {
        match &self.from {
            CredentialFrom::Place(place, _) => place.headers(),
            CredentialFrom::Basic => &BASIC,
            CredentialFrom::EveryItem { .. } => &[],
        }
    }

    pub(crate) fn secrets_len(&self) -> usize {
        self.digests.len()
    }
}

/// `user:password` of the Authorization header.
fn basic(request: &RawRequest) -> Result<Zeroizing<Vec<u8>>, Diagnosis> {
    let place = || "header authorization".into();
    let value = request.single(&AUTHORIZATION).map_err(|_| Diagnosis::Repeated { place: place() })?;
    let value = value.filter(|value| !value.as_bytes().trim_ascii().is_empty());
    let value = value.ok_or_else(|| Diagnosis::SignatureMissing { place: place() })?;
    let text = value.to_str().ok().filter(|text| text.len() <= SIGNATURE_HEADER_BYTES_MAX);
    let credentials = text.and_then(|text| text.split_once(' ')).and_then(|(scheme, credentials)| {
        let credentials = STANDARD.decode(credentials.trim_start()).ok()?;
        scheme.eq_ignore_ascii_case("basic").then(|| Zeroizing::new(credentials))
    });
    credentials
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Diagnosis::SignatureMalformed { place: place() })
}
