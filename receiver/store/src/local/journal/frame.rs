//! What one commit has decided, and how the journal keeps it.
use std::{borrow::Cow, sync::Arc, time::Duration};

use boathook_event::{
    Attempt, Count, DedupeKey, Delivered, Destination, Event, EventParts, Failure, Making, Next, ObjectName,
    ParkReason, Record, Rejected, Seq, Uid, Word,
};
use bytes::Bytes;
use jiff::Timestamp;

use super::{Kept, wide};
use crate::{
    columns, head,
    traits::Append,
    wire::{In, put, put_maybe},
};

/// A batch with what was decided about its appends.
#[derive(Debug)]
pub(in crate::local) struct Frame {
    /// When: rows take their times from here, so that they come out the same whenever they are written.
    pub(in crate::local) at: Timestamp,
    pub(in crate::local) appends: Vec<Decided>,
    pub(in crate::local) outcomes: Vec<Record>,
    pub(in crate::local) counters: Vec<Count>,
    pub(in crate::local) rejected: Vec<Rejected>,
}

/// What became of one append.
#[derive(Debug)]
pub(in crate::local) enum Decided {
    /// It is stored.
    Stored(Stored),
    /// It repeats the event at that place, whose parked deliveries start anew if so.
    Duplicate { endpoint: ObjectName, of: Seq, rearm: bool },
}

/// An append that is stored.
#[derive(Debug)]
pub(in crate::local) struct Stored {
    pub(in crate::local) seq: Seq,
    /// Its id was seen with another body.
    pub(in crate::local) conflict: bool,
    pub(in crate::local) append: Append,
    /// Where its bytes are kept; set when the frame is written.
    pub(in crate::local) kept: Kept,
}

impl Frame {
    /// The place of the last event stored with it.
    pub(in crate::local) fn last_seq(&self) -> Option<Seq> {
        self.appends.iter().rev().find_map(|decided| match decided {
            Decided::Stored(stored) => Some(stored.seq),
            Decided::Duplicate { .. } => None,
        })
    }

    /// Adds the bytes to `out`, and sets where each event's are, from `offset` of that segment on.
    pub(super) fn encode(&mut self, segment: u64, offset: u64, out: &mut Vec<u8>) {
        let start = out.len();
        put_time(out, self.at);
        put_length(out, self.appends.len());
        for decided in &mut self.appends {
            match decided {
                Decided::Duplicate { endpoint, of, rearm } => {
                    out.push(if *rearm { REARMED } else { DUPLICATE });
                    put(out, endpoint.as_str().as_bytes());
                    out.extend_from_slice(&of.to_le_bytes());
                }
                Decided::Stored(stored) => {
                    out.push(if stored.conflict { CONFLICT } else { STORED });
                    let at = offset + wide(out.len() - start);
                    stored.kept = Kept { segment, offset: at, ..put_stored(out, stored) };
                }
            }
        }
        put_all(out, &self.outcomes, put_record);
        put_all(out, &self.counters, put_count);
        put_all(out, &self.rejected, put_rejected);
    }

    /// Reads what [`Frame::encode`] wrote there; `None` if it is no such thing.
    pub(super) fn decode(segment: u64, offset: u64, whole: &Bytes) -> Option<Self> {
        let mut rest = In(whole);
        let at = time(&mut rest)?;
        let appends = all(&mut rest, |rest| {
            Some(match rest.byte()? {
                tag @ (DUPLICATE | REARMED) => {
                    Decided::Duplicate { endpoint: name(rest)?, of: rest.u64()?, rearm: tag == REARMED }
                }
                tag @ (STORED | CONFLICT) => {
                    let at = whole.len() - rest.0.len();
                    let mut stored = stored(rest, whole, tag == CONFLICT)?;
                    (stored.kept.segment, stored.kept.offset) = (segment, offset + wide(at));
                    Decided::Stored(stored)
                }
                _ => return None,
            })
        })?;
        let (outcomes, counters) = (all(&mut rest, record)?, all(&mut rest, count)?);
        let rejected = all(&mut rest, refused)?;
        rest.0.is_empty().then_some(Self { at, appends, outcomes, counters, rejected })
    }
}

const STORED: u8 = 0;
const CONFLICT: u8 = 1;
const DUPLICATE: u8 = 2;
const REARMED: u8 = 3;

/// Writes what is said of the event, a checksum, and its head and body. Tells how long each is.
fn put_stored(out: &mut Vec<u8>, stored: &Stored) -> Kept {
    let Append { event, dedupe, dedupe_window, parked, destinations: _ } = &stored.append;
    let start = out.len();
    out.extend_from_slice(&stored.seq.to_le_bytes());
    out.extend_from_slice(event.uid.as_bytes());
    put(out, event.endpoint.as_str().as_bytes());
    put_time(out, event.received_at);
    out.extend_from_slice(&event.index.to_le_bytes());
    for text in [&event.id, &event.event_type, &event.key, &event.tenant, &event.entity] {
        put_maybe(out, text.as_deref());
    }
    put_all(out, dedupe, |out, DedupeKey { hash, body }| {
        out.extend_from_slice(hash);
        out.push(u8::from(body.is_some()));
        out.extend_from_slice(body.as_ref().map_or(&[], |body| &body[..]));
    });
    out.extend_from_slice(&u64::try_from(dedupe_window.as_micros()).unwrap_or(u64::MAX).to_le_bytes());
    put_maybe(out, parked.map(ParkReason::as_str));
    put_length(out, stored.append.distinct_destinations().count());
    for Destination { sink, ordered, blocks } in stored.append.distinct_destinations() {
        put(out, sink.as_str().as_bytes());
        out.extend_from_slice(&[u8::from(*ordered), u8::from(*blocks)]);
    }
    // The lengths come once the head is written: it is encoded in its place.
    let lengths = out.len();
    out.extend_from_slice(&[0; 8]);
    let check = out.len();
    out.extend_from_slice(&[0; Kept::CHECK_BYTES]);
    let bytes = out.len();
    head::encode_into(&event.head, out);
    let head_bytes = length(out.len() - bytes);
    out.extend_from_slice(&event.body);
    let body_bytes = length(event.body.len());
    set(out, lengths, &head_bytes.to_le_bytes());
    set(out, lengths + 4, &body_bytes.to_le_bytes());
    let sum = crc32fast::hash(out.get(bytes..).unwrap_or_default());
    set(out, check, &sum.to_le_bytes());
    Kept { segment: 0, offset: 0, meta_bytes: length(check - start), head_bytes, body_bytes }
}

/// Reads what [`put_stored`] wrote. The body is a part of `whole`.
fn stored(rest: &mut In<'_>, whole: &Bytes, conflict: bool) -> Option<Stored> {
    let start = rest.0.len();
    let seq = rest.u64()?;
    let uid = Uid::from_bytes(rest.array()?);
    let (endpoint, received_at, index) = (name(rest)?, time(rest)?, rest.u32()?);
    let (id, event_type, key) = (rest.maybe()?, rest.maybe()?, rest.maybe()?);
    let (tenant, entity) = (rest.maybe()?, rest.maybe()?);
    let dedupe = all(rest, |rest| {
        let hash = rest.array()?;
        let body = if rest.yes()? { Some(rest.array()?) } else { None };
        Some(DedupeKey { hash, body })
    })?;
    let dedupe_window = Duration::from_micros(rest.u64()?);
    let parked = match rest.maybe()? {
        Some(text) => Some(columns::park_reason(&text)?),
        None => None,
    };
    let destinations =
        all(rest, |rest| Some(Destination { sink: name(rest)?, ordered: rest.yes()?, blocks: rest.yes()? }))?;
    let (head_bytes, body_bytes) = (rest.u32()?, rest.u32()?);
    let meta_bytes = length(start - rest.0.len());
    rest.take(Kept::CHECK_BYTES)?;
    let head = head::decode(rest.take(usize::try_from(head_bytes).ok()?)?)?;
    let body = whole.slice_ref(rest.take(usize::try_from(body_bytes).ok()?)?);
    let event = Event::restore(EventParts {
        uid,
        endpoint,
        received_at,
        id,
        event_type,
        key,
        tenant,
        entity,
        index,
        head: Arc::new(head),
        body,
    });
    let append = Append { event: Arc::new(event), dedupe, dedupe_window, parked, destinations };
    let kept = Kept { segment: 0, offset: 0, meta_bytes, head_bytes, body_bytes };
    Some(Stored { seq, conflict, append, kept })
}

const DELIVERED: u8 = 0;
const ALREADY_THERE: u8 = 1;
const RETRY: u8 = 2;
const PARKED: u8 = 3;
const SKIPPED: u8 = 4;

fn put_record(out: &mut Vec<u8>, record: &Record) {
    let Record { seq, sink, endpoint, making: _, attempt, next } = record;
    out.extend_from_slice(&seq.to_le_bytes());
    put(out, sink.as_str().as_bytes());
    put(out, endpoint.as_str().as_bytes());
    out.push(u8::from(attempt.is_some()));
    if let Some(attempt) = attempt {
        put_attempt(out, attempt);
    }
    match next {
        Next::Delivered { already_there: false } => out.push(DELIVERED),
        Next::Delivered { already_there: true } => out.push(ALREADY_THERE),
        Next::Retry { due } => {
            out.push(RETRY);
            put_time(out, *due);
        }
        Next::Parked(reason) => {
            out.push(PARKED);
            put(out, reason.as_str().as_bytes());
        }
        Next::Skipped => out.push(SKIPPED),
    }
}

fn put_attempt(out: &mut Vec<u8>, attempt: &Attempt) {
    let Attempt { number, started_at, duration_millis, result } = attempt;
    out.extend_from_slice(&number.to_le_bytes());
    put_time(out, *started_at);
    out.extend_from_slice(&duration_millis.to_le_bytes());
    out.push(u8::from(result.is_ok()));
    match result {
        Ok(Delivered { already_there, status }) => {
            out.push(u8::from(*already_there));
            put_status(out, *status);
        }
        Err(Failure { kind, permanent, status, retry_after, message }) => {
            put(out, kind.as_str().as_bytes());
            out.push(u8::from(*permanent));
            put_status(out, *status);
            out.push(u8::from(retry_after.is_some()));
            if let Some(pause) = retry_after {
                out.extend_from_slice(&u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).to_le_bytes());
            }
            put(out, message.as_bytes());
        }
    }
}

fn record(rest: &mut In<'_>) -> Option<Record> {
    let (seq, sink, endpoint) = (rest.u64()?, name(rest)?, name(rest)?);
    let attempt = if rest.yes()? { Some(attempt(rest)?) } else { None };
    let next = match rest.byte()? {
        DELIVERED => Next::Delivered { already_there: false },
        ALREADY_THERE => Next::Delivered { already_there: true },
        RETRY => Next::Retry { due: time(rest)? },
        PARKED => Next::Parked(columns::park_reason(rest.text()?)?),
        SKIPPED => Next::Skipped,
        _ => return None,
    };
    // A frame is applied once.
    Some(Record { seq, sink, endpoint, making: Making::Any, attempt, next })
}

fn attempt(rest: &mut In<'_>) -> Option<Attempt> {
    let (number, started_at, duration_millis) = (rest.u32()?, time(rest)?, rest.u32()?);
    let result = if rest.yes()? {
        Ok(Delivered { already_there: rest.yes()?, status: status(rest)? })
    } else {
        Err(Failure {
            kind: columns::kind(rest.text()?)?,
            permanent: rest.yes()?,
            status: status(rest)?,
            retry_after: if rest.yes()? { Some(Duration::from_millis(rest.u64()?)) } else { None },
            message: Cow::Owned(rest.text()?.into()),
        })
    };
    Some(Attempt { number, started_at, duration_millis, result })
}

fn put_count(out: &mut Vec<u8>, Count { endpoint, word, by }: &Count) {
    put(out, endpoint.as_str().as_bytes());
    put(out, word.as_str().as_bytes());
    out.extend_from_slice(&by.to_le_bytes());
}

fn count(rest: &mut In<'_>) -> Option<Count> {
    let (endpoint, word) = (name(rest)?, rest.text()?);
    let word = Word::ALL.into_iter().find(|known| known.as_str() == word)?;
    Some(Count { endpoint, word, by: rest.u64()? })
}

fn put_rejected(out: &mut Vec<u8>, rejected: &Rejected) {
    let Rejected { endpoint, received_at, code, status, source, diagnosis } = rejected;
    put(out, endpoint.as_str().as_bytes());
    put_time(out, *received_at);
    put(out, code.as_bytes());
    out.extend_from_slice(&status.to_le_bytes());
    put(out, source.to_string().as_bytes());
    put(out, diagnosis.as_bytes());
}

fn refused(rest: &mut In<'_>) -> Option<Rejected> {
    Some(Rejected {
        endpoint: name(rest)?,
        received_at: time(rest)?,
        code: rest.text()?.into(),
        status: rest.u16()?,
        source: rest.text()?.parse().ok()?,
        diagnosis: rest.text()?.into(),
    })
}

fn put_status(out: &mut Vec<u8>, status: Option<u16>) {
    out.extend_from_slice(&status.unwrap_or(0).to_le_bytes());
}

/// No answer has the status 0.
fn status(rest: &mut In<'_>) -> Option<Option<u16>> {
    rest.u16().map(|status| Some(status).filter(|status| *status != 0))
}

fn put_time(out: &mut Vec<u8>, time: Timestamp) {
    out.extend_from_slice(&time.as_microsecond().to_le_bytes());
}

fn time(rest: &mut In<'_>) -> Option<Timestamp> {
    Timestamp::from_microsecond(rest.i64()?).ok()
}

fn name(rest: &mut In<'_>) -> Option<ObjectName> {
    rest.text().map(ObjectName::from_stored)
}

fn put_length(out: &mut Vec<u8>, items: usize) {
    out.extend_from_slice(&length(items).to_le_bytes());
}

fn put_all<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    each: impl Fn(&mut Vec<u8>, T),
) {
    let items = items.into_iter();
    put_length(out, items.len());
    items.for_each(|item| each(out, item));
}

fn all<'b, T>(rest: &mut In<'b>, mut each: impl FnMut(&mut In<'b>) -> Option<T>) -> Option<Vec<T>> {
    (0..rest.u32()?).map(|_| each(rest)).collect()
}

fn set(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// A count of bytes or items in memory; a frame is far below the end.
fn length(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
