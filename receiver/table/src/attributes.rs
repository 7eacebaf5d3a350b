//! Constants of an endpoint, and the sinks that ask for them.
use boathook_crds::{Reason, WebhookEndpointSpec, WebhookSinkSpec};
use boathook_event::Attributes;
use boathook_template::{Place, Pointers, Template};

use crate::{
    Sink,
    limits::{ATTRIBUTE_BYTES_MAX, ATTRIBUTE_NAME_BYTES_MAX, ATTRIBUTES_MAX},
    problem::Problems,
};

/// An attribute that a sink cannot do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needed {
    /// Its name.
    name: String,
    /// The field of the sink that asks for it.
    field: String,
}

/// Those of a sink.
pub(crate) fn needed(spec: &WebhookSinkSpec) -> Vec<Needed> {
    let headers = spec.http.iter().flat_map(|http| &http.headers).enumerate();
    let headers = headers.filter_map(|(index, header)| {
        Some((format!("spec.http.headers[{index}].value"), header.value.as_deref()?))
    });
    let fields = spec.fields.iter().enumerate();
    let fields = fields.map(|(index, field)| (format!("spec.fields[{index}].value"), &*field.value));
    let mut needed = Vec::new();
    for (field, text) in headers.chain(fields) {
        // What is no template is told where it is compiled.
        let template = Template::parse(text, Place::Delivery, &mut Pointers::default());
        let names = template.iter().flat_map(Template::needed_attributes);
        needed.extend(names.map(|name| Needed { name: name.to_owned(), field: field.clone() }));
    }
    needed
}

/// Reads `spec.attributes`.
pub(crate) fn attributes(spec: &WebhookEndpointSpec, problems: &mut Problems<'_>) -> Attributes {
    problems.at_most("spec.attributes", spec.attributes.len(), ATTRIBUTES_MAX);
    let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    for (name, value) in &spec.attributes {
        if !(1..=ATTRIBUTE_NAME_BYTES_MAX).contains(&name.len()) || !plain(name) {
            let message = format!(
                "`{name}` is no name: write 1 to {ATTRIBUTE_NAME_BYTES_MAX} letters, digits, `-`, `_` and `.`"
            );
            problems.add("spec.attributes", Reason::InvalidValue, message);
        }
        if !(1..=ATTRIBUTE_BYTES_MAX).contains(&value.len()) {
            let message = format!("has {} bytes: write 1 to {ATTRIBUTE_BYTES_MAX}", value.len());
            problems.add(format!("spec.attributes.{name}"), Reason::InvalidValue, message);
        }
    }
    spec.attributes.clone()
}

/// Tells which attributes a sink that the endpoint names needs in vain.
pub(crate) fn check(sink: &Sink, attributes: &Attributes, problems: &mut Problems<'_>) {
    for Needed { name, field } in sink.needed.iter().filter(|needed| !attributes.contains_key(&needed.name)) {
        let message = format!(
            "WebhookSink {} asks for `{{attr:{name}}}` in {field}, and there is no such attribute: add it, or write an \
             alternative there, as in `{{attr:{name}|'none'}}`",
            sink.name
        );
        problems.add("spec.attributes", Reason::InvalidTemplate, message);
    }
}
