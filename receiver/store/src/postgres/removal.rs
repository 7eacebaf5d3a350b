//! What leaves the store: events past their retention, deduplication keys past their window, and what a person erases.
use std::collections::{BTreeMap, HashSet};

use boathook_event::{ObjectName, Seq};
use jiff::Timestamp;
use tokio_postgres::{Row, types::Type};

use crate::{
    Error,
    columns::{PARKED, place},
    cuts::{Cuts, yielding},
    limits::{FORGET_ROWS, RETAIN_SLICE},
    postgres::{
        connection::{BEGIN, BEGIN_LATER, Connection, Session},
        fault::Fault,
        flight::{Flight, value},
        rows, series,
        writer::{commit, locked},
    },
    tally::Tally,
    traits::{Erased, Hour, Retentions},
};

/// An event that may be past its retention.
struct Candidate {
    seq: i64,
    received: i64,
    sinks: Vec<i32>,
}

/// Deletes events past their retention and keys past their window, in slices: the lock is held for one at a time, and as
/// long left alone after each. Several processes may do so at once; what one has deleted the others do not find.
pub(super) fn retain(
    connection: &mut Connection,
    retentions: &Retentions,
    now: Timestamp,
) -> Result<u64, Error> {
    let mut deleted = 0;
    for (endpoint, name) in connection.work(&endpoints)? {
        let cuts = Cuts::of(retentions.of(&name), now);
        deleted += retain_of(connection, endpoint, cuts)?;
        forget_rejected(connection, endpoint, cuts.rejected)?;
    }
    while yielding(|| connection.work(&async |session| forget(session).await))? {}
    while yielding(|| connection.work(&async |session| forget_erased(session).await))? {}
    let first_kept = Hour::of(now).first_kept();
    while yielding(|| connection.work(&async |session| series::forget(session, first_kept).await))? {}
    Ok(deleted)
}

/// Deletes the events of one endpoint that are past their retention.
fn retain_of(connection: &mut Connection, endpoint: i32, cuts: Cuts) -> Result<u64, Error> {
    let (mut deleted, mut after) = (0, 0);
    loop {
        let slice = connection.work(&async |session| slice(session, endpoint, after).await)?;
        let Some(last) = slice.last() else { break };
        after = last.seq;
        let old = |candidate: &Candidate| cuts.may_reach(candidate.received);
        // Events are stored about in the order they are received: behind a slice without an old one there is none.
        if !slice.iter().any(old) {
            break;
        }
        let old = slice.into_iter().filter(old).collect::<Vec<_>>();
        let past = connection.work(&async |session| past(session, &old, cuts).await)?;
        if past.is_empty() {
            continue;
        }
        deleted += yielding(|| connection.work(&async |session| delete_past(session, &past, cuts).await))?;
    }
    Ok(deleted)
}

/// Deletes the events at these places, whatever their deliveries. Their bytes are in no answer any more; the database writes over
/// them when it next cleans the table up, and its log and backups have them for as long as they are kept.
pub(super) async fn erase(session: &Session, events: &[Seq]) -> Result<Erased, Fault> {
    let asked = events.iter().map(|seq| place(*seq)).collect::<Vec<_>>();
    let (mut locked, found) = locked(session, BEGIN, |flight| {
        flight.ask(
            "select seq, endpoint, sinks from events where seq = any($1)",
            vec![value(asked, Type::INT8_ARRAY)],
        )
    })
    .await?;
    let (mut endpoints, mut of, mut sinks) = (BTreeMap::new(), Vec::new(), Vec::new());
    for row in locked.answers.take(found) {
        let seq: i64 = row.try_get(0)?;
        endpoints.insert(seq, row.try_get::<_, i32>(1)?);
        for sink in rows::sinks(row.try_get(2)?) {
            of.push(seq);
            sinks.push(sink);
        }
    }
    let seqs = endpoints.keys().copied().collect::<Vec<_>>();
    let parked = format!("delete from deliveries where seq = any($1) and {PARKED} returning seq, sink");
    let mut flight = Flight::new(&session.client);
    let pending = flight.ask(
        "delete from pending p using unnest($1, $2) as its (seq, sink)
         where p.sink = its.sink and p.seq = its.seq returning p.seq, p.sink, p.bytes",
        vec![value(of, Type::INT8_ARRAY), value(sinks, Type::INT4_ARRAY)],
    );
    let parked = flight.ask(&parked, vec![value(seqs.clone(), Type::INT8_ARRAY)]);
    let mut answers = flight.land().await?;
    let (pending, parked) = (answers.take(pending), answers.take(parked));
    let mut tally = Tally::at(locked.hour());
    let gone = pending.iter().map(|row| (row, true)).chain(parked.iter().map(|row| (row, false)));
    for (row, was_pending) in gone {
        let Some(endpoint) = endpoints.get(&row.try_get::<_, i64>(0)?) else { continue };
        let totals = tally.route(*endpoint, row.try_get(1)?);
        match was_pending {
            true => totals.waits_no_more(row.try_get(2)?),
            false => totals.parked -= 1,
        }
        totals.erased += 1;
    }
    let mut flight = Flight::new(&session.client);
    flight.ask("insert into erased (seq) select unnest($1)", vec![value(seqs.clone(), Type::INT8_ARRAY)]);
    delete(&seqs, &mut flight, &mut tally);
    tally.write(&mut flight);
    commit(session, flight).await?;
    let count = |rows: &[Row]| rows.len() as u64;
    let (pending, parked) = (count(&pending), count(&parked));
    Ok(Erased { events: seqs.len() as u64, pending, parked, traces: false })
}

/// Every endpoint to which something has ever come, by its number; sinks among them have no events.
async fn endpoints(session: &Session) -> Result<Vec<(i32, ObjectName)>, Fault> {
    let mut flight = Flight::new(&session.client);
    let rows = flight.ask("select id, name from names", Vec::new());
    let rows = flight.land().await?.take(rows);
    rows.iter().map(|row| Ok((row.try_get(0)?, ObjectName::from_stored(row.try_get(1)?)))).collect()
}

async fn slice(session: &Session, endpoint: i32, after: i64) -> Result<Vec<Candidate>, Fault> {
    let mut flight = Flight::new(&session.client);
    let limit = i64::try_from(RETAIN_SLICE).unwrap_or(i64::MAX);
    let rows = flight.ask(
        "select seq, received, sinks from events where endpoint = $1 and seq > $2 order by seq limit $3",
        vec![value(endpoint, Type::INT4), value(after, Type::INT8), value(limit, Type::INT8)],
    );
    candidates(&flight.land().await?.take(rows))
}

/// Reads candidates: place, time, sinks.
fn candidates(rows: &[Row]) -> Result<Vec<Candidate>, Fault> {
    let candidate = |row: &Row| {
        let sinks = rows::sinks(row.try_get(2)?);
        Ok(Candidate { seq: row.try_get(0)?, received: row.try_get(1)?, sinks })
    };
    rows.iter().map(candidate).collect()
}

/// Those of which nothing is pending, and all that became of them is older than its retention.
async fn past(session: &Session, candidates: &[Candidate], cuts: Cuts) -> Result<Vec<i64>, Fault> {
    let deliveries = candidates.iter().flat_map(|of| of.sinks.iter().map(|sink| (of.seq, *sink)));
    let (seqs, sinks): (Vec<_>, Vec<_>) = deliveries.unzip();
    let mut flight = Flight::new(&session.client);
    let kept = flight.ask(
        "select w.seq from unnest($1, $2) as w (seq, sink) join pending p on p.sink = w.sink and p.seq = w.seq
         union
         select seq from deliveries where seq = any($1)
         and completed > case when outcome in ('delivered', 'already_there', 'skipped') then $3 else $4 end",
        vec![
            value(seqs, Type::INT8_ARRAY),
            value(sinks, Type::INT4_ARRAY),
            value(cuts.delivered, Type::INT8),
            value(cuts.parked, Type::INT8),
        ],
    );
    let kept = numbers(&flight.land().await?.take(kept))?;
    let is_past = |of: &&Candidate| {
        let unwanted_since = !of.sinks.is_empty() || of.received <= cuts.delivered;
        unwanted_since && !kept.contains(&of.seq)
    };
    Ok(candidates.iter().filter(is_past).map(|of| of.seq).collect())
}

/// Deletes those that still are past their retention. They are looked at anew: since then one may have been armed again,
/// also at a sink that it did not have, or deleted.
async fn delete_past(session: &Session, events: &[i64], cuts: Cuts) -> Result<u64, Fault> {
    let (mut locked, there) = locked(session, BEGIN_LATER, |flight| {
        flight.ask(
            "select seq, received, sinks from events where seq = any($1)",
            vec![value(events.to_vec(), Type::INT8_ARRAY)],
        )
    })
    .await?;
    let past = past(session, &candidates(&locked.answers.take(there))?, cuts).await?;
    let count = past.len();
    let mut tally = Tally::at(locked.hour());
    let mut flight = Flight::new(&session.client);
    delete(&past, &mut flight, &mut tally);
    tally.write(&mut flight);
    commit(session, flight).await?;
    Ok(count as u64)
}

fn delete(seqs: &[i64], flight: &mut Flight<'_>, tally: &mut Tally<i32>) {
    tally.events -= i64::try_from(seqs.len()).unwrap_or(i64::MAX);
    for delete in [
        "delete from events where seq = any($1)",
        "delete from deliveries where seq = any($1)",
        "delete from failures where seq = any($1)",
        "delete from blocking where seq = any($1)",
    ] {
        flight.ask(delete, vec![value(seqs.to_vec(), Type::INT8_ARRAY)]);
    }
}

/// Forgets some of the deduplication keys past their window, by the database's clock, and writers that are gone for long.
/// Returns whether there may be more.
async fn forget(session: &Session) -> Result<bool, Fault> {
    let (locked, ()) = locked(session, BEGIN_LATER, |_| ()).await?;
    let mut flight = Flight::new(&session.client);
    let forgotten = flight.ask(
        "delete from dedupe d using (select hash, body from dedupe where expires <= $1 order by expires limit $2) past
         where d.hash = past.hash and d.body = past.body and d.expires <= $1 returning 1",
        vec![value(locked.now, Type::INT8), value(FORGET_ROWS, Type::INT8)],
    );
    flight.ask("delete from writers where at < now() - interval '1 day'", Vec::new());
    let forgotten = flight.land().await?.take(forgotten).len();
    commit(session, Flight::new(&session.client)).await?;
    Ok(i64::try_from(forgotten).is_ok_and(|forgotten| forgotten >= FORGET_ROWS))
}

/// Forgets some of what was erased an hour ago: whoever delivers has looked since, or has lost its lease. Returns whether there may
/// be more.
async fn forget_erased(session: &Session) -> Result<bool, Fault> {
    let mut flight = Flight::new(&session.client);
    let forgotten = flight.ask(
        "delete from erased where number in (
             select number from (select number, at from erased order by number limit $1) oldest
             where at < now() - interval '1 hour'
         ) returning 1",
        vec![value(FORGET_ROWS, Type::INT8)],
    );
    let forgotten = flight.land().await?.take(forgotten).len();
    Ok(i64::try_from(forgotten).is_ok_and(|forgotten| forgotten >= FORGET_ROWS))
}

/// Forgets refused requests: each endpoint has few.
fn forget_rejected(connection: &mut Connection, endpoint: i32, cut: i64) -> Result<(), Error> {
    let parameters = || vec![value(endpoint, Type::INT4), value(cut, Type::INT8)];
    let any = connection.work(&async |session| {
        let mut flight = Flight::new(&session.client);
        let select = "select 1 from rejected where endpoint = $1 and received <= $2 limit 1";
        let any = flight.ask(select, parameters());
        Ok(!flight.land().await?.take(any).is_empty())
    })?;
    if !any {
        return Ok(());
    }
    yielding(|| {
        connection.work(&async |session| {
            let (_, ()) = locked(session, BEGIN_LATER, |_| ()).await?;
            let mut flight = Flight::new(&session.client);
            flight.ask("delete from rejected where endpoint = $1 and received <= $2", parameters());
            commit(session, flight).await
        })
    })
}

fn numbers(rows: &[Row]) -> Result<HashSet<i64>, Fault> {
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
