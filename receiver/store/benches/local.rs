//! What one event costs in the local store, beside what it costs to append its bytes to a file and sync it.
//!
//! Each batch stores events of 2 KiB with 400 bytes of headers and a deduplication key, and records that those of the batch before
//! were delivered. CPU time is that of the whole process, the kernel's part included. Figures are those of the last tenth of
//! the events, when all the others are in the store.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails here ends the benchmark"
)]
use std::{
    env,
    fs::File,
    os::unix::fs::FileExt as _,
    sync::Arc,
    time::{Duration, Instant},
};

use boathook_event::{
    Attempt, DedupeKey, Delivered, Destination, Event, EventParts, Head, Making, Next, ObjectName, Record,
    Uid,
};
use boathook_store::{
    local::Local,
    traits::{Append, Archive as _, Batch, Committer as _, Epoch, Feed as _, Joined, Verdict},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest as _, Sha256};

const BODY_BYTES: usize = 2_048;
const EVENTS: u64 = 1_000_000;
const BATCHES: [u64; 2] = [256, 64];

fn main() {
    let events = env::args().find_map(|argument| argument.parse().ok()).unwrap_or(EVENTS);
    println!("{events} events; µs of CPU per event, and events per second, in the last tenth");
    for batch in BATCHES {
        let raw = raw(events / 10, batch);
        let (first, last) = store(events, batch);
        println!(
            "batch {batch:>3}: append and sync {raw}; store {last} ({:.2} times; first tenth {first})",
            last.micros / raw.micros
        );
    }
}

struct Cost {
    micros: f64,
    per_second: f64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} µs, {:.0}/s", self.micros, self.per_second)
    }
}

/// What was measured so far.
#[derive(Default)]
struct Meter {
    cpu: Duration,
    wall: Duration,
    events: u64,
}

impl Meter {
    fn measure<R>(&mut self, events: u64, work: impl FnOnce() -> R) -> R {
        let (cpu_before, wall_before) = (cpu(), Instant::now());
        let result = work();
        self.cpu += cpu() - cpu_before;
        self.wall += wall_before.elapsed();
        self.events += events;
        result
    }

    fn cost(&self) -> Cost {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let events = self.events as f64;
        Cost { micros: self.cpu.as_secs_f64() * 1e6 / events, per_second: events / self.wall.as_secs_f64() }
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// The same bytes, written into a file that has its blocks, and one sync for each batch.
fn raw(events: u64, batch: u64) -> Cost {
    let dir = tempfile::tempdir().unwrap();
    let file = File::create(dir.path().join("raw")).unwrap();
    let bytes = vec![b'x'; (BODY_BYTES + 400) * usize::try_from(batch).unwrap()];
    let segment = (64 << 20) / bytes.len() as u64;
    (0..segment).for_each(|at| file.write_all_at(&bytes, at * bytes.len() as u64).unwrap());
    file.sync_all().unwrap();
    let mut meter = Meter::default();
    meter.measure(events / batch * batch, || {
        for at in 0..events / batch {
            file.write_all_at(&bytes, at % segment * bytes.len() as u64).unwrap();
            file.sync_data().unwrap();
        }
    });
    meter.cost()
}

fn store(events: u64, batch: u64) -> (Cost, Cost) {
    let dir = tempfile::tempdir().unwrap();
    let store = Local::open(dir.path(), Duration::ZERO).unwrap();
    let Joined::Sole(epoch) = store.feed().unwrap().join(Duration::ZERO).unwrap() else { unreachable!() };
    let mut committer = store.committer();
    let (head, names) = (head(), [ObjectName::new("default", "app"), ObjectName::new("default", "github")]);
    let mut stored = Vec::new();
    let mut costs = Vec::new();
    for tenth in 0..10 {
        let mut meter = Meter::default();
        for at in 0..events / 10 / batch {
            // Made before: what is measured is the store. The events are as fresh as those that have just come.
            let first = tenth * events / 10 + at * batch;
            let appends = (first..first + batch).map(|number| append(&head, number)).collect();
            let outcomes = stored.drain(..).map(|seq| (epoch, delivered(seq, &names))).collect();
            let batch = Batch { appends, outcomes, ..Batch::default() };
            let verdicts = meter.measure(batch.appends.len() as u64, || {
                let verdicts = committer.commit(&batch).unwrap();
                committer.rest();
                verdicts
            });
            stored.extend(verdicts.into_iter().map(|verdict| match verdict {
                Verdict::Stored { seq } => seq,
                other => panic!("{other:?}"),
            }));
        }
        costs.push(meter.cost());
    }
    let outcomes =
        stored.drain(..).map(|seq| (epoch, delivered(seq, &names))).collect::<Vec<(Epoch, Record)>>();
    committer.commit(&Batch { outcomes, ..Batch::default() }).unwrap();
    let statistics = store.archive().unwrap().statistics().unwrap();
    assert_eq!((statistics.sinks[0].delivered, statistics.sinks[0].pending), (statistics.events, 0));
    (costs.swap_remove(0), costs.pop().unwrap())
}

fn head() -> Arc<Head> {
    let mut headers = HeaderMap::new();
    for number in 0..8 {
        let name = HeaderName::try_from(format!("x-header-{number}")).unwrap();
        headers.append(name, HeaderValue::from_static("a value of some thirty bytes, as"));
    }
    Arc::new(Head { method: Method::POST, path: "/in/github".into(), query: None, headers })
}

fn append(head: &Arc<Head>, number: u64) -> Append {
    let digest = Sha256::digest(number.to_le_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    let event = Event::restore(EventParts {
        uid: Uid::new(1_800_000_000_000 + number / 50, &random),
        endpoint: ObjectName::new("default", "github"),
        received_at: Timestamp::from_microsecond(1_800_000_000_000_000).unwrap(),
        id: Some(format!("{number:036}").into()),
        event_type: Some("push".into()),
        key: None,
        tenant: None,
        entity: None,
        index: 0,
        head: Arc::clone(head),
        body: vec![b'x'; BODY_BYTES].into(),
    });
    let mut hash = [0; 16];
    hash.copy_from_slice(&digest[16..]);
    Append {
        event: Arc::new(event),
        dedupe: vec![DedupeKey { hash, body: None }],
        dedupe_window: Duration::from_secs(7 * 86_400),
        parked: None,
        destinations: vec![Destination {
            sink: ObjectName::new("default", "app"),
            ordered: false,
            blocks: false,
        }],
    }
}

fn delivered(seq: u64, [sink, endpoint]: &[ObjectName; 2]) -> Record {
    let result = Ok(Delivered { already_there: false, status: Some(200) });
    let started_at = Timestamp::from_microsecond(1_800_000_000_000_000).unwrap();
    Record {
        seq,
        sink: sink.clone(),
        endpoint: endpoint.clone(),
        making: Making::Fresh,
        attempt: Some(Attempt { number: 1, started_at, duration_millis: 3, result }),
        next: Next::Delivered { already_there: false },
    }
}
