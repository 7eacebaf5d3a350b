//! The rules of kinds in which the secret itself is sent.
use boathook_template::Pointers;
use zeroize::Zeroizing;

use super::{Broken, form, keys::keys, place};
use crate::{
    KeyDecode, Kind, Scheme, Setup,
    credential_proof::{CredentialFrom, CredentialProof},
    grammar::Form,
    limits::SIGNATURE_HEADER_BYTES_MAX,
    place::Place,
};

pub(super) fn credential(
    scheme: &Scheme,
    setup: &Setup<'_>,
    pointers: &mut Pointers,
    broken: &mut Broken,
) -> Option<CredentialProof> {
    not_for_signatures(scheme, broken);
    let from = match scheme.kind {
        Kind::Basic => basic(scheme, broken),
        Kind::BodyToken => body_token(scheme, pointers, broken),
        _ => one_place(scheme, pointers, broken),
    };
    let room = match &from {
        Some(CredentialFrom::Place(_, prefix)) => SIGNATURE_HEADER_BYTES_MAX.saturating_sub(prefix.len()),
        _ => SIGNATURE_HEADER_BYTES_MAX,
    };
    let keys = keys(setup, KeyDecode::Utf8, broken, |key| fits(scheme.kind, key, room));
    Some(CredentialProof::new(from?, &keys))
}

/// A secret that can never be sent is a mistake.
fn fits(kind: Kind, key: &Zeroizing<Vec<u8>>, room: usize) -> Result<Zeroizing<Vec<u8>>, String> {
    let problem = match kind {
        Kind::Token if key.len() > room || !key.iter().all(u8::is_ascii_graphic) => format!(
            "cannot come in a header: a token is visible ASCII without blanks, with its prefix at most \
             {SIGNATURE_HEADER_BYTES_MAX} bytes"
        ),
        Kind::Basic if !key.contains(&b':') => "must be `user:password`".into(),
        Kind::Basic if key.len() > room / 2 => format!("is longer than {} bytes", room / 2),
        Kind::QueryToken | Kind::BodyToken if key.len() > room => format!("is longer than {room} bytes"),
        Kind::QueryToken | Kind::BodyToken if std::str::from_utf8(key).is_err() => {
            "must be text (UTF-8)".into()
        }
        _ => return Ok(key.clone()),
    };
    Err(problem)
}

fn not_for_signatures(scheme: &Scheme, broken: &mut Broken) {
    broken.unless(
        !scheme.body_protected,
        "bodyProtected",
        "must be set to false: a token does not cover the body",
    );
    let encoding = scheme.signature.as_ref().and_then(|signature| signature.encoding);
    for (given, field) in [
        (scheme.algorithm.is_some(), "algorithm"),
        (scheme.key.is_some(), "key"),
        (encoding.is_some(), "signature.encoding"),
        (!scheme.signed.is_empty(), "signed"),
        (scheme.timestamp.is_some(), "timestamp"),
    ] {
        broken.unless(!given, field, "is for kinds hmac, hash and publicKey: leave it out");
    }
}

fn basic(scheme: &Scheme, broken: &mut Broken) -> Option<CredentialFrom> {
    let given = scheme.signature.is_some();
    broken.unless(!given, "signature", "is always the Authorization header for kind basic: leave it out");
    Some(CredentialFrom::Basic)
}

fn one_place(scheme: &Scheme, pointers: &mut Pointers, broken: &mut Broken) -> Option<CredentialFrom> {
    let place = place::place(scheme.signature.as_ref(), pointers, broken)?;
    let right = match (scheme.kind, &place) {
        // Else the credential would pass in the other header when the first is not used.
        (Kind::Token, Place::Headers(names)) if names.len() > 1 => {
            broken.add("signature.from.headers", "kind token reads one header: leave one name");
            return None;
        }
        (Kind::Token, Place::Headers(_))
        | (Kind::QueryToken, Place::Query(_))
        | (Kind::BodyToken, Place::Pointer(..)) => true,
        _ => false,
    };
    let wanted = match scheme.kind {
        Kind::Token => "headers",
        Kind::QueryToken => "query",
        _ => "pointer",
    };
    broken.unless(right, "signature.from", format!("must be `{wanted}` for this kind"));
    let form = form::form(scheme.signature.as_ref().and_then(|signature| signature.grammar.as_ref()), broken);
    let Form::Prefix(prefix) = form else {
        broken.add("signature.grammar", "takes a prefix or nothing for this kind");
        return None;
    };
    Some(CredentialFrom::Place(place, prefix))
}

/// One value, or that of every item: `/value/*/clientState`.
fn body_token(scheme: &Scheme, pointers: &mut Pointers, broken: &mut Broken) -> Option<CredentialFrom> {
    const FIELD: &str = "signature.from.pointer";
    let pointer = scheme.signature.as_ref().and_then(|signature| signature.from.pointer.as_deref());
    let Some((array, item)) = pointer.and_then(|pointer| pointer.split_once("/*")) else {
        return one_place(scheme, pointers, broken);
    };
    let grammar = scheme.signature.as_ref().and_then(|signature| signature.grammar.as_ref());
    broken.unless(grammar.is_none(), "signature.grammar", "cannot be with `*`: leave it out");
    broken.unless(!item.contains("/*"), FIELD, "may have one `*`");
    let mut of_item = Pointers::default();
    let value = place::slot(&mut of_item, FIELD, item, broken);
    let array = place::slot(pointers, FIELD, array, broken);
    let pointer = pointer.unwrap_or_default().into();
    Some(CredentialFrom::EveryItem { array: array?, pointer, pointers: of_item, value: value? })
}
