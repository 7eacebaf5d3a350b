//! The last hour of an endpoint's requests, in slots: whether too many are refused.
use jiff::Timestamp;

use crate::limits::{
    HOUR_SLOT_SECONDS, HOUR_SLOTS, REFUSED_ONE_IN, REFUSED_REQUESTS_MIN, SIGNED_REFUSED_MIN,
};

/// What became of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// Genuine, and taken.
    pub taken: u64,
    /// Refused.
    pub refused: u64,
    /// Of those refused: signed by the provider all the same, with a secret that is known.
    pub signed: u64,
}

/// The requests of about the last hour: the slot that is being filled, and the full ones before it.
#[derive(Debug, Clone, Default)]
pub struct Hour {
    slots: [Requests; HOUR_SLOTS],
    /// The number of the newest slot, counted from the epoch.
    newest: i64,
}

impl Hour {
    /// Adds what has come by now since the last call.
    pub fn add(&mut self, requests: Requests, now: Timestamp) {
        self.turn(now);
        if let Some(newest) = self.slots.first_mut() {
            newest.taken += requests.taken;
            newest.refused += requests.refused;
            newest.signed += requests.signed;
        }
    }

    /// More than one in a hundred was refused, of so many that it says something.
    pub fn refused_often(&self) -> bool {
        let Requests { taken, refused, .. } = self.sum();
        let all = taken + refused;
        all >= REFUSED_REQUESTS_MIN && refused * REFUSED_ONE_IN > all
    }

    /// The provider has signed some, and none of its requests was taken.
    pub fn signed_refused(&self) -> bool {
        let Requests { taken, signed, .. } = self.sum();
        taken == 0 && signed >= SIGNED_REFUSED_MIN
    }

    fn sum(&self) -> Requests {
        self.slots.iter().fold(Requests::default(), |sum, slot| Requests {
            taken: sum.taken + slot.taken,
            refused: sum.refused + slot.refused,
            signed: sum.signed + slot.signed,
        })
    }

    /// Begins new slots as time goes on. A clock that is set back goes on with the slot that is there.
    fn turn(&mut self, now: Timestamp) {
        let slot = now.as_second().div_euclid(HOUR_SLOT_SECONDS);
        let new = usize::try_from(slot - self.newest).unwrap_or(0).min(HOUR_SLOTS);
        self.newest = self.newest.max(slot);
        self.slots.rotate_right(new);
        self.slots.iter_mut().take(new).for_each(|slot| *slot = Requests::default());
    }
}
