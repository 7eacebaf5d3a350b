//! Flows that are read ahead of the lane's cursor, so that none waits behind what another has piled up in the store.
//!
//! While something is spilled, the store is read in turns, too: of each flow of which few are in memory a little, behind the place
//! up to which it was read ahead. The cursor passes all of that later: what is in memory is not taken twice, what has ended is
//! gone, what was left to its key is left again. So a place that is forgotten costs a read, and no more. Of a tenant that is at its
//! rate nothing more comes into memory: its flows are passed over, and the cursor waits where it meets one.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use boathook_event::{Delivery, Flow, Seq};

use super::{Known, Lane, Read, State};
use crate::{
    BreakerState, Command, Now, SinkSettings,
    limits::{FLOW_ENOUGH, KEYS_TAKEN_MAX, LANE_BYTES_FRESH_MAX, LANE_FRESH_MAX, PLACES_MAX, TURN_PAUSE},
    turns::Turns,
};

/// How far the store is read in turns.
#[derive(Debug, Default)]
pub(super) struct Overtaking {
    pub(super) read: Read,
    /// The flow behind which the rotation goes on; none: it begins anew.
    after: Option<Flow>,
    /// What was committed when the rotation began; none: it has not begun.
    begun: Option<Seq>,
    /// All that was committed by then was looked at.
    looked_at: Seq,
    /// Flows of the last rotation had more than a turn.
    more: bool,
    /// Flows that were passed over, since enough of them was in memory.
    passed: Vec<Flow>,
    /// Up to where flows are read ahead of the cursor.
    places: Arc<BTreeMap<Flow, Seq>>,
    /// Flows of tenants that are at their rates, and until when: they are passed over. One that is forgotten is read in vain.
    resting: BTreeMap<Flow, Duration>,
    /// The same by time.
    wakes: BTreeSet<(Duration, Flow)>,
}

impl Overtaking {
    /// The tenant of this flow is at its rate until then.
    pub(super) fn rests(&mut self, flow: Flow, until: Duration) {
        if self.resting.len() >= PLACES_MAX && !self.resting.contains_key(&flow) {
            return;
        }
        if let Some(before) = self.resting.insert(flow, until) {
            self.wakes.remove(&(before, flow));
        }
        self.wakes.insert((until, flow));
    }

    /// Those that have rested are looked at again.
    fn wake(&mut self, now: Duration) {
        while self.wakes.first().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, flow)) = self.wakes.pop_first() {
                self.resting.remove(&flow);
                self.more = true;
            }
        }
    }
}

/// What a read in turns has shown.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) deliveries: Vec<(Delivery, Option<Seq>)>,
    pub(crate) blocking: Vec<(Seq, Box<str>)>,
    pub(crate) places: Vec<(Flow, Seq)>,
    pub(crate) reached: Option<Flow>,
    pub(crate) more: bool,
    pub(crate) last: Seq,
}

impl Lane {
    pub(super) fn ask_for_turns(&mut self, now: Now, out: &mut Vec<Command>) {
        self.overtaking.wake(now.monotonic);
        if self.turns_at().is_none_or(|at| at > now.monotonic) {
            return;
        }
        if self.overtaking.after.is_none() {
            self.overtaking.passed.clear();
        }
        let mut places = Arc::clone(&self.overtaking.places);
        for flow in self.fresh.flows_with(FLOW_ENOUGH) {
            Arc::make_mut(&mut places).insert(flow, Seq::MAX);
            self.overtaking.passed.push(flow);
        }
        if !self.overtaking.resting.is_empty() {
            let resting = self.overtaking.resting.keys().map(|flow| (*flow, Seq::MAX));
            Arc::make_mut(&mut places).extend(resting);
        }
        let (deliveries_max, bytes_max) = self.page();
        self.ticket += 1;
        self.overtaking.read = Read::UnderWay(self.ticket);
        out.push(Command::FeedTurns {
            sink: self.settings.sink.clone(),
            ticket: self.ticket,
            after: self.overtaking.after,
            floor: self.cursor,
            places,
            deliveries_max,
            bytes_max,
        });
    }

    /// When [`Lane::ask_for_turns`] has something to ask for, unless something happens; a time that has passed: now.
    pub(super) fn turns_at(&self) -> Option<Duration> {
        let Overtaking { read, after, looked_at, more, passed, wakes, .. } = &self.overtaking;
        let not_before = read.may_at()?;
        if !self.spilled
            || !self.goes()
            || !self.has_room_for_turns()
            || self.owned.is_empty()
            || self.keys.len() >= KEYS_TAKEN_MAX
        {
            return None;
        }
        let drained = || passed.iter().any(|flow| self.fresh.len_of(*flow) < FLOW_ENOUGH);
        let at_once = after.is_some() || *more || *looked_at < self.committed || drained();
        let wanted = if at_once { Some(Duration::ZERO) } else { wakes.first().map(|(until, _)| *until) };
        wanted.map(|at| at.max(not_before))
    }

    /// Whether anything goes, as far as the sink is concerned.
    pub(super) fn goes(&self) -> bool {
        let SinkSettings { suspend, paused, .. } = self.settings;
        !suspend && !paused && !matches!(self.breaker.state(), BreakerState::Open { .. })
    }

    pub(super) fn has_room_for_turns(&self) -> bool {
        self.known.len() <= LANE_FRESH_MAX && self.bytes <= LANE_BYTES_FRESH_MAX
    }

    /// All may go that were at their rates.
    pub(super) fn rates_have_changed(&mut self) {
        let Self { retries, fresh, armed, .. } = self;
        [retries, fresh, armed].into_iter().for_each(Turns::wake_all);
        self.overtaking.wake(Duration::MAX);
        self.due.rates_have_changed();
        for read in [&mut self.feed, &mut self.due.read] {
            if matches!(read, Read::NotBefore(_)) {
                *read = Read::Idle;
            }
        }
    }

    pub(crate) fn fed_turns(&mut self, ticket: u64, shown: Shown, now: Now) {
        if self.overtaking.read != Read::UnderWay(ticket) {
            return;
        }
        let Shown { deliveries, blocking, mut places, reached, more, last } = shown;
        self.held(ticket, blocking);
        let (mut whole, mut rests) = (true, BTreeSet::new());
        for (delivery, earlier) in deliveries {
            if !self.has_room(delivery.event.body.len()) && !self.known.is_empty() {
                whole = false;
                break;
            }
            if delivery.seq <= self.cursor || !self.is_new(delivery.seq, ticket) || !self.owns(&delivery) {
                continue;
            }
            let flow = delivery.flow();
            if rests.contains(&flow) || !self.follows(&delivery, earlier) {
                continue;
            }
            if let Err(until) = self.admits(&delivery, now) {
                places
                    .iter_mut()
                    .filter(|(of, _)| *of == flow)
                    .for_each(|(_, up_to)| *up_to = delivery.seq - 1);
                self.overtaking.rests(flow, until);
                rests.insert(flow);
                continue;
            }
            if !self.take_fresh(delivery) {
                whole = false;
                break;
            }
        }
        self.overtaking.read = Read::Idle;
        self.read_ended();
        if whole {
            self.turned(places, (reached, more, last), now);
        }
    }

    /// Whether this one can join its key behind what is there. If not, the store has others before it that nobody has read: its key
    /// is read from there, and shows it again.
    fn follows(&mut self, delivery: &Delivery, earlier: Option<Seq>) -> bool {
        let (Some(key), Some(earlier)) = (delivery.lane_key(), earlier) else { return true };
        if earlier <= self.cursor || self.keys.is_behind(key) {
            return true;
        }
        let in_order = self.known.get(&earlier).is_some_and(Known::keeps_order);
        if !in_order {
            self.keys.unread(key, self.cursor.saturating_add(1));
        }
        in_order
    }

    /// Some flows were looked at, up to these places.
    fn turned(
        &mut self,
        places: Vec<(Flow, Seq)>,
        (reached, more, last): (Option<Flow>, bool, Seq),
        now: Now,
    ) {
        let Self { overtaking, cursor, fresh, .. } = self;
        if !places.is_empty() {
            Arc::make_mut(&mut overtaking.places).extend(places);
        }
        if overtaking.after.is_none() {
            (overtaking.begun, overtaking.more) = (Some(last), false);
        }
        overtaking.more |= more;
        overtaking.after = reached;
        if reached.is_some() {
            return;
        }
        overtaking.looked_at = overtaking.looked_at.max(overtaking.begun.take().unwrap_or(0));
        overtaking.read = Read::NotBefore(now.monotonic + TURN_PAUSE);
        if overtaking.places.values().any(|place| place <= cursor) {
            Arc::make_mut(&mut overtaking.places).retain(|_, place| place > cursor);
        }
        if overtaking.places.len() > PLACES_MAX {
            Arc::make_mut(&mut overtaking.places).retain(|flow, _| fresh.len_of(*flow) > 0);
        }
    }

    /// The cursor has passed everything: nothing is to be overtaken any more.
    pub(super) fn caught_up(&mut self) {
        let read = self.overtaking.read;
        self.overtaking = Overtaking { read, looked_at: self.cursor, ..Overtaking::default() };
    }
}

impl Known {
    /// Whether those of its key that come later may wait behind it: all before it have ended, or are known, too. What is armed again
    /// joins its key anywhere, and what ends without an attempt was found out of its turn.
    fn keeps_order(&self) -> bool {
        match &self.state {
            State::Ready => self.delivery.due.is_none() || self.delivery.attempts > 0,
            State::Waiting(_) | State::InFlight => true,
            State::Recording(record) => record.attempt.is_some(),
        }
    }
}
