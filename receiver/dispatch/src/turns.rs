//! Whose turn it is: what may go waits in a queue for each flow, and the flows take turns, one delivery each.
use std::collections::{HashMap, VecDeque};

use boathook_event::{Flow, Seq};

/// Deliveries that may go, by flow.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// No queue is empty.
    queues: HashMap<Flow, VecDeque<Seq>>,
    /// Each flow that has a queue, once.
    rotation: VecDeque<Flow>,
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

    /// The one whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<Seq> {
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

    /// Takes all of them.
    pub(crate) fn drain(&mut self) -> Vec<Seq> {
        std::iter::from_fn(|| self.pop()).collect()
    }

    /// Forgets all others.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Seq) -> bool) {
        self.queues.retain(|_, queue| {
            queue.retain(&keep);
            !queue.is_empty()
        });
        self.rotation.retain(|flow| self.queues.contains_key(flow));
        self.len = self.queues.values().map(VecDeque::len).sum();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
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
        assert!(turns.is_empty());
    }

    #[test]
    fn who_comes_waits_for_one_turn_of_each() {
        let mut turns = turns(&[(A, 1), (A, 2), (A, 3)]);
        assert_eq!(turns.pop(), Some(1));
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
}
