//! Rows on their way into the tables: table by table, each with one statement. A delivery that has ended meanwhile never waits
//! in one, and where it ended well stands in its event's row.
use boathook_event::{Flow, Seq};
use rusqlite::{Connection, params};

use crate::{
    Error,
    columns::{self, place},
    local::{
        at_once::{self, AtOnce},
        facts,
        insert::insert_all,
        journal::{Kept, Stored},
    },
};

/// Rows of the journal's frames that were not written yet.
#[derive(Debug, Default)]
pub(super) struct Fresh<'f> {
    /// By place.
    pub(super) events: Vec<FreshEvent<'f>>,
    /// Deliveries that were put aside.
    pub(super) parked: Vec<Parked>,
}

/// A row of `events`, and what becomes of its deliveries.
#[derive(Debug)]
pub(super) struct FreshEvent<'f> {
    pub(super) stored: &'f Stored,
    pub(super) endpoint: i64,
    pub(super) deliveries: Vec<FreshDelivery>,
}

/// A delivery of an event that was not written yet.
#[derive(Debug)]
pub(super) struct FreshDelivery {
    pub(super) sink: i64,
    pub(super) ordered: bool,
    pub(super) blocks: bool,
    pub(super) stands: Stands,
}

/// Where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stands {
    /// Nobody has tried it.
    Waits,
    /// It has ended well.
    Ended(AtOnce),
    /// It has a row already, or is one of [`Fresh::parked`].
    Elsewhere,
}

/// A row of `deliveries`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parked {
    pub(super) seq: Seq,
    pub(super) sink: i64,
    pub(super) reason: &'static str,
    /// In microseconds.
    pub(super) at: i64,
}

impl<'f> Fresh<'f> {
    /// The delivery, if nobody has tried it and it has no row, and how many bytes its body has.
    pub(super) fn waiting(&mut self, seq: Seq, sink: i64) -> Option<(&mut FreshDelivery, i64)> {
        let at = self.at(seq)?;
        let event = self.events.get_mut(at)?;
        let bytes = event.bytes();
        let waits =
            |delivery: &&mut FreshDelivery| delivery.sink == sink && matches!(delivery.stands, Stands::Waits);
        event.deliveries.iter_mut().find(waits).map(|delivery| (delivery, bytes))
    }

    /// Where the event of this place is. Places follow each other nearly always.
    fn at(&self, seq: Seq) -> Option<usize> {
        let of = |event: &FreshEvent<'_>| event.stored.seq;
        let guess = usize::try_from(seq.checked_sub(of(self.events.first()?))?).ok()?;
        if self.events.get(guess).is_some_and(|event| of(event) == seq) {
            return Some(guess);
        }
        self.events.binary_search_by_key(&seq, of).ok()
    }

    /// Writes all of them. One that cannot be written ends the transaction: so SQLite need not be able to take back a statement's
    /// other rows.
    pub(super) fn write(&mut self, sql: &Connection) -> Result<(), Error> {
        self.write_events(sql)?;
        let mut waiting =
            self.events.iter().flat_map(FreshEvent::waiting).collect::<Vec<(Seq, Waiting<'_>)>>();
        // As the table is.
        waiting.sort_unstable_by_key(|(seq, waiting)| (waiting.sink, *seq));
        insert_all(sql, INTO_PENDING, "(?, ?, 0, ?, ?, ?, ?)", &waiting, |row, (seq, waiting)| {
            let Waiting { sink, key, bytes, blocks, flow } = waiting;
            row.bind([sink, &place(*seq), key, bytes, blocks, flow])
        })?;
        self.parked.sort_unstable_by_key(|parked| (parked.seq, parked.sink));
        let into = "insert or rollback into deliveries (seq, sink, replay, outcome, attempts, completed)";
        insert_all(
            sql,
            into,
            "(?, ?, 0, ?, 0, ?)",
            &self.parked,
            |row, Parked { seq, sink, reason, at }| row.bind([&place(*seq), sink, reason, at]),
        )?;
        *self = Self::default();
        Ok(())
    }

    /// Writes this delivery, if it is one of those that wait.
    pub(super) fn write_pending(&mut self, sql: &Connection, sink: i64, seq: Seq) -> Result<(), Error> {
        let Some(event) = self.at(seq).and_then(|at| self.events.get_mut(at)) else { return Ok(()) };
        let waiting = event.waiting().find(|(_, waiting)| waiting.sink == sink);
        let Some((_, Waiting { key, bytes, blocks, flow, .. })) = waiting else { return Ok(()) };
        sql.prepare_cached(&format!("{INTO_PENDING} values (?1, ?2, 0, ?3, ?4, ?5, ?6)"))?
            .execute(params![sink, place(seq), key, bytes, blocks, flow])?;
        let delivery = event.deliveries.iter_mut().find(|delivery| delivery.sink == sink);
        delivery.into_iter().for_each(|delivery| delivery.stands = Stands::Elsewhere);
        Ok(())
    }

    fn write_events(&self, sql: &Connection) -> Result<(), Error> {
        let into =
            "insert or rollback into events (seq, endpoint, received, facts, sinks, at_once, head, body,
                                        segment, place, meta_bytes, head_bytes, body_bytes)";
        let values = "(?, ?, ?, ?, ?, ?, x'', x'', ?, ?, ?, ?, ?)";
        let (mut facts, mut sinks, mut at_once) = (Vec::new(), Vec::new(), Vec::new());
        insert_all(sql, into, values, &self.events, |row, FreshEvent { stored, endpoint, deliveries }| {
            let Stored { seq, append, kept, .. } = stored;
            let (event, Kept { segment, offset, meta_bytes, head_bytes, body_bytes }) = (&append.event, kept);
            [&mut facts, &mut sinks, &mut at_once].into_iter().for_each(Vec::clear);
            facts::put(&mut facts, event);
            for FreshDelivery { sink, ordered, stands, .. } in deliveries {
                columns::put_sink(&mut sinks, *sink, *ordered);
                if let Stands::Ended(ended) = stands {
                    at_once::put(&mut at_once, ended);
                }
            }
            row.bind([
                &place(*seq),
                endpoint,
                &event.received_at.as_microsecond(),
                &facts,
                &sinks,
                &at_once,
            ])?;
            row.bind([&place(*segment), &place(*offset), meta_bytes, head_bytes, body_bytes])
        })
    }
}

impl<'f> FreshEvent<'f> {
    fn bytes(&self) -> i64 {
        i64::try_from(self.stored.append.event.body.len()).unwrap_or(i64::MAX)
    }

    /// Its deliveries that wait, with its place.
    fn waiting(&self) -> impl Iterator<Item = (Seq, Waiting<'f>)> {
        let (stored, bytes) = (self.stored, self.bytes());
        let waits = |delivery: &&FreshDelivery| matches!(delivery.stands, Stands::Waits);
        self.deliveries.iter().filter(waits).map(move |FreshDelivery { sink, ordered, blocks, .. }| {
            let event = &stored.append.event;
            let key = event.key.as_deref().filter(|_| *ordered);
            let flow = Flow::of(&event.endpoint, event.tenant.as_deref()).number();
            (stored.seq, Waiting { sink: *sink, key, bytes, blocks: *blocks, flow })
        })
    }
}

/// The rest of a row of `pending`.
#[derive(Debug, Clone, Copy)]
struct Waiting<'f> {
    sink: i64,
    /// Where it is ordered.
    key: Option<&'f str>,
    bytes: i64,
    blocks: bool,
    /// Whose turn it waits for.
    flow: i64,
}

const INTO_PENDING: &str = "insert or rollback into pending (sink, seq, attempts, key, bytes, blocks, flow)";
