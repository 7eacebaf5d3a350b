//! A request with what is parsed of it on demand: most schemes look at headers and raw bytes alone.
use std::{borrow::Cow, cell::OnceCell};

use boathook_template::{Pointers, Slot, Values};

use crate::{Diagnosis, RawRequest, form};

/// A request, looked at by one verifier.
pub(crate) struct Parsed<'r> {
    pub(crate) request: &'r RawRequest,
    pointers: &'r Pointers,
    values: OnceCell<Option<Values<'r>>>,
    form: OnceCell<Option<Vec<Field<'r>>>>,
}

/// A name and a value.
type Field<'r> = (Cow<'r, str>, Cow<'r, str>);

impl<'r> Parsed<'r> {
    pub(crate) fn new(request: &'r RawRequest, pointers: &'r Pointers) -> Self {
        Self { request, pointers, values: OnceCell::new(), form: OnceCell::new() }
    }

    /// The JSON body's values; one scan whatever is asked for.
    pub(crate) fn values(&self) -> Result<&Values<'r>, Diagnosis> {
        let scan = || self.pointers.scan(&self.request.body).ok();
        self.values.get_or_init(scan).as_ref().ok_or(Diagnosis::BodyUnreadable { wanted: "JSON" })
    }

    pub(crate) fn pointed(&self, slot: Slot) -> Result<Option<Cow<'r, str>>, Diagnosis> {
        self.values().map(|values| values.text(slot))
    }

    /// All fields of the form body.
    pub(crate) fn form(&self) -> Result<&[Field<'r>], Diagnosis> {
        let read = || form::fields(std::str::from_utf8(&self.request.body).ok()?);
        let fields = self.form.get_or_init(read).as_ref();
        fields.map(|fields| &**fields).ok_or(Diagnosis::BodyUnreadable { wanted: "a form" })
    }

    /// The form's only field of this name.
    pub(crate) fn field(&self, name: &str) -> Result<Option<Cow<'r, str>>, Diagnosis> {
        only(self.form()?, name)
            .map_err(|_| Diagnosis::Repeated { place: format!("form field {name}").into() })
    }

    /// The query's only parameter of this name, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Result<Option<Cow<'r, str>>, Diagnosis> {
        let Some(query) = self.request.query.as_deref() else { return Ok(None) };
        let fields = form::fields(query).ok_or(Diagnosis::BodyUnreadable { wanted: "a query" })?;
        only(&fields, name)
            .map_err(|_| Diagnosis::Repeated { place: format!("query parameter {name}").into() })
    }
}

/// Two of one name.
struct Twice;

fn only<'r>(fields: &[Field<'r>], name: &str) -> Result<Option<Cow<'r, str>>, Twice> {
    let mut found = fields.iter().filter(|(key, _)| key == name);
    let first = found.next().map(|(_, value)| value.clone());
    if found.next().is_some() { Err(Twice) } else { Ok(first.filter(|value| !value.is_empty())) }
}
