//! Bringing what the journal has into the tables.
use boathook_event::{Count, DedupeKey, Event, ParkReason, Seq, Word};
use rusqlite::{CachedStatement, params};

use crate::{
    Error,
    columns::{encode_sinks, place},
    local::{
        decide::expires,
        dedupe::Row,
        journal::{Decided, Frame, Kept, Stored},
        writer::Work,
    },
    traits::Append,
};

impl Work<'_> {
    /// Takes over what a commit has decided, as if the database had been the first to know.
    pub(super) fn apply(&mut self, frame: &Frame) -> Result<(), Error> {
        let Frame { at, appends, outcomes, counters, rejected } = frame;
        self.now = *at;
        for decided in appends {
            match decided {
                Decided::Stored(stored) => self.store(stored)?,
                Decided::Duplicate { endpoint, of, rearm } => {
                    let endpoint = self.names.id(self.sql, endpoint)?;
                    self.tally.word(endpoint, Word::Duplicate, 1);
                    if *rearm {
                        self.rearm(*of)?;
                    }
                }
            }
        }
        outcomes.iter().try_for_each(|record| self.outcome(record))?;
        for Count { endpoint, word, by } in counters {
            let endpoint = self.names.id(self.sql, endpoint)?;
            self.tally.word(endpoint, *word, *by);
        }
        self.reject(rejected)
    }

    fn store(&mut self, stored: &Stored) -> Result<(), Error> {
        let Stored { seq, conflict, append, kept } = stored;
        let Append { event, dedupe, parked, .. } = append;
        let (seq, endpoint) = (*seq, self.names.id(self.sql, &event.endpoint)?);
        let expires = expires(append, self.now);
        self.keys.extend(dedupe.iter().map(|DedupeKey { hash, body }| Row {
            hash: *hash,
            body: *body,
            seq,
            expires,
        }));
        let sinks = append
            .distinct_destinations()
            .map(|destination| Ok((self.names.id(self.sql, &destination.sink)?, destination.ordered)))
            .collect::<Result<Vec<_>, Error>>()?;
        self.insert(seq, endpoint, event, &encode_sinks(&sinks), kept)?;
        let bytes = i64::try_from(event.body.len()).unwrap_or(i64::MAX);
        for ((sink, ordered), destination) in sinks.into_iter().zip(append.distinct_destinations()) {
            if let Some(reason) = parked {
                self.put_aside(seq, sink, *reason)?;
                self.tally.route(endpoint, sink).parked += 1;
                continue;
            }
            let key = event.key.as_ref().filter(|_| ordered);
            let blocks = destination.blocks && key.is_some();
            self.prepared(
                "insert into pending (sink, seq, attempts, key, bytes, blocks) values (?1, ?2, 0, ?3, ?4, ?5)",
            )?
            .execute(params![sink, place(seq), key, bytes, blocks])?;
            self.tally.route(endpoint, sink).waits(bytes);
        }
        self.last_seq = seq;
        self.tally.events += 1;
        self.segments.stored(kept.segment, seq);
        self.tally.word(endpoint, Word::Accepted, 1);
        if *conflict {
            self.tally.word(endpoint, Word::IdConflict, 1);
        }
        Ok(())
    }

    /// A statement, parsed once per connection.
    pub(super) fn prepared(&self, text: &str) -> Result<CachedStatement<'_>, Error> {
        Ok(self.sql.prepare_cached(text)?)
    }

    fn insert(&self, seq: Seq, endpoint: i64, event: &Event, sinks: &[u8], kept: &Kept) -> Result<(), Error> {
        let Kept { segment, offset, meta_bytes, head_bytes, body_bytes } = kept;
        self.prepared(
            "insert into events (seq, uid, endpoint, received, idx, id, type, key, tenant, entity, sinks, head, body,
                                 segment, place, meta_bytes, head_bytes, body_bytes)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, x'', x'', ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            place(seq),
            event.uid.as_bytes(),
            endpoint,
            event.received_at.as_microsecond(),
            event.index,
            event.id,
            event.event_type,
            event.key,
            event.tenant,
            event.entity,
            sinks,
            place(*segment),
            place(*offset),
            meta_bytes,
            head_bytes,
            body_bytes,
        ])?;
        Ok(())
    }

    /// A delivery that is parked before anybody has tried it.
    fn put_aside(&self, seq: Seq, sink: i64, reason: ParkReason) -> Result<(), Error> {
        self.prepared(
            "insert into deliveries (seq, sink, replay, outcome, attempts, completed) values (?1, ?2, 0, ?3, 0, ?4)",
        )?
        .execute(params![place(seq), sink, reason.as_str(), self.now.as_microsecond()])?;
        Ok(())
    }
}
