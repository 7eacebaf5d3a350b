//! Order by key at one sink: of a key's deliveries one goes at a time, in sequence, and the others wait behind it. Some wait
//! in memory, the rest in the store: a key that is held up costs its siblings nothing.
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use boathook_event::Seq;

use crate::limits::{
    KEY_QUEUE_MAX, KEY_READS_MAX, KEYS_TAKEN_MAX, QUEUED_BYTES_MAX, QUEUED_MAX, STORE_RETRY,
};

/// The keys that are not free.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    taken: HashMap<Arc<str>, Taken>,
    /// Deliveries that wait in memory, of all keys, and their bytes.
    queued: usize,
    queued_bytes: usize,
    /// Keys whose next deliveries are to be read from the store.
    to_read: VecDeque<Arc<str>>,
    /// By ticket: the key, and behind which place.
    reads: HashMap<u64, (Arc<str>, Seq)>,
    /// The last read failed; none before.
    not_before: Duration,
}

/// A key that is not free.
#[derive(Debug, Default)]
struct Taken {
    /// The delivery that goes, or waits for its next try; none while the next ones are read.
    head: Option<Seq>,
    /// Others that were tried and wait for their next try, in memory or in the store: what is armed again comes beside others.
    held: BTreeSet<Seq>,
    /// Those behind it that are in memory and may go, with their bytes.
    queue: BTreeMap<Seq, usize>,
    /// The first of those behind it that are in the store alone.
    behind: Option<Seq>,
    reading: bool,
}

/// What becomes of a delivery that could go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It goes.
    Go,
    /// It waits in memory, and is given back by [`Keys::release`] or [`Keys::read`].
    Wait,
    /// It is left to the store, and comes back with a read.
    Leave,
    /// So many keys are held up that no other is begun.
    Full,
}

/// Who has a key next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heir {
    /// This one, which goes.
    Goes(Seq),
    /// This one, which was tried and comes when it is due.
    Waits(Seq),
    /// Nobody in memory, or nobody at all.
    None,
}

/// A read of the store that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRead {
    pub(crate) key: Arc<str>,
    pub(crate) after: Seq,
}

impl Keys {
    /// Whether a delivery of this key must be left to the store, because some before it are there alone.
    pub(crate) fn is_behind(&self, key: &str) -> bool {
        self.taken.get(key).is_some_and(|taken| taken.reading || taken.behind.is_some())
    }

    /// A delivery was left to the store.
    pub(crate) fn left(&mut self, key: &str, seq: Seq) {
        if let Some(taken) = self.taken.get_mut(key) {
            taken.behind = Some(taken.behind.map_or(seq, |behind| behind.min(seq)));
        }
    }

    /// The store has this one as tried before, and due at some time: it holds its key until it has ended.
    pub(crate) fn hold(&mut self, key: &str, seq: Seq) {
        match self.taken.get_mut(key) {
            None => drop(self.taken.insert(key.into(), Taken { head: Some(seq), ..Taken::default() })),
            Some(taken) if taken.head == Some(seq) || taken.queue.contains_key(&seq) => {}
            Some(taken) => drop(taken.held.insert(seq)),
        }
    }

    /// The store has some of this key behind a place that nobody has read, perhaps before all that is in memory: the key is read from
    /// there before anything else of it goes, but for what goes already.
    pub(crate) fn unread(&mut self, key: &str, from: Seq) {
        if self.taken.contains_key(key) {
            self.left(key, from);
            return;
        }
        let key = Arc::<str>::from(key);
        self.taken.insert(Arc::clone(&key), Taken { behind: Some(from), ..Taken::default() });
        self.to_read.push_back(key);
    }

    /// A delivery was parked, and holds its key: those behind it wait in the store, and none in memory. Gives those that did.
    pub(crate) fn block(&mut self, key: &str, seq: Seq) -> Vec<Seq> {
        self.dequeue(key, seq);
        self.hold(key, seq);
        self.left(key, seq.saturating_add(1));
        let Some(taken) = self.taken.get_mut(key) else { return Vec::new() };
        let queue = std::mem::take(&mut taken.queue);
        self.queued -= queue.len();
        self.queued_bytes -= queue.values().sum::<usize>();
        let seqs: Vec<Seq> = queue.into_keys().collect();
        seqs.iter().for_each(|seq| self.left(key, *seq));
        seqs
    }

    /// A delivery of so many bytes could go now. One that was tried before is never too many: its key must be held.
    pub(crate) fn turn(&mut self, key: &str, seq: Seq, bytes: usize, tried: bool) -> Turn {
        let full = self.taken.len() >= KEYS_TAKEN_MAX;
        let Some(taken) = self.taken.get_mut(key) else {
            if full && !tried {
                return Turn::Full;
            }
            self.taken.insert(key.into(), Taken { head: Some(seq), ..Taken::default() });
            return Turn::Go;
        };
        if taken.head == Some(seq) {
            return Turn::Go;
        }
        if taken.queue.contains_key(&seq) {
            return Turn::Wait;
        }
        taken.held.remove(&seq);
        let early = taken.behind.is_none_or(|behind| seq < behind) && !taken.reading;
        let room = self.queued < QUEUED_MAX && self.queued_bytes.saturating_add(bytes) <= QUEUED_BYTES_MAX;
        if early && room && taken.queue.len() < KEY_QUEUE_MAX {
            self.enqueue(key, seq, bytes);
            return Turn::Wait;
        }
        self.left(key, seq);
        Turn::Leave
    }

    /// The delivery has ended. Gives the one that has its key now.
    pub(crate) fn release(&mut self, key: &str, seq: Seq) -> Heir {
        let Some(taken) = self.taken.get_mut(key) else { return Heir::None };
        if taken.head != Some(seq) {
            taken.held.remove(&seq);
            self.dequeue(key, seq);
            return Heir::None;
        }
        self.next(key)
    }

    /// The reads that may be asked for now: each is answered by [`Keys::read`] or [`Keys::failed`] with its ticket.
    pub(crate) fn ask(&mut self, now: Duration, ticket: &mut u64) -> Vec<(u64, KeyRead)> {
        let mut asked = Vec::new();
        while now >= self.not_before && self.reads.len() < KEY_READS_MAX {
            let Some(key) = self.to_read.pop_front() else { break };
            let Some(taken) = self.taken.get_mut(&key) else { continue };
            let Some(behind) = taken.behind.take() else { continue };
            taken.reading = true;
            *ticket += 1;
            let after = behind.saturating_sub(1);
            self.reads.insert(*ticket, (Arc::clone(&key), after));
            asked.push((*ticket, KeyRead { key, after }));
        }
        asked
    }

    /// When [`Keys::ask`] may have something to ask for without anything happening.
    pub(crate) fn wake_at(&self) -> Option<Duration> {
        (!self.to_read.is_empty() && self.reads.len() < KEY_READS_MAX).then_some(self.not_before)
    }

    /// The ticket of the read under way that was asked for first.
    pub(crate) fn earliest_read(&self) -> Option<u64> {
        self.reads.keys().min().copied()
    }

    /// A read has looked at all of the key up to `last`, and behind it is `more`, or not. These of them are in memory now;
    /// gives the one that has the key now.
    pub(crate) fn read(
        &mut self,
        ticket: u64,
        shown: &[(Seq, usize)],
        last: Option<Seq>,
        more: bool,
    ) -> Heir {
        let Some((key, after)) = self.reads.remove(&ticket) else { return Heir::None };
        let Some(taken) = self.taken.get_mut(&key) else { return Heir::None };
        taken.reading = false;
        // What was left while the read was under way may be among them, unless it is before all that the read has looked at.
        let is_left = |behind: &Seq| *behind <= after || last.is_none_or(|last| *behind > last);
        let left = taken.behind.filter(is_left);
        let next = last.filter(|_| more).map(|last| last + 1);
        taken.behind = [left, next].into_iter().flatten().min();
        for (seq, bytes) in shown {
            self.enqueue(&key, *seq, *bytes);
        }
        self.next(&key)
    }

    /// Whether this read was asked for.
    pub(crate) fn awaits(&self, ticket: u64) -> bool {
        self.reads.contains_key(&ticket)
    }

    /// A read has failed: it is asked for again, later.
    pub(crate) fn failed(&mut self, ticket: u64, now: Duration) {
        let Some((key, after)) = self.reads.remove(&ticket) else { return };
        self.not_before = now + STORE_RETRY;
        let Some(taken) = self.taken.get_mut(&key) else { return };
        taken.reading = false;
        // What was left meanwhile may be before all that the read was to look at.
        self.left(&key, after + 1);
        self.to_read.push_back(key);
    }

    /// These are gone from the store, and not in memory. Gives those that have their keys now.
    pub(crate) fn gone(&mut self, seqs: &BTreeSet<Seq>) -> Vec<Heir> {
        let mut held = Vec::new();
        for (key, taken) in &self.taken {
            let its = taken.head.iter().chain(&taken.held).filter(|seq| seqs.contains(seq));
            held.extend(its.map(|seq| (Arc::clone(key), *seq)));
        }
        held.into_iter().map(|(key, seq)| self.release(&key, seq)).collect()
    }

    /// Forgets all but those that go or end now: what waited is read from the store again.
    pub(crate) fn retire(&mut self, goes: impl Fn(Seq) -> bool) {
        self.let_go(|_| true, goes);
    }

    /// The same for some keys. What waited in memory behind others of them is gone from there.
    pub(crate) fn let_go(&mut self, of: impl Fn(&str) -> bool, goes: impl Fn(Seq) -> bool) {
        self.taken.retain(|key, taken| {
            if !of(key) {
                return true;
            }
            let queue = std::mem::take(&mut taken.queue);
            self.queued -= queue.len();
            self.queued_bytes -= queue.values().sum::<usize>();
            taken.held.extend(queue.into_keys());
            taken.held.retain(|seq| goes(*seq));
            (taken.behind, taken.reading) = (None, false);
            taken.head = taken.head.filter(|head| goes(*head)).or_else(|| taken.held.pop_first());
            taken.head.is_some()
        });
        self.to_read.retain(|key| !of(key));
        self.reads.retain(|_, (key, _)| !of(key));
    }

    /// How many deliveries wait in memory behind others, and their bytes.
    pub(crate) fn queued(&self) -> (usize, usize) {
        (self.queued, self.queued_bytes)
    }

    /// How many keys are held up or under way.
    pub(crate) fn len(&self) -> usize {
        self.taken.len()
    }

    fn enqueue(&mut self, key: &str, seq: Seq, bytes: usize) {
        let Some(taken) = self.taken.get_mut(key) else { return };
        taken.held.remove(&seq);
        if taken.queue.insert(seq, bytes).is_none() {
            self.queued += 1;
            self.queued_bytes += bytes;
        }
    }

    fn dequeue(&mut self, key: &str, seq: Seq) {
        if let Some(bytes) = self.taken.get_mut(key).and_then(|taken| taken.queue.remove(&seq)) {
            self.queued -= 1;
            self.queued_bytes -= bytes;
        }
    }

    /// Gives the key to the first of those that wait for it: it goes, or waits for its next try, or is read from the store. Where
    /// nobody waits, the key is free.
    fn next(&mut self, key: &str) -> Heir {
        let Some(taken) = self.taken.get_mut(key) else { return Heir::None };
        let queued = taken.queue.first_key_value().map(|(seq, _)| seq);
        let (held, behind) = (taken.held.first(), taken.behind.as_ref());
        let first = [queued, held, behind].into_iter().flatten().min().copied();
        taken.head = first;
        match first {
            None => drop(self.taken.remove(key)),
            Some(seq) if taken.queue.contains_key(&seq) => {
                self.dequeue(key, seq);
                return Heir::Goes(seq);
            }
            Some(seq) if taken.held.remove(&seq) => return Heir::Waits(seq),
            Some(_) => {
                taken.head = None;
                self.to_read.extend(self.taken.get_key_value(key).map(|(key, _)| Arc::clone(key)));
            }
        }
        Heir::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_before_the_place_of_a_read_that_fails_is_read_with_it() {
        let (mut keys, mut ticket) = (Keys::default(), 0);
        keys.turn("k", 5, 1, false);
        keys.left("k", 8);
        keys.release("k", 5);
        keys.ask(Duration::ZERO, &mut ticket);
        assert_eq!(keys.turn("k", 2, 1, true), Turn::Leave);
        keys.failed(1, Duration::ZERO);
        assert_eq!(keys.ask(STORE_RETRY, &mut ticket), [(2, KeyRead { key: "k".into(), after: 1 })]);
    }

    #[test]
    fn who_is_gone_gives_its_key_to_the_next() {
        let mut keys = Keys::default();
        for (key, seq) in [("k", 1), ("k", 2), ("k", 3), ("l", 4), ("m", 6)] {
            keys.hold(key, seq);
        }
        assert_eq!(keys.turn("k", 5, 1, false), Turn::Wait);
        let mut heirs = keys.gone(&[1, 2, 4, 9].into());
        heirs.sort_by_key(|heir| *heir == Heir::None);
        assert_eq!(heirs[heirs.len() - 1], Heir::None);
        assert_eq!(keys.gone(&[3].into()), [Heir::Goes(5)]);
        assert_eq!((keys.release("k", 5), keys.len()), (Heir::None, 1));
    }

    #[test]
    fn what_is_left_before_the_place_of_a_read_under_way_is_read_too() {
        let (mut keys, mut ticket) = (Keys::default(), 0);
        assert_eq!(keys.turn("k", 5, 1, false), Turn::Go);
        keys.left("k", 8);
        assert_eq!(keys.release("k", 5), Heir::None);
        let asked = keys.ask(Duration::ZERO, &mut ticket);
        assert_eq!(asked, [(1, KeyRead { key: "k".into(), after: 7 })]);
        // It was armed again.
        assert_eq!(keys.turn("k", 2, 1, true), Turn::Leave);
        assert_eq!(keys.read(1, &[(8, 1)], Some(8), true), Heir::None);
        assert_eq!(keys.ask(Duration::ZERO, &mut ticket), [(2, KeyRead { key: "k".into(), after: 1 })]);
        assert_eq!(keys.read(2, &[(2, 1), (8, 1)], Some(8), false), Heir::Goes(2));
        assert_eq!(keys.release("k", 2), Heir::Goes(8));
    }
}
