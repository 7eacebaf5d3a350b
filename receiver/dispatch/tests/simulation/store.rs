//! The model store's reads: pages of what is pending.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use boathook_dispatch::Input;
use boathook_event::{Delivery, Event, EventParts, Flow, Head, ObjectName, Seq, Uid};
use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;

use super::world::{World, key_of};

/// Flows that one read in turns looks at: few, so that there are more.
const TURN_FLOWS: usize = 16;
/// What such a read gives of each flow of what is due.
const DUE_TURN: usize = 16;
/// When it is due, its place, and how often it was attempted.
type Tried = ((Timestamp, Seq), u32);
/// What bodies are made of.
static ZEROS: [u8; 600_000] = [0; 600_000];

/// A page of as many of these as have room in it; the first always has.
fn page<T>(rows: impl Iterator<Item = T>, bytes_of: impl Fn(&T) -> usize, max: Page) -> (Vec<T>, bool) {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for row in rows {
        bytes += bytes_of(&row);
        if !taken.is_empty() && (taken.len() >= max.deliveries || bytes > max.bytes) {
            return (taken, true);
        }
        taken.push(row);
    }
    (taken, false)
}

/// What a read may bring.
#[derive(Clone, Copy)]
pub(super) struct Page {
    pub(super) deliveries: usize,
    pub(super) bytes: usize,
}

fn event(
    (endpoint, tenant): (ObjectName, Option<String>),
    key: Option<&str>,
    bytes: usize,
    received_at: Timestamp,
) -> Event {
    let head = Head { method: Method::POST, path: "/".into(), query: None, headers: HeaderMap::new() };
    Event::restore(EventParts {
        uid: Uid::new(0, &[0; 10]),
        endpoint,
        received_at,
        id: None,
        event_type: None,
        key: key.map(Into::into),
        tenant: tenant.map(Into::into),
        entity: None,
        index: 0,
        head: Arc::new(head),
        body: Bytes::from_static(&ZEROS).slice(..bytes),
    })
}

impl World {
    pub(super) fn delivery(
        &self,
        sink: &ObjectName,
        seq: Seq,
        attempts: u32,
        due: Option<Timestamp>,
    ) -> Delivery {
        let key = key_of(seq).filter(|_| self.keyed);
        let event = Arc::new(event(self.whose(seq), key, self.bytes_of(seq), self.received_at(seq)));
        let ordered = key.is_some();
        let blocks = ordered && self.blocks;
        Delivery { seq, sink: sink.clone(), event, attempts, due, ordered, blocks, replay: 0 }
    }

    fn bytes_of(&self, seq: Seq) -> usize {
        if self.large && seq.is_multiple_of(29) { ZEROS.len() } else { 1_000 }
    }

    pub(super) fn feed(&mut self, sink: ObjectName, ticket: u64, after: Seq, max: Page) -> Input {
        if self.faults && self.dice.once_in(8) {
            return Input::FeedFailed { sink, ticket };
        }
        let never_tried = self.pending[&sink].range(after + 1..).filter(|(_, (_, due))| due.is_none());
        let never_tried = never_tried.map(|(seq, _)| *seq);
        let (seqs, more) = page(never_tried, |seq| self.bytes_of(*seq), max);
        let up_to = if more { seqs.last().copied().unwrap_or(after) } else { self.committed };
        let deliveries = seqs.into_iter().map(|seq| self.delivery(&sink, seq, 0, None)).collect();
        let tried = self.pending[&sink].range(after + 1..=up_to.max(after + 1));
        let tried = tried
            .filter(|(seq, (attempts, due))| **seq <= up_to && due.is_some() && *attempts > 0 && self.keyed);
        let tried = tried.filter_map(|(seq, _)| Some((*seq, key_of(*seq)?.into()))).collect();
        let blocking = self.blocking.range((sink.clone(), after + 1)..=(sink.clone(), up_to.max(after + 1)));
        let blocking = blocking.filter(|(_, seq)| *seq <= up_to);
        let blocking = blocking.filter_map(|(_, seq)| Some((*seq, key_of(*seq)?.into()))).collect();
        Input::Fed { sink, ticket, deliveries, tried, blocking, up_to, more }
    }

    /// Of each flow the same number, as far as the page has room.
    pub(super) fn feed_turns(
        &mut self,
        (sink, ticket): (ObjectName, u64),
        after: Option<Flow>,
        floor: Seq,
        places: &BTreeMap<Flow, Seq>,
        max: Page,
    ) -> Input {
        self.turn_feeds += 1;
        if self.faults && self.dice.once_in(8) {
            return Input::FeedFailed { sink, ticket };
        }
        let pending = &self.pending[&sink];
        let mut flows = BTreeMap::<Flow, Vec<Seq>>::new();
        for (seq, _) in pending.range(floor + 1..).filter(|(_, (_, due))| due.is_none()) {
            let flow = self.flow_of(*seq);
            if after.is_none_or(|after| flow > after) {
                flows.entry(flow).or_default().push(*seq);
            }
        }
        let mut reached = flows.keys().nth(TURN_FLOWS).and_then(|next| flows.range(..next).next_back());
        let mut reached = reached.take().map(|(flow, _)| *flow);
        flows.retain(|flow, _| reached.is_none_or(|last| *flow <= last));
        flows.retain(|flow, seqs| {
            let place = places.get(flow).copied().unwrap_or(0).max(floor);
            seqs.retain(|seq| *seq > place);
            place < Seq::MAX
        });
        let whole = after.is_none() && reached.is_none();
        let quota = if whole { (max.deliveries / flows.len().max(1)).max(1) } else { 1 };
        let (mut seqs, mut given, mut bytes, mut more) = (Vec::new(), Vec::new(), 0, false);
        let mut before = after;
        'page: for (flow, of_flow) in flows {
            more |= of_flow.len() > quota;
            for seq in of_flow.into_iter().take(quota) {
                bytes += self.bytes_of(seq);
                if !seqs.is_empty() && (seqs.len() >= max.deliveries || bytes > max.bytes) {
                    (reached, more) = (before, true);
                    break 'page;
                }
                seqs.push(seq);
                given.push((flow, seq));
            }
            before = Some(flow);
        }
        let earlier = |seq: Seq| {
            let key = key_of(seq).filter(|_| self.keyed)?;
            let mut before = pending.range(floor + 1..seq.max(floor + 1)).rev().map(|(seq, _)| *seq);
            before.find(|seq| key_of(*seq) == Some(key))
        };
        let keys: BTreeSet<&str> =
            seqs.iter().filter_map(|seq| key_of(*seq)).filter(|_| self.keyed).collect();
        let blocking = self.blocking.iter().filter(|(of, seq)| *of == sink && *seq > floor);
        let blocking = blocking.filter_map(|(_, seq)| Some((*seq, key_of(*seq)?)));
        let blocking = blocking.filter(|(_, key)| keys.contains(key)).map(|(seq, key)| (seq, key.into()));
        let deliveries = seqs.iter().map(|seq| (self.delivery(&sink, *seq, 0, None), earlier(*seq)));
        Input::FedTurns {
            deliveries: deliveries.collect(),
            blocking: blocking.collect(),
            places: given.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect(),
            reached,
            more,
            last: self.committed,
            sink,
            ticket,
        }
    }

    pub(super) fn feed_key(
        &mut self,
        sink: ObjectName,
        ticket: u64,
        key: &str,
        after: Seq,
        max: Page,
    ) -> Input {
        self.key_feeds += 1;
        if self.faults && self.dice.once_in(8) {
            return Input::FeedFailed { sink, ticket };
        }
        let of_key = self.pending[&sink].range(after + 1..).filter(|(seq, _)| key_of(**seq) == Some(key));
        let of_key = of_key.map(|(seq, (attempts, due))| (*seq, *attempts, *due));
        let (rows, more) = page(of_key, |(seq, ..)| self.bytes_of(*seq), max);
        let delivery = |(seq, attempts, due)| self.delivery(&sink, seq, attempts, due);
        let deliveries = rows.into_iter().map(delivery).collect();
        Input::FedKey { sink, ticket, deliveries, more }
    }

    pub(super) fn feed_due(
        &mut self,
        (sink, ticket): (ObjectName, u64),
        until: Timestamp,
        behind: (Timestamp, Seq),
        max: Page,
    ) -> Input {
        self.due_feeds += 1;
        if self.faults && self.dice.once_in(8) {
            return Input::FeedFailed { sink, ticket };
        }
        let tried = self.tried(&sink);
        let from = tried.partition_point(|(place, _)| *place <= behind);
        let due = tried.iter().skip(from).take_while(|((due, _), _)| *due <= until);
        let (given, more) = page(due, |((_, seq), _)| self.bytes_of(*seq), max);
        let deliveries = given.into_iter().map(|tried| self.tried_delivery(&sink, tried)).collect();
        let next_due = tried.iter().map(|((due, _), _)| *due).find(|due| *due > until);
        Input::FedDue { sink, ticket, deliveries, more, next_due }
    }

    /// Some of each flow.
    pub(super) fn feed_due_turns(
        &mut self,
        (sink, ticket): (ObjectName, u64),
        until: Timestamp,
        after: Option<Flow>,
        places: &BTreeMap<Flow, (Timestamp, Seq)>,
        max: Page,
    ) -> Input {
        self.due_turn_feeds += 1;
        if self.faults && self.dice.once_in(8) {
            return Input::FeedFailed { sink, ticket };
        }
        let tried = self.tried(&sink);
        let mut flows = BTreeMap::<Flow, Vec<&Tried>>::new();
        for row in &tried {
            let flow = self.flow_of(row.0.1);
            if after.is_none_or(|after| flow > after) {
                flows.entry(flow).or_default().push(row);
            }
        }
        let mut reached =
            (flows.len() > TURN_FLOWS).then(|| flows.keys().nth(TURN_FLOWS - 1)).flatten().copied();
        let (mut given, mut given_places, mut bytes, mut before) = (Vec::new(), BTreeMap::new(), 0, after);
        'page: for (flow, rows) in flows.into_iter().take(TURN_FLOWS) {
            let behind = places.get(&flow).copied().unwrap_or((Timestamp::MIN, 0));
            let due = rows.into_iter().filter(|(place, _)| *place > behind && place.0 <= until);
            for row in due.take(DUE_TURN) {
                bytes += self.bytes_of(row.0.1);
                if !given.is_empty() && (given.len() >= max.deliveries || bytes > max.bytes) {
                    reached = before;
                    break 'page;
                }
                given_places.insert(flow, row.0);
                given.push(row);
            }
            before = Some(flow);
        }
        let deliveries = given.into_iter().map(|tried| self.tried_delivery(&sink, tried)).collect();
        Input::FedDueTurns { sink, ticket, deliveries, places: given_places.into_iter().collect(), reached }
    }

    /// What was tried, by due time.
    fn tried(&self, sink: &ObjectName) -> Vec<Tried> {
        let pending = self.pending[sink].iter();
        let tried = pending.filter_map(|(seq, (attempts, due))| due.map(|due| ((due, *seq), *attempts)));
        let mut tried: Vec<Tried> = tried.collect();
        tried.sort_unstable();
        tried
    }

    fn tried_delivery(&self, sink: &ObjectName, ((due, seq), attempts): &Tried) -> Delivery {
        self.delivery(sink, *seq, *attempts, Some(*due))
    }

    pub(super) fn feed_oldest(&mut self, sink: ObjectName, ticket: u64, after: Seq, max: Page) -> Input {
        if self.faults && self.dice.once_in(8) {
            return Input::FeedFailed { sink, ticket };
        }
        let behind = self.pending[&sink].range(after + 1..);
        let behind = behind.map(|(seq, (attempts, due))| (*seq, *attempts, *due));
        let (rows, more) = page(behind, |(seq, ..)| self.bytes_of(*seq), max);
        let up_to = if more { rows.last().map_or(after, |(seq, ..)| *seq) } else { self.committed };
        let delivery = |(seq, attempts, due)| self.delivery(&sink, seq, attempts, due);
        let deliveries = rows.into_iter().map(delivery).collect();
        Input::FedOldest { sink, ticket, deliveries, up_to, more }
    }

    pub(super) fn feed_blocking(&mut self, sink: ObjectName, ticket: u64, mut seqs: Vec<Seq>) -> Input {
        if self.faults && self.dice.once_in(8) {
            return Input::FeedFailed { sink, ticket };
        }
        seqs.retain(|seq| self.blocking.contains(&(sink.clone(), *seq)));
        Input::FedBlocking { sink, ticket, seqs }
    }

    /// When it was committed, by the wall clock of that time.
    pub(super) fn received_at(&self, seq: Seq) -> Timestamp {
        *self.commits.range(..=seq).next_back().expect("it was committed").1
    }
}
