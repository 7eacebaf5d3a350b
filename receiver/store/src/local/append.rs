//! Storing one event: is it a repetition, and if not, what must be durable with it.
use boathook_event::{DedupeKey, Event, ParkReason, Seq, Word, limits::SINKS_PER_EVENT_MAX};
use jiff::SignedDuration;
use rusqlite::{CachedStatement, params};

use crate::{
    Error,
    columns::{encode_sinks, place},
    head,
    local::writer::Work,
    traits::{Append, Verdict},
};

/// What the keys of an append say.
enum Known {
    /// Nothing: it is new.
    No,
    /// It is a repetition of the event at this place.
    Repeats(Seq),
    /// The id was seen with another body.
    Conflicts,
}

impl Work<'_> {
    /// Stores the event unless it is a repetition.
    pub(super) fn append(&mut self, append: &Append) -> Result<Verdict, Error> {
        let Append { event, dedupe, dedupe_window, parked, destinations } = append;
        if destinations.len() > SINKS_PER_EVENT_MAX {
            return Err(Error::Rejected(format!(
                "it has {} sinks, more than {SINKS_PER_EVENT_MAX}",
                destinations.len()
            )));
        }
        let endpoint = self.names.id(self.sql, &event.endpoint)?;
        let known = self.known(dedupe)?;
        if let Known::Repeats(of) = known {
            self.tally.word(endpoint, Word::Duplicate, 1);
            let rearmed = parked.is_none() && self.rearm(of)?;
            return Ok(Verdict::Duplicate { of, rearmed });
        }
        let seq = self.last_seq + 1;
        let window = SignedDuration::try_from(*dedupe_window).unwrap_or(SignedDuration::MAX);
        let expires =
            self.now.as_microsecond().saturating_add(i64::try_from(window.as_micros()).unwrap_or(i64::MAX));
        self.remember(dedupe, seq, expires)?;
        let sinks = append
            .distinct_destinations()
            .map(|destination| Ok((self.names.id(self.sql, &destination.sink)?, destination.ordered)))
            .collect::<Result<Vec<_>, Error>>()?;
        self.insert(seq, endpoint, event, &encode_sinks(&sinks))?;
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
        self.tally.word(endpoint, Word::Accepted, 1);
        Ok(match known {
            Known::Conflicts => {
                self.tally.word(endpoint, Word::IdConflict, 1);
                Verdict::IdConflict { seq }
            }
            _ => Verdict::Stored { seq },
        })
    }

    /// A statement, parsed once per connection.
    pub(super) fn prepared(&self, text: &str) -> Result<CachedStatement<'_>, Error> {
        Ok(self.sql.prepare_cached(text)?)
    }

    /// Any key that is known makes a repetition. A key is kept once per body that came with it (an empty one where the
    /// body does not matter), so of several events with one unsigned id each is known again.
    fn known(&self, keys: &[DedupeKey]) -> Result<Known, Error> {
        let mut statement =
            self.prepared("select seq, body from dedupe where hash = ?1 and expires > ?2 order by seq")?;
        let mut known = Known::No;
        for DedupeKey { hash, body } in keys {
            let mut rows = statement.query(params![hash, self.now.as_microsecond()])?;
            while let Some(row) = rows.next()? {
                let same = match body {
                    None => true,
                    Some(body) => row.get_ref(1)?.as_blob().is_ok_and(|stored| stored == body),
                };
                if same {
                    return Ok(Known::Repeats(row.get::<_, i64>(0)?.unsigned_abs()));
                }
                known = Known::Conflicts;
            }
        }
        Ok(known)
    }

    fn remember(&self, keys: &[DedupeKey], seq: Seq, expires: i64) -> Result<(), Error> {
        // A row that is there already has expired, or is this event's own: two of its keys may be one.
        let mut statement = self.prepared(
            "insert into dedupe (hash, body, seq, expires) values (?1, ?2, ?3, ?4)
             on conflict do update set seq = excluded.seq, expires = excluded.expires",
        )?;
        for DedupeKey { hash, body } in keys {
            let body = body.as_ref().map_or(&[][..], |body| &body[..]);
            statement.execute(params![hash, body, place(seq), expires])?;
        }
        Ok(())
    }

    fn insert(&self, seq: Seq, endpoint: i64, event: &Event, sinks: &[u8]) -> Result<(), Error> {
        self.prepared(
            "insert into events (seq, uid, endpoint, received, idx, id, type, key, tenant, entity, sinks, head, body)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
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
            head::encode(&event.head),
            &event.body[..],
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
