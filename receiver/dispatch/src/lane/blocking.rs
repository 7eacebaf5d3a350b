//! Parked deliveries that hold their keys (`onParked: Block`): those behind them wait until they are delivered, skipped or gone.
//! What is armed again has its key all the while: it goes first.
use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
    time::Duration,
};

use boathook_event::Seq;

use super::{Lane, Read};
use crate::{Command, Now, limits::BLOCKING_PAGE};

/// As many as there are keys that are held up, about: their number is bounded with those.
#[derive(Debug, Default)]
pub(super) struct Blocking {
    held: BTreeMap<Seq, Arc<str>>,
    /// It is to be asked which of them are gone, behind this place.
    ask_after: Option<Seq>,
    /// Of which the read under way asks.
    asked: Vec<Seq>,
    pub(super) read: Read,
}

impl Blocking {
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}

impl Lane {
    /// A parked delivery holds its key, if it is one of those. It is let go of; says whether it holds.
    pub(super) fn block(&mut self, seq: Seq) -> bool {
        let delivery = self.known.get(&seq).map(|known| &known.delivery).filter(|delivery| delivery.blocks);
        let Some(key) = delivery.and_then(|delivery| delivery.lane_key()).map(Arc::<str>::from) else {
            return false;
        };
        self.hold(seq, key);
        self.forget(seq);
        true
    }

    fn hold(&mut self, seq: Seq, key: Arc<str>) {
        for behind in self.keys.block(&key, seq) {
            // One that ends without an attempt is being written. The others come with a read of the key, also with one that is under
            // way: they are what they were.
            if self.is_ready(behind) {
                self.leave(behind);
            }
        }
        self.blocking.held.insert(seq, key);
    }

    /// The store has these as parked, and they hold their keys: also those that are armed again.
    pub(super) fn held(&mut self, ticket: u64, blocking: Vec<(Seq, Box<str>)>) {
        for (seq, key) in blocking {
            if !self.owns_key(&key) {
                continue;
            }
            if self.known.contains_key(&seq) {
                // It is armed again, and in memory: whatever waits in memory, too, waits for it.
                self.keys.hold(&key, seq);
                self.blocking.held.insert(seq, key.into());
            } else if self.is_new(seq, ticket) {
                self.hold(seq, key.into());
            }
        }
    }

    /// These keys are another process's.
    pub(super) fn lose(&mut self, of: impl Fn(&str) -> bool) {
        self.blocking.held.retain(|_, key| !of(key));
    }

    /// It has ended otherwise than parked.
    pub(super) fn blocks_no_more(&mut self, seq: Seq) {
        self.blocking.held.remove(&seq);
    }

    /// It is time to look which of them are gone.
    pub(super) fn look_for_unblocked(&mut self) {
        if !self.blocking.held.is_empty() {
            self.blocking.ask_after.get_or_insert(0);
        }
    }

    /// When it is to be asked without anything happening: a read has failed.
    pub(super) fn unblocked_at(&self) -> Option<Duration> {
        match self.blocking.read {
            Read::NotBefore(at) => self.blocking.ask_after.map(|_| at),
            Read::Idle | Read::UnderWay(_) => None,
        }
    }

    pub(super) fn ask_for_blocking(&mut self, now: Now, out: &mut Vec<Command>) {
        let may = self.blocking.read.may(now.monotonic);
        let Some(after) = self.blocking.ask_after.filter(|_| may) else { return };
        let behind = self.blocking.held.range((Excluded(after), Unbounded));
        let seqs: Vec<Seq> = behind.map(|(seq, _)| *seq).take(BLOCKING_PAGE).collect();
        self.blocking.ask_after = seqs.last().copied().filter(|_| seqs.len() == BLOCKING_PAGE);
        if seqs.is_empty() {
            return;
        }
        self.ticket += 1;
        self.blocking.read = Read::UnderWay(self.ticket);
        self.blocking.asked.clone_from(&seqs);
        out.push(Command::FeedBlocking { sink: self.settings.sink.clone(), ticket: self.ticket, seqs });
    }

    /// Of those that were asked of, these still hold their keys. What is in memory is armed again, and ends by itself.
    pub(crate) fn fed_blocking(&mut self, ticket: u64, holding: &[Seq]) {
        if self.blocking.read != Read::UnderWay(ticket) {
            return;
        }
        self.blocking.read = Read::Idle;
        for seq in std::mem::take(&mut self.blocking.asked) {
            if holding.contains(&seq) || self.known.contains_key(&seq) {
                continue;
            }
            if let Some(key) = self.blocking.held.remove(&seq) {
                let heir = self.keys.release(&key, seq);
                self.inherits(heir);
                self.disbelieve(seq);
            }
        }
        self.read_ended();
    }
}
