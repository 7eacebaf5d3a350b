//! A body as the JSON document that pointers read.
use std::cell::OnceCell;

use boathook_template::{Pointers, Slot, Values};
use boathook_verify::{BodyKind, form_as_json, xml_as_json};
use bytes::Bytes;

use crate::{ReadError, limits::BATCH_ITEMS_MAX};

/// The values of a body.
pub(crate) struct Document<'b> {
    pub(crate) values: Values<'b>,
    read_as: BodyKind,
}

impl<'b> Document<'b> {
    /// Reads a body as the first of these kinds that it is. What is no JSON itself is kept in `room` as JSON.
    ///
    /// # Errors
    /// It is of none of them.
    pub(crate) fn read(
        kinds: &[BodyKind],
        pointers: &Pointers,
        body: &'b [u8],
        room: &'b OnceCell<Bytes>,
    ) -> Result<Self, ReadError> {
        let takes = |kind| kinds.contains(&kind);
        let converted = |json: String, read_as| {
            let json = room.get_or_init(|| json.into());
            Ok(Self { values: pointers.scan(json)?, read_as })
        };
        let scanned = takes(BodyKind::Json).then(|| pointers.scan(body));
        if let Some(Ok(values)) = scanned {
            return Ok(Self { values, read_as: BodyKind::Json });
        }
        let xml = takes(BodyKind::Xml).then(|| xml_as_json(body));
        if let Some(Ok(json)) = xml {
            return converted(json, BodyKind::Xml);
        }
        // After the others: nearly every text is a form.
        if let Some(form) = takes(BodyKind::Form).then(|| form_as_json(body)).flatten() {
            return converted(form, BodyKind::Form);
        }
        match (scanned, xml) {
            _ if takes(BodyKind::Any) => Ok(Self { values: Values::none(), read_as: BodyKind::Any }),
            (Some(Err(error)), _) => Err(error.into()),
            (_, Some(Err(error))) => Err(error.into()),
            _ => Err(ReadError::Form),
        }
    }

    /// The JSON text of each event of a batch: of more than [`BATCH_ITEMS_MAX`] one too many. `None` where the value is no
    /// array. One element of XML is the same whether others could stand beside it, so it is a batch of one.
    pub(crate) fn items(&self, batch: Slot) -> Option<Vec<&'b str>> {
        let alone =
            || self.values.raw(batch).filter(|_| self.read_as == BodyKind::Xml).map(|item| vec![item]);
        self.values.items(batch, BATCH_ITEMS_MAX).or_else(alone)
    }
}
