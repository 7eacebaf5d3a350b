//! What a sink gets as its body, as it is written.
use std::collections::BTreeSet;

use boathook_crds::{BodyField, Reason, SinkBody, WebhookSinkSpec};
use boathook_template::{Place, Pointers, Template};

use crate::{limits::FIELDS_MAX, problem::Problems};

/// What a sink gets as its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Body {
    /// The provider's bytes.
    #[default]
    Raw,
    /// A CloudEvent.
    CloudEvents,
    /// An application's envelope.
    Envelope,
    /// A flat object of templates.
    Fields(Vec<BodyField>),
}

/// Reads `spec.body` and `spec.fields`.
pub(crate) fn body(spec: &WebhookSinkSpec, problems: &mut Problems<'_>) -> Body {
    let body = match spec.body {
        SinkBody::Raw => Body::Raw,
        SinkBody::CloudEvents => Body::CloudEvents,
        SinkBody::Envelope => Body::Envelope,
        SinkBody::Fields => Body::Fields(spec.fields.clone()),
    };
    let is_fields = matches!(body, Body::Fields(_));
    if is_fields == spec.fields.is_empty() {
        let message = "fields and `body: Fields` go together: write both or neither";
        problems.add("spec.fields", Reason::InvalidValue, message);
    }
    problems.at_most("spec.fields", spec.fields.len(), FIELDS_MAX);
    let (mut names, mut pointers) = (BTreeSet::new(), Pointers::default());
    for (index, BodyField { name, value }) in spec.fields.iter().enumerate() {
        if name.is_empty() || !names.insert(name) {
            let message = format!("`{name}` is empty or there twice: rename or remove one");
            problems.add(format!("spec.fields[{index}].name"), Reason::InvalidValue, message);
        }
        if let Err(error) = Template::parse(value, Place::Delivery, &mut pointers) {
            let field = format!("spec.fields[{index}].value");
            problems.add(field, Reason::InvalidTemplate, error.to_string());
        }
    }
    body
}
