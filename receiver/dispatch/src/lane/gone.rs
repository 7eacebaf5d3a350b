//! Events that are erased: nothing of them is attempted any more, and they hold no key.
use std::collections::BTreeSet;

use boathook_event::Seq;

use super::{Known, Lane, State};

impl Lane {
    /// These are erased. What is under way ends, and is not tried again.
    pub(crate) fn gone(&mut self, seqs: &BTreeSet<Seq>) {
        for seq in seqs {
            match self.known.get_mut(seq) {
                Some(Known { state: State::InFlight | State::Recording(_), gone, .. }) => *gone = true,
                Some(Known { state: State::Waiting(due), .. }) => {
                    let due = *due;
                    self.waits_no_more(due, *seq);
                    self.end(*seq);
                }
                Some(Known { state: State::Ready, .. }) => self.end(*seq),
                None => self.disbelieve(*seq),
            }
        }
        self.forget_turns();
        // Those that are in the store alone may hold their keys.
        let absent: BTreeSet<Seq> =
            seqs.iter().copied().filter(|seq| !self.known.contains_key(seq)).collect();
        absent.iter().for_each(|seq| self.blocks_no_more(*seq));
        self.keys.gone(&absent).into_iter().for_each(|heir| self.inherits(heir));
    }
}
