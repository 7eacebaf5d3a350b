//! What the store has as due: what is delivered again goes after everything else, and in the lane of its key; and nothing waits for
//! a time that another clock has written.
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use boathook_dispatch::{Command, Dispatcher, Handover, Input, Now, SinkSettings, limits::LANE_FRESH_MAX};
use boathook_event::{
    Attempt, Delivered, Delivery, Event, EventParts, Head, Jitter, ObjectName, RetryPolicy, Seq, Uid,
};
use http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};

const NOW: Now = Now { monotonic: Duration::from_secs(1), wall: Timestamp::constant(1_800_000_000, 0) };

fn sink() -> ObjectName {
    ObjectName::new("test", "out")
}

fn settings(suspend: bool) -> Input {
    let retry = RetryPolicy {
        max_attempts: 0,
        initial_delay: Duration::from_secs(1),
        multiplier: 1.0,
        max_delay: Duration::from_secs(1),
        max_age: Duration::from_secs(1_000),
        jitter: Jitter::None,
        permanent_statuses: Vec::new(),
    };
    Input::Configured(vec![SinkSettings {
        sink: sink(),
        retry,
        concurrency: 1,
        attempts_per_minute: None,
        attempts_per_tenant_per_minute: None,
        suspend,
        paused: false,
        skip: false,
    }])
}

/// A delivery that was attempted so often; without a time it was never tried.
fn delivery(seq: Seq, attempts: u32, due: Option<Timestamp>, key: Option<&str>) -> Delivery {
    let event = Event::restore(EventParts {
        uid: Uid::from_bytes([7; 16]),
        endpoint: ObjectName::new("test", "in"),
        received_at: NOW.wall,
        id: None,
        event_type: None,
        key: key.map(Into::into),
        tenant: None,
        entity: None,
        index: 0,
        head: Arc::new(Head {
            method: Method::POST,
            path: "/".into(),
            query: None,
            headers: HeaderMap::new(),
        }),
        body: bytes::Bytes::from_static(b"{}"),
    });
    Delivery {
        seq,
        sink: sink(),
        event: Arc::new(event),
        attempts,
        due,
        ordered: key.is_some(),
        blocks: false,
        replay: 0,
    }
}

/// The order in which a sink that takes one at a time gets these: what the store has as due, and what comes fresh.
fn order(due: Vec<Delivery>, fresh: Vec<Delivery>) -> Vec<Seq> {
    let (mut dispatcher, mut out) = (Dispatcher::new(1), Vec::new());
    dispatcher.step(NOW, settings(true), &mut out);
    let (mut due, mut order) = (Some(due), Vec::new());
    let (first, last) = (fresh.first().map_or(1, |one| one.seq), fresh.last().map_or(1, |one| one.seq));
    let mut fresh = Some(fresh);
    while let Some(command) = if out.is_empty() { None } else { Some(out.remove(0)) } {
        match command {
            Command::Feed { sink, ticket, .. } => {
                let nothing = Input::Fed {
                    sink,
                    ticket,
                    deliveries: Vec::new(),
                    tried: Vec::new(),
                    blocking: Vec::new(),
                    up_to: first - 1,
                    more: false,
                };
                dispatcher.step(NOW, nothing, &mut out);
            }
            Command::FeedDue { sink, ticket, .. } => {
                let deliveries = due.take().unwrap_or_default();
                let fed = Input::FedDue { sink, ticket, deliveries, more: false, next_due: None };
                dispatcher.step(NOW, fed, &mut out);
            }
            Command::Deliver { delivery, attempt } => {
                order.push(delivery.seq);
                let result = Ok(Delivered { already_there: false, status: None });
                let attempt = Attempt { number: attempt, started_at: NOW.wall, duration_millis: 1, result };
                dispatcher.step(NOW, Input::Finished { sink: sink(), seq: delivery.seq, attempt }, &mut out);
            }
            Command::Record { record, .. } => {
                let recorded = Input::Recorded { sink: record.sink, seq: record.seq, written: true };
                dispatcher.step(NOW, recorded, &mut out);
            }
            _ => {}
        }
        if out.is_empty()
            && let Some(deliveries) = fresh.take()
        {
            dispatcher.step(NOW, Input::Stored(Handover { first, last, deliveries }), &mut out);
            dispatcher.step(NOW, settings(false), &mut out);
        }
    }
    order
}

#[test]
fn what_is_armed_again_goes_after_retries_and_live_traffic() {
    let again = |seq| delivery(seq, 0, Some(NOW.wall), None);
    let retry = delivery(3, 2, Some(NOW.wall), None);
    let live = [4, 5, 6, 7, 8].map(|seq| delivery(seq, 0, None, None));
    assert_eq!(order(vec![again(1), again(2), retry], live.to_vec()), [3, 4, 5, 6, 7, 8, 1, 2]);
}

#[test]
fn what_is_armed_again_joins_its_key_behind_what_goes_already() {
    let again = delivery(1, 0, Some(NOW.wall), Some("k"));
    let live = [4, 5].map(|seq| delivery(seq, 0, None, Some("k")));
    assert_eq!(order(vec![again], live.to_vec()), [4, 1, 5]);
}

/// What a sink gets within a minute of what a store has as due, while `fresh` come between the first read beyond now and its answer.
fn of_stored(mut stored: BTreeMap<Seq, Delivery>, fresh: Vec<Delivery>) -> BTreeSet<Seq> {
    let (mut dispatcher, mut out, mut delivered) = (Dispatcher::new(1), VecDeque::new(), BTreeSet::new());
    let (mut now, mut wake_at, mut fresh) = (NOW, None, Some(fresh));
    let mut step = |now, input| {
        let mut commands = Vec::new();
        dispatcher.step(now, input, &mut commands);
        commands
    };
    out.extend(step(now, settings(true)));
    while now.monotonic <= NOW.monotonic + Duration::from_secs(60) {
        let Some(command) = out.pop_front() else {
            let Some(at) = Option::take(&mut wake_at) else { break };
            now = Now { monotonic: at, wall: NOW.wall + (at - NOW.monotonic) };
            out.extend(step(now, Input::Tick));
            continue;
        };
        let answer = match command {
            Command::Feed { sink, ticket, .. } => {
                let key = |(seq, delivery): (&Seq, &Delivery)| Some((*seq, delivery.event.key.clone()?));
                let tried: Vec<_> = stored.iter().filter_map(key).collect();
                let up_to = stored.last_key_value().map_or(0, |(seq, _)| *seq);
                let (deliveries, blocking) = (Vec::new(), Vec::new());
                Input::Fed { sink, ticket, deliveries, tried, blocking, up_to, more: false }
            }
            Command::FeedDue { sink, ticket, until, behind, deliveries_max, .. } => {
                if until > now.wall
                    && let Some(deliveries) = fresh.take()
                {
                    let [first, last] =
                        [deliveries.first(), deliveries.last()].map(|one| one.map_or(0, |one| one.seq));
                    out.extend(step(now, Input::Stored(Handover { first, last, deliveries })));
                    out.extend(step(now, settings(false)));
                }
                let mut all: Vec<(Timestamp, Seq)> =
                    stored.values().filter_map(|delivery| Some((delivery.due?, delivery.seq))).collect();
                all.sort_unstable();
                let (due, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|(due, _)| *due <= until);
                let mut due = due.into_iter().filter(|place| *place > behind);
                let page = due.by_ref().take(deliveries_max);
                let deliveries = page.filter_map(|(_, seq)| stored.get(&seq).cloned()).collect();
                let next_due = later.first().map(|(due, _)| *due);
                Input::FedDue { sink, ticket, deliveries, more: due.next().is_some(), next_due }
            }
            Command::Deliver { delivery, attempt } => {
                delivered.insert(delivery.seq);
                let result = Ok(Delivered { already_there: false, status: None });
                let attempt = Attempt { number: attempt, started_at: now.wall, duration_millis: 1, result };
                Input::Finished { sink: sink(), seq: delivery.seq, attempt }
            }
            Command::Record { record, .. } => {
                stored.remove(&record.seq);
                Input::Recorded { sink: record.sink, seq: record.seq, written: true }
            }
            Command::WakeAt(at) => {
                wake_at = Some(at);
                continue;
            }
            _ => continue,
        };
        out.extend(step(now, answer));
    }
    delivered
}

#[test]
fn times_of_another_clock_are_not_waited_for_where_they_do_not_fit_into_memory_at_once() {
    let ahead = NOW.wall + SignedDuration::from_hours(4);
    let tried = (1..=200).map(|seq| (seq, delivery(seq, 1, Some(ahead), Some(&format!("k{seq}")))));
    let fresh: Vec<Delivery> = (201..).take(LANE_FRESH_MAX).map(|seq| delivery(seq, 0, None, None)).collect();
    let delivered = of_stored(tried.collect(), fresh);
    let missing: Vec<Seq> = (1..=200).filter(|seq| !delivered.contains(seq)).collect();
    assert_eq!(missing, Vec::<Seq>::new());
}
