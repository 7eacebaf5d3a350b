//! Making deliveries pending once more.
use std::collections::{BTreeSet, HashMap};

use boathook_event::{Destination, Flow, ObjectName, Partition, Seq, limits::SINKS_PER_EVENT_MAX};
use tokio_postgres::types::Type;

use crate::{
    Error,
    columns::{decode_sinks, encode_sinks, place, state},
    limits::REPLAY_SLICE,
    postgres::{
        connection::{BEGIN, Session},
        fault::Fault,
        flight::{Flight, value},
        names::{Lookup, Names, Unknown},
        rows, text,
        writer::{commit, locked},
    },
    tally::Tally,
    traits::{DeliveryState, Replay, Replayed},
};

/// Deliveries that start anew.
#[derive(Default)]
pub(super) struct Armed {
    deliveries: Vec<Arm>,
    /// Events that have a sink more, with all their sinks.
    sinks: Vec<(i64, Vec<u8>)>,
}

struct Arm {
    seq: i64,
    sink: i32,
    /// Where its order is kept.
    key: Option<Box<str>>,
    part: i32,
    flow: i64,
    replay: i32,
    bytes: i64,
    /// What was parked or skipped starts anew, and its failures are forgotten.
    anew: bool,
}

/// An event whose deliveries may be made once more.
struct Again {
    seq: i64,
    endpoint: i32,
    key: Option<Box<str>>,
    /// Whose turn its deliveries wait for.
    flow: i64,
    /// Its sinks, and whether they get it in the order of its key.
    sinks: Vec<(i32, bool)>,
    /// What they are called.
    names: HashMap<i32, ObjectName>,
    /// Where the last delivery to each stands.
    standing: HashMap<i32, Standing>,
    /// Of its body.
    bytes: i64,
}

#[derive(Clone, Copy)]
struct Standing {
    state: DeliveryState,
    replay: i32,
}

/// See [`crate::traits::Archive::replay`].
pub(super) async fn replay(session: &Session, events: &[Seq], replay: &Replay) -> Result<Replayed, Fault> {
    if events.len() > REPLAY_SLICE {
        return Err(Error::Rejected(format!("{} events, more than {REPLAY_SLICE}", events.len())).into());
    }
    let unknown = Unknown::of(replay.to.as_ref().map(|to| &to.sink), replay.sink.as_ref());
    let (mut locked, asked) = locked(session, BEGIN, |flight| unknown.ask(flight)).await?;
    let none = Names::default();
    let names = none.with(&asked.map(|asked| locked.answers.take(asked)).unwrap_or_default())?;
    let seqs = events.iter().map(|seq| place(*seq)).collect::<Vec<_>>();
    let mut all = load(session, &seqs).await?;
    pending(session, &mut all).await?;
    let (mut armed, mut replayed, mut tally) =
        (Armed::default(), Replayed::default(), Tally::at(locked.hour()));
    for seq in events {
        let Some(again) = all.get(&place(*seq)) else { continue };
        if armed.one(again, replay, &names, &mut replayed, &mut tally)? {
            replayed.armed.push(*seq);
        }
    }
    let mut flight = Flight::new(&session.client);
    armed.write(locked.now, &mut flight);
    tally.write(&mut flight);
    commit(session, flight).await?;
    Ok(replayed)
}

/// The parked deliveries of these events, of which a repetition came: a person pressed "Redeliver".
pub(super) async fn parked(
    session: &Session,
    events: &[i64],
    tally: &mut Tally<i32>,
) -> Result<Armed, Fault> {
    let mut armed = Armed::default();
    if events.is_empty() {
        return Ok(armed);
    }
    let parked = Replay { state: Some(DeliveryState::Parked), ..Replay::default() };
    let names = Names::default();
    let names = names.with(&[])?;
    // What is parked last is not pending.
    for again in load(session, events).await?.values() {
        armed.one(again, &parked, &names, &mut Replayed::default(), tally)?;
    }
    Ok(armed)
}

/// The events and their last complete deliveries.
async fn load(session: &Session, events: &[i64]) -> Result<HashMap<i64, Again>, Fault> {
    let mut flight = Flight::new(&session.client);
    let of = || vec![value(events.to_vec(), Type::INT8_ARRAY)];
    let found = flight.ask(
        "select seq, endpoint, sinks, octet_length(body), key, tenant, n.name
         from events join names n on n.id = endpoint where seq = any($1)",
        of(),
    );
    let last = flight.ask(
        "select distinct on (seq, sink) seq, sink, replay, outcome from deliveries where seq = any($1)
         order by seq, sink, replay desc",
        of(),
    );
    let mut answers = flight.land().await?;
    let mut all = HashMap::new();
    for row in answers.take(found) {
        let (seq, endpoint) = (row.try_get(0)?, row.try_get(1)?);
        let sinks = decode_sinks(row.try_get(2)?).into_iter();
        let sinks = sinks.map(|(sink, ordered)| (i32::try_from(sink).unwrap_or(i32::MAX), ordered)).collect();
        let bytes = row.try_get::<_, i32>(3)?.into();
        let key = row.try_get::<_, Option<&str>>(4)?.map(text::decode);
        let tenant = row.try_get::<_, Option<&str>>(5)?.map(text::decode);
        let flow = Flow::of(&ObjectName::from_stored(row.try_get(6)?), tenant.as_deref()).number();
        let (standing, names) = (HashMap::new(), HashMap::new());
        all.insert(seq, Again { seq, endpoint, key, flow, sinks, names, standing, bytes });
    }
    names(session, &mut all).await?;
    for row in answers.take(last) {
        if let Some(again) = all.get_mut(&row.try_get(0)?) {
            let standing = Standing { state: state(row.try_get(3)?), replay: row.try_get(2)? };
            again.standing.insert(row.try_get(1)?, standing);
        }
    }
    Ok(all)
}

/// Adds what the sinks are called.
async fn names(session: &Session, all: &mut HashMap<i64, Again>) -> Result<(), Fault> {
    let sinks = all.values().flat_map(|again| again.sinks.iter().map(|(sink, _)| *sink));
    let sinks: Vec<i32> = sinks.collect::<BTreeSet<_>>().into_iter().collect();
    let mut flight = Flight::new(&session.client);
    let names =
        flight.ask("select id, name from names where id = any($1)", vec![value(sinks, Type::INT4_ARRAY)]);
    for row in flight.land().await?.take(names) {
        let (sink, name): (i32, ObjectName) = (row.try_get(0)?, ObjectName::from_stored(row.try_get(1)?));
        for again in all.values_mut().filter(|again| again.sinks.iter().any(|(of, _)| *of == sink)) {
            again.names.insert(sink, name.clone());
        }
    }
    Ok(())
}

/// Adds what is pending: that is the last then.
async fn pending(session: &Session, all: &mut HashMap<i64, Again>) -> Result<(), Fault> {
    let of = all.values().flat_map(|again| again.sinks.iter().map(|(sink, _)| (again.seq, *sink)));
    let (seqs, sinks): (Vec<i64>, Vec<i32>) = of.unzip();
    let mut flight = Flight::new(&session.client);
    let pending = flight.ask(
        "select p.seq, p.sink, p.replay from unnest($1, $2) as w (seq, sink)
         join pending p on p.sink = w.sink and p.seq = w.seq",
        vec![value(seqs, Type::INT8_ARRAY), value(sinks, Type::INT4_ARRAY)],
    );
    for row in flight.land().await?.take(pending) {
        if let Some(again) = all.get_mut(&row.try_get(0)?) {
            let standing = Standing { state: DeliveryState::Pending, replay: row.try_get(2)? };
            again.standing.insert(row.try_get(1)?, standing);
        }
    }
    Ok(())
}

impl Armed {
    /// The events of which something starts anew.
    pub(super) fn events(&self) -> Vec<i64> {
        self.deliveries.iter().map(|arm| arm.seq).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Arms the deliveries of one event that are meant. Tells whether there were any.
    fn one(
        &mut self,
        again: &Again,
        replay: &Replay,
        names: &Lookup<'_>,
        replayed: &mut Replayed,
        tally: &mut Tally<i32>,
    ) -> Result<bool, Fault> {
        let Replay { sink: only, state: wanted, to } = replay;
        let only = only.as_ref().map(|only| names.id(only));
        let is_meant = |(sink, _): &&(i32, bool)| {
            let standing = again.standing.get(sink);
            only.is_none_or(|only| only == Some(*sink))
                && standing.is_some_and(|standing| wanted.is_none_or(|wanted| wanted == standing.state))
        };
        let mut meant = again.sinks.iter().filter(is_meant).copied().collect::<Vec<_>>();
        if let (Some(to), false) = (to, meant.is_empty()) {
            meant = vec![self.other(again, to, names)?];
        }
        let before = self.deliveries.len();
        for (sink, ordered) in meant {
            let name = again.names.get(&sink).or(to.as_ref().map(|to| &to.sink));
            if let Some(name) = name {
                self.arm(again, (sink, name), ordered, replayed, tally);
            }
        }
        Ok(self.deliveries.len() > before)
    }

    /// The sink that gets it instead. It becomes one of the event's sinks if it is none.
    fn other(&mut self, again: &Again, to: &Destination, names: &Lookup<'_>) -> Result<(i32, bool), Fault> {
        let sink = names.expect(&to.sink)?;
        if let Some(known) = again.sinks.iter().find(|(known, _)| *known == sink) {
            return Ok(*known);
        }
        if again.sinks.len() >= SINKS_PER_EVENT_MAX {
            return Err(Error::Rejected(format!("an event has {SINKS_PER_EVENT_MAX} sinks already")).into());
        }
        let sinks = again.sinks.iter().copied().chain([(sink, to.ordered)]);
        let sinks = sinks.map(|(sink, ordered)| (i64::from(sink), ordered)).collect::<Vec<_>>();
        self.sinks.push((again.seq, encode_sinks(&sinks)));
        Ok((sink, to.ordered))
    }

    fn arm(
        &mut self,
        again: &Again,
        (sink, name): (i32, &ObjectName),
        ordered: bool,
        replayed: &mut Replayed,
        tally: &mut Tally<i32>,
    ) {
        let standing = again.standing.get(&sink);
        let (replay, anew) = match standing {
            Some(Standing { state: DeliveryState::Pending, .. }) => {
                replayed.pending += 1;
                return;
            }
            Some(Standing { state: DeliveryState::Parked | DeliveryState::Skipped, replay }) => {
                (*replay, true)
            }
            Some(Standing { state: DeliveryState::Delivered, replay }) => (replay.saturating_add(1), false),
            None => (0, false),
        };
        replayed.deliveries += 1;
        let totals = tally.route(again.endpoint, sink);
        totals.starts_anew(standing.map(|standing| standing.state));
        totals.waits(again.bytes);
        let key = again.key.clone().filter(|_| ordered);
        let part = rows::part(Partition::of(name, key.as_deref(), again.seq.unsigned_abs()));
        let Again { seq, flow, bytes, .. } = *again;
        self.deliveries.push(Arm { seq, sink, key, part, flow, replay, bytes, anew });
    }

    /// Due at once.
    pub(super) fn write<'f>(&'f self, now: i64, flight: &mut Flight<'f>) {
        for (seq, sinks) in &self.sinks {
            flight.ask(
                "update events set sinks = $2 where seq = $1",
                vec![value(*seq, Type::INT8), value(sinks.clone(), Type::BYTEA)],
            );
        }
        if self.deliveries.is_empty() {
            return;
        }
        let places = |of: &dyn Fn(&Arm) -> bool| {
            let arms = || self.deliveries.iter().filter(|arm| of(arm));
            vec![
                value(arms().map(|arm| arm.seq).collect::<Vec<_>>(), Type::INT8_ARRAY),
                value(arms().map(|arm| arm.sink).collect::<Vec<_>>(), Type::INT4_ARRAY),
                value(arms().map(|arm| arm.replay).collect::<Vec<_>>(), Type::INT4_ARRAY),
            ]
        };
        for delete in [
            "delete from deliveries d using unnest($1, $2, $3) as again (seq, sink, replay)
             where d.seq = again.seq and d.sink = again.sink and d.replay = again.replay",
            "delete from failures f using unnest($1, $2, $3) as again (seq, sink, replay)
             where f.seq = again.seq and f.sink = again.sink and f.replay = again.replay",
        ] {
            flight.ask(delete, places(&|arm| arm.anew));
        }
        let mut parameters = places(&|_| true);
        let keys = self.deliveries.iter().map(|arm| arm.key.as_deref().map(text::encode)).collect::<Vec<_>>();
        let parts = self.deliveries.iter().map(|arm| arm.part).collect::<Vec<_>>();
        let bytes = self.deliveries.iter().map(|arm| arm.bytes).collect::<Vec<_>>();
        let flows = self.deliveries.iter().map(|arm| arm.flow).collect::<Vec<_>>();
        parameters.extend([
            value(keys, Type::TEXT_ARRAY),
            value(parts, Type::INT4_ARRAY),
            value(bytes, Type::INT8_ARRAY),
            value(flows, Type::INT8_ARRAY),
            value(now, Type::INT8),
        ]);
        flight.ask(
            "insert into pending (sink, seq, part, attempts, due, key, replay, bytes, flow, blocks)
             select again.sink, again.seq, again.part, 0, $8, again.key, again.replay, again.bytes, again.flow,
                 exists (select from blocking b where b.sink = again.sink and b.seq = again.seq)
             from unnest($1, $2, $3, $4, $5, $6, $7) as again (seq, sink, replay, key, part, bytes, flow)",
            parameters,
        );
        // Whoever delivers them looks for them when it sees this.
        flight.ask("update store set armed = armed + 1", Vec::new());
    }
}
