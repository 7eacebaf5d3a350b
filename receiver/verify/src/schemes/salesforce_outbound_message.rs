//! Salesforce's Outbound Messages: SOAP of which nothing is signed. What there is to compare is the organisation's id in the
//! message. <https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging.htm>
use boathook_template::{Pointers, Slot};
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::CodedProof;
use crate::{
    Diagnosis,
    key::{self, Dated},
    parsed::Parsed,
    proven::Proven,
    xml::xml_as_json,
};

const ORGANISATION: &str = "/Envelope/Body/notifications/OrganizationId";
/// With which the ids of organisations begin.
const KIND: &[u8] = b"00D";
/// Characters of an id.
const ID_BYTES: usize = 15;

pub(super) struct OutboundMessage {
    body: Pointers,
    organisation: Slot,
    /// The ids, without the characters that check their case.
    organisations: Vec<Dated<Zeroizing<Vec<u8>>>>,
}

impl OutboundMessage {
    pub(super) fn new(organisations: &[Dated<Zeroizing<Vec<u8>>>]) -> Self {
        let mut body = Pointers::default();
        Self {
            organisation: body.slot(ORGANISATION).expect("the pointer of this file is sound"),
            body,
            organisations: organisations.to_vec(),
        }
    }
}

impl CodedProof for OutboundMessage {
    fn check(&self, parsed: &Parsed<'_>, now: Timestamp) -> Result<Proven, Diagnosis> {
        let place = || format!("body's {ORGANISATION}").into();
        let unreadable = |wanted| Diagnosis::BodyUnreadable { wanted };
        let json = xml_as_json(&parsed.request.body).map_err(|_| unreadable("XML"))?;
        let values = self.body.scan(json.as_bytes()).map_err(|_| unreadable("XML"))?;
        if values.items(self.organisation, 0).is_some() {
            return Err(Diagnosis::Repeated { place: place() });
        }
        let sent = values.text(self.organisation);
        let sent = sent.ok_or_else(|| Diagnosis::SignatureMissing { place: place() })?;
        let sent = id(sent.as_bytes()).ok_or_else(|| Diagnosis::SignatureMalformed { place: place() })?;
        let secret = key::find(&self.organisations, now, |known| known.ct_eq(sent))?;
        Ok(Proven { secret: Some(secret), signed_at: None })
    }

    fn secrets_len(&self) -> usize {
        self.organisations.len()
    }
}

/// The id of a Secret: as it is compared.
pub(super) fn key(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let id = id(text).ok_or(
        "is no id of an organisation: copy the 15 or 18 characters that Company Information in Setup shows",
    )?;
    if !id.starts_with(KIND) {
        return Err("is the id of something else: that of an organisation begins with 00D".into());
    }
    Ok(Zeroizing::new(id.to_vec()))
}

/// The 15 characters of an id, in which case counts; of one with 18, whose last three say which of the others are upper case,
/// only if they do.
fn id(text: &[u8]) -> Option<&[u8]> {
    let (id, check) = text.split_at_checked(ID_BYTES)?;
    let sound = text.iter().all(u8::is_ascii_alphanumeric) && (check.is_empty() || check == case_check(id));
    sound.then_some(id)
}

/// A character for each five: its bits, the lowest first, say which of them are upper case.
fn case_check(id: &[u8]) -> Vec<u8> {
    let bit = |(place, byte): (usize, &u8)| u8::from(byte.is_ascii_uppercase()) << place;
    let bits = |five: &[u8]| five.iter().enumerate().map(bit).sum::<u8>();
    let written = |bits: u8| if bits < 26 { b'A' + bits } else { b'0' + (bits - 26) };
    id.chunks(5).map(|five| written(bits(five))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_fifteen_characters_or_eighteen_that_check_their_case() {
        for (text, same) in [
            ("00D3j0000002abC", Some("00D3j0000002abC")),
            ("00D3j0000002abCEAQ", Some("00D3j0000002abC")),
            ("00D3j0000002ABCEAQ", None),
            ("00D3j0000002abCEAA", None),
            ("00D3j0000002abCeaq", None),
            ("00D3j0000002abCEA", None),
            ("00D3j0000002ab", None),
            ("00D3j0000002abCEAQ0", None),
            ("00D3j0000002ab-", None),
            ("00D3j000000é2ab", None),
            ("", None),
        ] {
            assert_eq!(id(text.as_bytes()), same.map(str::as_bytes), "{text}");
        }
        assert_eq!(case_check(b"ZZZZZZZZZZzzzzz"), b"55A");
    }

    #[test]
    fn a_secret_that_is_no_organisations_id_is_told_what_to_write() {
        assert_eq!(key(b"00D3j0000002abCEAQ").unwrap().as_slice(), b"00D3j0000002abC");
        assert!(key(b"acme").unwrap_err().contains("Company Information"));
        assert!(key(b"0053j0000002abC").unwrap_err().contains("00D"));
    }
}
