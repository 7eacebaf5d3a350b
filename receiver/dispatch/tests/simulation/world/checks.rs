//! What must hold whenever something begins or ends.
use boathook_event::{Next, ObjectName, ParkReason, Record, Seq};
use jiff::{SignedDuration, Timestamp};

use super::{World, key_of};

impl World {
    /// Nothing else of its key is under way, and nothing that came before it is still to be delivered.
    pub(super) fn check_order(&self, sink: &ObjectName, seq: Seq) {
        let Some(key) = key_of(seq).filter(|_| self.keyed) else { return };
        let others = self.in_flight.iter().filter(|(of, other)| of == sink && *other != seq);
        let mut under_way = others.map(|(_, other)| *other).filter(|other| key_of(*other) == Some(key));
        assert_eq!(under_way.next(), None, "{sink} {seq}: another one of {key} is under way");
        let mut blocking = self.blocking.range((sink.clone(), 0)..(sink.clone(), seq));
        let blocking = blocking.find(|(_, other)| key_of(*other) == Some(key));
        assert_eq!(blocking, None, "{sink} {seq} overtakes a parked one of its key {key}");
        // Nothing has overtaken it: what was armed again comes in its place.
        if !self.blocks && self.replays.contains(&(sink.clone(), seq)) {
            return;
        }
        let before = self.pending[sink].range(..seq).map(|(seq, _)| *seq);
        let mut before = before.filter(|other| {
            key_of(*other) == Some(key) && (self.blocks || !self.replays.contains(&(sink.clone(), *other)))
        });
        assert_eq!(before.next(), None, "{sink} {seq} overtakes one of its key {key}");
    }

    /// A delivery ends without another attempt: for its age, or because its sink skips it.
    pub(super) fn end(&mut self, record: &Record) {
        self.unrecorded.insert((record.sink.clone(), record.seq));
        let Record { seq, sink, attempt, next, .. } = record;
        assert!(!self.paused, "{sink} {seq} ends in a process that may not");
        assert!(attempt.is_none() && !self.in_flight.contains(&(sink.clone(), *seq)), "{record:?}");
        match next {
            Next::Skipped => {
                assert!(self.suspended && self.skip, "{sink} {seq} is skipped");
                self.skipped += 1;
            }
            Next::Parked(ParkReason::TooOld) => {
                let resumed = self.resumed.get(sink).copied().unwrap_or(Timestamp::MIN);
                let age = self.now().wall.duration_since(self.received_at(*seq).max(resumed));
                assert!(
                    age > SignedDuration::try_from(self.max_age).unwrap_or_default(),
                    "{sink} {seq}: {age}"
                );
                assert!(!self.suspended, "{sink} {seq}: nothing ages while its sink is suspended");
                self.too_old += 1;
            }
            _ => assert_eq!(*next, Next::Skipped, "{sink} {seq} ends so without an attempt"),
        }
        self.record(record);
    }
}
