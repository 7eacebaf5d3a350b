//! Schemes that no table can say: a small file each, behind `kind: code`.
mod adyen_standard;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::{CodedScheme, Diagnosis, KeyDecode, key::Dated, parsed::Parsed, proven::Proven};

/// A scheme in code, with its secrets.
pub(crate) trait CodedProof: Send + Sync {
    /// Whether the request is genuine.
    fn check(&self, parsed: &Parsed<'_>, now: Timestamp) -> Result<Proven, Diagnosis>;

    /// How many secrets are tried.
    fn secrets_len(&self) -> usize;
}

impl CodedScheme {
    /// How its secrets are written.
    pub(crate) fn decode(self) -> KeyDecode {
        match self {
            Self::AdyenStandard => KeyDecode::Hex,
        }
    }

    /// Whether its proof covers the whole body.
    pub(crate) fn protects_body(self) -> bool {
        match self {
            Self::AdyenStandard => false,
        }
    }

    /// The proof with these keys.
    pub(crate) fn proof(self, keys: &[Dated<Zeroizing<Vec<u8>>>]) -> Box<dyn CodedProof> {
        match self {
            Self::AdyenStandard => Box::new(adyen_standard::AdyenStandard::new(keys)),
        }
    }
}
