//! The loop that drives dispatch: it tells the dispatcher what happened, and does what the dispatcher says.
//!
//! All state is the dispatcher's; here are the clock, the store, the sinks and the channels between them. Records of one
//! turn go to the store as one request. Queues are bounded: attempts under way by the lanes' concurrency, reads by two a
//! lane, the rest by the channels.
mod changes;
mod lines;
mod reads;

use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use boathook_crds::Breaker;
use boathook_dispatch::{BreakerState, Command, Dispatcher, Input, LaneSnapshot, Now};
use boathook_event::{Attempt, Delivery, Event, Next, ObjectName, Partition, Partitions, Record, Seq};
use boathook_sinks::Sending;
use boathook_store::{
    Handover, Reader, StoreHandle,
    traits::{DueTurns, Epoch, Page, Turns},
};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use self::changes::Changed;
use self::lines::{tell_delivered, tell_end, tell_failure};
use crate::{
    attempt::{gone, tried, within},
    awaited::{Awaited, NotDelivered},
    limits::{DELIVERY_MESSAGES_MAX, DELIVERY_TURN_MAX, LOOK_FOR_DUE},
    metrics::Metrics,
    serving::{Live, ServedSink},
    term::{Others, Rights, Term},
};

/// What the loop needs.
pub(crate) struct Parts {
    pub(crate) live: Arc<Live>,
    pub(crate) store: StoreHandle,
    pub(crate) reader: Reader,
    pub(crate) metrics: Arc<Metrics>,
    /// Who waits for deliveries to end.
    pub(crate) awaited: Arc<Awaited>,
    /// What was committed, in order.
    pub(crate) handed_over: mpsc::Receiver<Handover>,
    /// Changes when something was committed and not handed over.
    pub(crate) missed: watch::Receiver<Seq>,
    /// What was changed in the store by others than dispatch.
    pub(crate) changed: mpsc::Receiver<Changed>,
    /// Where that is told.
    pub(crate) changes: mpsc::Sender<Changed>,
    /// Marked when the configuration has changed.
    pub(crate) configured: watch::Receiver<()>,
    /// True when no new attempt may begin.
    pub(crate) stopping: watch::Receiver<bool>,
    /// Who wants to know how the lanes stand.
    pub(crate) asked: mpsc::Receiver<oneshot::Sender<Vec<LaneSnapshot>>>,
    /// What is parked is gone.
    pub(crate) keeps_nothing: bool,
}

/// The running loop.
struct Deliveries {
    dispatcher: Dispatcher,
    term: Term,
    /// The term may not last: nothing begins.
    paused: bool,
    started: Instant,
    wake_at: Option<Duration>,
    commands: Vec<Command>,
    /// Records of this turn.
    records: Vec<Told>,
    /// What other processes have done, as far as dispatch was told.
    others: Others,
    /// Records that the store has; answered in this order.
    recording: VecDeque<(oneshot::Receiver<bool>, Vec<Told>)>,
    /// The sinks that the dispatcher knows.
    sinks: HashMap<ObjectName, ServedSink>,
    /// Answers of attempts and reads on their way back.
    messages: mpsc::Sender<Input>,
    inbox: mpsc::Receiver<Input>,
    parts: Parts,
    /// Attempts under way, and those whose end is not recorded yet.
    under_way: HashMap<(ObjectName, Seq), UnderWay>,
    stopping: bool,
}

/// What the store is told of a delivery of this partition.
type Told = (Partition, Epoch, Record);

/// An attempt.
struct UnderWay {
    event: Arc<Event>,
    partition: Partition,
    /// Under which its end is recorded.
    epoch: Epoch,
    /// It has ended, which is told.
    told: bool,
}

impl Parts {
    /// Lets so much time pass while another process delivers. Returns true, at once, if this one is to stop.
    pub(crate) async fn idle(&mut self, time: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + time;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return false,
                changed = self.stopping.wait_for(|stopping| *stopping) => return changed.is_ok(),
                // Dispatch begins with what the store has, whenever it begins.
                Some(_) = self.handed_over.recv() => {}
                Some(_) = self.changed.recv() => {}
                Some(answer) = self.asked.recv() => drop(answer.send(Vec::new())),
            }
        }
    }
}

/// Runs until [`Parts::stopping`] and every attempt under way has ended and is recorded, or until the term is over: then
/// what is under way is nobody's any more.
pub(crate) async fn run(parts: Parts, term: Term) -> Parts {
    let (messages, inbox) = mpsc::channel(DELIVERY_MESSAGES_MAX);
    let mut deliveries = Deliveries {
        dispatcher: Dispatcher::new(rand::random()),
        term,
        paused: false,
        started: Instant::now(),
        wake_at: None,
        commands: Vec::new(),
        records: Vec::new(),
        others: Others::default(),
        recording: VecDeque::new(),
        sinks: HashMap::new(),
        messages,
        inbox,
        parts,
        under_way: HashMap::new(),
        stopping: false,
    };
    deliveries.own();
    let mut look = tokio::time::interval(LOOK_FOR_DUE);
    while !deliveries.is_done() && !deliveries.term.is_over(deliveries.paused) {
        deliveries.turn(&mut look).await;
    }
    deliveries.parts
}

impl Deliveries {
    /// Waits for something to happen, takes all that has happened by then, and acts on it.
    async fn turn(&mut self, look: &mut tokio::time::Interval) {
        let wake_at = self.wake_at.map(|at| tokio::time::Instant::from_std(self.started + at));
        let wake =
            async { tokio::time::sleep_until(wake_at.unwrap_or_else(tokio::time::Instant::now)).await };
        let recorded = async {
            match self.recording.front_mut() {
                Some((answer, _)) => answer.await.unwrap_or(false),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(handover) = self.parts.handed_over.recv() => self.stored(handover),
            written = recorded => self.recorded(written),
            Some(message) = self.inbox.recv() => self.step(message),
            Ok(()) = self.parts.missed.changed() => self.missed(),
            Some(changed) = self.parts.changed.recv() => self.changed(changed),
            Ok(()) = self.parts.configured.changed() => self.configure(),
            Ok(()) = self.parts.stopping.changed() => self.stop(),
            Ok(()) = self.term.hold.changed() => self.held(),
            Ok(()) = self.term.rights.changed() => self.own(),
            Ok(()) = self.term.others.changed() => self.others(),
            Some(answer) = self.parts.asked.recv() => drop(answer.send(self.dispatcher.snapshot())),
            () = wake, if wake_at.is_some() => self.tick(),
            _ = look.tick() => self.step(Input::Look),
        }
        self.catch_up();
        // This process may have stood still since it waited.
        if !self.term.is_over(self.paused) {
            self.act();
            self.quiet();
        }
    }

    /// Takes what else is there, of each kind so much: their records share one write.
    fn catch_up(&mut self) {
        for _ in 0..DELIVERY_TURN_MAX {
            let Ok(handover) = self.parts.handed_over.try_recv() else { break };
            self.stored(handover);
        }
        for _ in 0..DELIVERY_TURN_MAX {
            let Ok(message) = self.inbox.try_recv() else { break };
            self.step(message);
        }
        while let Some((answer, _)) = self.recording.front_mut() {
            let Ok(written) = answer.try_recv() else { break };
            self.recorded(written);
        }
    }

    fn stored(&mut self, Handover { first, last, deliveries }: Handover) {
        self.step(Input::Stored(boathook_dispatch::Handover { first, last, deliveries }));
    }

    fn missed(&mut self) {
        let last = *self.parts.missed.borrow_and_update();
        self.step(Input::Missed { last });
    }

    fn recorded(&mut self, written: bool) {
        let records = self.recording.pop_front().map(|(_, records)| records).unwrap_or_default();
        for (.., Record { sink, seq, next, .. }) in records {
            if written && let Some(UnderWay { event, .. }) = self.under_way.remove(&(sink.clone(), seq)) {
                // Who has looked at the store before this was written, and waits since, is told now.
                self.tell_waiting(&event, &sink, &next);
            }
            self.step(Input::Recorded { sink, seq, written });
        }
    }

    fn tick(&mut self) {
        self.wake_at = None;
        self.step(Input::Tick);
    }

    fn configure(&mut self) {
        let serving = self.parts.live.load();
        let rights = self.term.rights.borrow().clone();
        self.sinks = serving.sinks().map(|served| (served.settings.sink.clone(), served.clone())).collect();
        let settings = self.sinks.values().map(|served| {
            let mut settings = served.settings.clone();
            settings.paused = self.stopping || self.paused;
            // What the sink bears is for all who deliver to it together.
            settings.concurrency = rights.part_of(settings.concurrency);
            let part = |all: NonZeroU32| {
                let part = rights.part_of(usize::try_from(all.get()).unwrap_or(usize::MAX));
                u32::try_from(part).ok().and_then(NonZeroU32::new).unwrap_or(all)
            };
            settings.attempts_per_minute = settings.attempts_per_minute.map(part);
            settings.attempts_per_tenant_per_minute = settings.attempts_per_tenant_per_minute.map(part);
            settings
        });
        let settings = settings.collect();
        let waits = |name: &ObjectName| {
            self.sinks.get(name).is_none_or(|served| served.settings.suspend && !served.settings.skip)
        };
        self.parts.awaited.give_up(|name| waits(name).then(|| NotDelivered::Suspended(name.clone())));
        self.step(Input::Configured(settings));
    }

    /// The term is renewed, or cannot be for now.
    fn held(&mut self) {
        let paused = self.term.hold.borrow_and_update().paused;
        if paused != std::mem::replace(&mut self.paused, paused) {
            self.configure();
        }
    }

    /// Partitions were taken, or are given back.
    fn own(&mut self) {
        let owned = self.term.rights.borrow_and_update().owned();
        self.step(Input::Owned(owned));
        self.configure();
    }

    /// Tells of which partitions that are given back nothing is under way any more.
    fn quiet(&self) {
        let Rights { version, giving, .. } = *self.term.rights.borrow();
        if giving.is_empty() || self.term.rights.has_changed().unwrap_or(true) {
            return;
        }
        let recording = self.recording.iter().flat_map(|(_, records)| records);
        let busy = self.under_way.values().map(|under_way| under_way.partition);
        let busy: Partitions = busy.chain(recording.map(|(partition, ..)| *partition)).collect();
        let quiet = (version, giving.without(busy));
        self.term.quiet.send_if_modified(|told| std::mem::replace(told, quiet) != quiet);
    }

    /// Other processes have stored something, or armed it again.
    fn others(&mut self) {
        let others = *self.term.others.borrow_and_update();
        let before = std::mem::replace(&mut self.others, others);
        if others.last != before.last {
            self.step(Input::Missed { last: others.last });
        }
        // Told again, it is to be looked for again.
        if others.armed != before.armed || others == before {
            self.step(Input::Look);
        }
    }

    /// No new attempts from now on.
    fn stop(&mut self) {
        self.stopping = *self.parts.stopping.borrow_and_update();
        self.configure();
    }

    fn is_done(&self) -> bool {
        self.stopping
            && self.recording.is_empty()
            && self.records.is_empty()
            && self.under_way.values().all(|under_way| under_way.told)
    }

    fn step(&mut self, input: Input) {
        let now = Now { monotonic: self.started.elapsed(), wall: Timestamp::now() };
        self.dispatcher.step(now, input, &mut self.commands);
    }

    /// Does what was said.
    fn act(&mut self) {
        for command in std::mem::take(&mut self.commands) {
            match command {
                Command::Deliver { delivery, attempt } => self.deliver(delivery, attempt),
                Command::Record { partition, record } => self.record(partition, record),
                Command::End { partition, record, event } => self.end(partition, record, event),
                Command::Feed { sink, ticket, after, deliveries_max, bytes_max } => {
                    self.feed(sink, ticket, after, Page { deliveries_max, bytes_max });
                }
                Command::FeedTurns { sink, ticket, after, floor, places, deliveries_max, bytes_max } => {
                    let turns = Turns { after, floor, places };
                    self.feed_turns(sink, ticket, turns, Page { deliveries_max, bytes_max });
                }
                Command::FeedKey { sink, ticket, key, after, deliveries_max, bytes_max } => {
                    self.feed_key(sink, ticket, key, after, Page { deliveries_max, bytes_max });
                }
                Command::FeedDue { sink, ticket, until, behind, deliveries_max, bytes_max } => {
                    self.feed_due(sink, ticket, (until, behind), Page { deliveries_max, bytes_max });
                }
                Command::FeedDueTurns { sink, ticket, until, after, places, deliveries_max, bytes_max } => {
                    let turns = DueTurns { until, after, places };
                    self.feed_due_turns(sink, ticket, turns, Page { deliveries_max, bytes_max });
                }
                Command::FeedOldest { sink, ticket, after, deliveries_max, bytes_max } => {
                    self.feed_oldest(sink, ticket, after, Page { deliveries_max, bytes_max });
                }
                Command::FeedBlocking { sink, ticket, seqs } => self.feed_blocking(sink, ticket, seqs),
                Command::Breaker { sink, state } => self.breaker(&sink, state),
                Command::WakeAt(at) => self.wake_at = Some(at),
            }
        }
        if !self.records.is_empty() {
            let records = std::mem::take(&mut self.records);
            let told = records.iter().map(|(_, epoch, record)| (*epoch, record.clone())).collect();
            self.recording.push_back((self.parts.store.record(told), records));
        }
    }

    /// An attempt has ended; it is told once. What could not be written comes again.
    fn record(&mut self, partition: Partition, record: Record) {
        let under_way = self.under_way.get_mut(&(record.sink.clone(), record.seq));
        let begun = under_way.as_ref().map(|under_way| under_way.epoch);
        // Who holds nothing any more says nothing that counts.
        let held = || self.term.rights.borrow().epoch(partition).unwrap_or(Epoch(0));
        let epoch = begun.unwrap_or_else(held);
        if let Some(UnderWay { event, told: told @ false, .. }) = under_way {
            *told = true;
            let event = Arc::clone(event);
            self.tell(&record, &event);
            // That it is parked is told once that is recorded: only then does a repetition arm it again.
            if matches!(record.next, Next::Delivered { .. }) {
                self.tell_waiting(&event, &record.sink, &record.next);
            }
        }
        self.records.push((partition, epoch, record));
    }

    /// A delivery ends without another attempt, which is told once. Who waits for it is told when that is recorded.
    fn end(&mut self, partition: Partition, record: Record, event: Arc<Event>) {
        if let Some(served) = self.sinks.get(&record.sink) {
            let meters = served.traffic.meters(&record.sink, &self.parts.metrics);
            if matches!(record.next, Next::Skipped) { &meters.skipped } else { &meters.parked }.inc();
            if served.traffic.failures.admits() {
                tell_end(&record, &event, self.parts.keeps_nothing);
            }
        }
        let epoch = self.term.rights.borrow().epoch(partition).unwrap_or(Epoch(0));
        let under_way = UnderWay { event, partition, epoch, told: true };
        self.under_way.insert((record.sink.clone(), record.seq), under_way);
        self.records.push((partition, epoch, record));
    }

    fn tell_waiting(&self, event: &Event, sink: &ObjectName, next: &Next) {
        match next {
            Next::Delivered { .. } => self.parts.awaited.ended(&event.uid, sink, &Ok(())),
            Next::Parked(_) => {
                self.parts.awaited.ended(&event.uid, sink, &Err(NotDelivered::Parked(sink.clone())));
            }
            // It was not meant to be delivered.
            Next::Skipped => self.parts.awaited.ended(&event.uid, sink, &Ok(())),
            Next::Retry { .. } => {}
        }
    }

    /// The sink is left alone, tried, or served again.
    fn breaker(&self, sink: &ObjectName, state: BreakerState) {
        let Some(served) = self.sinks.get(sink) else { return };
        let before = served.traffic.set_breaker(match state {
            BreakerState::Closed => Breaker::Closed,
            BreakerState::Open { .. } => Breaker::Open,
            BreakerState::HalfOpen => Breaker::HalfOpen,
        });
        if matches!(state, BreakerState::Open { .. }) {
            let left_alone = |name: &ObjectName| NotDelivered::LeftAlone(name.clone());
            self.parts.awaited.give_up(|name| (name == sink).then(|| left_alone(name)));
        }
        match state {
            BreakerState::Open { until } if before == Breaker::Closed => {
                let pause = until.saturating_sub(self.started.elapsed());
                let (failures, error) = (served.traffic.consecutive_failures(), served.traffic.error());
                tracing::warn!(
                    %sink, failures, error, pause_ms = pause.as_millis(),
                    "the sink is left alone for a while, then tried with one delivery at a time; what waits for it is kept"
                );
            }
            BreakerState::Closed if before != Breaker::Closed => {
                tracing::info!(%sink, "the sink is served again");
            }
            BreakerState::Open { .. } | BreakerState::HalfOpen | BreakerState::Closed => {}
        }
    }

    fn deliver(&mut self, delivery: Delivery, number: u32) {
        let (sink, seq) = (delivery.sink.clone(), delivery.seq);
        let (event, partition) = (Arc::clone(&delivery.event), delivery.partition());
        let epoch = self.term.rights.borrow().epoch(partition).unwrap_or(Epoch(0));
        self.under_way.insert((sink.clone(), seq), UnderWay { event, partition, epoch, told: false });
        let served = self.sinks.get(&sink).cloned();
        let (messages, metrics) = (self.messages.clone(), Arc::clone(&self.parts.metrics));
        let term = self.term.clone();
        let attributes = self.parts.live.load().attributes(&delivery.event.endpoint);
        tokio::spawn(async move {
            let (started_at, started) = (Timestamp::now(), Instant::now());
            // How old what is delivered again is says nothing of the sink.
            let received_at = Some(delivery.event.received_at).filter(|_| delivery.replay == 0);
            let result = match &served {
                Some(served) => {
                    within(term, tried(&*served.sink, Sending { delivery, attempt: number, attributes }))
                        .await
                }
                None => Err(gone()),
            };
            if let (Some(served), Ok(_), Some(received_at)) = (&served, &result, received_at) {
                let age = Timestamp::now().duration_since(received_at).as_secs_f64();
                served.traffic.meters(&sink, &metrics).age_seconds.observe(age.max(0.0));
            }
            let duration_millis = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
            let attempt = Attempt { number, started_at, duration_millis, result };
            // The loop ends only after it has taken this, or when the process is to end at once.
            drop(messages.send(Input::Finished { sink, seq, attempt }).await);
        });
    }

    /// Counts and logs an attempt.
    fn tell(&self, record: &Record, event: &Event) {
        let Record { sink, endpoint, attempt: Some(attempt), next, .. } = record else { return };
        let Some(served) = self.sinks.get(sink) else { return };
        let serving = self.parts.live.load();
        let of_endpoint = serving.endpoint(endpoint).map(|served| &served.traffic);
        let meters = served.traffic.meters(sink, &self.parts.metrics);
        let at = Timestamp::now();
        match (&attempt.result, next) {
            (Ok(_), _) => {
                meters.delivered.inc();
                of_endpoint.into_iter().for_each(|traffic| traffic.delivered(at));
                let failures = served.traffic.delivered(at);
                if failures > 0 {
                    tracing::info!(%sink, failures, "the sink takes events again");
                }
                tell_delivered(record, attempt, event);
            }
            (Err(failure), next) => {
                let parked = matches!(next, Next::Parked(_));
                if parked { &meters.parked } else { &meters.failed }.inc();
                served.traffic.failed(at, failure);
                of_endpoint.into_iter().for_each(|traffic| traffic.failed());
                if served.traffic.failures.admits() {
                    tell_failure(record, attempt, event, failure, self.parts.keeps_nothing);
                }
            }
        }
    }
}
