//! Storing events: which are repetitions, and what must be durable with the others.
use std::collections::{BTreeMap, HashMap};

use boathook_event::{DedupeKey, Digest, Flow, Partition, Seq, Word, limits::SINKS_PER_EVENT_MAX};
use jiff::SignedDuration;
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use crate::{
    Error,
    columns::{encode_sinks, place},
    head,
    postgres::{
        fault::Fault,
        flight::{Flight, value},
        names::Lookup,
        rows, text,
    },
    tally::Tally,
    traits::{Append, Batch, Verdict},
};

/// What is known by each hash: the bodies that came with it (empty where they do not matter) and their events, by sequence.
type Known = HashMap<Digest, Vec<(Box<[u8]>, Seq)>>;

/// What becomes of the appends of one batch.
pub(super) struct Decided<'b> {
    /// For each append; whether a repetition arms anything again is not known yet.
    pub(super) verdicts: Vec<Verdict>,
    /// The place of the last event then.
    pub(super) last_seq: Seq,
    stored: Vec<Stored<'b>>,
    /// Repetitions that arm again what is parked: their verdicts, and the events.
    repeated: Vec<(usize, i64)>,
    /// The database's time.
    now: i64,
    /// By hash and body: the event and when it is forgotten. In the order of their keys, as everybody writes them.
    keys: BTreeMap<(Digest, Vec<u8>), (i64, i64)>,
}

struct Stored<'b> {
    seq: i64,
    endpoint: i32,
    append: &'b Append,
    sinks: Vec<(i32, bool)>,
}

/// Asks what the keys of the batch are known by.
pub(super) fn ask(batch: &Batch, flight: &mut Flight<'_>) -> Option<usize> {
    let keys = batch.appends.iter().flat_map(|append| &append.dedupe);
    let hashes = keys.map(|key| key.hash.to_vec()).collect::<Vec<_>>();
    (!hashes.is_empty()).then(|| {
        flight.ask(
            "select d.hash, d.body, d.seq from (select distinct unnest($1) as hash) as wanted
             join dedupe d on d.hash = wanted.hash
             where d.expires > (extract(epoch from now()) * 1000000)::int8 order by d.seq",
            vec![value(hashes, Type::BYTEA_ARRAY)],
        )
    })
}

/// Decides, in order, what is new. `known` are the rows of [`ask`].
pub(super) fn decide<'b>(
    batch: &'b Batch,
    known: &[Row],
    (last_seq, now): (Seq, i64),
    names: &Lookup<'_>,
    tally: &mut Tally<i32>,
) -> Result<Decided<'b>, Fault> {
    let mut known = read(known)?;
    let verdicts = Vec::with_capacity(batch.appends.len());
    let (stored, repeated, keys) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut decided = Decided { verdicts, last_seq, stored, repeated, now, keys };
    for append in &batch.appends {
        let endpoint = names.expect(&append.event.endpoint)?;
        let (of, conflicts) = look_up(&known, &append.dedupe);
        if let Some(of) = of {
            tally.word(endpoint, Word::Duplicate, 1);
            // Who puts its own deliveries aside arms nobody's.
            if append.parked.is_none() {
                decided.repeated.push((decided.verdicts.len(), place(of)));
            }
            decided.verdicts.push(Verdict::Duplicate { of, rearmed: false });
            continue;
        }
        let seq = decided.store(append, endpoint, names, tally)?;
        for DedupeKey { hash, body } in &append.dedupe {
            let body = body.as_ref().map_or(&[][..], |body| &body[..]);
            known.entry(*hash).or_default().push((body.into(), seq));
        }
        decided.verdicts.push(if conflicts {
            tally.word(endpoint, Word::IdConflict, 1);
            Verdict::IdConflict { seq }
        } else {
            Verdict::Stored { seq }
        });
    }
    Ok(decided)
}

impl<'b> Decided<'b> {
    fn store(
        &mut self,
        append: &'b Append,
        endpoint: i32,
        names: &Lookup<'_>,
        tally: &mut Tally<i32>,
    ) -> Result<Seq, Fault> {
        if append.destinations.len() > SINKS_PER_EVENT_MAX {
            let sinks = append.destinations.len();
            let text = format!("it has {sinks} sinks, more than {SINKS_PER_EVENT_MAX}");
            return Err(Error::Rejected(text).into());
        }
        self.last_seq += 1;
        let seq = place(self.last_seq);
        let window = SignedDuration::try_from(append.dedupe_window).unwrap_or(SignedDuration::MAX);
        let expires = self.now.saturating_add(i64::try_from(window.as_micros()).unwrap_or(i64::MAX));
        for DedupeKey { hash, body } in &append.dedupe {
            let body = body.as_ref().map_or_else(Vec::new, |body| body.to_vec());
            self.keys.insert((*hash, body), (seq, expires));
        }
        let sinks = append
            .distinct_destinations()
            .map(|destination| Ok((names.expect(&destination.sink)?, destination.ordered)))
            .collect::<Result<Vec<_>, Fault>>()?;
        for (sink, _) in &sinks {
            match append.parked {
                Some(_) => tally.put_aside(endpoint, *sink),
                None => tally.route(endpoint, *sink).waits(body_bytes(append)),
            }
        }
        tally.stored(endpoint, append.event.event_type.as_deref());
        self.stored.push(Stored { seq, endpoint, append, sinks });
        Ok(self.last_seq)
    }

    /// The events whose repetition arms again what is parked of them.
    pub(super) fn repeated(&self) -> Vec<i64> {
        let mut of = self.repeated.iter().map(|(_, of)| *of).collect::<Vec<_>>();
        of.sort_unstable();
        of.dedup();
        of
    }

    /// Marks the first repetition of each of these events as the one that armed it again.
    pub(super) fn rearmed(&mut self, events: &[i64]) {
        for event in events {
            let first = self.repeated.iter().find(|(_, of)| of == event);
            let verdict = first.and_then(|(at, _)| self.verdicts.get_mut(*at));
            if let Some(Verdict::Duplicate { rearmed, .. }) = verdict {
                *rearmed = true;
            }
        }
    }

    /// Writes what is new.
    pub(super) fn write<'f>(&'f self, flight: &mut Flight<'f>) {
        if self.stored.is_empty() {
            return;
        }
        self.write_events(flight);
        self.write_pending(flight);
        self.write_put_aside(flight);
        if !self.keys.is_empty() {
            let hashes = self.keys.keys().map(|(hash, _)| &hash[..]).collect::<Vec<_>>();
            let bodies = self.keys.keys().map(|(_, body)| &body[..]).collect::<Vec<_>>();
            let of = |number: fn(&(i64, i64)) -> i64| {
                value(self.keys.values().map(number).collect::<Vec<_>>(), Type::INT8_ARRAY)
            };
            // A row that is there already has expired.
            flight.ask(
                "insert into dedupe (hash, body, seq, expires) select * from unnest($1, $2, $3, $4)
                 on conflict (hash, body) do update set seq = excluded.seq, expires = excluded.expires",
                vec![
                    value(hashes, Type::BYTEA_ARRAY),
                    value(bodies, Type::BYTEA_ARRAY),
                    of(|(seq, _)| *seq),
                    of(|(_, expires)| *expires),
                ],
            );
        }
    }

    fn write_events<'f>(&'f self, flight: &mut Flight<'f>) {
        let events = || self.stored.iter().map(|stored| &*stored.append.event);
        let texts = |of: fn(&'f boathook_event::Event) -> Option<&'f str>| {
            let texts = events().map(|event| of(event).map(text::encode)).collect::<Vec<_>>();
            value(texts, Type::TEXT_ARRAY)
        };
        let encode = |stored: &Stored<'_>| {
            let sinks = stored.sinks.iter().map(|(sink, ordered)| (i64::from(*sink), *ordered));
            encode_sinks(&sinks.collect::<Vec<_>>())
        };
        let sinks = self.stored.iter().map(encode);
        flight.ask(
            "insert into events (seq, uid, endpoint, received, idx, id, type, key, tenant, entity, sinks, head, body)
             select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            vec![
                value(self.stored.iter().map(|stored| stored.seq).collect::<Vec<_>>(), Type::INT8_ARRAY),
                value(
                    events().map(|event| Uuid::from_bytes(*event.uid.as_bytes())).collect::<Vec<_>>(),
                    Type::UUID_ARRAY,
                ),
                value(self.stored.iter().map(|stored| stored.endpoint).collect::<Vec<_>>(), Type::INT4_ARRAY),
                value(
                    events().map(|event| event.received_at.as_microsecond()).collect::<Vec<_>>(),
                    Type::INT8_ARRAY,
                ),
                value(
                    events().map(|event| i32::try_from(event.index).unwrap_or(i32::MAX)).collect::<Vec<_>>(),
                    Type::INT4_ARRAY,
                ),
                texts(|event| event.id.as_deref()),
                texts(|event| event.event_type.as_deref()),
                texts(|event| event.key.as_deref()),
                texts(|event| event.tenant.as_deref()),
                texts(|event| event.entity.as_deref()),
                value(sinks.collect::<Vec<_>>(), Type::BYTEA_ARRAY),
                value(events().map(|event| head::encode(&event.head)).collect::<Vec<_>>(), Type::BYTEA_ARRAY),
                value(events().map(|event| &event.body[..]).collect::<Vec<_>>(), Type::BYTEA_ARRAY),
            ],
        );
    }

    fn write_pending<'f>(&'f self, flight: &mut Flight<'f>) {
        let (mut sinks, mut seqs, mut parts, mut keys) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut bytes, mut blocks, mut flows) = (Vec::new(), Vec::new(), Vec::new());
        let pending = self.stored.iter().filter(|stored| stored.append.parked.is_none());
        for Stored { seq, append, sinks: of, .. } in pending {
            let flow = Flow::of(&append.event.endpoint, append.event.tenant.as_deref()).number();
            for ((sink, ordered), destination) in of.iter().zip(append.distinct_destinations()) {
                let key = append.event.key.as_deref().filter(|_| *ordered);
                sinks.push(*sink);
                seqs.push(*seq);
                parts.push(rows::part(Partition::of(&destination.sink, key, seq.unsigned_abs())));
                blocks.push(destination.blocks && key.is_some());
                keys.push(key.map(text::encode));
                bytes.push(body_bytes(append));
                flows.push(flow);
            }
        }
        if sinks.is_empty() {
            return;
        }
        flight.ask(
            "insert into pending (sink, seq, part, attempts, key, replay, bytes, blocks, flow)
             select sink, seq, part, 0, key, 0, bytes, blocks, flow
             from unnest($1, $2, $3, $4, $5, $6, $7) as new (sink, seq, part, key, bytes, blocks, flow)",
            vec![
                value(sinks, Type::INT4_ARRAY),
                value(seqs, Type::INT8_ARRAY),
                value(parts, Type::INT4_ARRAY),
                value(keys, Type::TEXT_ARRAY),
                value(bytes, Type::INT8_ARRAY),
                value(blocks, Type::BOOL_ARRAY),
                value(flows, Type::INT8_ARRAY),
            ],
        );
    }
}

impl Decided<'_> {
    /// Deliveries that are parked before anybody has tried them.
    fn write_put_aside(&self, flight: &mut Flight<'_>) {
        let (mut seqs, mut sinks, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
        for Stored { seq, append, sinks: of, .. } in &self.stored {
            let Some(reason) = append.parked else { continue };
            for (sink, _) in of {
                seqs.push(*seq);
                sinks.push(*sink);
                reasons.push(reason.as_str());
            }
        }
        if sinks.is_empty() {
            return;
        }
        flight.ask(
            "insert into deliveries (seq, sink, replay, outcome, attempts, completed)
             select seq, sink, 0, outcome, 0, $4 from unnest($1, $2, $3) as new (seq, sink, outcome)",
            vec![
                value(seqs, Type::INT8_ARRAY),
                value(sinks, Type::INT4_ARRAY),
                value(reasons, Type::TEXT_ARRAY),
                value(self.now, Type::INT8),
            ],
        );
    }
}

fn body_bytes(append: &Append) -> i64 {
    i64::try_from(append.event.body.len()).unwrap_or(i64::MAX)
}

/// The event that this is a repetition of, and whether an id was seen with another body. Any key that is known makes a
/// repetition.
fn look_up(known: &Known, keys: &[DedupeKey]) -> (Option<Seq>, bool) {
    let mut conflicts = false;
    for DedupeKey { hash, body } in keys {
        for (stored, seq) in known.get(hash).into_iter().flatten() {
            if body.as_ref().is_none_or(|body| **stored == *body) {
                return (Some(*seq), conflicts);
            }
            conflicts = true;
        }
    }
    (None, conflicts)
}

fn read(rows: &[Row]) -> Result<Known, Fault> {
    let mut known = Known::with_capacity(rows.len());
    for row in rows {
        let Ok(hash) = Digest::try_from(row.try_get::<_, &[u8]>(0)?) else { continue };
        let (body, seq) = (row.try_get::<_, &[u8]>(1)?, row.try_get::<_, i64>(2)?);
        known.entry(hash).or_default().push((body.into(), seq.unsigned_abs()));
    }
    Ok(known)
}
