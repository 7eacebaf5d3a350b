//! What waits for each sink: by place, by the time of the next attempt, by key and by flow.
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound::Excluded,
};

use boathook_event::{Flow, ObjectName, Seq};
use jiff::Timestamp;

/// All sinks to which something was ever to be delivered.
#[derive(Debug, Default)]
pub(super) struct Lanes(HashMap<ObjectName, Lane>);

/// Of one sink.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// All that waits.
    pub(super) seqs: BTreeSet<Seq>,
    /// What was tried, or is armed again.
    pub(super) due: BTreeSet<(Timestamp, Seq)>,
    /// The same by flow.
    pub(super) due_turns: BTreeMap<Flow, BTreeSet<(Timestamp, Seq)>>,
    /// What keeps the order of its key.
    pub(super) by_key: HashMap<Box<str>, BTreeSet<Seq>>,
    /// What was never tried.
    pub(super) turns: BTreeMap<Flow, BTreeSet<Seq>>,
}

/// What is known of a delivery that comes, or goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting<'w> {
    pub(super) seq: Seq,
    /// The key whose order it keeps.
    pub(super) key: Option<&'w str>,
    pub(super) due: Option<Timestamp>,
    pub(super) flow: Flow,
}

impl Lane {
    /// The last one of a key before a place, and behind another.
    pub(super) fn before(&self, key: &str, seq: Seq, floor: Seq) -> Option<Seq> {
        let of_key = self.by_key.get(key).filter(|_| floor < seq)?;
        of_key.range((Excluded(floor), Excluded(seq))).next_back().copied()
    }

    /// It waits for its turn, until it is due if it was tried.
    fn waits(&mut self, flow: Flow, due: Option<Timestamp>, seq: Seq) {
        let Some(due) = due else {
            self.turns.entry(flow).or_default().insert(seq);
            return;
        };
        self.due.insert((due, seq));
        self.due_turns.entry(flow).or_default().insert((due, seq));
    }

    /// It is tried, or gone.
    fn waits_no_more(&mut self, flow: Flow, due: Option<Timestamp>, seq: Seq) {
        let Some(due) = due else {
            remove(&mut self.turns, flow, &seq);
            return;
        };
        self.due.remove(&(due, seq));
        remove(&mut self.due_turns, flow, &(due, seq));
    }
}

impl Lanes {
    /// Of one sink, if it ever had anything.
    pub(super) fn of(&self, sink: &ObjectName) -> Option<&Lane> {
        self.0.get(sink)
    }

    /// Whether this event waits for the sink.
    pub(super) fn waits(&self, sink: &ObjectName, seq: Seq) -> bool {
        self.of(sink).is_some_and(|lane| lane.seqs.contains(&seq))
    }

    pub(super) fn enter(&mut self, sink: &ObjectName, Waiting { seq, key, due, flow }: Waiting<'_>) {
        let lane = match self.0.get_mut(sink) {
            Some(lane) => lane,
            None => self.0.entry(sink.clone()).or_default(),
        };
        lane.seqs.insert(seq);
        lane.waits(flow, due, seq);
        let Some(key) = key else { return };
        match lane.by_key.get_mut(key) {
            Some(of_key) => of_key.extend([seq]),
            None => lane.by_key.extend([(key.into(), [seq].into())]),
        }
    }

    pub(super) fn leave(&mut self, sink: &ObjectName, Waiting { seq, key, due, flow }: Waiting<'_>) {
        let Some(lane) = self.0.get_mut(sink) else { return };
        lane.seqs.remove(&seq);
        lane.waits_no_more(flow, due, seq);
        if let Some((key, of_key)) = key.and_then(|key| Some((key, lane.by_key.get_mut(key)?))) {
            of_key.remove(&seq);
            if of_key.is_empty() {
                lane.by_key.remove(key);
            }
        }
    }

    /// It is to be tried at another time.
    pub(super) fn postpone(
        &mut self,
        sink: &ObjectName,
        Waiting { seq, due: before, flow, .. }: Waiting<'_>,
        due: Timestamp,
    ) {
        let Some(lane) = self.0.get_mut(sink) else { return };
        lane.waits_no_more(flow, before, seq);
        lane.waits(flow, Some(due), seq);
    }
}

/// No flow has nothing.
fn remove<T: Ord>(of: &mut BTreeMap<Flow, BTreeSet<T>>, flow: Flow, one: &T) {
    if let Some(of_flow) = of.get_mut(&flow) {
        of_flow.remove(one);
        if of_flow.is_empty() {
            of.remove(&flow);
        }
    }
}
