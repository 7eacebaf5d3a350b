//! Digests over the signed text: keyed (HMAC, RFC 2104), or plain with the secret among its pieces.
use std::borrow::Cow;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use smallvec::SmallVec;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::{
    Algorithm, Encoding,
    grammar::decode,
    signed_text::{Piece, Pieces},
};

/// Bytes of the longest digest, SHA-512.
const DIGEST_BYTES: usize = 64;
/// Room for it in which it can be decoded: Base64 writes up to three bytes more.
const ROOM_BYTES: usize = DIGEST_BYTES + 8;
/// Bytes that are compared in one step. A step costs as much for a byte: it ends in a barrier for the compiler.
const STEP_BYTES: usize = size_of::<u128>();

/// A key, ready for a digest.
pub(crate) enum DigestKey {
    /// The digest's state after the key: cloned per request, so that the key schedule runs once.
    Hmac(Box<Keyed>),
    /// The secret, a part of the digested text.
    Hash(DigestKind, Zeroizing<Vec<u8>>),
}

/// A keyed digest's state.
pub(crate) enum Keyed {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

/// A digest.
#[derive(Clone, Copy)]
pub(crate) enum DigestKind {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// A digest's bytes.
pub(crate) struct Digest {
    /// Zeros behind the length.
    bytes: [u8; ROOM_BYTES],
    length: usize,
}

/// As many digests as a header may have; two without allocating, as a rotation sends them.
#[derive(Default)]
pub(crate) struct Digests(SmallVec<[Digest; 2]>);

impl Digests {
    /// Adds those that decode: providers put other forms beside theirs. `None` when none does. They are decoded where they
    /// stay: moving them costs more than decoding them.
    pub(crate) fn decode<'h>(
        &mut self,
        texts: impl Iterator<Item = &'h str>,
        encoding: Encoding,
    ) -> Option<()> {
        for text in texts {
            self.0.push(Digest::EMPTY);
            if !self.0.last_mut()?.decode(text, encoding) {
                self.0.pop();
            }
        }
        (!self.0.is_empty()).then_some(())
    }

    pub(crate) fn contain(&self, digest: &Digest) -> Choice {
        self.0.iter().fold(Choice::from(0), |any, given| any | given.same(digest))
    }
}

impl Digest {
    const EMPTY: Self = Self { bytes: [0; ROOM_BYTES], length: 0 };

    /// A signature's text, decoded; `None` where it is not so encoded, longer than any digest, or empty.
    pub(crate) fn decoded(text: &str, encoding: Encoding) -> Option<Self> {
        let mut digest = Self::EMPTY;
        digest.decode(text, encoding).then_some(digest)
    }

    /// Whether it could be; if not, what is in it is of no use.
    fn decode(&mut self, text: &str, encoding: Encoding) -> bool {
        self.length = decode(text, encoding, &mut self.bytes).map_or(0, <[u8]>::len);
        if let Some(behind) = self.bytes.get_mut(self.length..) {
            behind.fill(0);
        }
        (1..=DIGEST_BYTES).contains(&self.length)
    }

    fn of(bytes: &[u8]) -> Self {
        let mut digest = Self { length: bytes.len(), ..Self::EMPTY };
        digest.bytes.get_mut(..bytes.len()).expect("no digest is longer").copy_from_slice(bytes);
        digest
    }

    /// Whether it is the same one; takes as long wherever they differ. Their lengths are no secret: one is the algorithm's,
    /// the other is sent.
    pub(crate) fn same(&self, other: &Self) -> Choice {
        let lengths = Choice::from(u8::from(self.length == other.length));
        let steps = self.length.div_ceil(STEP_BYTES);
        self.steps()
            .zip(other.steps())
            .take(steps)
            .fold(lengths, |all, (own, others)| all & own.ct_eq(&others))
    }

    fn steps(&self) -> impl Iterator<Item = u128> {
        self.bytes.as_chunks().0.iter().map(|step| u128::from_ne_bytes(*step))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl DigestKind {
    /// `None` where the algorithm is none of a digest.
    pub(crate) fn of(algorithm: Option<Algorithm>) -> Option<Self> {
        match algorithm {
            None | Some(Algorithm::Sha256) => Some(Self::Sha256),
            Some(Algorithm::Sha1) => Some(Self::Sha1),
            Some(Algorithm::Sha384) => Some(Self::Sha384),
            Some(Algorithm::Sha512) => Some(Self::Sha512),
            Some(_) => None,
        }
    }
}

impl DigestKey {
    pub(crate) fn hmac(kind: DigestKind, key: &[u8]) -> Self {
        fn keyed<M: KeyInit>(key: &[u8]) -> M {
            M::new_from_slice(key).expect("HMAC takes keys of any length")
        }
        Self::Hmac(Box::new(match kind {
            DigestKind::Sha1 => Keyed::Sha1(keyed(key)),
            DigestKind::Sha256 => Keyed::Sha256(keyed(key)),
            DigestKind::Sha384 => Keyed::Sha384(keyed(key)),
            DigestKind::Sha512 => Keyed::Sha512(keyed(key)),
        }))
    }

    /// The digest of one piece.
    pub(crate) fn digest_of(&self, bytes: &[u8]) -> Digest {
        self.digest(&Pieces::from_iter([Piece::Bytes(Cow::Borrowed(bytes))]))
    }

    pub(crate) fn digest(&self, text: &Pieces<'_>) -> Digest {
        match self {
            Self::Hmac(keyed) => match &**keyed {
                Keyed::Sha1(state) => mac(state, text),
                Keyed::Sha256(state) => mac(state, text),
                Keyed::Sha384(state) => mac(state, text),
                Keyed::Sha512(state) => mac(state, text),
            },
            Self::Hash(DigestKind::Sha1, secret) => plain::<Sha1>(text, secret),
            Self::Hash(DigestKind::Sha256, secret) => plain::<Sha256>(text, secret),
            Self::Hash(DigestKind::Sha384, secret) => plain::<Sha384>(text, secret),
            Self::Hash(DigestKind::Sha512, secret) => plain::<Sha512>(text, secret),
        }
    }
}

fn mac<M: Mac + Clone>(state: &M, text: &Pieces<'_>) -> Digest {
    let mut mac = state.clone();
    for piece in text {
        if let Piece::Bytes(bytes) = piece {
            mac.update(bytes);
        }
    }
    Digest::of(&mac.finalize().into_bytes())
}

fn plain<D: sha2::Digest>(text: &Pieces<'_>, secret: &[u8]) -> Digest {
    let mut digest = D::new();
    for piece in text {
        match piece {
            Piece::Bytes(bytes) => digest.update(bytes),
            Piece::Secret => digest.update(secret),
        }
    }
    Digest::of(&digest.finalize())
}
