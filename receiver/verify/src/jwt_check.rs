//! What the algorithms of JSON Web Tokens are checked with.
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, VerificationAlgorithm,
};

use crate::{
    JwtAlgorithm,
    digest::{DigestKey, DigestKind},
    jwt_proof::JwtKey,
    public_key::PublicKey,
};

/// What an algorithm is checked with.
pub(crate) enum JwtCheck {
    Shared(DigestKind),
    Public(Family, &'static dyn VerificationAlgorithm),
}

/// Which kind of key an algorithm takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Shared,
    Rsa,
    Ecdsa,
    Ed25519,
}

impl JwtCheck {
    pub(crate) fn of(algorithm: JwtAlgorithm) -> Self {
        match algorithm {
            JwtAlgorithm::HS256 => Self::Shared(DigestKind::Sha256),
            JwtAlgorithm::HS384 => Self::Shared(DigestKind::Sha384),
            JwtAlgorithm::HS512 => Self::Shared(DigestKind::Sha512),
            JwtAlgorithm::RS256 => Self::Public(Family::Rsa, &RSA_PKCS1_2048_8192_SHA256),
            JwtAlgorithm::RS384 => Self::Public(Family::Rsa, &RSA_PKCS1_2048_8192_SHA384),
            JwtAlgorithm::RS512 => Self::Public(Family::Rsa, &RSA_PKCS1_2048_8192_SHA512),
            JwtAlgorithm::PS256 => Self::Public(Family::Rsa, &RSA_PSS_2048_8192_SHA256),
            JwtAlgorithm::ES256 => Self::Public(Family::Ecdsa, &ECDSA_P256_SHA256_FIXED),
            JwtAlgorithm::EdDSA => Self::Public(Family::Ed25519, &ED25519),
        }
    }

    pub(crate) fn family(&self) -> Family {
        match self {
            Self::Shared(_) => Family::Shared,
            Self::Public(family, _) => *family,
        }
    }

    /// The key of these bytes.
    ///
    /// # Errors
    /// It is no public key of this kind, as words that follow a place.
    pub(crate) fn key(&self, bytes: &[u8]) -> Result<JwtKey, String> {
        match self {
            Self::Shared(kind) => Ok(JwtKey::Shared(DigestKey::hmac(*kind, bytes))),
            Self::Public(_, algorithm) => {
                PublicKey::read(*algorithm, bytes).map(JwtKey::Public).ok_or_else(|| {
                    "is no public key of these algorithms: copy the issuer's public key whole".into()
                })
            }
        }
    }
}
