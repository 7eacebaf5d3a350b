//! Whose turn it is: what may go waits in a queue for each flow, and the flows take turns, one delivery each.
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use boathook_event::{Flow, Seq};

/// Deliveries that may go, by flow.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// No queue is empty.
    queues: HashMap<Flow, VecDeque<Seq>>,
    /// Each flow that has a queue and does not rest, once.
    rotation: VecDeque<Flow>,
    /// Each flow that has a queue and rests, once: until when.
    resting: BTreeSet<(Duration, Flow)>,
    len: usize,
}

impl Turns {
    /// It goes when all before it in its flow have gone.
    pub(crate) fn push(&mut self, flow: Flow, seq: Seq) {
        self.queue(flow).push_back(seq);
    }

    /// It goes when its flow's next turn comes.
    pub(crate) fn push_first(&mut self, flow: Flow, seq: Seq) {
        self.queue(flow).push_front(seq);
    }

    /// The one whose turn it is now.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<Seq> {
        self.wake(now);
        let flow = self.rotation.pop_front()?;
        let queue = self.queues.get_mut(&flow)?;
        let seq = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&flow);
        } else {
            self.rotation.push_back(flow);
        }
        self.len -= usize::from(seq.is_some());
        seq
    }

    /// Puts back the one that was popped last: its flow has no turn until then.
    pub(crate) fn rest(&mut self, flow: Flow, seq: Seq, until: Duration) {
        self.push_first(flow, seq);
        // It has had its turn: it is the last one, if it is there at all.
        if self.rotation.back() == Some(&flow) {
            self.rotation.pop_back();
            self.resting.insert((until, flow));
        }
    }

    /// Ends all rests.
    pub(crate) fn wake_all(&mut self) {
        self.wake(Duration::MAX);
    }

    /// When the next rest ends.
    pub(crate) fn wakes_at(&self) -> Option<Duration> {
        self.resting.first().map(|(until, _)| *until)
    }

    /// Takes all of them.
    pub(crate) fn drain(&mut self) -> Vec<Seq> {
        std::iter::from_fn(|| self.pop(Duration::MAX)).collect()
    }

    /// Forgets all others.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Seq) -> bool) {
        self.queues.retain(|_, queue| {
            queue.retain(&keep);
            !queue.is_empty()
        });
        self.rotation.retain(|flow| self.queues.contains_key(flow));
        self.resting.retain(|(_, flow)| self.queues.contains_key(flow));
        self.len = self.queues.values().map(VecDeque::len).sum();
    }

    /// Whether one of them has its turn now.
    pub(crate) fn has_turn(&mut self, now: Duration) -> bool {
        self.wake(now);
        !self.rotation.is_empty()
    }

    /// Whether one of them does not rest.
    pub(crate) fn is_awake(&self) -> bool {
        !self.rotation.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many of one flow.
    pub(crate) fn len_of(&self, flow: Flow) -> usize {
        self.queues.get(&flow).map_or(0, VecDeque::len)
    }

    /// The flows that have so many or more.
    pub(crate) fn flows_with(&self, count: usize) -> impl Iterator<Item = Flow> {
        self.queues.iter().filter(move |(_, queue)| queue.len() >= count).map(|(flow, _)| *flow)
    }

    fn wake(&mut self, now: Duration) {
        while self.resting.first().is_some_and(|(until, _)| *until <= now) {
            self.rotation.extend(self.resting.pop_first().map(|(_, flow)| flow));
        }
    }

    fn queue(&mut self, flow: Flow) -> &mut VecDeque<Seq> {
        self.len += 1;
        let Self { queues, rotation, .. } = self;
        queues.entry(flow).or_insert_with(|| {
            rotation.push_back(flow);
            VecDeque::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: i64 = 1;
    const B: i64 = 2;

    fn turns(of: &[(i64, Seq)]) -> Turns {
        let mut turns = Turns::default();
        of.iter().for_each(|(flow, seq)| turns.push(Flow::numbered(*flow), *seq));
        turns
    }

    #[test]
    fn flows_take_turns_and_each_keeps_its_order() {
        let mut turns = turns(&[(A, 1), (A, 2), (A, 3), (B, 4), (B, 5)]);
        assert_eq!((turns.len(), turns.len_of(Flow::numbered(A))), (5, 3));
        assert_eq!(turns.flows_with(3).collect::<Vec<_>>(), [Flow::numbered(A)]);
        assert_eq!(turns.drain(), [1, 4, 2, 5, 3]);
        assert_eq!(turns.len(), 0);
    }

    #[test]
    fn who_comes_waits_for_one_turn_of_each() {
        let mut turns = turns(&[(A, 1), (A, 2), (A, 3)]);
        assert_eq!(turns.pop(Duration::ZERO), Some(1));
        turns.push(Flow::numbered(B), 9);
        turns.push_first(Flow::numbered(A), 8);
        assert_eq!(turns.drain(), [8, 9, 2, 3]);
    }

    #[test]
    fn what_is_forgotten_leaves_no_empty_turn() {
        let mut turns = turns(&[(A, 1), (A, 2), (B, 4)]);
        turns.retain(|seq| *seq != 4);
        assert_eq!(turns.len(), 2);
        turns.push(Flow::numbered(B), 5);
        assert_eq!(turns.drain(), [1, 5, 2]);
    }

    #[test]
    fn a_flow_that_rests_has_no_turn_until_its_time_and_the_others_go_on() {
        let mut turns = turns(&[(A, 1), (A, 2), (B, 4), (B, 5)]);
        let at = Duration::from_secs;
        assert_eq!(turns.pop(at(0)), Some(1));
        turns.rest(Flow::numbered(A), 1, at(9));
        assert_eq!([turns.pop(at(0)), turns.pop(at(8)), turns.pop(at(8))], [Some(4), Some(5), None]);
        turns.push(Flow::numbered(A), 3);
        assert_eq!((turns.has_turn(at(8)), turns.is_awake(), turns.wakes_at()), (false, false, Some(at(9))));
        assert_eq!((turns.has_turn(at(9)), turns.len()), (true, 3));
        turns.rest(Flow::numbered(B), 6, at(20));
        turns.retain(|seq| *seq != 6);
        assert_eq!((turns.drain(), turns.wakes_at()), (vec![1, 2, 3], None));
        turns.push(Flow::numbered(A), 7);
        assert_eq!(turns.pop(at(10)), Some(7));
        turns.rest(Flow::numbered(A), 7, at(30));
        turns.wake_all();
        assert_eq!(turns.pop(at(10)), Some(7));
    }
}
