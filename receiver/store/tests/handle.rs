//! The committer thread over the embedded store, as asynchronous code meets it.
use std::{
    collections::BTreeSet,
    collections::HashMap,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use boathook_event::{Count, Retention, SinkTotals, Word};
use boathook_store::{
    Error, Reader, Running, StoreHandle, SubmitError,
    limits::HANDOVERS_MAX,
    local::Local,
    traits::{Batch, Committer, Epoch, Joined, Page, Retentions, Verdict},
};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::suite::{
    LEASE,
    build::{ALL, FIRST, at, delivered, draft, key, name, retry, uid},
};

fn open() -> (TempDir, Local) {
    let dir = TempDir::new().unwrap();
    let store = Local::open(dir.path(), Duration::ZERO).unwrap();
    (dir, store)
}

fn reader(store: &Local) -> Reader {
    Reader::new(store.feed().unwrap(), store.archive().unwrap(), store.archive().unwrap())
}

async fn claim(reader: &Reader) -> Epoch {
    let Joined::Sole(epoch) = reader.join(LEASE).await.unwrap() else { panic!("nobody else can open it") };
    epoch
}

/// Appends one event, which is known by the rest of its number.
async fn submit(handle: StoreHandle, number: u64, ids: u64) -> (u64, Verdict) {
    let id = u8::try_from(number % ids).unwrap();
    let verdicts = handle.append(vec![draft(number).dedupe(&[key(id)]).append()]).await.unwrap();
    assert_eq!(verdicts.len(), 1);
    (number, verdicts[0])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_concurrent_appends_each_id_is_stored_once_and_each_request_is_answered_once() {
    const REQUESTS: u64 = 2_000;
    const IDS: u64 = 200;
    let (_dir, store) = open();
    let (running, mut handovers) = Running::start(store.committer()).unwrap();
    let collected = tokio::spawn(async move {
        let mut handed_over = Vec::new();
        while let Some(handover) = handovers.recv().await {
            handed_over.push(handover);
        }
        handed_over
    });
    let mut requests =
        (0..REQUESTS).map(|number| submit(running.handle(), number, IDS)).collect::<JoinSet<_>>();
    let (mut stored, mut duplicates) = (BTreeSet::new(), 0);
    let mut ids = BTreeSet::new();
    while let Some(answered) = requests.join_next().await {
        match answered.unwrap() {
            (number, Verdict::Stored { seq }) => {
                assert!(stored.insert(seq) && ids.insert(number % IDS));
            }
            (_, Verdict::Duplicate { .. }) => duplicates += 1,
            (number, verdict) => panic!("{number}: {verdict:?}"),
        }
    }
    running.close().await;
    assert_eq!((stored, ids), ((1..=IDS).collect(), (0..IDS).collect()));
    assert_eq!(IDS + duplicates, REQUESTS);
    let statistics = reader(&store).statistics().await.unwrap();
    let totals = [Word::Accepted, Word::Duplicate].map(|word| statistics.endpoints[0].of(word));
    assert_eq!(totals, [IDS, duplicates]);
    let handed_over = collected.await.unwrap();
    let mut next = 1;
    for handover in &handed_over {
        assert_eq!(handover.first, next);
        next = handover.last + 1;
    }
    let deliveries =
        handed_over.iter().flat_map(|handover| &handover.deliveries).map(|delivery| delivery.seq);
    assert!(deliveries.eq(1..=IDS));
}

#[tokio::test]
async fn a_missed_handover_shows_as_a_gap_and_is_in_the_feed() {
    let (_dir, store) = open();
    let (running, mut handovers) = Running::start(store.committer()).unwrap();
    let handle = running.handle();
    let many = HANDOVERS_MAX as u64 + 5;
    for number in 1..=many {
        handle.append(vec![draft(number).append()]).await.unwrap();
    }
    // An answer goes out before its handover. Whatever is submitted next comes after both.
    handle.count(Vec::new());
    for seq in 1..=HANDOVERS_MAX as u64 {
        assert_eq!(handovers.recv().await.unwrap().first, seq);
    }
    handle.append(vec![draft(many + 1).sinks(&[]).append()]).await.unwrap();
    let late = handovers.recv().await.unwrap();
    assert_eq!((late.first, late.last, late.deliveries.len()), (many + 1, many + 1, 0));
    let missed = reader(&store).next(&name("a"), HANDOVERS_MAX as u64, ALL).await.unwrap();
    assert_eq!((missed.deliveries.len(), missed.up_to), (5, many + 1));
}

#[tokio::test]
async fn outcomes_and_counts_are_recorded_without_appends() {
    let (_dir, store) = open();
    let (running, _handovers) = Running::start(store.committer()).unwrap();
    let (handle, reader) = (running.handle(), reader(&store));
    let epoch = claim(&reader).await;
    handle.append(vec![draft(1).append(), draft(2).append()]).await.unwrap();
    handle.count(vec![Count { endpoint: name("in"), word: Word::Rejected, by: 3 }]);
    assert!(handle.record(vec![(epoch, delivered(1, "a", 1, at(0)))]).await.unwrap());
    assert!(handle.record(vec![(epoch, retry(2, "a", 1, at(0), at(9)))]).await.unwrap());
    let statistics = reader.statistics().await.unwrap();
    assert_eq!(statistics.endpoints[0].of(Word::Rejected), 3);
    let expected = SinkTotals {
        sink: name("a"),
        delivered: 1,
        parked: 0,
        skipped: 0,
        pending: 1,
        pending_bytes: 9,
        erased: 0,
        failed_attempts: 1,
    };
    assert_eq!(statistics.sinks, [expected]);
}

#[tokio::test]
async fn closing_writes_what_was_submitted_and_refuses_what_comes_after() {
    let (_dir, store) = open();
    let (running, _handovers) = Running::start(store.committer()).unwrap();
    let handle = running.handle();
    let before = tokio::spawn(submit(handle.clone(), 1, 100));
    assert!(matches!(submit(handle.clone(), 2, 100).await.1, Verdict::Stored { .. }));
    let recorded = handle.record(vec![(Epoch(0), delivered(1, "a", 1, at(0)))]);
    before.await.unwrap();
    running.close().await;
    assert!(recorded.await.unwrap());
    assert!(matches!(handle.append(vec![draft(3).append()]).await, Err(SubmitError::Unavailable(_))));
    assert!(!handle.record(vec![(Epoch(0), delivered(2, "a", 1, at(0)))]).await.unwrap());
    assert_eq!(reader(&store).statistics().await.unwrap().sinks[0].delivered, 1);
}

/// Does with each batch what a test says.
struct Scripted<F>(F);

impl<F: FnMut(&Batch) -> Result<Vec<Verdict>, Error>> Committer for Scripted<F> {
    fn commit(&mut self, batch: &Batch) -> Result<Vec<Verdict>, Error> {
        self.0(batch)
    }
}

#[tokio::test]
async fn a_failed_disk_is_never_a_success_and_halts() {
    let (running, _handovers) = Running::start(Scripted(|_: &Batch| Err(Error::Io("fsync".into())))).unwrap();
    let handle = running.handle();
    assert!(matches!(handle.append(vec![draft(1).append()]).await, Err(SubmitError::InDoubt(_))));
    assert!(handle.halted().await.contains("fsync"));
    assert!(matches!(handle.append(vec![draft(2).append()]).await, Err(SubmitError::Unavailable(_))));
    running.close().await;
}

#[tokio::test]
async fn a_committer_that_panics_halts() {
    let (running, _handovers) = Running::start(Scripted(|_: &Batch| panic!("a defect"))).unwrap();
    let handle = running.handle();
    assert!(matches!(handle.append(vec![draft(1).append()]).await, Err(SubmitError::InDoubt(_))));
    assert!(handle.halted().await.contains("panicked"));
}

#[tokio::test]
async fn a_slow_commit_gathers_the_next_batch_and_nobody_is_answered_before_it() {
    let (go, gate) = mpsc::channel::<()>();
    let batches = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&batches);
    let mut seq = 0;
    let slow = Scripted(move |batch: &Batch| {
        gate.recv().unwrap();
        seen.lock().unwrap().push(batch.appends.len());
        let stored = batch.appends.iter().map(|_| {
            seq += 1;
            Verdict::Stored { seq }
        });
        Ok(stored.collect())
    });
    let (running, _handovers) = Running::start(slow).unwrap();
    let handle = running.handle();
    let mut requests = JoinSet::new();
    for number in 0..10 {
        requests.spawn(submit(handle.clone(), number, 100));
    }
    // Each of them runs until it waits.
    while tokio::runtime::Handle::current().metrics().num_alive_tasks() < 10 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    assert!(requests.try_join_next().is_none());
    go.send(()).unwrap();
    go.send(()).unwrap();
    assert_eq!(requests.join_all().await.len(), 10);
    assert_eq!(*batches.lock().unwrap(), [1, 9]);
}

#[tokio::test]
async fn a_reader_asks_feed_and_archive_from_asynchronous_code() {
    let (_dir, store) = open();
    let (running, _handovers) = Running::start(store.committer()).unwrap();
    let (handle, reader) = (running.handle(), reader(&store));
    let epoch = claim(&reader).await;
    handle
        .append(vec![draft(1).key("k").append(), draft(2).append(), draft(3).sinks(&[]).append()])
        .await
        .unwrap();
    assert!(handle.record(vec![(epoch, retry(1, "a", 1, at(0), at(60)))]).await.unwrap());
    let sink = name("a");
    let page = Page { deliveries_max: 10, bytes_max: 1 << 20 };
    assert_eq!(reader.next(&sink, 0, page).await.unwrap().deliveries.len(), 1);
    assert_eq!(reader.due(&sink, at(60), FIRST, page).await.unwrap().deliveries.len(), 1);
    assert_eq!(reader.earliest_due(&sink, Timestamp::MIN).await.unwrap(), Some(at(60)));
    assert_eq!(reader.by_key(&sink, "k", 0, page).await.unwrap().deliveries.len(), 1);
    assert_eq!(reader.list(Some(&name("in")), 1, 10).await.unwrap().len(), 2);
    assert_eq!(reader.show(uid(2)).await.unwrap().unwrap().seq, 2);
    assert_eq!(reader.erase(vec![2]).await.unwrap().events, 1);
    let day = Duration::from_secs(86_400);
    let kept = Retention { delivered: day, parked: day, rejected: day };
    let retentions = Retentions { default: kept, endpoints: HashMap::new() };
    assert_eq!(reader.retain(retentions, at(1_000_000)).await.unwrap(), 1);
    assert_eq!(reader.statistics().await.unwrap().events, 1);
}
