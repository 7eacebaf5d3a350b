//! PayPal: `id|time|webhook id|CRC-32 of the body in decimal`, signed with the RSA key of a certificate whose URL a header
//! names. <https://developer.paypal.com/api/rest/webhooks/rest/#link-eventverification>
use http::HeaderName;
use jiff::Timestamp;
use subtle::Choice;
use zeroize::Zeroizing;

use super::CodedProof;
use crate::{
    Diagnosis, Encoding,
    certificate::RsaDigest,
    certificates::Certificates,
    key::{self, Dated},
    parsed::Parsed,
    proven::Proven,
    public_key::decoded,
    request,
    sender_url::SenderUrl,
};

const ID: HeaderName = HeaderName::from_static("paypal-transmission-id");
const TIME: HeaderName = HeaderName::from_static("paypal-transmission-time");
const SIGNATURE: HeaderName = HeaderName::from_static("paypal-transmission-sig");
const CERTIFICATE_URL: HeaderName = HeaderName::from_static("paypal-cert-url");

/// Where its certificates are.
const HOSTS: [&str; 2] = ["api.paypal.com", "api.sandbox.paypal.com"];
const FOLDER: &str = "/v1/notifications/certs/";
/// Whose they are: both spellings were seen.
const NAMES: [&str; 4] = [
    "messageverificationcerts.paypal.com",
    "messageverificationcerts.sandbox.paypal.com",
    "messageverification.paypal.com",
    "messageverification.sandbox.paypal.com",
];

pub(super) struct PayPal {
    /// The ids of the webhook, as its page at PayPal shows them.
    webhooks: Vec<Dated<Zeroizing<Vec<u8>>>>,
    certificates: Certificates,
}

impl PayPal {
    pub(super) fn new(keys: &[Dated<Zeroizing<Vec<u8>>>]) -> Self {
        Self { webhooks: keys.to_vec(), certificates: Certificates::default() }
    }
}

/// The URL of the certificate, which is PayPal's.
fn certificate_url<'r>(parsed: &Parsed<'r>) -> Result<&'r str, Diagnosis> {
    let url = header(parsed, &CERTIFICATE_URL)?;
    let is_its =
        |url: SenderUrl<'_>| HOSTS.contains(&url.host) && url.is_document() && url.path.starts_with(FOLDER);
    let place = || format!("header {CERTIFICATE_URL}").into();
    SenderUrl::read(url)
        .filter(|url| is_its(*url))
        .map(|_| url)
        .ok_or_else(|| Diagnosis::UrlOfOther { place: place(), owner: "PayPal" })
}

/// The header's only value, which the signature covers or which decides.
fn header<'r>(parsed: &Parsed<'r>, name: &HeaderName) -> Result<&'r str, Diagnosis> {
    let place = || format!("header {name}").into();
    let value = parsed.request.single(name).map_err(|_| Diagnosis::Repeated { place: place() })?;
    let text = value.and_then(request::text).filter(|text| !text.trim().is_empty());
    text.ok_or_else(|| match *name == SIGNATURE {
        true => Diagnosis::SignatureMissing { place: place() },
        false => Diagnosis::SignedPartMissing { place: place() },
    })
}

/// A header whose value stands between bars in the signed text, so that it has none.
fn unbarred<'r>(parsed: &Parsed<'r>, name: &HeaderName) -> Result<&'r str, Diagnosis> {
    let text = header(parsed, name)?;
    let malformed = || Diagnosis::SignatureMalformed { place: format!("header {name}").into() };
    if text.contains('|') { Err(malformed()) } else { Ok(text) }
}

impl CodedProof for PayPal {
    fn check(&self, parsed: &Parsed<'_>, now: Timestamp) -> Result<Proven, Diagnosis> {
        let signature = header(parsed, &SIGNATURE)?;
        let malformed = || Diagnosis::SignatureMalformed { place: format!("header {SIGNATURE}").into() };
        let signature = decoded(signature, Encoding::Base64).ok_or_else(malformed)?;
        let (id, time) = (unbarred(parsed, &ID)?, unbarred(parsed, &TIME)?);
        let url = certificate_url(parsed)?;
        let certificate = self.certificates.known(url)?;
        certificate.check(&NAMES, now)?;
        let digest = crc32fast::hash(&parsed.request.body).to_string();
        let secret = key::find(&self.webhooks, now, |webhook| {
            let signed =
                [id.as_bytes(), b"|", time.as_bytes(), b"|", webhook, b"|", digest.as_bytes()].concat();
            Choice::from(u8::from(certificate.signed(RsaDigest::Sha256, &signed, &signature)))
        })?;
        self.certificates.proved(url, now);
        Ok(Proven { secret: Some(secret), signed_at: time.parse().ok() })
    }

    fn secrets_len(&self) -> usize {
        self.webhooks.len()
    }

    fn certificates(&self) -> Option<&Certificates> {
        Some(&self.certificates)
    }

    fn certificate_url(&self, parsed: &Parsed<'_>, _now: Timestamp) -> Option<Box<str>> {
        certificate_url(parsed).ok().map(Into::into)
    }
}

/// A webhook's id.
pub(super) fn key(id: &Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, String> {
    if id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)) {
        return Ok(id.clone());
    }
    Err("is no webhook's id, which has letters and digits: copy it from the webhook's page".into())
}
