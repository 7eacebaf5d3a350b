//! Deliveries that end without another attempt: too old while their sink is down or their key waits, or left out while their
//! sink is suspended. What is in memory is looked at whole; the store is read from its oldest on, a page at a time.
use std::time::Duration;

use boathook_event::{Delivery, Making, Next, ParkReason, Record, Seq};
use jiff::{SignedDuration, Timestamp};

use super::{Lane, Read, State};
use crate::{
    Command, Now, SinkSettings,
    limits::{KEY_READ_BYTES_MAX, SWEEP_MAX, SWEEP_MIN, SWEEP_PAGE},
    turns::Turns,
};

/// When a lane is looked through, and how far it is.
#[derive(Debug)]
pub(super) struct Ending {
    /// Ages count from then on at the earliest: they stand still while the sink is suspended.
    resumed_at: Timestamp,
    /// By how much the wall clock, of which events have their times, is behind that of due times.
    behind: SignedDuration,
    /// When it is looked through next.
    at: Duration,
    pub(super) read: Read,
    /// The store was looked through up to here.
    after: Seq,
    /// What the store has shown, in memory and to be ended.
    found: Vec<Seq>,
}

impl Ending {
    pub(super) fn new(now: Now) -> Self {
        Self {
            resumed_at: Timestamp::MIN,
            behind: SignedDuration::ZERO,
            at: now.monotonic,
            read: Read::Idle,
            after: 0,
            found: Vec::new(),
        }
    }

    /// From when on the age of an event counts that was received then.
    pub(super) fn since(&self, received_at: Timestamp) -> Timestamp {
        received_at.saturating_add(self.behind).unwrap_or(received_at).max(self.resumed_at)
    }
}

impl Lane {
    /// The wall clock is so much behind the clock of due times.
    pub(crate) fn wall_clock_is_behind(&mut self, behind: SignedDuration) {
        self.ending.behind = behind;
    }

    /// The sink is served so from now on.
    pub(crate) fn set(&mut self, settings: SinkSettings, now: Now) {
        if self.settings.suspend && !settings.suspend {
            self.ending.resumed_at = now.wall;
        }
        if settings.attempts_per_tenant_per_minute != self.settings.attempts_per_tenant_per_minute {
            self.rates_have_changed();
        }
        if settings.skip && !self.settings.skip {
            (self.ending.at, self.ending.after) = (now.monotonic, 0);
        }
        self.settings = settings;
    }

    /// Ends what is over, in memory and in the store.
    pub(super) fn sweep(&mut self, now: Now, out: &mut Vec<Command>) {
        for seq in std::mem::take(&mut self.ending.found) {
            self.end_if_over(seq, now, out);
        }
        if self.settings.skip && !self.settings.paused {
            // Nothing else takes them.
            let Self { retries, fresh, armed, .. } = self;
            for seq in [retries, fresh, armed].into_iter().flat_map(Turns::drain).collect::<Vec<_>>() {
                self.end_if_over(seq, now, out);
            }
        }
        if self.sweeps_at().is_none_or(|at| at > now.monotonic) {
            return;
        }
        if self.ending.after == 0 {
            let seqs: Vec<Seq> = self.known.keys().copied().collect();
            let ended = seqs.into_iter().filter(|seq| self.end_if_over(*seq, now, out)).count();
            if ended > 0 {
                self.forget_turns();
            }
        }
        self.ticket += 1;
        self.ending.read = Read::UnderWay(self.ticket);
        out.push(Command::FeedOldest {
            sink: self.settings.sink.clone(),
            ticket: self.ticket,
            after: self.ending.after,
            deliveries_max: SWEEP_PAGE,
            bytes_max: KEY_READ_BYTES_MAX,
        });
    }

    /// When it is to be looked through without anything happening; not while nothing is to be delivered, or nothing ages.
    pub(super) fn sweeps_at(&self) -> Option<Duration> {
        let SinkSettings { suspend, skip, paused, .. } = self.settings;
        let read = self.ending.read.may_at()?;
        let pending = !self.known.is_empty() || self.spilled || self.due.is_open() || self.keys.len() > 0;
        (pending && (!suspend || skip) && !paused && !self.owned.is_empty() && self.has_room_for_keys())
            .then_some(self.ending.at.max(read))
    }

    /// The store has shown its oldest behind a place.
    pub(crate) fn fed_oldest(
        &mut self,
        ticket: u64,
        deliveries: Vec<Delivery>,
        mut up_to: Seq,
        mut more: bool,
        now: Now,
    ) {
        if self.ending.read != Read::UnderWay(ticket) {
            return;
        }
        let mut last_is_over = false;
        for delivery in deliveries {
            if !self.owns(&delivery) {
                continue;
            }
            if !self.has_room(delivery.event.body.len()) && !self.known.is_empty() {
                (up_to, more) = (delivery.seq.saturating_sub(1), true);
                break;
            }
            last_is_over = self.over(&delivery, now).is_some();
            if last_is_over && self.is_new(delivery.seq, ticket) {
                self.ending.found.push(delivery.seq);
                self.remember(delivery, State::Ready);
            }
        }
        self.ending.read = Read::Idle;
        self.read_ended();
        // Events are stored about in the order in which they are received: behind one that is not over, few are.
        (self.ending.after, self.ending.at) = if more && last_is_over {
            (up_to, now.monotonic)
        } else {
            (0, now.monotonic + self.sweep_pause())
        };
    }

    /// Ends a delivery that is over; says whether it is.
    pub(super) fn end_if_over(&mut self, seq: Seq, now: Now, out: &mut Vec<Command>) -> bool {
        let Some(known) = self.known.get(&seq) else { return false };
        let due = match known.state {
            State::Ready => None,
            State::Waiting(due) => Some(due),
            State::InFlight | State::Recording(_) => return false,
        };
        let Some(next) = self.over(&known.delivery, now) else { return false };
        let (sink, event) = (self.settings.sink.clone(), known.delivery.event.clone());
        let partition = known.delivery.partition();
        let making = Making::of(&known.delivery);
        let record = Record { seq, sink, endpoint: event.endpoint.clone(), making, attempt: None, next };
        // Until that is written, nothing of its key goes.
        if let Some(key) = known.delivery.lane_key() {
            self.keys.hold(key, seq);
        }
        if let Some(due) = due {
            self.waits_no_more(due, seq);
        }
        if let Some(known) = self.known.get_mut(&seq) {
            known.state = State::Recording(record.clone());
        }
        out.push(Command::End { partition, record, event });
        true
    }

    /// How a delivery ends if nothing is attempted any more.
    fn over(&self, delivery: &Delivery, now: Now) -> Option<Next> {
        if self.settings.paused {
            return None;
        }
        if self.settings.skip {
            return Some(Next::Skipped);
        }
        // One that was armed again is attempted once, however old it is.
        let armed = delivery.due.filter(|_| delivery.attempts == 0);
        let since = self.ending.since(delivery.event.received_at);
        let since = armed.map_or(since, |due| due.max(since));
        let over = !self.settings.suspend && self.settings.retry.is_over(since, now.wall);
        over.then_some(Next::Parked(ParkReason::TooOld))
    }

    fn sweep_pause(&self) -> Duration {
        (self.settings.retry.max_age / 16).clamp(SWEEP_MIN, SWEEP_MAX)
    }
}
