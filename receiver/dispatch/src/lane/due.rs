//! What the store has as due: retries, and what is armed again. It is read by due time, page behind page. While that waits for room or
//! for a tenant's rate, it is read in turns, too: of each flow of which few are in memory a little, so that none waits behind what
//! another has piled up.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use boathook_event::{Delivery, DuePlace, Flow, Seq};
use jiff::Timestamp;

use super::{Lane, Read, State, ahead, earlier};
use crate::{
    Command, Now,
    limits::{FLOW_ENOUGH, PLACES_FORGET_PAUSE, PLACES_MAX, STORE_RETRY, TURN_PAUSE},
};

/// Before everything that is due.
const START: DuePlace = (Timestamp::MIN, 0);

/// Behind everything that is due.
const END: DuePlace = (Timestamp::MAX, Seq::MAX);

/// How far it is read.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) read: Read,
    /// When the store may have something that neither is in memory nor comes with what is still to be read.
    at: Option<Duration>,
    /// What is behind this is still to be read.
    behind: Option<DuePlace>,
    /// The first of that has a time that the clock as it is now cannot have written: so have all others.
    far: bool,
    /// The latest due time that was written here: a later one is another process's, and maybe of another clock.
    latest: Timestamp,
    /// That waits for a tenant's rate.
    rests: bool,
    pub(super) turns: Read,
    /// The flow behind which the rotation goes on; none: it begins anew.
    after: Option<Flow>,
    /// Up to where flows were read in turns, until a rotation shows nothing behind that.
    places: Arc<BTreeMap<Flow, DuePlace>>,
    /// When they are forgotten at the latest.
    forget_at: Duration,
    /// Flows of tenants that are at their rates, until when.
    resting: BTreeMap<Flow, Duration>,
    /// Flows that the rotation has passed over, since enough of them was in memory.
    passed: BTreeSet<Flow>,
    /// The rotation has shown something.
    useful: bool,
    /// The last rotation has shown nothing: none before then, unless something happens.
    idle_until: Duration,
}

impl Due {
    pub(super) fn new(now: Now) -> Self {
        Self {
            read: Read::Idle,
            at: Some(now.monotonic),
            behind: None,
            far: false,
            latest: Timestamp::MIN,
            rests: false,
            turns: Read::Idle,
            after: None,
            places: Arc::default(),
            forget_at: Duration::ZERO,
            resting: BTreeMap::new(),
            passed: BTreeSet::new(),
            useful: false,
            idle_until: Duration::ZERO,
        }
    }

    /// Another one over the same store, which knows what was written here.
    pub(super) fn begun_anew(&self, mut anew: Self) -> Self {
        anew.latest = self.latest;
        anew
    }

    /// Whether the store may have something.
    pub(super) fn is_open(&self) -> bool {
        self.at.is_some() || self.behind.is_some()
    }

    /// The store may have something from then on.
    pub(super) fn look(&mut self, at: Duration) {
        self.at = earlier(self.at, Some(at));
    }

    /// Something was armed: whoever is first in turn may be among it.
    pub(super) fn has_news(&mut self, now: Duration) {
        self.look(now);
        self.idle_until = Duration::ZERO;
    }

    /// The store has something for which others wait: it is read from the beginning.
    pub(super) fn look_at_once(&mut self) {
        self.at = Some(Duration::ZERO);
    }

    /// The tenant of this flow is at its rate until then.
    fn rest_of(&mut self, flow: Flow, until: Duration) {
        if self.resting.len() < PLACES_MAX {
            self.resting.insert(flow, until);
        }
    }

    /// All may go that were at their rates.
    pub(super) fn rates_have_changed(&mut self) {
        self.resting.clear();
        (self.rests, self.idle_until) = (false, Duration::ZERO);
    }

    /// A due time is written here.
    pub(super) fn writes(&mut self, due: Timestamp) {
        self.latest = self.latest.max(due);
    }

    /// What is still to be read by now, if anything. What was told while there is more to be read comes behind that, unless it was
    /// told long ago.
    fn unread(&mut self, now: Duration) -> Option<DuePlace> {
        let patience = if self.behind.is_some() { STORE_RETRY } else { Duration::ZERO };
        if self.at.is_some_and(|at| at.is_zero() || at + patience <= now) {
            (self.at, self.behind) = (None, Some(START));
        }
        self.behind
    }

    fn until(&self, now: Now) -> Timestamp {
        if self.far { Timestamp::MAX } else { now.wall }
    }
}

impl Lane {
    pub(super) fn ask_for_due(&mut self, now: Now, out: &mut Vec<Command>) {
        if self.due_at().is_none_or(|at| at > now.monotonic) {
            self.ask_for_due_in_turns(now, out);
            return;
        }
        let Some(behind) = self.due.unread(now.monotonic) else { return };
        let (deliveries_max, bytes_max) = self.page();
        self.ticket += 1;
        self.due.read = Read::UnderWay(self.ticket);
        out.push(Command::FeedDue {
            sink: self.settings.sink.clone(),
            ticket: self.ticket,
            until: self.due.until(now),
            behind,
            deliveries_max,
            bytes_max,
        });
    }

    /// When there is something to read by due time, unless something happens; a time that has passed: now.
    pub(super) fn due_at(&self) -> Option<Duration> {
        let at = if self.due.behind.is_some() { Some(Duration::ZERO) } else { self.due.at };
        let not_before = self.due.read.may_at()?;
        // While nothing goes, no rate has room for more.
        let may = self.half_empty() && (!self.due.rests || self.goes());
        at.map(|at| at.max(not_before)).filter(|_| may)
    }

    /// A page by due time; `more` is behind it, or else `next` is the earliest that is not due yet.
    pub(crate) fn fed_due(
        &mut self,
        ticket: u64,
        deliveries: Vec<Delivery>,
        more: bool,
        next: Option<Timestamp>,
        now: Now,
    ) {
        if self.due.read != Read::UnderWay(ticket) {
            return;
        }
        let (mut passed, mut again) = (None, None);
        self.due.rests = false;
        for delivery in deliveries {
            let place = delivery.due_place();
            if !self.has_room(delivery.event.body.len()) && !self.known.is_empty() {
                again = Some(if passed.is_some() { Duration::ZERO } else { now.monotonic + STORE_RETRY });
                break;
            }
            if let Err((flow, until)) = self.take_due(delivery, ticket, now) {
                // The others overtake it.
                self.due.rest_of(flow, until);
                (self.due.rests, again) = (true, Some(until));
                break;
            }
            passed = Some(place);
        }
        let more = more || again.is_some();
        let again = again.or((more && passed.is_none()).then(|| now.monotonic + STORE_RETRY));
        self.due.read = again.map_or(Read::Idle, Read::NotBefore);
        self.read_ended();
        if more {
            self.due.behind = passed.or(self.due.behind);
            return;
        }
        self.due.behind = None;
        self.due.far = next.is_some_and(|due| self.is_far(due, now));
        let next = next.map(|due| self.monotonic(due, now));
        self.due.at = earlier(self.due.at, next);
    }

    /// Takes one that is due, if it is not there. One of a tenant that is at its rate is left, where enough of it is in memory: until
    /// when is told.
    fn take_due(&mut self, delivery: Delivery, ticket: u64, now: Now) -> Result<bool, (Flow, Duration)> {
        if !self.is_new(delivery.seq, ticket) || !self.owns(&delivery) {
            return Ok(false);
        }
        let (seq, flow) = (delivery.seq, delivery.flow());
        let due = delivery.due.map_or(now.monotonic, |due| self.monotonic(due, now));
        if due > now.monotonic {
            self.hold_key_of(&delivery);
            self.remember(delivery, State::Waiting(due));
            return Ok(true);
        }
        self.admit(flow, self.waiting_of(flow), now).map_err(|until| (flow, until))?;
        if delivery.attempts == 0 {
            self.armed.push(flow, seq);
        } else {
            self.hold_key_of(&delivery);
            self.retries.push(flow, seq);
        }
        self.remember(delivery, State::Ready);
        Ok(true)
    }

    /// How many of a flow that are due wait in memory.
    fn waiting_of(&self, flow: Flow) -> usize {
        self.retries.len_of(flow) + self.armed.len_of(flow)
    }

    /// A tried delivery holds its key, where it is ordered.
    fn hold_key_of(&mut self, delivery: &Delivery) {
        if let Some(key) = delivery.lane_key() {
            self.keys.hold(key, delivery.seq);
        }
    }

    fn ask_for_due_in_turns(&mut self, now: Now, out: &mut Vec<Command>) {
        if self.due_turns_at().is_none_or(|at| at > now.monotonic) {
            return;
        }
        let Self { retries, armed, due, .. } = self;
        due.resting.retain(|_, until| *until > now.monotonic);
        if due.after.is_none() {
            due.passed.clear();
            due.idle_until = Duration::ZERO;
            if due.forget_at <= now.monotonic || due.places.len() > PLACES_MAX {
                (due.places, due.forget_at) = (Arc::default(), now.monotonic + PLACES_FORGET_PAUSE);
            }
        }
        let enough = retries.flows_with(FLOW_ENOUGH).chain(armed.flows_with(FLOW_ENOUGH));
        let enough: BTreeSet<Flow> = enough.collect();
        let passed = enough.iter().chain(due.resting.keys()).map(|flow| (*flow, END));
        let mut places = Arc::clone(&due.places);
        Arc::make_mut(&mut places).extend(passed);
        due.passed.extend(enough);
        let (deliveries_max, bytes_max) = self.page();
        self.ticket += 1;
        self.due.turns = Read::UnderWay(self.ticket);
        out.push(Command::FeedDueTurns {
            sink: self.settings.sink.clone(),
            ticket: self.ticket,
            until: self.due.until(now),
            after: self.due.after,
            places,
            deliveries_max,
            bytes_max,
        });
    }

    /// When what is due is to be read in turns, unless something happens; a time that has passed: now. Only while it waits that is
    /// read by due time.
    pub(super) fn due_turns_at(&self) -> Option<Duration> {
        let not_before = self.due.turns.may_at()?;
        let waits = self.due.behind.is_some() && self.due.read.may_at().is_some();
        if !waits || !self.goes() || !self.has_room_for_turns() || self.owned.is_empty() {
            return None;
        }
        let drained = || self.due.passed.iter().any(|flow| self.waiting_of(*flow) < FLOW_ENOUGH);
        let idle = self.due.idle_until > not_before && !drained();
        Some(if idle { self.due.idle_until } else { not_before })
    }

    /// Some of what is due, by flow.
    pub(crate) fn fed_due_turns(
        &mut self,
        ticket: u64,
        deliveries: Vec<Delivery>,
        places: Vec<(Flow, DuePlace)>,
        reached: Option<Flow>,
        now: Now,
    ) {
        if self.due.turns != Read::UnderWay(ticket) {
            return;
        }
        let mut places: BTreeMap<Flow, DuePlace> = places.into_iter().collect();
        let (mut whole, useful, mut stopped) = (true, !places.is_empty(), None);
        for delivery in deliveries {
            let (flow, before) = (delivery.flow(), just_before(delivery.due_place()));
            if stopped == Some(flow) {
                continue;
            }
            whole = whole && (self.has_room(delivery.event.body.len()) || self.known.is_empty());
            let taken =
                if whole { self.take_due(delivery, ticket, now) } else { Err((flow, Duration::ZERO)) };
            if let Err((_, until)) = taken {
                self.due.rest_of(flow, until);
                places.insert(flow, before);
                stopped = Some(flow);
            }
        }
        self.due.useful |= useful;
        let pause = if reached.is_some() && whole && useful { Duration::ZERO } else { TURN_PAUSE };
        self.due.turns = Read::NotBefore(now.monotonic + pause);
        Arc::make_mut(&mut self.due.places).extend(places);
        self.due.after = reached;
        if reached.is_none() && !std::mem::take(&mut self.due.useful) {
            (self.due.places, self.due.idle_until) = (Arc::default(), now.monotonic + STORE_RETRY);
        }
        self.read_ended();
    }

    /// What waited until now may go.
    pub(super) fn fall_due(&mut self, now: Now) {
        while let Some((due, seq)) = self.waiting.first().copied().filter(|(due, _)| *due <= now.monotonic) {
            self.waits_no_more(due, seq);
            if let Some(known) = self.known.get_mut(&seq) {
                known.state = State::Ready;
                self.retries.push(known.delivery.flow(), seq);
            }
        }
    }

    /// A stored time on the monotonic clock; one that is too far away is now.
    pub(super) fn monotonic(&self, due: Timestamp, now: Now) -> Duration {
        if self.is_far(due, now) { now.monotonic } else { now.monotonic + ahead(due, now) }
    }

    /// Whether it is farther away than a pause can be, so that another clock has written it. That is told by the sink's own longest
    /// pause: a longer one that the sink has asked for is waited for by the process that was asked, and ends with it.
    fn is_far(&self, due: Timestamp, now: Now) -> bool {
        due > self.due.latest && ahead(due, now) > self.settings.retry.max_delay
    }
}

fn just_before((due, seq): DuePlace) -> DuePlace {
    (due, seq.saturating_sub(1))
}
