//! Making deliveries pending once more, of events that are still here.
use boathook_event::{Destination, Seq, limits::SINKS_PER_EVENT_MAX};
use jiff::Timestamp;

use super::state::{Kept, Making, State};
use crate::{
    Error,
    limits::REPLAY_SLICE,
    traits::{DeliveryState, Replay, Replayed},
};

impl State {
    /// See [`crate::traits::Archive::replay`].
    pub(super) fn replay(
        &mut self,
        events: &[Seq],
        replay: &Replay,
        now: Timestamp,
    ) -> Result<Replayed, Error> {
        if events.len() > REPLAY_SLICE {
            return Err(Error::Rejected(format!("{} events, more than {REPLAY_SLICE}", events.len())));
        }
        let mut replayed = Replayed::default();
        for seq in events {
            let before = replayed.deliveries;
            self.replay_one(*seq, replay, now, &mut replayed)?;
            if replayed.deliveries > before {
                replayed.armed.push(*seq);
            }
        }
        Ok(replayed)
    }

    /// A repetition of an event with parked deliveries starts these anew. Tells whether there were any.
    pub(super) fn rearm(&mut self, seq: Seq, now: Timestamp) -> bool {
        let parked = Replay { state: Some(DeliveryState::Parked), ..Replay::default() };
        let mut replayed = Replayed::default();
        self.replay_one(seq, &parked, now, &mut replayed).is_ok() && replayed.deliveries > 0
    }

    fn replay_one(
        &mut self,
        seq: Seq,
        replay: &Replay,
        now: Timestamp,
        replayed: &mut Replayed,
    ) -> Result<(), Error> {
        let Replay { sink: only, state: wanted, to } = replay;
        let Some(kept) = self.events.get_mut(&seq) else { return Ok(()) };
        let means = |making: &Making| {
            only.as_ref().is_none_or(|only| *only == making.sink)
                && wanted.is_none_or(|wanted| wanted == making.state)
        };
        let is_last = |place: &usize| {
            kept.deliveries.get(*place).is_some_and(|making| kept.last_to(&making.sink) == Some(*place))
        };
        let places = (0..kept.deliveries.len()).filter(is_last);
        let meant = places.filter(|place| kept.deliveries.get(*place).is_some_and(means));
        // From the last on: what is put behind one changes the places of those that follow.
        let mut meant: Vec<usize> = meant.rev().collect();
        if let Some(to) = to {
            meant = if meant.is_empty() { Vec::new() } else { vec![other(kept, to)?] };
        }
        for place in meant {
            if self.arm(seq, place, now) {
                replayed.deliveries += 1;
            } else {
                replayed.pending += 1;
            }
        }
        Ok(())
    }

    /// Makes the delivery pending, due at once. Returns whether it was not before.
    fn arm(&mut self, seq: Seq, place: usize, now: Timestamp) -> bool {
        let Self { events, lanes, counts, .. } = self;
        let Some(kept) = events.get_mut(&seq) else { return false };
        let Some(before) = kept.deliveries.get(place).cloned() else { return false };
        let Making { sink, ordered, replay, state, due, .. } = before;
        // One that was put in for this has never waited.
        if state == DeliveryState::Pending && (due.is_some() || lanes.waits(&sink, seq)) {
            return false;
        }
        let again = Making { due: Some(now), ..Making::new(sink.clone(), ordered) };
        let made = state != DeliveryState::Pending;
        match state {
            DeliveryState::Delivered => {
                kept.deliveries.insert(place + 1, Making { replay: replay.saturating_add(1), ..again });
            }
            // It starts anew, and its failures are forgotten.
            _ => {
                if let Some(making) = kept.deliveries.get_mut(place) {
                    *making = Making { replay, ..again };
                }
            }
        }
        let route = counts.route(&kept.event.endpoint, &sink);
        route.starts_anew(made.then_some(state));
        route.waits(kept.body_bytes());
        lanes.enter(&sink, kept.waiting(seq, ordered, Some(now)));
        true
    }
}

/// The place of the last delivery to the sink that gets it instead. It becomes one of the event's sinks if it is none.
fn other(kept: &mut Kept, to: &Destination) -> Result<usize, Error> {
    let Destination { sink, ordered, blocks: _ } = to;
    if let Some(place) = kept.last_to(sink) {
        return Ok(place);
    }
    if kept.deliveries.iter().filter(|making| making.replay == 0).count() >= SINKS_PER_EVENT_MAX {
        return Err(Error::Rejected(format!("an event has {SINKS_PER_EVENT_MAX} sinks already")));
    }
    kept.deliveries.push(Making::new(sink.clone(), *ordered && kept.event.key.is_some()));
    Ok(kept.deliveries.len() - 1)
}
