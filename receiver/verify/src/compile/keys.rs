//! The rules of secrets: each becomes a key, or is told.
use zeroize::Zeroizing;

use super::Broken;
use crate::{
    KeyDecode, Secret, Setup,
    key::{self, Dated},
    limits::SECRETS_MAX,
};

/// What is made of those secrets that can be used.
pub(super) fn keys<K>(
    setup: &Setup<'_>,
    decode: KeyDecode,
    broken: &mut Broken,
    make: impl Fn(&Zeroizing<Vec<u8>>) -> Result<K, String>,
) -> Vec<Dated<K>> {
    let Setup { secrets, awaits_secret, .. } = setup;
    let least = usize::from(!awaits_secret);
    broken.unless(
        (least..=SECRETS_MAX).contains(&secrets.len()),
        "secrets",
        format!("must have 1 to {SECRETS_MAX} secrets"),
    );
    let mut keys = Vec::with_capacity(secrets.len());
    for (place, Secret { text, not_before, not_after }) in secrets.iter().enumerate() {
        let field = format!("secrets[{place}]");
        if let (Some(start), Some(end)) = (not_before, not_after) {
            broken.unless(start < end, &*field, "is never valid: notAfter must be later than notBefore");
        }
        match key::decode(text, decode).and_then(|key| make(&key)) {
            Ok(key) => keys.push(Dated { key, not_before: *not_before, not_after: *not_after }),
            Err(message) => broken.add(field, message),
        }
    }
    keys
}
