//! Schemes that no table can say: a small file each, behind `kind: code`.
mod adyen_standard;
mod aws_sns;
mod paypal;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::{
    CodedScheme, Diagnosis, KeyDecode, certificates::Certificates, key::Dated, parsed::Parsed, proven::Proven,
};

/// A scheme in code, with its secrets.
pub(crate) trait CodedProof: Send + Sync {
    /// Whether the request is genuine.
    fn check(&self, parsed: &Parsed<'_>, now: Timestamp) -> Result<Proven, Diagnosis>;

    /// How many secrets are tried.
    fn secrets_len(&self) -> usize;

    /// The certificates that requests name, for schemes that sign with such.
    fn certificates(&self) -> Option<&Certificates> {
        None
    }

    /// The URL of the certificate that the request names, where the scheme allows it.
    fn certificate_url(&self, _parsed: &Parsed<'_>, _now: Timestamp) -> Option<Box<str>> {
        None
    }
}

impl CodedScheme {
    /// How its secrets are written.
    pub(crate) fn decode(self) -> KeyDecode {
        match self {
            Self::AdyenStandard => KeyDecode::Hex,
            Self::AwsSns | Self::PayPal => KeyDecode::Utf8,
        }
    }

    /// What is wrong with a secret that is none of this scheme, as words that follow its place.
    pub(crate) fn check_secret(self, secret: &[u8]) -> Result<(), String> {
        let wrong = match self {
            Self::AwsSns if !is_topic(secret) => {
                "is no topic's ARN: copy it from the topic's page (arn:aws:sns:REGION:ACCOUNT:NAME)"
            }
            Self::PayPal
                if !secret.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)) =>
            {
                "is no webhook's id, which has letters and digits: copy it from the webhook's page"
            }
            Self::AdyenStandard | Self::AwsSns | Self::PayPal => return Ok(()),
        };
        Err(wrong.into())
    }

    /// Whether its proof covers the whole body.
    pub(crate) fn protects_body(self) -> bool {
        match self {
            // Some members are signed, and a checksum that whoever has seen one delivery can hit with another body.
            Self::AdyenStandard | Self::AwsSns | Self::PayPal => false,
        }
    }

    /// The proof with these keys.
    pub(crate) fn proof(self, keys: &[Dated<Zeroizing<Vec<u8>>>]) -> Box<dyn CodedProof> {
        match self {
            Self::AdyenStandard => Box::new(adyen_standard::AdyenStandard::new(keys)),
            Self::AwsSns => Box::new(aws_sns::AwsSns::new(keys)),
            Self::PayPal => Box::new(paypal::PayPal::new(keys)),
        }
    }
}

/// `arn:PARTITION:sns:REGION:ACCOUNT:NAME`
fn is_topic(arn: &[u8]) -> bool {
    let parts: Vec<&[u8]> = arn.split(|byte| *byte == b':').collect();
    let visible = arn.iter().all(u8::is_ascii_graphic);
    visible && matches!(&*parts, [b"arn", partition, b"sns", _, _, _] if partition.starts_with(b"aws"))
}
