//! Schemes that no table can say: a small file each, behind `kind: code`.
mod adyen_standard;
mod aws_sns;
mod ebay;
mod paypal;
mod salesforce_outbound_message;

use http::HeaderName;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::{
    CodedScheme, Diagnosis, KeyDecode, certificates::Certificates, key::Dated, parsed::Parsed, proven::Proven,
};

/// A scheme in code, with its secrets.
pub(crate) trait CodedProof: Send + Sync {
    /// Whether the request is genuine.
    fn check(&self, parsed: &Parsed<'_>, now: Timestamp) -> Result<Proven, Diagnosis>;

    /// The headers in which the proof is looked for: none, where it stands in the body.
    fn headers(&self) -> &[HeaderName] {
        &[]
    }

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
            Self::Ebay => KeyDecode::Spki,
            Self::AwsSns | Self::PayPal | Self::SalesforceOutboundMessage => KeyDecode::Utf8,
        }
    }

    /// The key as its proof takes it.
    ///
    /// # Errors
    /// Where it is no key of this scheme; the message says what to write and tells nothing of the secret.
    pub(crate) fn key(self, decoded: &Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, String> {
        match self {
            Self::AdyenStandard => Ok(decoded.clone()),
            Self::AwsSns => aws_sns::key(decoded),
            Self::Ebay => ebay::key(decoded),
            Self::PayPal => paypal::key(decoded),
            Self::SalesforceOutboundMessage => salesforce_outbound_message::key(decoded),
        }
    }

    /// Whether its proof covers the whole body.
    pub(crate) fn protects_body(self) -> bool {
        match self {
            // Some members are signed, and a checksum that whoever has seen one delivery can hit with another body.
            Self::AdyenStandard | Self::AwsSns | Self::PayPal | Self::SalesforceOutboundMessage => false,
            Self::Ebay => true,
        }
    }

    /// The proof with these keys.
    pub(crate) fn proof(self, keys: &[Dated<Zeroizing<Vec<u8>>>]) -> Box<dyn CodedProof> {
        match self {
            Self::AdyenStandard => Box::new(adyen_standard::AdyenStandard::new(keys)),
            Self::Ebay => Box::new(ebay::Ebay::new(keys)),
            Self::SalesforceOutboundMessage => {
                Box::new(salesforce_outbound_message::OutboundMessage::new(keys))
            }
            Self::AwsSns => Box::new(aws_sns::AwsSns::new(keys)),
            Self::PayPal => Box::new(paypal::PayPal::new(keys)),
        }
    }
}
