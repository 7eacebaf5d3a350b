//! Signatures that are checked with the sender's public key.
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
};

use crate::{
    Algorithm, Encoding, grammar,
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
    pub(crate) fn signed(&self, text: &[u8], signatures: &[Vec<u8>]) -> bool {
        signatures.iter().any(|signature| self.0.verify_sig(text, signature).is_ok())
    }

    /// Reads a key: 32 raw bytes for Ed25519, else a SubjectPublicKeyInfo in DER. `None` where it is not one.
    pub(crate) fn read(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let algorithm: &'static dyn VerificationAlgorithm = match algorithm {
            Algorithm::Ed25519 => &ED25519,
            Algorithm::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
            Algorithm::RsaPkcs1Sha256 => &RSA_PKCS1_2048_8192_SHA256,
            Algorithm::RsaPkcs1Sha512 => &RSA_PKCS1_2048_8192_SHA512,
            Algorithm::RsaPssSha256 => &RSA_PSS_2048_8192_SHA256,
            Algorithm::RsaPssSha512 => &RSA_PSS_2048_8192_SHA512,
            Algorithm::Sha1 | Algorithm::Sha256 | Algorithm::Sha384 | Algorithm::Sha512 => return None,
        };
        ParsedPublicKey::new(algorithm, bytes).ok().map(Self)
    }
}
