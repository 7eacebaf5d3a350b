//! The group commit, as a state machine without I/O: what is written together, who is told what, and when.
//!
//! One batch is written at a time. While it is, requests queue; as soon as it is done, everything that queued (up to the
//! bounds of a batch) is the next one. Nobody lingers for company: an append to an idle store is written at once.
//! Outcomes and counts ride along with appends, or go alone when they are old or many enough.
//!
//! Guarantees: every ticket is answered once; appends of one request are in one batch; batches, and hence sequence
//! numbers and handovers, are in the order of submission. Assumes that the driver carries out commands in their order and
//! answers each [`Command::Write`] with one [`Input::Written`].
mod riders;

use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

use boathook_event::{Count, Delivery, Record, Rejected, Seq};

use self::riders::Riders;
use crate::{
    Error, SubmitError,
    limits::{APPEND_OVERHEAD_BYTES, BATCH_APPENDS_MAX, BATCH_BYTES_MAX, QUEUE_BYTES_MAX},
    traits::{Append, Batch, Epoch, Verdict},
};

/// What somebody wants stored. `T` is how they are answered.
#[derive(Debug)]
pub enum Request<T> {
    /// All events of one HTTP request.
    Appends(T, Vec<Append>),
    /// Attempts and what follows them; answered with no verdicts once they are recorded.
    Outcomes(T, Vec<(Epoch, Record)>),
    /// Additions to totals; nobody waits for them.
    Counts(Vec<Count>),
    /// Refused requests to be remembered; nobody waits for them.
    Rejected(Vec<Rejected>),
}

/// What happened.
#[derive(Debug)]
pub enum Input<T> {
    /// A request came.
    Submit(Request<T>),
    /// The batch of the last [`Command::Write`] was committed, or not.
    Written(Result<Vec<Verdict>, Error>),
    /// Appends that come from now on are refused for this reason, or are no more. Those that wait are written.
    Refuse(Option<String>),
    /// The time of [`Command::WakeAt`] has come.
    Tick,
    /// No more requests will be accepted; what was accepted is still written, without delay.
    Close,
}

/// What is to be done, in this order.
#[derive(Debug)]
pub enum Command<T> {
    /// Commit this batch and say how it went.
    Write(Arc<Batch>),
    /// Answer a request.
    Answer(T, Result<Vec<Verdict>, SubmitError>),
    /// Give these to dispatch.
    Handover(Handover),
    /// Send [`Input::Tick`] at this time, unless a write comes first. Replaces an earlier one.
    WakeAt(Duration),
    /// The store is in doubt, for this reason: the process must exit. Nothing will be written any more.
    Halt(String),
    /// Everything accepted before [`Input::Close`] is written.
    Closed,
}

/// What a commit has stored, for dispatch: sent for each commit that stored events, in sequence order. A gap between the
/// last of one and the first of the next means that one was missed, and is to be read from the feed.
#[derive(Debug, Clone)]
pub struct Handover {
    /// The place of the first event.
    pub first: Seq,
    /// The place of the last one.
    pub last: Seq,
    /// Their deliveries, by sequence; none for an event that no sink wants.
    pub deliveries: Vec<Delivery>,
}

/// The state machine. Times are on any clock that never goes back.
#[derive(Debug)]
pub struct GroupCommit<T> {
    queue: VecDeque<Queued<T>>,
    riders: Riders<T>,
    /// Members of a refused batch, each to be tried by itself before anything newer.
    redo: VecDeque<Writing<T>>,
    writing: Option<Writing<T>>,
    /// Bytes of appends that were not answered yet.
    bytes: usize,
    phase: Phase,
    /// Why appends are refused.
    refusing: Option<String>,
    /// The wake-up that the driver knows of.
    wake_at: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Closing,
    Closed,
    Halted,
}

/// One request's appends.
#[derive(Debug)]
struct Queued<T> {
    ticket: T,
    appends: Vec<Append>,
    bytes: usize,
}

/// A batch with its members, which share its appends and its outcomes in this order.
#[derive(Debug)]
struct Writing<T> {
    batch: Arc<Batch>,
    appends: Vec<Share<T>>,
    outcomes: Vec<Share<T>>,
}

/// One request's part of a batch.
#[derive(Debug)]
struct Share<T> {
    ticket: T,
    items: usize,
    bytes: usize,
}

impl<T> Default for GroupCommit<T> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            riders: Riders::default(),
            redo: VecDeque::new(),
            writing: None,
            bytes: 0,
            phase: Phase::Open,
            refusing: None,
            wake_at: None,
        }
    }
}

impl<T> GroupCommit<T> {
    /// Takes what happened at `now`, and adds what is to be done to `out`.
    pub fn step(&mut self, now: Duration, input: Input<T>, out: &mut Vec<Command<T>>) {
        match input {
            Input::Submit(request) => self.submit(now, request, out),
            Input::Written(result) => self.written(now, result, out),
            Input::Refuse(reason) => self.refusing = reason,
            Input::Tick => self.wake_at = None,
            Input::Close if self.phase == Phase::Open => self.phase = Phase::Closing,
            Input::Close => {}
        }
        if self.writing.is_none() && matches!(self.phase, Phase::Open | Phase::Closing) {
            self.start(now, out);
        }
    }

    fn submit(&mut self, now: Duration, request: Request<T>, out: &mut Vec<Command<T>>) {
        let open = self.phase == Phase::Open;
        let closed = || Err(SubmitError::Unavailable("the store is closed".into()));
        match request {
            Request::Appends(ticket, _) if !open => out.push(Command::Answer(ticket, closed())),
            Request::Appends(ticket, appends) => {
                if let Some(reason) = self.refusing.clone() {
                    return out.push(Command::Answer(ticket, Err(SubmitError::NoRoom(reason))));
                }
                let bytes = appends
                    .iter()
                    .map(|append| append.event.body.len() + APPEND_OVERHEAD_BYTES)
                    .sum::<usize>();
                // A request larger than the queue is taken by an empty one, or it could never be.
                if self.bytes > 0 && self.bytes + bytes > QUEUE_BYTES_MAX {
                    return out.push(Command::Answer(ticket, Err(SubmitError::Busy)));
                }
                self.bytes += bytes;
                self.queue.push_back(Queued { ticket, appends, bytes });
            }
            Request::Outcomes(ticket, ..) if !open => out.push(Command::Answer(ticket, closed())),
            Request::Outcomes(ticket, records) => self.riders.record(now, ticket, records),
            Request::Counts(counts) => self.riders.count(now, counts),
            Request::Rejected(rejected) => self.riders.reject(now, rejected),
        }
    }

    fn start(&mut self, now: Duration, out: &mut Vec<Command<T>>) {
        if let Some(next) = self.redo.pop_front().or_else(|| self.gather(now)) {
            self.wake_at = None;
            out.push(Command::Write(Arc::clone(&next.batch)));
            self.writing = Some(next);
        } else if self.phase == Phase::Closing {
            self.phase = Phase::Closed;
            out.push(Command::Closed);
        } else if let Some(at) = self.riders.deadline()
            && self.wake_at != Some(at)
        {
            self.wake_at = Some(at);
            out.push(Command::WakeAt(at));
        }
    }

    /// The next batch, if there is reason for one.
    fn gather(&mut self, now: Duration) -> Option<Writing<T>> {
        let closing = self.phase == Phase::Closing;
        if self.queue.is_empty() && !self.riders.must_go(now, closing) {
            return None;
        }
        let mut batch = Batch::default();
        let mut members = Vec::new();
        let mut bytes = 0;
        while let Some(next) = self.queue.front() {
            let fits = bytes + next.bytes <= BATCH_BYTES_MAX
                && batch.appends.len() + next.appends.len() <= BATCH_APPENDS_MAX;
            if !fits && !members.is_empty() {
                break;
            }
            let Some(Queued { ticket, mut appends, bytes: size }) = self.queue.pop_front() else { break };
            bytes += size;
            members.push(Share { ticket, items: appends.len(), bytes: size });
            batch.appends.append(&mut appends);
        }
        let outcomes = self.riders.take(now, closing, &mut batch);
        Some(Writing { batch: Arc::new(batch), appends: members, outcomes })
    }

    fn written(&mut self, now: Duration, result: Result<Vec<Verdict>, Error>, out: &mut Vec<Command<T>>) {
        let Some(writing) = self.writing.take() else { return };
        match result {
            Ok(verdicts) if verdicts.len() == writing.batch.appends.len() => {
                self.done(writing, &verdicts, out)
            }
            Ok(verdicts) => {
                let (got, wanted) = (verdicts.len(), writing.batch.appends.len());
                self.halt(writing, &format!("the store gave {got} verdicts for {wanted} appends"), out);
            }
            Err(error @ Error::Io(_)) => self.halt(writing, &error.to_string(), out),
            Err(error @ (Error::Full(_) | Error::Away(_))) => {
                self.full(now, writing, &SubmitError::Unavailable(error.to_string()), out)
            }
            Err(error @ Error::InDoubt(_)) => {
                // Its counters are the committer's own matter.
                let batch = Batch { counters: Vec::new(), ..(*writing.batch).clone() };
                let writing = Writing { batch: Arc::new(batch), ..writing };
                self.full(now, writing, &SubmitError::InDoubt(error.to_string()), out);
            }
            Err(error @ (Error::Rejected(_) | Error::Fenced | Error::Open(_))) => {
                self.rejected(writing, &error.to_string(), out);
            }
        }
    }

    fn done(&mut self, writing: Writing<T>, verdicts: &[Verdict], out: &mut Vec<Command<T>>) {
        let Writing { batch, appends, outcomes } = writing;
        let mut rest = verdicts;
        for share in appends {
            let (mine, behind) = rest.split_at(share.items);
            rest = behind;
            self.answer(share, Ok(mine.to_vec()), out);
        }
        for share in outcomes {
            self.answer(share, Ok(Vec::new()), out);
        }
        out.extend(handover(&batch.appends, verdicts).map(Command::Handover));
    }

    /// The appends are refused for now. Outcomes are kept: they tell what has happened at sinks already.
    fn full(&mut self, now: Duration, writing: Writing<T>, refusal: &SubmitError, out: &mut Vec<Command<T>>) {
        let Writing { batch, appends, outcomes } = writing;
        for share in appends {
            self.answer(share, Err(refusal.clone()), out);
        }
        if self.phase == Phase::Closing {
            // There is no later.
            for share in outcomes {
                self.answer(share, Err(refusal.clone()), out);
            }
            return;
        }
        for share in self.riders.put_back(now, outcomes, &batch) {
            self.answer(share, Err(refusal.clone()), out);
        }
    }

    /// One member spoils the batch: each is tried by itself, once.
    fn rejected(&mut self, writing: Writing<T>, reason: &str, out: &mut Vec<Command<T>>) {
        let Writing { batch, mut appends, mut outcomes } = writing;
        let sums = !batch.counters.is_empty() || !batch.rejected.is_empty();
        if appends.len() + outcomes.len() + usize::from(sums) <= 1 {
            for share in appends.into_iter().chain(outcomes) {
                self.answer(share, Err(SubmitError::Rejected(reason.into())), out);
            }
            return;
        }
        let mut rest = &batch.appends[..];
        for share in appends.drain(..) {
            let (mine, behind) = rest.split_at(share.items);
            rest = behind;
            let batch = Batch { appends: mine.to_vec(), ..Batch::default() };
            self.redo.push_back(Writing {
                batch: Arc::new(batch),
                appends: vec![share],
                outcomes: Vec::new(),
            });
        }
        let mut rest = &batch.outcomes[..];
        for share in outcomes.drain(..) {
            let (mine, behind) = rest.split_at(share.items);
            rest = behind;
            let batch = Batch { outcomes: mine.to_vec(), ..Batch::default() };
            self.redo.push_back(Writing {
                batch: Arc::new(batch),
                appends: Vec::new(),
                outcomes: vec![share],
            });
        }
        if sums {
            let (counters, rejected) = (batch.counters.clone(), batch.rejected.clone());
            let batch = Batch { counters, rejected, ..Batch::default() };
            self.redo.push_back(Writing {
                batch: Arc::new(batch),
                appends: Vec::new(),
                outcomes: Vec::new(),
            });
        }
    }

    /// Whether the batch is durable is not known, and nothing that follows would be.
    fn halt(&mut self, writing: Writing<T>, reason: &str, out: &mut Vec<Command<T>>) {
        self.phase = Phase::Halted;
        let tickets = |writing: Writing<T>| {
            writing.appends.into_iter().chain(writing.outcomes).map(|share| share.ticket)
        };
        let written = tickets(writing);
        out.extend(written.map(|ticket| Command::Answer(ticket, Err(SubmitError::InDoubt(reason.into())))));
        let queued = mem::take(&mut self.queue).into_iter().map(|queued| queued.ticket);
        let waiting =
            mem::take(&mut self.redo).into_iter().flat_map(tickets).chain(queued).chain(self.riders.drain());
        out.extend(
            waiting.map(|ticket| Command::Answer(ticket, Err(SubmitError::Unavailable(reason.into())))),
        );
        out.push(Command::Halt(reason.into()));
    }

    fn answer(
        &mut self,
        share: Share<T>,
        result: Result<Vec<Verdict>, SubmitError>,
        out: &mut Vec<Command<T>>,
    ) {
        let Share { ticket, items: _, bytes } = share;
        self.bytes -= bytes;
        out.push(Command::Answer(ticket, result));
    }
}

/// What of the appends was stored, with the events as they came: nothing is read back.
fn handover(appends: &[Append], verdicts: &[Verdict]) -> Option<Handover> {
    let stored = appends.iter().zip(verdicts).filter_map(|(append, verdict)| match *verdict {
        Verdict::Stored { seq } | Verdict::IdConflict { seq } => Some((append, seq)),
        Verdict::Duplicate { .. } => None,
    });
    let mut places: Option<(Seq, Seq)> = None;
    let mut deliveries = Vec::new();
    for (append, seq) in stored {
        places = Some((places.map_or(seq, |(first, _)| first), seq));
        if append.parked.is_some() {
            continue;
        }
        deliveries.extend(append.distinct_destinations().map(|destination| Delivery {
            seq,
            sink: destination.sink.clone(),
            event: Arc::clone(&append.event),
            attempts: 0,
            due: None,
            ordered: destination.ordered,
            blocks: destination.blocks,
            replay: 0,
        }));
    }
    places.map(|(first, last)| Handover { first, last, deliveries })
}
