//! What others than dispatch change in the store.
use boathook_dispatch::Input;
use boathook_event::Seq;

use super::Deliveries;

/// A change of events that dispatch may have in memory as they were.
#[derive(Debug)]
pub(crate) enum Changed {
    /// Deliveries of these are pending again.
    Armed(Vec<Seq>),
    /// These are erased.
    Erased(Vec<Seq>),
}

impl Deliveries {
    pub(super) fn changed(&mut self, changed: Changed) {
        match changed {
            Changed::Armed(seqs) => self.step(Input::Rearmed { seqs }),
            Changed::Erased(seqs) => {
                // What was stored before it was erased must not come after that.
                while let Ok(handover) = self.parts.handed_over.try_recv() {
                    self.stored(handover);
                }
                self.step(Input::Gone { seqs: seqs.into_iter().collect() });
            }
        }
    }
}
