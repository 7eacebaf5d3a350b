//! Schemes that no table can say: a small file each, behind `kind: code`.
mod adyen_standard;
mod ebay;
mod salesforce_outbound_message;

use http::HeaderName;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::{CodedScheme, Diagnosis, KeyDecode, key::Dated, parsed::Parsed, proven::Proven};

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
}

impl CodedScheme {
    /// How its secrets are written.
    pub(crate) fn decode(self) -> KeyDecode {
        match self {
            Self::AdyenStandard => KeyDecode::Hex,
            Self::Ebay => KeyDecode::Spki,
            Self::SalesforceOutboundMessage => KeyDecode::Utf8,
        }
    }

    /// The key as its proof takes it.
    ///
    /// # Errors
    /// Where it is no key of this scheme; the message says what to write and tells nothing of the secret.
    pub(crate) fn key(self, decoded: &Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, String> {
        match self {
            Self::AdyenStandard => Ok(decoded.clone()),
            Self::Ebay => ebay::key(decoded),
            Self::SalesforceOutboundMessage => salesforce_outbound_message::key(decoded),
        }
    }

    /// Whether its proof covers the whole body.
    pub(crate) fn protects_body(self) -> bool {
        match self {
            Self::AdyenStandard | Self::SalesforceOutboundMessage => false,
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
        }
    }
}
