//! Bringing what the journal has into the tables.
use boathook_event::{Count, DedupeKey, Destination, Word};
use rusqlite::CachedStatement;

use crate::{
    Error,
    local::{
        decide::expires,
        dedupe::Row,
        fresh::{FreshDelivery, FreshEvent, Parked, Stands},
        journal::{Decided, Frame, Stored},
        steps,
        writer::Work,
    },
    traits::{Append, Hour},
};

impl<'w> Work<'w> {
    /// Takes over what commits have decided, as if the database had been the first to know.
    pub(super) fn apply(&mut self, frames: &'w [Frame]) -> Result<(), Error> {
        let now = self.now;
        for Frame { at, appends, outcomes, counters, rejected } in frames {
            self.now = *at;
            self.tally.turn(Hour::of(*at));
            for decided in appends {
                match decided {
                    Decided::Stored(stored) => self.store(stored)?,
                    Decided::Duplicate { endpoint, of, rearm } => {
                        let endpoint = self.names.id(self.sql, endpoint)?;
                        self.tally.word(endpoint, Word::Duplicate, 1);
                        if *rearm {
                            // It may be one of those that are not in the tables yet.
                            self.fresh.write(self.sql)?;
                            self.rearm(*of)?;
                        }
                    }
                }
                steps::between();
            }
            for record in outcomes {
                self.outcome(record)?;
                steps::between();
            }
            for Count { endpoint, word, by } in counters {
                let endpoint = self.names.id(self.sql, endpoint)?;
                self.tally.word(endpoint, *word, *by);
            }
            self.reject(rejected)?;
        }
        self.now = now;
        self.tally.turn(Hour::of(now));
        self.fresh.write(self.sql)
    }

    fn store(&mut self, stored: &'w Stored) -> Result<(), Error> {
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
        let bytes = i64::try_from(event.body.len()).unwrap_or(i64::MAX);
        let mut deliveries = Vec::with_capacity(append.destinations.len());
        for Destination { sink, ordered, blocks } in append.distinct_destinations() {
            let sink = self.names.id(self.sql, sink)?;
            let stands = if let Some(reason) = parked {
                let at = self.now.as_microsecond();
                self.fresh.parked.push(Parked { seq, sink, reason: reason.as_str(), at });
                self.tally.put_aside(endpoint, sink);
                Stands::Elsewhere
            } else {
                self.tally.route(endpoint, sink).waits(bytes);
                Stands::Waits
            };
            let blocks = *blocks && *ordered && event.key.is_some();
            deliveries.push(FreshDelivery { sink, ordered: *ordered, blocks, stands });
        }
        self.fresh.events.push(FreshEvent { stored, endpoint, deliveries });
        self.spans.stored(seq, endpoint, event.uid);
        self.last_seq = seq;
        self.tally.stored(endpoint, event.event_type.as_deref());
        self.segments.stored(kept.segment, seq);
        if *conflict {
            self.tally.word(endpoint, Word::IdConflict, 1);
        }
        Ok(())
    }

    /// A statement, parsed once per connection.
    pub(super) fn prepared(&self, text: &str) -> Result<CachedStatement<'w>, Error> {
        Ok(self.sql.prepare_cached(text)?)
    }
}
