//! What becomes of parked deliveries: they are armed again, or gone.
use boathook_dispatch::Input;

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
        self.step(Input::Look { rearmed: Some(seq) });
    }

    /// A parked delivery is erased, or past its retention. The dispatcher is not told which.
    pub(crate) fn discard(&mut self) {
        if let Some((sink, seq)) = self.parked.pop() {
            self.blocking.remove(&(sink, seq));
            self.step(Input::Look { rearmed: None });
        }
    }
}
