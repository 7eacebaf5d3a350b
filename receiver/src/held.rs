//! Bodies that were read and are not stored yet: how much of them is held, by everybody and by each endpoint.
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::limits::{BODIES_BYTES_MAX, ENDPOINT_BODIES_BYTES_MAX};

/// Bytes of bodies that are held before they are stored.
#[derive(Debug, Default)]
pub(crate) struct BodiesHeld(AtomicUsize);

/// Whose bytes a body's are: everybody's, and an endpoint's.
#[derive(Clone, Copy)]
pub(crate) struct Holders<'h> {
    pub(crate) all: &'h BodiesHeld,
    pub(crate) endpoint: &'h BodiesHeld,
}

/// Bytes of one body; given back when dropped.
pub(crate) struct Held<'h> {
    holders: Holders<'h>,
    bytes: usize,
}

impl BodiesHeld {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// Whether they are within the bound with these.
    fn take(&self, bytes: usize, bytes_max: usize) -> bool {
        self.0.fetch_add(bytes, Relaxed) + bytes <= bytes_max
    }
}

impl<'h> Held<'h> {
    pub(crate) fn new(holders: Holders<'h>) -> Self {
        Self { holders, bytes: 0 }
    }

    /// Holds more, or says that there is no room.
    pub(crate) fn more(&mut self, bytes: usize) -> Result<(), Full> {
        let Holders { all, endpoint } = self.holders;
        self.bytes += bytes;
        let fits = [all.take(bytes, BODIES_BYTES_MAX), endpoint.take(bytes, ENDPOINT_BODIES_BYTES_MAX)];
        if fits == [true, true] { Ok(()) } else { Err(Full) }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let Holders { all, endpoint } = self.holders;
        for held in [all, endpoint] {
            held.0.fetch_sub(self.bytes, Relaxed);
        }
    }
}

/// There is no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_everybody_or_an_endpoint_holds_too_much_there_is_no_room_and_all_is_given_back() {
        for (all, endpoint) in [(BODIES_BYTES_MAX - 2, 0), (0, ENDPOINT_BODIES_BYTES_MAX - 2)] {
            let held = [all, endpoint].map(|bytes| BodiesHeld(AtomicUsize::new(bytes)));
            let mut body = Held::new(Holders { all: &held[0], endpoint: &held[1] });
            assert_eq!((body.more(2), body.more(1)), (Ok(()), Err(Full)));
            drop(body);
            assert_eq!(held.each_ref().map(BodiesHeld::bytes), [all, endpoint]);
        }
    }
}
