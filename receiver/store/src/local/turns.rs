//! What waits, read in turns: of each flow a little, found by looking for the next flow in the index.
use std::collections::BTreeSet;

use boathook_event::{Flow, ObjectName, Seq};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{
    Error,
    columns::place,
    limits::{DUE_TURN, TURN_BLOCKING_MAX, TURN_FLOWS_MAX},
    local::{
        feed::{Filling, Tried, tried},
        names, schema,
        snapshot::Snapshot,
    },
    traits::{DueTurns, Page, Turned, TurnedDue, Turns},
};

/// A flow that has something that was never tried, and the place behind which it is read.
type Behind = (Flow, Seq);

/// Reads some turns of what is due.
pub(super) fn read_due(
    snapshot: &Snapshot<'_>,
    sink: &ObjectName,
    turns: &DueTurns,
    page: Page,
) -> Result<TurnedDue, Error> {
    let (mut filling, mut places) = (Filling::new(snapshot, sink, page, 0), Vec::new());
    let Some(sink) = names::stored(snapshot, sink)? else { return Ok(TurnedDue::default()) };
    let mut next = snapshot.prepare_cached(
        "select flow, due from pending indexed by pending_due_by_flow
         where sink = ?1 and flow > ?2 and due is not null order by flow, due limit 1",
    )?;
    let select = format!(
        "select seq, attempts, due, key, replay, blocks from pending indexed by pending_due_by_flow
         where sink = ?1 and flow = ?2 and due <= ?3 and (due, seq) > (?4, ?5) order by due, seq limit {DUE_TURN}"
    );
    let mut of_flow = snapshot.prepare_cached(&select)?;
    let (until, mut reached) = (turns.until.as_microsecond(), turns.after);
    for _ in 0..TURN_FLOWS_MAX {
        let at = params![sink, reached.map_or(-1, Flow::number)];
        let found = next.query_row(at, |row| Ok((Flow::numbered(row.get(0)?), row.get::<_, i64>(1)?)));
        let Some((flow, due)) = found.optional()? else {
            return Ok(TurnedDue { deliveries: filling.deliveries(), places, reached: None });
        };
        if let (true, Some((after, seq))) = (due <= until, turns.behind(flow)) {
            let at = params![sink, flow.number(), until, after.as_microsecond(), place(seq)];
            let mut rows = of_flow.query(at)?;
            let mut up_to = None;
            while let Some(row) = rows.next()? {
                let tried = tried(row)?;
                if !filling.take_next(&tried)? {
                    // It comes again, for the rest of its turn.
                    places.extend(up_to.map(|up_to| (flow, up_to)));
                    return Ok(TurnedDue { deliveries: filling.deliveries(), places, reached });
                }
                up_to = tried.due.map(|due| (due, tried.seq));
            }
            places.extend(up_to.map(|up_to| (flow, up_to)));
        }
        reached = Some(flow);
    }
    Ok(TurnedDue { deliveries: filling.deliveries(), places, reached })
}

/// Reads some turns of what was never tried.
pub(super) fn read(
    snapshot: &Snapshot<'_>,
    sink: &ObjectName,
    turns: &Turns,
    page: Page,
) -> Result<Turned, Error> {
    let mut reading = Reading {
        filling: Filling::new(snapshot, sink, page, turns.floor),
        floor: turns.floor,
        earlier: Vec::new(),
        keys: BTreeSet::new(),
        blocking: Vec::new(),
        places: Vec::new(),
        more: false,
    };
    let mut reached = None;
    if let Some(sink) = names::stored(snapshot, sink)? {
        let (flows, last) = flows(snapshot, sink, turns)?;
        reached = last;
        let quota = turns.quota(flows.len(), reached, page);
        let mut before = turns.after;
        for (flow, behind) in flows {
            if !reading.turn(sink, flow, behind, quota)? {
                (reached, reading.more) = (before, true);
                break;
            }
            before = Some(flow);
        }
    }
    let last = schema::meta(snapshot, "last_seq")?.unsigned_abs();
    let Reading { filling, earlier, blocking, places, more, .. } = reading;
    let deliveries = filling.deliveries().into_iter().zip(earlier).collect();
    Ok(Turned { deliveries, blocking, places, reached, more, last })
}

/// A page while it is filled.
struct Reading<'f> {
    filling: Filling<'f>,
    floor: Seq,
    /// Of each delivery, see [`Turned::deliveries`].
    earlier: Vec<Option<Seq>>,
    /// Keys of which it was asked who holds them.
    keys: BTreeSet<Box<str>>,
    blocking: Vec<(Seq, Box<str>)>,
    places: Vec<(Flow, Seq)>,
    more: bool,
}

impl Reading<'_> {
    /// Gives a flow its turn. Returns false if the page has no room for all of it: then it is to come again.
    fn turn(&mut self, sink: i64, flow: Flow, behind: Seq, quota: usize) -> Result<bool, Error> {
        let mut statement = self.filling.snapshot().prepare_cached(
            "select seq, attempts, due, key, replay, blocks from pending indexed by pending_by_flow
             where sink = ?1 and flow = ?2 and seq > ?3 and due is null order by seq limit ?4",
        )?;
        let rows_max = i64::try_from(quota).unwrap_or(i64::MAX).saturating_add(1);
        let mut rows = statement.query(params![sink, flow.number(), place(behind), rows_max])?;
        let (mut given, mut up_to, mut whole) = (0, None, true);
        while let Some(row) = rows.next()? {
            let tried = tried(row)?;
            if given == quota {
                self.more = true;
                break;
            }
            if !self.filling.take_next(&tried)? {
                whole = false;
                break;
            }
            self.look_before(sink, &tried)?;
            (given, up_to) = (given + 1, Some(tried.seq));
        }
        self.places.extend(up_to.map(|up_to| (flow, up_to)));
        Ok(whole)
    }

    /// Looks for what may hold up this delivery.
    fn look_before(&mut self, sink: i64, Tried { seq, key, .. }: &Tried) -> Result<(), Error> {
        let sql = self.filling.snapshot();
        let Some(key) = key else {
            self.earlier.push(None);
            return Ok(());
        };
        let select = "select seq from pending indexed by pending_by_key
                      where sink = ?1 and key = ?2 and seq < ?3 and seq > ?4 order by seq desc limit 1";
        let at = params![sink, key, place(*seq), place(self.floor)];
        let earlier = sql.prepare_cached(select)?.query_row(at, |row| row.get::<_, i64>(0)).optional()?;
        self.earlier.push(earlier.map(i64::unsigned_abs));
        if self.keys.insert(key.clone()) {
            let select =
                "select seq from blocking where sink = ?1 and key = ?2 and seq > ?3 order by seq limit ?4";
            let mut statement = sql.prepare_cached(select)?;
            let at = params![sink, key, place(self.floor), TURN_BLOCKING_MAX];
            let blocking =
                statement.query_map(at, |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), key.clone())))?;
            self.blocking.extend(blocking.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(())
    }
}

/// The next flows that have something that was never tried, with the places behind which they are to be read, and the last one that
/// was looked at; `None` = there is none behind it.
fn flows(sql: &Connection, sink: i64, turns: &Turns) -> Result<(Vec<Behind>, Option<Flow>), Error> {
    let mut next = sql.prepare_cached(
        "select flow from pending indexed by pending_by_flow
         where sink = ?1 and flow > ?2 and due is null order by flow limit 1",
    )?;
    let (mut flows, mut after) = (Vec::new(), turns.after);
    for _ in 0..TURN_FLOWS_MAX {
        let at = params![sink, after.map_or(-1, Flow::number)];
        let Some(flow) = next.query_row(at, |row| row.get(0)).optional()?.map(Flow::numbered) else {
            return Ok((flows, None));
        };
        flows.extend(turns.behind(flow).map(|behind| (flow, behind)));
        after = Some(flow);
    }
    Ok((flows, after))
}
