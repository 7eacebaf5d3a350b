//! Amazon SNS: some members of the message, each as `name LF value LF` in the order of their names, signed with the RSA key
//! of a certificate whose URL the message names. <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>
use std::borrow::Cow;

use boathook_template::{Pointers, Slot, Values};
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;
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
    sender_url::{SenderUrl, is_sns, is_sns_confirmation},
};

/// What is signed of a notification; the subject only where there is one.
const NOTIFICATION: [&str; 6] = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
/// What is signed of the confirmations.
const CONFIRMATION: [&str; 7] =
    ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
/// Its documentation and its messages over HTTPS write the first, some of its own consumers the second.
const CERTIFICATE_URL: [&str; 2] = ["SigningCertURL", "SigningCertUrl"];

pub(super) struct AwsSns {
    body: Pointers,
    members: Vec<(&'static str, Slot)>,
    /// The ARNs of the topics that are expected: whoever has an account there can have a topic, and its messages signed.
    topics: Vec<Dated<Zeroizing<Vec<u8>>>>,
    certificates: Certificates,
}

/// A message, read and not believed.
struct Message {
    signed: String,
    signature: Vec<u8>,
    digest: RsaDigest,
    certificate_url: Box<str>,
    timestamp: Option<Timestamp>,
    secret: usize,
}

/// The texts of a message's members.
struct Members<'m> {
    slots: &'m [(&'static str, Slot)],
    values: &'m Values<'m>,
}

impl AwsSns {
    pub(super) fn new(keys: &[Dated<Zeroizing<Vec<u8>>>]) -> Self {
        let mut body = Pointers::default();
        let others = ["Signature", "SignatureVersion"];
        let mut members: Vec<(&str, Slot)> = Vec::new();
        for name in NOTIFICATION.iter().chain(&CONFIRMATION).chain(&CERTIFICATE_URL).chain(&others) {
            let slot = body.slot(&format!("/{name}")).expect("the pointers of this file are sound");
            members.push((name, slot));
        }
        Self { body, members, topics: keys.to_vec(), certificates: Certificates::default() }
    }

    /// Everything but the certificate. The topic counts before its URL does, so that only who knows one has us fetch anything.
    fn read(&self, parsed: &Parsed<'_>, now: Timestamp) -> Result<Message, Diagnosis> {
        if parsed.request.header("x-amz-sns-rawdelivery").is_some_and(|raw| raw == "true") {
            return Err(Diagnosis::RawDelivery);
        }
        let values = self.body.scan(&parsed.request.body);
        let values = values.map_err(|_| Diagnosis::BodyUnreadable { wanted: "JSON" })?;
        let members = Members { slots: &self.members, values: &values };
        let place = || "body's /Signature".into();
        let signature = members
            .text("Signature")
            .filter(|text| !text.trim().is_empty())
            .ok_or_else(|| Diagnosis::SignatureMissing { place: place() })?;
        let signature = decoded(&signature, Encoding::Base64)
            .ok_or_else(|| Diagnosis::SignatureMalformed { place: place() })?;
        let digest = match &*members.needed("SignatureVersion")? {
            "1" => RsaDigest::Sha1,
            "2" => RsaDigest::Sha256,
            _ => return Err(Diagnosis::SignatureMalformed { place: "body's /SignatureVersion".into() }),
        };
        let topic = members.needed("TopicArn")?;
        let secret = key::find(&self.topics, now, |expected| expected.ct_eq(topic.as_bytes()));
        let secret = secret.map_err(|diagnosis| match diagnosis {
            Diagnosis::NoSecretMatches => Diagnosis::TopicNotExpected,
            other => other,
        })?;
        let certificate_url = CERTIFICATE_URL.iter().find_map(|name| members.text(name));
        let certificate_url = certificate_url.filter(|url| is_certificate(url));
        let signed = members.signed()?;
        Ok(Message {
            signed,
            signature,
            digest,
            certificate_url: certificate_url
                .ok_or(Diagnosis::UrlOfOther { place: "body's /SigningCertURL".into(), owner: OWNER })?
                .into(),
            timestamp: members.text("Timestamp").and_then(|text| text.parse().ok()),
            secret,
        })
    }
}

/// For people.
const OWNER: &str = "Amazon SNS";

fn is_certificate(url: &str) -> bool {
    let of_sns = |url: SenderUrl<'_>| is_sns(url.host) && url.is_document() && url.path.ends_with(".pem");
    SenderUrl::read(url).is_some_and(of_sns)
}

impl<'m> Members<'m> {
    /// The member's text, where it is a string.
    fn text(&self, name: &str) -> Option<Cow<'m, str>> {
        let (_, slot) = self.slots.iter().find(|(own, _)| *own == name)?;
        match self.values.raw(*slot)? {
            "\"\"" => Some(Cow::Borrowed("")),
            raw if raw.starts_with('"') => self.values.text(*slot),
            _ => None,
        }
    }

    fn needed(&self, name: &str) -> Result<Cow<'m, str>, Diagnosis> {
        self.text(name)
            .ok_or_else(|| Diagnosis::SignedPartMissing { place: format!("body's /{name}").into() })
    }

    /// The text that is signed.
    fn signed(&self) -> Result<String, Diagnosis> {
        let names: &[&str] = match &*self.needed("Type")? {
            "Notification" => &NOTIFICATION,
            "SubscriptionConfirmation" | "UnsubscribeConfirmation" => &CONFIRMATION,
            _ => return Err(Diagnosis::SignatureMalformed { place: "body's /Type".into() }),
        };
        let mut signed = String::new();
        for name in names {
            let text = match (*name, self.text(name)) {
                ("Subject", None) => continue,
                ("SubscribeURL", Some(url)) if !is_sns_confirmation(&url) => {
                    return Err(Diagnosis::UrlOfOther { place: "body's /SubscribeURL".into(), owner: OWNER });
                }
                (name, None) => self.needed(name)?,
                (_, Some(text)) => text,
            };
            signed.extend([name, "\n", &text, "\n"]);
        }
        Ok(signed)
    }
}

impl CodedProof for AwsSns {
    fn check(&self, parsed: &Parsed<'_>, now: Timestamp) -> Result<Proven, Diagnosis> {
        let message = self.read(parsed, now)?;
        let url = &*message.certificate_url;
        let certificate = self.certificates.known(url)?;
        // Of one region: a name with the region in it, as its host has, is its own, too.
        let host = SenderUrl::read(url).map_or("", |url| url.host);
        certificate.check(&["sns.amazonaws.com", "sns.amazonaws.com.cn", host], now)?;
        if !certificate.signed(message.digest, message.signed.as_bytes(), &message.signature) {
            return Err(Diagnosis::SignatureDiffers);
        }
        self.certificates.proved(url, now);
        Ok(Proven { secret: Some(message.secret), signed_at: message.timestamp })
    }

    fn secrets_len(&self) -> usize {
        self.topics.len()
    }

    fn certificates(&self) -> Option<&Certificates> {
        Some(&self.certificates)
    }

    fn certificate_url(&self, parsed: &Parsed<'_>, now: Timestamp) -> Option<Box<str>> {
        self.read(parsed, now).ok().map(|message| message.certificate_url)
    }
}

/// A topic's ARN: `arn:PARTITION:sns:REGION:ACCOUNT:NAME`.
pub(super) fn key(arn: &Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, String> {
    let parts: Vec<&[u8]> = arn.split(|byte| *byte == b':').collect();
    let visible = arn.iter().all(u8::is_ascii_graphic);
    match &*parts {
        [b"arn", partition, b"sns", _, _, _] if visible && partition.starts_with(b"aws") => Ok(arn.clone()),
        _ => Err("is no topic's ARN: copy it from the topic's page (arn:aws:sns:REGION:ACCOUNT:NAME)".into()),
    }
}
