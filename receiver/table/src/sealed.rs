//! Secrets on their way from a receiver to the operator: sealed, so that whoever reads statuses learns nothing of them
//! (HPKE, RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305).
use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use boathook_crds::SecretRef;
use boathook_event::ObjectName;
use hpke::{
    Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _, aead::ChaCha20Poly1305,
    kdf::HkdfSha256, kem::X25519HkdfSha256, rand_core::CryptoRng, single_shot_open,
    single_shot_seal_with_rng,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zeroize::Zeroizing;

type Kem = X25519HkdfSha256;
type Public = <Kem as hpke::Kem>::PublicKey;
type Private = <Kem as hpke::Kem>::PrivateKey;
type Encapsulated = <Kem as hpke::Kem>::EncappedKey;

/// What the algorithm puts before the text.
const ENCAPSULATED_BYTES: usize = 32;
/// Told apart from whatever else may be sealed one day.
const PURPOSE: &[u8] = b"boathook.dev/secret-capture";

/// Seals, and cannot open. In documents: the Base64 of its 32 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealKey(Public);

/// Opens what its [`SealKey`] has sealed.
pub struct OpenKey {
    private: Private,
    public: SealKey,
}

impl SealKey {
    /// Seals a secret of an endpoint that is to go to this place, and to no other. The same text gives another result each
    /// time.
    pub fn seal(&self, of: &ObjectName, to: &SecretRef, text: &str, chance: &mut impl CryptoRng) -> String {
        let sealed = single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &OpModeS::Base,
            &self.0,
            PURPOSE,
            text.as_bytes(),
            &place(of, to),
            chance,
        );
        let (encapsulated, ciphertext) = sealed
            .expect("a key that was read is a point, and a secret is shorter than the algorithm's bound");
        STANDARD.encode([&encapsulated.to_bytes()[..], &ciphertext].concat())
    }
}

impl OpenKey {
    /// A pair from 32 bytes of chance.
    pub fn new(chance: &Zeroizing<[u8; 32]>) -> Self {
        let (private, public) = Kem::derive_keypair(&**chance);
        Self { private, public: SealKey(public) }
    }

    /// The other half.
    pub fn seal_key(&self) -> &SealKey {
        &self.public
    }

    /// The secret; `None` where it was sealed with another key, for another endpoint or place, or is broken.
    pub fn open(&self, of: &ObjectName, to: &SecretRef, sealed: &str) -> Option<Zeroizing<String>> {
        let sealed = STANDARD.decode(sealed).ok()?;
        let (encapsulated, ciphertext) = sealed.split_at_checked(ENCAPSULATED_BYTES)?;
        let text = single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &OpModeR::Base,
            &self.private,
            &Encapsulated::from_bytes(encapsulated).ok()?,
            PURPOSE,
            ciphertext,
            &place(of, to),
        );
        String::from_utf8(text.ok()?).ok().map(Zeroizing::new)
    }
}

/// Names have no slash, and keys of Secrets none either: no two places are written alike.
fn place(of: &ObjectName, SecretRef { name, key }: &SecretRef) -> Vec<u8> {
    format!("{}/{name}/{key}", of.as_str()).into_bytes()
}

impl fmt::Debug for OpenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl Serialize for SealKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for SealKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(|_| D::Error::custom("not Base64"))?;
        Public::from_bytes(&bytes).map(Self).map_err(|_| D::Error::custom("not a public key"))
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn to(name: &str, key: &str) -> SecretRef {
        SecretRef { name: name.into(), key: key.into() }
    }

    #[test]
    fn a_sealed_secret_is_opened_with_its_key_for_its_endpoint_and_place_alone() {
        let (ours, other) = (OpenKey::new(&[1; 32].into()), OpenKey::new(&[2; 32].into()));
        let (of, place) = (ObjectName::new("shop", "notion"), to("notion", "token"));
        let mut chance = StdRng::seed_from_u64(7);
        let sealed = ours.seal_key().seal(&of, &place, "secret_abc", &mut chance);
        assert_eq!(ours.open(&of, &place, &sealed).as_deref().map(String::as_str), Some("secret_abc"));
        assert!(!sealed.contains("abc"));
        assert_ne!(sealed, ours.seal_key().seal(&of, &place, "secret_abc", &mut chance));
        assert_eq!(other.open(&of, &place, &sealed), None);
        assert_eq!(ours.open(&ObjectName::new("shop", "asana"), &place, &sealed), None);
        assert_eq!(ours.open(&ObjectName::new("others", "notion"), &place, &sealed), None);
        assert_eq!(ours.open(&of, &to("stripe", "token"), &sealed), None);
        assert_eq!(ours.open(&of, &to("notion", "other"), &sealed), None);
        for broken in ["", "?", "AAAA", &sealed[4..], &sealed.replace(&sealed[60..64], "AAAA")] {
            assert_eq!(ours.open(&of, &place, broken), None, "{broken}");
        }
    }

    #[test]
    fn the_sealing_key_is_written_and_read_again_and_the_opening_key_is_never_shown() {
        let key = OpenKey::new(&[3; 32].into());
        let text = serde_json::to_string(key.seal_key()).expect("text");
        assert_eq!(&serde_json::from_str::<SealKey>(&text).expect("the same"), key.seal_key());
        for broken in ["\"\"", "\"?\"", "\"AAAA\"", "7"] {
            assert!(serde_json::from_str::<SealKey>(broken).is_err(), "{broken}");
        }
        let private: Vec<String> = key.private.to_bytes().iter().map(ToString::to_string).collect();
        assert!(!format!("{key:?}").contains(&private.join(", ")));
    }
}
