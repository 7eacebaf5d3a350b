//! Making deliveries pending once more.
use boathook_event::{Destination, Flow, ObjectName, Seq, limits::SINKS_PER_EVENT_MAX};
use rusqlite::{OptionalExtension as _, params};

use crate::{
    Error,
    columns::{decode_sinks, encode_sinks, place, state},
    limits::REPLAY_SLICE,
    local::{
        at_once::{self, AtOnce},
        facts::{self, Facts},
        steps,
        writer::Work,
    },
    traits::{DeliveryState, Replay, Replayed},
};

/// An event whose deliveries may be made once more.
struct Again {
    seq: Seq,
    endpoint: i64,
    /// Its sinks, and whether they get it in the order of its key.
    sinks: Vec<(i64, bool)>,
    /// Those that ended well at once.
    at_once: Vec<AtOnce>,
    key: Option<Box<str>>,
    /// Whose turn its deliveries wait for.
    flow: i64,
    /// Of its body.
    bytes: i64,
}

/// Where an event's last delivery to a sink stands.
#[derive(Clone, Copy)]
struct Standing {
    state: DeliveryState,
    replay: u32,
}

impl Work<'_> {
    /// Arms the deliveries that are meant; see [`crate::traits::Archive::replay`].
    pub(super) fn replay(&mut self, events: &[Seq], replay: &Replay) -> Result<Replayed, Error> {
        if events.len() > REPLAY_SLICE {
            return Err(Error::Rejected(format!("{} events, more than {REPLAY_SLICE}", events.len())));
        }
        let mut replayed = Replayed::default();
        for seq in events {
            let Some(again) = self.again(*seq)? else { continue };
            let before = replayed.deliveries;
            self.replay_one(&again, replay, &mut replayed)?;
            if replayed.deliveries > before {
                replayed.armed.push(*seq);
            }
            steps::between();
        }
        Ok(replayed)
    }

    /// A repetition of a parked event means that a person pressed "Redeliver": its parked deliveries start anew. Tells
    /// whether there were any.
    pub(super) fn rearm(&mut self, seq: Seq) -> Result<bool, Error> {
        let Some(again) = self.again(seq)? else { return Ok(false) };
        let parked = Replay { state: Some(DeliveryState::Parked), ..Replay::default() };
        let mut replayed = Replayed::default();
        self.replay_one(&again, &parked, &mut replayed)?;
        Ok(replayed.deliveries > 0)
    }

    fn replay_one(&mut self, again: &Again, replay: &Replay, replayed: &mut Replayed) -> Result<(), Error> {
        let Replay { sink: only, state: wanted, to } = replay;
        let only = only.as_ref().map(|only: &ObjectName| self.names.known(only));
        let mut meant = Vec::new();
        for &(sink, ordered) in &again.sinks {
            if only.is_some_and(|only| only != Some(sink)) {
                continue;
            }
            let Some(standing) = self.standing(again, sink)? else { continue };
            if wanted.is_none_or(|wanted| wanted == standing.state) {
                meant.push((sink, ordered, Some(standing)));
            }
        }
        if let Some(to) = to {
            meant = if meant.is_empty() { Vec::new() } else { vec![self.other(again, to)?] };
        }
        for (sink, ordered, standing) in meant {
            if self.arm(again, sink, ordered, standing)? {
                replayed.deliveries += 1;
            } else {
                replayed.pending += 1;
            }
        }
        Ok(())
    }

    fn again(&self, seq: Seq) -> Result<Option<Again>, Error> {
        let found = self
            .prepared(
                "select endpoint, sinks, at_once, facts, coalesce(body_bytes, length(body)), n.name
                 from events join names n on n.id = endpoint where seq = ?1",
            )?
            .query_row([place(seq)], |row| {
                let Facts { key, tenant, .. } = facts::column(row, 3)?;
                let of = ObjectName::from_stored(row.get_ref(5)?.as_str()?);
                Ok(Again {
                    seq,
                    endpoint: row.get(0)?,
                    sinks: decode_sinks(row.get_ref(1)?.as_blob()?),
                    at_once: at_once::column(row, 2)?,
                    key,
                    flow: Flow::of(&of, tenant.as_deref()).number(),
                    bytes: row.get(4)?,
                })
            })
            .optional()?;
        Ok(found)
    }

    fn standing(&self, again: &Again, sink: i64) -> Result<Option<Standing>, Error> {
        let seq = again.seq;
        let of = |state| move |row: &rusqlite::Row<'_>| Ok(Standing { state, replay: row.get(0)? });
        let pending = self
            .prepared("select replay from pending where sink = ?1 and seq = ?2")?
            .query_row([sink, place(seq)], of(DeliveryState::Pending))
            .optional()?;
        if pending.is_some() {
            return Ok(pending);
        }
        let last = self
            .prepared(
                "select replay, outcome from deliveries where seq = ?1 and sink = ?2 order by replay desc limit 1",
            )?
            .query_row([place(seq), sink], |row| of(state(row.get_ref(1)?.as_str_or_null()?))(row))
            .optional()?;
        let first = again.at_once.iter().find(|ended| ended.sink == sink);
        Ok(last.or(first.map(|ended| Standing { state: ended.state(), replay: 0 })))
    }

    /// The sink that gets it instead. It becomes one of the event's sinks if it is none.
    fn other(&mut self, again: &Again, to: &Destination) -> Result<(i64, bool, Option<Standing>), Error> {
        let Destination { sink, ordered, blocks: _ } = to;
        let sink = self.names.id(self.sql, sink)?;
        if let Some((_, ordered)) = again.sinks.iter().find(|(known, _)| *known == sink) {
            return Ok((sink, *ordered, self.standing(again, sink)?));
        }
        let mut sinks = again.sinks.clone();
        if sinks.len() >= SINKS_PER_EVENT_MAX {
            return Err(Error::Rejected(format!("an event has {SINKS_PER_EVENT_MAX} sinks already")));
        }
        sinks.push((sink, *ordered));
        self.prepared("update events set sinks = ?2 where seq = ?1")?
            .execute(params![place(again.seq), encode_sinks(&sinks)])?;
        Ok((sink, *ordered, None))
    }

    /// The event's row says no more how its delivery to the sink has ended, if it does.
    fn forget_at_once(&self, again: &Again, sink: i64) -> Result<(), Error> {
        let mut left = again.at_once.clone();
        left.retain(|ended| ended.sink != sink);
        if left.len() < again.at_once.len() {
            self.prepared("update events set at_once = ?2 where seq = ?1")?
                .execute(params![place(again.seq), at_once::encode(&left)])?;
        }
        Ok(())
    }

    /// Makes the delivery pending, due at once. Returns whether it was not before.
    fn arm(
        &mut self,
        again: &Again,
        sink: i64,
        ordered: bool,
        standing: Option<Standing>,
    ) -> Result<bool, Error> {
        let Again { seq, endpoint, ref key, flow, bytes, .. } = *again;
        let replay = match standing {
            Some(Standing { state: DeliveryState::Pending, .. }) => return Ok(false),
            // It starts anew, and its failures are forgotten.
            Some(Standing { state: DeliveryState::Parked | DeliveryState::Skipped, replay }) => {
                let at = params![place(seq), sink, replay];
                for table in ["deliveries", "failures"] {
                    let delete = format!("delete from {table} where seq = ?1 and sink = ?2 and replay = ?3");
                    self.prepared(&delete)?.execute(at)?;
                }
                self.forget_at_once(again, sink)?;
                replay
            }
            Some(Standing { state: DeliveryState::Delivered, replay }) => replay.saturating_add(1),
            None => 0,
        };
        let key = key.as_deref().filter(|_| ordered);
        self.prepared(
            "insert into pending (sink, seq, attempts, due, key, replay, bytes, flow, blocks)
             values (?2, ?1, 0, ?3, ?4, ?5, ?6, ?7, exists (select 1 from blocking where seq = ?1 and sink = ?2))",
        )?
        .execute(params![place(seq), sink, self.now.as_microsecond(), key, replay, bytes, flow])?;
        let totals = self.tally.route(endpoint, sink);
        totals.starts_anew(standing.map(|standing| standing.state));
        totals.waits(bytes);
        Ok(true)
    }
}
