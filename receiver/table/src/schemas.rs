//! The schemas of an endpoint's events, compiled.
use boathook_crds::{EventSchema, OnMismatch, Reason};
use boathook_event::{Mismatch, Schema, Subject, TypePatterns};

use crate::{
    limits::{SCHEMAS_MAX, TYPE_PATTERNS_MAX},
    problem::Problems,
};

/// What the bodies of an endpoint's events must look like.
#[derive(Debug)]
pub(crate) struct Schemas(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    types: TypePatterns,
    schema: Schema,
    on_mismatch: OnMismatch,
}

impl Schemas {
    /// Compiles `spec.events.schemas`; mistakes become problems.
    pub(crate) fn compile(written: &[EventSchema], problems: &mut Problems<'_>) -> Self {
        problems.at_most("spec.events.schemas", written.len(), SCHEMAS_MAX);
        let mut entries = Vec::with_capacity(written.len());
        for (index, EventSchema { types, schema, on_mismatch }) in written.iter().enumerate() {
            let field = format!("spec.events.schemas[{index}]");
            problems.at_most(&format!("{field}.types"), types.len(), TYPE_PATTERNS_MAX);
            match Schema::compile(schema) {
                Ok(schema) => {
                    entries.push(Entry { types: TypePatterns::new(types), schema, on_mismatch: *on_mismatch })
                }
                Err(message) => problems.add(format!("{field}.schema"), Reason::InvalidSchema, message),
            }
        }
        Self(entries)
    }

    /// Holds the event against the first schema for its type: how it does not fit, and what becomes of it then.
    pub(crate) fn mismatch(&self, subject: &Subject<'_>) -> Option<(Mismatch, OnMismatch)> {
        let event_type = subject.event().event_type.as_deref();
        let entry = self.0.iter().find(|entry| entry.types.matches(event_type))?;
        entry.schema.check(subject).err().map(|mismatch| (mismatch, entry.on_mismatch))
    }
}
