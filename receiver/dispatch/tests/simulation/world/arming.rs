//! What becomes of parked deliveries: they are armed again, or gone.
use std::collections::BTreeSet;

use boathook_dispatch::Input;
use boathook_event::Seq;

use super::World;

impl World {
    /// A parked delivery becomes pending again, and the dispatcher is told.
    pub(super) fn rearm(&mut self) {
        if self.parked.is_empty() {
            return;
        }
        let place = usize::try_from(self.dice.below(self.parked.len() as u64)).unwrap_or(0);
        let (sink, seq) = self.parked.swap_remove(place);
        self.rearmed += 1;
        self.replays.insert((sink.clone(), seq));
        self.done.entry(sink.clone()).or_default().retain(|done| *done != seq);
        let now = self.now().wall;
        self.pending.entry(sink).or_default().insert(seq, (0, Some(now)));
        self.step(Input::Rearmed { seqs: vec![seq] });
    }

    /// What the first sink has had of a flow is armed again, all at once.
    pub(crate) fn replay_of(&mut self, flow: u64) {
        let [sink, _] = super::sinks();
        let done = self.done.remove(&sink).unwrap_or_default();
        let (again, done): (Vec<Seq>, Vec<Seq>) =
            done.into_iter().partition(|seq| self.flow_number(*seq) == flow);
        let now = self.now().wall;
        self.replays.extend(again.iter().map(|seq| (sink.clone(), *seq)));
        self.pending
            .entry(sink.clone())
            .or_default()
            .extend(again.into_iter().map(|seq| (seq, (0, Some(now)))));
        self.done.insert(sink, done);
        self.step(Input::Look);
    }

    /// Some events are erased, whatever their deliveries, and the dispatcher is told.
    pub(super) fn erase(&mut self) {
        let pending = self.pending.values().flat_map(|pending| pending.keys().copied());
        let pending: Vec<Seq> = pending.collect();
        let mut seqs = BTreeSet::new();
        for _ in 0..self.dice.below(8) {
            let place = self.dice.below(pending.len().max(1) as u64);
            seqs.extend(usize::try_from(place).ok().and_then(|place| pending.get(place)).copied());
            seqs.extend(self.parked.get(usize::try_from(place).unwrap_or(0)).map(|(_, seq)| *seq));
        }
        self.pending.values_mut().for_each(|pending| pending.retain(|seq, _| !seqs.contains(seq)));
        self.parked.retain(|(_, seq)| !seqs.contains(seq));
        self.blocking.retain(|(_, seq)| !seqs.contains(seq));
        self.erased.extend(&seqs);
        self.step(Input::Gone { seqs });
    }

    /// A parked delivery is past its retention. The dispatcher is not told which.
    pub(crate) fn discard(&mut self) {
        if let Some((sink, seq)) = self.parked.pop() {
            self.blocking.remove(&(sink, seq));
            self.step(Input::Look);
        }
    }
}
