//! A sender's X.509 certificate (RFC 5280): its key, whose it is, and when it counts. No chain is built: that it is the
//! sender's follows from where it is published, over TLS, and from its names.
use std::fmt;

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use jiff::Timestamp;
use x509_cert::{
    TbsCertificate,
    der::{
        DecodePem as _, Encode as _,
        asn1::{Ia5StringRef, PrintableStringRef, Utf8StringRef},
        oid::db::rfc4519::COMMON_NAME,
    },
    ext::pkix::{SubjectAltName, name::GeneralName},
    time::Time,
};

use crate::{Diagnosis, limits::CERTIFICATE_BYTES_MAX, public_key::PublicKey};

/// A certificate with an RSA key of 2048 to 8192 bits.
pub struct Certificate {
    /// The names of its subject, in lower case: common names and DNS names.
    names: Vec<Box<str>>,
    not_before: Timestamp,
    not_after: Timestamp,
    /// The key for each algorithm.
    sha1: PublicKey,
    sha256: PublicKey,
}

/// With which digest an RSA signature (PKCS#1 v1.5, RFC 8017 § 8.2) is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RsaDigest {
    /// SHA-1, which SNS signs with unless a topic says otherwise: who writes a part of a message and can find a collision could
    /// have one signature for two. Set the topic's SignatureVersion to 2.
    Sha1,
    Sha256,
}

impl Certificate {
    /// Reads a PEM. Of a chain the first certificate counts, which is the sender's own (RFC 8446 § 4.4.2).
    ///
    /// # Errors
    /// It is longer than [`CERTIFICATE_BYTES_MAX`], no certificate, or has no such key.
    pub fn parse(pem: &[u8]) -> Result<Self, String> {
        if pem.len() > CERTIFICATE_BYTES_MAX {
            return Err(format!("it is longer than {CERTIFICATE_BYTES_MAX} bytes"));
        }
        let wrong = "it is no X.509 certificate in PEM (RFC 7468)";
        let block = first_block(pem).ok_or(wrong)?;
        let certificate = x509_cert::Certificate::from_pem(block).map_err(|_| wrong)?;
        let about = certificate.tbs_certificate();
        let key = about.subject_public_key_info().to_der().map_err(|_| wrong)?;
        let read = |algorithm: &'static dyn VerificationAlgorithm| {
            PublicKey::read(algorithm, &key).ok_or("its key is no RSA key of 2048 to 8192 bits")
        };
        Ok(Self {
            names: names(about),
            not_before: time(about.validity().not_before)?,
            not_after: time(about.validity().not_after)?,
            sha1: read(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY)?,
            sha256: read(&RSA_PKCS1_2048_8192_SHA256)?,
        })
    }

    /// Whether it counts now, and is of somebody with one of these names.
    pub(crate) fn check(&self, wanted: &[&str], now: Timestamp) -> Result<(), Diagnosis> {
        if now < self.not_before || now > self.not_after {
            return Err(Diagnosis::CertificateOutOfValidity { expired: now > self.not_after });
        }
        let has = |name: &str| self.names.iter().any(|own| **own == *name);
        if wanted.iter().any(|name| has(name)) { Ok(()) } else { Err(Diagnosis::CertificateOfOther) }
    }

    /// Whether the signature is one of its key over the text.
    pub(crate) fn signed(&self, digest: RsaDigest, text: &[u8], signature: &[u8]) -> bool {
        let key = match digest {
            RsaDigest::Sha1 => &self.sha1,
            RsaDigest::Sha256 => &self.sha256,
        };
        key.signed(text, &[signature])
    }
}

/// The first certificate, from its first line to its last.
fn first_block(pem: &[u8]) -> Option<&str> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let pem = std::str::from_utf8(pem).ok()?;
    let block = pem.get(pem.find(BEGIN)?..)?;
    block.get(..block.find(END)? + END.len())
}

fn names(about: &TbsCertificate) -> Vec<Box<str>> {
    let attributes = about.subject().as_ref().iter().flat_map(|names| names.iter());
    let common = attributes.filter(|attribute| attribute.oid == COMMON_NAME).filter_map(|attribute| {
        let value = &attribute.value;
        let text = value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_ascii_lowercase());
        let text = text.or_else(|_| {
            value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_ascii_lowercase())
        });
        text.or_else(|_| value.decode_as::<Ia5StringRef<'_>>().map(|text| text.as_str().to_ascii_lowercase()))
            .ok()
    });
    let alternative = about.get_extension::<SubjectAltName>().ok().flatten();
    let alternative = alternative.iter().flat_map(|(_, names)| &names.0).filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        _ => None,
    });
    common.chain(alternative).map(Into::into).collect()
}

fn time(time: Time) -> Result<Timestamp, String> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok();
    seconds
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or_else(|| "its dates cannot be read".into())
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("names", &self.names)
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_told() {
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in ["", "-----BEGIN CERTIFICATE-----", empty, "-----END CERTIFICATE-----"] {
            let told = Certificate::parse(pem.as_bytes()).expect_err(pem);
            assert_eq!(told, "it is no X.509 certificate in PEM (RFC 7468)", "{pem}");
        }
        assert!(Certificate::parse(&[0xff]).is_err());
        assert!(Certificate::parse(&vec![b'\n'; CERTIFICATE_BYTES_MAX + 1]).is_err());
    }
}
