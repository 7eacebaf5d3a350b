//! Which of the sink's deliveries are this process's, where several share a store.
use boathook_event::{Delivery, Partition, Partitions, Seq};

use super::{Lane, Read, State, due::Due, overtaking::Overtaking};
use crate::Now;

impl Lane {
    /// These are its partitions from now on. What is in memory of others is let go of, but for what is under way: that ends. For
    /// those that are new, the store is read again from its beginning; what is in memory is not taken twice.
    pub(crate) fn own(&mut self, owned: Partitions, now: Now) {
        let (lost, gained) = (self.owned.without(owned), owned.without(self.owned));
        self.owned = owned;
        if !lost.is_empty() {
            self.let_go(lost);
        }
        if !gained.is_empty() {
            self.cursor = 0;
            self.spilled = true;
            // A read that is under way may have left out what is new.
            self.feed = Read::Idle;
            self.due = self.due.begun_anew(Due::new(now));
            self.overtaking = Overtaking::default();
        }
    }

    /// Whether it is one of its partitions.
    pub(super) fn owns(&self, delivery: &Delivery) -> bool {
        self.owned == Partitions::ALL || self.owned.contains(delivery.partition())
    }

    /// The same of what is in memory.
    pub(super) fn owns_known(&self, seq: Seq) -> bool {
        self.known.get(&seq).is_some_and(|known| self.owns(&known.delivery))
    }

    /// The same of a key whose order is kept.
    pub(super) fn owns_key(&self, key: &str) -> bool {
        self.owned == Partitions::ALL || self.owned.contains(Partition::of(&self.settings.sink, Some(key), 0))
    }

    fn let_go(&mut self, lost: Partitions) {
        let idle = self.known.iter().filter(|(_, known)| {
            matches!(known.state, State::Ready | State::Waiting(_))
                && lost.contains(known.delivery.partition())
        });
        let idle: Vec<Seq> = idle.map(|(seq, _)| *seq).collect();
        for seq in idle {
            if let Some(State::Waiting(due)) = self.known.get(&seq).map(|known| &known.state) {
                self.waits_no_more(*due, seq);
            }
            self.forget(seq);
        }
        self.forget_turns();
        let sink = self.settings.sink.clone();
        let is_lost = |key: &str| lost.contains(Partition::of(&sink, Some(key), 0));
        self.keys.let_go(is_lost, |seq| self.known.contains_key(&seq));
        self.lose(is_lost);
    }
}
