//! Signatures that are checked with the sender's public key.
use aws_lc_rs::signature::{ParsedPublicKey, VerificationAlgorithm};

use crate::{
    Encoding, grammar,
    limits::PUBLIC_SIGNATURE_BYTES_MAX,
    signed_text::{Piece, Pieces},
};

/// A public key, and what it is for.
pub(crate) struct PublicKey(ParsedPublicKey);

/// The bytes of a text in pieces: what is signed is hashed inside.
pub(crate) fn joined(text: &Pieces<'_>) -> Vec<u8> {
    let mut joined = Vec::new();
    for piece in text {
        if let Piece::Bytes(bytes) = piece {
            joined.extend_from_slice(bytes);
        }
    }
    joined
}

/// The bytes of a signature; `None` where it is not so encoded, or longer than any.
pub(crate) fn decoded(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    let mut room = vec![0; PUBLIC_SIGNATURE_BYTES_MAX + 3];
    grammar::decode(text, encoding, &mut room).map(<[u8]>::to_vec)
}

impl PublicKey {
    /// Whether one of the signatures is one of this key over the text.
    pub(crate) fn signed<S: AsRef<[u8]>>(&self, text: &[u8], signatures: &[S]) -> bool {
        signatures.iter().any(|signature| self.0.verify_sig(text, signature.as_ref()).is_ok())
    }

    /// Reads a key: 32 raw bytes for Ed25519, else a SubjectPublicKeyInfo in DER. `None` where it is not one.
    pub(crate) fn read(algorithm: &'static dyn VerificationAlgorithm, bytes: &[u8]) -> Option<Self> {
        ParsedPublicKey::new(algorithm, bytes).ok().map(Self)
    }
}
