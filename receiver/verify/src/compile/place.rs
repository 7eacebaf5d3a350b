//! The rules of where a signature is.
use boathook_template::{Pointers, Slot};
use http::HeaderName;

use super::Broken;
use crate::{
    Signature, SignatureFrom,
    limits::{FIELD_NAME_BYTES_MAX, SIGNATURE_HEADERS_MAX, SIGNATURES_MAX},
    place::Place,
};

const FIELD: &str = "signature.from";

/// The one place that the scheme names.
pub(super) fn place(
    signature: Option<&Signature>,
    pointers: &mut Pointers,
    broken: &mut Broken,
) -> Option<Place> {
    let Some(Signature { from, .. }) = signature else {
        broken.add("signature", "is missing: it says where the provider puts its proof");
        return None;
    };
    let SignatureFrom { headers, every_header, numbered_header, pointer, form, query } = from;
    match (&**headers, &**every_header, numbered_header, pointer, form, query) {
        ([_, ..], [], None, None, None, None) => Some(Place::Headers(names(headers, "headers", broken))),
        ([], [_, ..], None, None, None, None) => {
            Some(Place::EveryHeader(names(every_header, "everyHeader", broken)))
        }
        ([], [], Some(name), None, None, None) => Some(Place::Numbered(numbered(name, broken))),
        ([], [], None, Some(pointer), None, None) => {
            let slot = slot(pointers, &format!("{FIELD}.pointer"), pointer, broken)?;
            Some(Place::Pointer(slot, pointer.as_str().into()))
        }
        ([], [], None, None, Some(name), None) => field_name("form", name, broken).map(Place::Form),
        ([], [], None, None, None, Some(name)) => field_name("query", name, broken).map(Place::Query),
        ([], [], None, None, None, None) => {
            broken.add(format!("{FIELD}.headers"), format!("must name 1 to {SIGNATURE_HEADERS_MAX} headers"));
            None
        }
        _ => {
            broken.add(
                FIELD,
                "must have exactly one of headers, everyHeader, numberedHeader, pointer, form and query",
            );
            None
        }
    }
}

/// The slot of a pointer, or what is wrong with it.
pub(super) fn slot(pointers: &mut Pointers, field: &str, pointer: &str, broken: &mut Broken) -> Option<Slot> {
    pointers.slot(pointer).map_err(|error| broken.add(field, error.to_string())).ok()
}

fn names(names: &[String], member: &str, broken: &mut Broken) -> Vec<HeaderName> {
    let field = format!("{FIELD}.{member}");
    broken.unless(
        (1..=SIGNATURE_HEADERS_MAX).contains(&names.len()),
        &*field,
        format!("must name 1 to {SIGNATURE_HEADERS_MAX} headers"),
    );
    let mut headers: Vec<HeaderName> = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let field = format!("{field}[{place}]");
        match broken.header(&*field, name) {
            Some(header) if headers.contains(&header) => broken.add(field, "is there twice: leave it out"),
            Some(header) => headers.push(header),
            None => {}
        }
    }
    headers
}

/// As many as signatures are taken.
fn numbered(name: &str, broken: &mut Broken) -> Vec<HeaderName> {
    let first = broken.header(format!("{FIELD}.numberedHeader"), &format!("{name}1"));
    let others = (2..=SIGNATURES_MAX).filter_map(|number| format!("{name}{number}").parse().ok());
    first.into_iter().chain(others).collect()
}

fn field_name(member: &str, name: &str, broken: &mut Broken) -> Option<Box<str>> {
    let fits = (1..=FIELD_NAME_BYTES_MAX).contains(&name.len());
    broken.unless(fits, format!("{FIELD}.{member}"), format!("must have 1 to {FIELD_NAME_BYTES_MAX} bytes"));
    fits.then(|| name.into())
}
