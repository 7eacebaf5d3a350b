//! Adyen's Standard webhook: each item of a delivery carries the HMAC-SHA256 of eight of its fields, joined by `:` without
//! escapes; absent ones are empty. <https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures>
use boathook_template::{Pointers, Slot};
use jiff::Timestamp;
use subtle::Choice;
use zeroize::Zeroizing;

use super::CodedProof;
use crate::{
    Diagnosis, Encoding,
    digest::{Digest, DigestKey, DigestKind},
    key::{self, Dated},
    limits::SIGNED_ITEMS_MAX,
    parsed::Parsed,
    proven::Proven,
};

/// The fields in their order, from the item.
const FIELDS: [&str; 8] = [
    "/NotificationRequestItem/pspReference",
    "/NotificationRequestItem/originalReference",
    "/NotificationRequestItem/merchantAccountCode",
    "/NotificationRequestItem/merchantReference",
    "/NotificationRequestItem/amount/value",
    "/NotificationRequestItem/amount/currency",
    "/NotificationRequestItem/eventCode",
    "/NotificationRequestItem/success",
];
const SIGNATURE: &str = "/NotificationRequestItem/additionalData/hmacSignature";
const ITEMS: &str = "/notificationItems";

pub(super) struct AdyenStandard {
    body: Pointers,
    items: Slot,
    item: Pointers,
    fields: Vec<Slot>,
    signature: Slot,
    keys: Vec<Dated<DigestKey>>,
}

/// One item: what is signed, and its signature.
struct Signed {
    text: String,
    signature: Digest,
}

impl AdyenStandard {
    pub(super) fn new(keys: &[Dated<Zeroizing<Vec<u8>>>]) -> Self {
        let (mut body, mut item) = (Pointers::default(), Pointers::default());
        let sound = "the pointers of this file are sound";
        Self {
            items: body.slot(ITEMS).expect(sound),
            fields: FIELDS.iter().map(|field| item.slot(field).expect(sound)).collect(),
            signature: item.slot(SIGNATURE).expect(sound),
            body,
            item,
            keys: keys
                .iter()
                .map(|dated| dated.map(|key| DigestKey::hmac(DigestKind::Sha256, key)))
                .collect(),
        }
    }

    fn read(&self, item: &str) -> Result<Signed, Diagnosis> {
        let place = || format!("body's {ITEMS}/0{SIGNATURE}").into();
        let values = self.item.scan(item.as_bytes()).map_err(|_| unreadable())?;
        let signature =
            values.text(self.signature).ok_or_else(|| Diagnosis::SignatureMissing { place: place() })?;
        let signature = Digest::decoded(&signature, Encoding::Base64);
        let signature = signature.ok_or_else(|| Diagnosis::SignatureMalformed { place: place() })?;
        let fields = self.fields.iter().map(|slot| values.text(*slot).unwrap_or_default());
        Ok(Signed { text: fields.collect::<Vec<_>>().join(":"), signature })
    }
}

impl CodedProof for AdyenStandard {
    /// Every item must be signed with one and the same secret.
    fn check(&self, parsed: &Parsed<'_>, now: Timestamp) -> Result<Proven, Diagnosis> {
        let values = self.body.scan(&parsed.request.body).map_err(|_| unreadable())?;
        let items = values
            .items(self.items, SIGNED_ITEMS_MAX)
            .filter(|items| (1..=SIGNED_ITEMS_MAX).contains(&items.len()));
        let missing = || Diagnosis::SignatureMissing { place: format!("body's {ITEMS}").into() };
        let items = items.ok_or_else(missing)?;
        let items: Vec<Signed> = items.into_iter().map(|item| self.read(item)).collect::<Result<_, _>>()?;
        let secret = key::find(&self.keys, now, |key| {
            items.iter().fold(Choice::from(1), |all, item| {
                all & key.digest_of(item.text.as_bytes()).same(&item.signature)
            })
        })?;
        Ok(Proven { secret: Some(secret), signed_at: None })
    }

    fn secrets_len(&self) -> usize {
        self.keys.len()
    }
}

fn unreadable() -> Diagnosis {
    Diagnosis::BodyUnreadable { wanted: "JSON" }
}
