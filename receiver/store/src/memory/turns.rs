//! What waits, read in turns: of each flow a little.
use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

use boathook_event::{Flow, ObjectName, Seq};

use super::{feed::Filling, lanes::Lane, state::State};
use crate::{
    limits::{DUE_TURN, TURN_FLOWS_MAX},
    traits::{DueTurns, Page, Turned, TurnedDue, Turns},
};

/// Reads some turns of what is due.
pub(super) fn read_due(state: &State, sink: &ObjectName, turns: &DueTurns, page: Page) -> TurnedDue {
    let (mut filling, mut places) = (Filling::new(state, sink, page, 0), BTreeMap::new());
    let from = turns.after.map_or(Unbounded, Excluded);
    let lane = state.lanes.of(sink);
    let flows = lane.into_iter().flat_map(|lane| lane.due_turns.range((from, Unbounded)));
    let (mut reached, mut last) = (turns.after, true);
    'page: for (number, (flow, of_flow)) in flows.enumerate() {
        last = false;
        if number == TURN_FLOWS_MAX {
            break;
        }
        let behind = turns.behind(*flow).into_iter();
        let rows = behind.flat_map(|behind| of_flow.range((Excluded(behind), Unbounded)));
        for place in rows.take_while(|(due, _)| *due <= turns.until).take(DUE_TURN) {
            if !filling.take_next(place.1) {
                // It comes again, for the rest of its turn.
                break 'page;
            }
            places.insert(*flow, *place);
        }
        (reached, last) = (Some(*flow), true);
    }
    let (places, reached) = (places.into_iter().collect(), reached.filter(|_| !last));
    TurnedDue { deliveries: filling.deliveries(), places, reached }
}

/// Reads some turns of what was never tried. Nothing that is parked stays, so nothing holds its key.
pub(super) fn read(state: &State, sink: &ObjectName, turns: &Turns, page: Page) -> Turned {
    let mut filling = Filling::new(state, sink, page, turns.floor);
    let (mut earlier, mut places, mut more) = (Vec::new(), BTreeMap::new(), false);
    let (lane, mut before) = (state.lanes.of(sink), turns.after);
    let (flows, mut reached) = lane.map(|lane| flows(lane, turns)).unwrap_or_default();
    let quota = turns.quota(flows.len(), reached, page);
    let of_flow = |flow: Flow, behind| {
        let seqs = lane.and_then(|lane| lane.turns.get(&flow));
        seqs.into_iter().flat_map(move |seqs| seqs.range((Excluded(behind), Unbounded))).copied()
    };
    'page: for (flow, behind) in flows {
        for (given, seq) in of_flow(flow, behind).enumerate() {
            if given == quota {
                more = true;
                break;
            }
            if !filling.take_next(seq) {
                (reached, more) = (before, true);
                break 'page;
            }
            let key = filling.last_key().zip(lane);
            earlier.push(key.and_then(|(key, lane)| lane.before(key, seq, turns.floor)));
            places.insert(flow, seq);
        }
        before = Some(flow);
    }
    let deliveries = filling.deliveries().into_iter().zip(earlier).collect();
    let places = places.into_iter().collect();
    Turned { deliveries, blocking: Vec::new(), places, reached, more, last: state.last_seq }
}

/// The next flows that have something that was never tried, with the places behind which they are to be read, and the last one that
/// was looked at; `None` = there is none behind it.
fn flows(lane: &Lane, turns: &Turns) -> (Vec<(Flow, Seq)>, Option<Flow>) {
    let behind = turns.after.map_or(Unbounded, Excluded);
    let next: Vec<Flow> =
        lane.turns.range((behind, Unbounded)).map(|(flow, _)| *flow).take(TURN_FLOWS_MAX).collect();
    let reached = next.last().copied().filter(|_| next.len() >= TURN_FLOWS_MAX);
    (next.into_iter().filter_map(|flow| Some((flow, turns.behind(flow)?))).collect(), reached)
}
