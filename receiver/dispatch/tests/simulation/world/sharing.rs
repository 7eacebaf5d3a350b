//! Another process over the same store, which delivers what is not ours.
use boathook_dispatch::Input;
use boathook_event::{ObjectName, Partition, Partitions, Seq};

use super::{World, key_of};

impl World {
    /// Partitions are given to the other process or taken from it, a few at a time; it delivers something of its own.
    pub(crate) fn share(&mut self) {
        match self.dice.below(40) {
            0..=2 => {
                let some: Partitions =
                    (0..64).filter_map(Partition::numbered).filter(|_| self.dice.below(3) == 0).collect();
                let given = self.dice.once_in(2);
                // What is under way is not taken back before it has ended.
                let owned =
                    if given { self.owned.without(some) } else { self.owned.with(some.without(self.busy())) };
                self.own(owned);
            }
            3..=20 => self.other_delivers(),
            _ => {}
        }
    }

    pub(crate) fn own(&mut self, owned: Partitions) {
        self.owned = owned;
        self.step(Input::Owned(owned));
    }

    fn partition(&self, sink: &ObjectName, seq: Seq) -> Partition {
        Partition::of(sink, key_of(seq).filter(|_| self.keyed), seq)
    }

    /// What is ours until it is recorded.
    fn busy(&self) -> Partitions {
        self.unrecorded.iter().map(|(sink, seq)| self.partition(sink, *seq)).collect()
    }

    /// It takes a partition that we have given back, once nothing is under way in it, and delivers all of it.
    fn other_delivers(&mut self) {
        let its = Partitions::ALL.without(self.owned).without(self.busy());
        let Some(partition) = its.iter().nth(usize::try_from(self.dice.below(64)).unwrap_or(0) % 64) else {
            return;
        };
        for sink in super::sinks() {
            let pending = self.pending[&sink].keys().copied();
            let its: Vec<Seq> = pending.filter(|seq| self.partition(&sink, *seq) == partition).collect();
            for seq in its {
                self.pending.entry(sink.clone()).or_default().remove(&seq);
                self.done.entry(sink.clone()).or_default().push(seq);
            }
        }
    }
}
