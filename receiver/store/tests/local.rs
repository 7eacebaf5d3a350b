//! The embedded store passes the suite, and keeps what only a store in a folder promises.
use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::suite::{
    Environment, Lasting,
    build::{self, draft},
};
use boathook_event::{DedupeKey, Record, Retention};
use boathook_store::{
    Error,
    local::Local,
    traits::{Archive, Batch, Committer, DeliveryState, Feed, Order, Question, Replay, Retentions, Verdict},
};
use jiff::Timestamp;
use tempfile::TempDir;

crate::conformance!(Folder);

/// A store in a temporary folder.
pub(crate) struct Folder {
    pub(crate) dir: TempDir,
    time: Arc<Mutex<Timestamp>>,
    store: Option<Local>,
}

impl Folder {
    fn open(dir: &Path, time: &Arc<Mutex<Timestamp>>) -> Local {
        let time = Arc::clone(time);
        // Other tests start programs: until such a child has executed its program it holds a copy of this folder's lock.
        let patience = Duration::from_secs(5);
        Local::open_with_clock(dir, patience, Arc::new(move || *time.lock().unwrap())).unwrap()
    }

    fn store(&self) -> &Local {
        self.store.as_ref().unwrap()
    }
}

impl Environment for Folder {
    fn new() -> Self {
        let (dir, time) = (TempDir::new().unwrap(), Arc::new(Mutex::new(build::START)));
        let store = Some(Self::open(dir.path(), &time));
        Self { dir, time, store }
    }

    fn committer(&self) -> Box<dyn Committer + Send> {
        Box::new(self.store().committer())
    }

    fn feed(&self) -> Box<dyn Feed + Send> {
        Box::new(self.store().feed().unwrap())
    }

    fn archive(&self) -> Box<dyn Archive + Send> {
        Box::new(self.store().archive().unwrap())
    }

    fn set_time(&self, time: Timestamp) {
        *self.time.lock().unwrap() = time;
    }
}

impl Lasting for Folder {
    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(Self::open(self.dir.path(), &self.time));
    }

    /// What a dead process leaves is what its files hold now: they are copied while the store is open.
    fn kill(&mut self) {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("journal")).unwrap();
        let segments = fs::read_dir(self.dir.path().join("journal")).unwrap();
        let segments = segments.map(|entry| Path::new("journal").join(entry.unwrap().file_name()));
        for file in ["events.db".into(), "events.db-wal".into()].into_iter().chain(segments) {
            fs::copy(self.dir.path().join(&file), dir.path().join(&file)).unwrap();
        }
        self.store = Some(Self::open(dir.path(), &self.time));
        self.dir = dir;
    }
}

#[test]
fn a_folder_in_use_is_refused_with_the_owner_and_the_next_step() {
    let folder = Folder::new();
    let Err(Error::Open(text)) = Local::open(folder.dir.path(), Duration::from_millis(1)) else {
        panic!("two stores in one folder")
    };
    for part in [
        &*folder.dir.path().to_string_lossy(),
        &format!("pid {}", std::process::id()),
        "--lock-wait",
        "--data",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn a_folder_is_free_once_everything_made_from_its_store_is_gone() {
    let mut folder = Folder::new();
    let feed = folder.feed();
    folder.store = None;
    assert!(matches!(Local::open(folder.dir.path(), Duration::ZERO), Err(Error::Open(_))));
    drop(feed);
    Local::open(folder.dir.path(), Duration::ZERO).unwrap();
}

#[test]
fn waiting_for_the_lock_ends_when_its_owner_leaves() {
    let mut folder = Folder::new();
    let store = folder.store.take();
    let path = folder.dir.path().to_owned();
    let waiting = std::thread::spawn(move || Local::open(&path, Duration::from_secs(60)).map(drop));
    drop(store);
    waiting.join().unwrap().unwrap();
}

#[test]
fn a_missing_folder_is_made_for_its_owner_alone() {
    let dir = TempDir::new().unwrap();
    let deep = dir.path().join("a/b");
    drop(Local::open(&deep, Duration::ZERO).unwrap());
    assert_eq!(fs::metadata(&deep).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(deep.join("events.db")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_newer_schema_is_refused_with_both_versions() {
    let mut folder = Folder::new();
    folder.store = None;
    let database = rusqlite::Connection::open(folder.dir.path().join("events.db")).unwrap();
    database.execute("update meta set value = 99 where key = 'schema'", []).unwrap();
    drop(database);
    let Err(Error::Open(text)) = Local::open(folder.dir.path(), Duration::ZERO) else {
        panic!("it was opened")
    };
    assert!(text.contains("schema 99") && text.contains("a newer one"), "{text}");
}

#[test]
fn a_store_of_schema_2_goes_on_with_all_that_it_has() {
    let dir = TempDir::new().unwrap();
    let database = rusqlite::Connection::open(dir.path().join("events.db")).unwrap();
    database
        .execute_batch("pragma page_size = 8192; pragma auto_vacuum = incremental; pragma journal_mode = wal")
        .unwrap();
    database.execute_batch(include_str!("schema_2.sql")).unwrap();
    // Two events for `a`: one delivered after a failure, one pending.
    database
        .execute_batch(
            "insert into names (id, name) values (1, 'test/in'), (2, 'test/a');
             insert into events values
                 (1, x'00000000000000000000000000000001', 1, 1, 0, 'id', null, null, null, null, x'02000000', x'0104504f5354012f00', x'7b7d'),
                 (2, x'00000000000000000000000000000002', 1, 2, 0, null, null, null, null, null, x'02000000', x'0104504f5354012f00', x'7b7d');
             insert into deliveries values (1, 2, 'delivered', 2, 9);
             insert into failures values (1, 2, 1, 5, 3, 'refused', 0, 500, null, 'no');
             insert into pending values (2, 2, 0, null, null);
             insert into words values (1, 'accepted', 2);
             insert into routes values (1, 2, 1, 0, 1, 1);
             update meta set value = 2 where key in ('last_seq', 'events');",
        )
        .unwrap();
    drop(database);
    let store = Local::open(dir.path(), Duration::ZERO).unwrap();
    let mut archive = store.archive().unwrap();
    let shown = archive.show(&build::uid(1)).unwrap().unwrap().deliveries.remove(0);
    assert_eq!((shown.replay, shown.attempts, shown.failures.len()), (0, 2, 1));
    let sink = archive.statistics().unwrap().sinks.remove(0);
    assert_eq!((sink.delivered, sink.pending, sink.erased), (1, 1, 0));
    assert_eq!((sink.skipped, sink.pending_bytes), (0, 2));
    assert_eq!(store.feed().unwrap().next(&build::name("a"), 0, build::ALL).unwrap().deliveries.len(), 1);
    assert_eq!(archive.replay(&[1, 2], &Replay::default()).unwrap().armed, [1]);
    drop((store, archive));
    assert_eq!(
        Local::open(dir.path(), Duration::ZERO).unwrap().archive().unwrap().statistics().unwrap().last_seq,
        2
    );
}

#[test]
fn a_store_of_schema_3_goes_on_with_the_bytes_counted_that_wait() {
    let dir = TempDir::new().unwrap();
    let database = rusqlite::Connection::open(dir.path().join("events.db")).unwrap();
    database
        .execute_batch("pragma page_size = 8192; pragma auto_vacuum = incremental; pragma journal_mode = wal")
        .unwrap();
    database.execute_batch(include_str!("schema_3.sql")).unwrap();
    // One event, parked at `a`, and pending at `b`.
    database
        .execute_batch(
            "insert into names (id, name) values (1, 'test/in'), (2, 'test/a'), (3, 'test/b');
             insert into events values
                 (1, x'00000000000000000000000000000001', 1, 1, 0, 'id', null, null, null, null, x'0200000003000000', x'0104504f5354012f00', x'7b7d7d');
             insert into deliveries values (1, 2, 0, 'permanent', 1, 9);
             insert into pending values (3, 1, 0, null, null, 0);
             insert into words values (1, 'accepted', 1);
             insert into routes values (1, 2, 0, 1, 0, 1, 0), (1, 3, 0, 0, 1, 0, 0);
             update meta set value = 1 where key in ('last_seq', 'events');",
        )
        .unwrap();
    drop(database);
    let store = Local::open(dir.path(), Duration::ZERO).unwrap();
    let backlog = || store.feed().unwrap().backlog().unwrap();
    assert_eq!(backlog(), [(build::name("a"), 0), (build::name("b"), 3)]);
    let parked = Question { state: Some(DeliveryState::Parked), ..Question::default() };
    let mut archive = store.archive().unwrap();
    assert_eq!(archive.find(&parked, None, 9).unwrap().events.len(), 1);
    assert_eq!(archive.replay(&[1], &Replay::default()).unwrap().armed, [1]);
    assert_eq!(backlog(), [(build::name("a"), 3), (build::name("b"), 3)]);
}

#[test]
fn a_file_that_is_no_database_is_an_error_and_stays_as_it_is() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("events.db");
    fs::write(&file, "precious words, much longer than a header of SQLite is. ".repeat(40)).unwrap();
    assert!(Local::open(dir.path(), Duration::ZERO).unwrap_err().is_io());
    assert!(fs::read_to_string(file).unwrap().starts_with("precious"));
}

#[test]
fn an_erased_body_is_in_no_file_any_more() {
    let folder = Folder::new();
    let marked = |uid, byte: u8, length| build::Draft { body: vec![byte; length], ..draft(uid) };
    // One that fits into a page, and one that does not.
    folder.append(&[marked(1, 0xa1, 3_000), draft(2), marked(3, 0xb2, 100_000)]);
    let mut archive = folder.archive();
    let traces = |byte: u8| {
        let entries = |dir| fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let files = entries(folder.dir.path().join("journal")).chain(entries(folder.dir.path().into()));
        let files = files.filter(|path| path.is_file()).map(|path| fs::read(path).unwrap());
        files.map(|bytes| bytes.windows(64).filter(|window| **window == [byte; 64]).count()).sum::<usize>()
    };
    assert!(traces(0xa1) > 0 && traces(0xb2) > 0);
    for uid in [1, 3] {
        assert_eq!(archive.erase(&[uid]).unwrap().events, 1);
    }
    assert_eq!((traces(0xa1), traces(0xb2)), (0, 0));
    folder.append(&[marked(4, 0xc3, 3_000), marked(5, 0xd4, 100_000)]);
    assert!(traces(0xc3) > 0 && traces(0xd4) > 0);
    assert_eq!(archive.erase(&[4, 5]).unwrap().events, 2);
    assert_eq!((traces(0xc3), traces(0xd4)), (0, 0));
}

#[test]
fn what_is_damaged_on_the_disk_is_told_and_can_be_erased() {
    let folder = Folder::new();
    folder.append(&[draft(1), build::Draft { body: vec![0xa1; 3_000], ..draft(2) }]);
    let mut archive = folder.archive();
    assert!(archive.show(&build::uid(2)).unwrap().is_some());
    let entries = fs::read_dir(folder.dir.path().join("journal")).unwrap();
    for path in entries.map(|entry| entry.unwrap().path()) {
        let mut bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(64).position(|window| *window == [0xa1; 64]) {
            bytes[at] = 0;
            fs::write(&path, bytes).unwrap();
        }
    }
    let Err(Error::Io(text)) = archive.show(&build::uid(2)) else { panic!("it is shown") };
    assert!(text.contains("damaged"), "{text}");
    let place = archive.place(&build::uid(2)).unwrap().unwrap();
    assert_eq!(archive.erase(&[place]).unwrap().events, 1);
    assert_eq!(folder.feed().next(&build::name("a"), 0, build::ALL).unwrap().deliveries.len(), 1);
}

#[test]
fn a_segment_of_the_journal_goes_when_few_events_need_it_and_these_are_kept() {
    let mut folder = Folder::new();
    let segments = |folder: &Folder| {
        let files = fs::read_dir(folder.dir.path().join("journal")).unwrap();
        let mut names =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
        names.sort();
        names
    };
    let kept = draft(1).put_aside(boathook_event::ParkReason::Shadow);
    folder.append(std::slice::from_ref(&kept));
    folder.append(&(2..=10).map(|uid| draft(uid).sinks(&[])).collect::<Vec<_>>());
    // Each start begins a new segment with its first commit.
    folder.reopen();
    folder.append(&[draft(11)]);
    assert_eq!(segments(&folder), ["000000000001", "000000000002"]);
    let hour = Duration::from_secs(3_600);
    let default = Retention { delivered: Duration::from_secs(60), parked: 2 * hour, rejected: hour };
    let retentions = Retentions { default, endpoints: HashMap::new() };
    assert_eq!(folder.archive().retain(&retentions, build::at(3_600)).unwrap(), 9);
    assert_eq!(segments(&folder), ["000000000002"]);
    folder.kill();
    for draft in [kept, draft(11)] {
        let shown = folder.archive().show(&build::uid(draft.uid)).unwrap().unwrap();
        let (shown, stored) = (shown.event, draft.event());
        assert_eq!((&shown.head, &shown.body), (&stored.head, &stored.body));
    }
}

#[test]
fn a_store_that_has_all_that_it_may_have_takes_no_events_until_some_are_gone() {
    let mut folder = Folder::new();
    let large = |uid| build::Draft { body: vec![b'x'; 600_000], ..draft(uid).sinks(&[]) };
    let commit = |folder: &Folder, draft: build::Draft| {
        let mut committer = folder.store().committer().within(2_500_000);
        committer.commit(&Batch { appends: vec![draft.append()], ..Batch::default() }).unwrap();
        committer.rest()
    };
    for uid in 1..=3 {
        assert_eq!(commit(&folder, large(uid)), None, "{uid}");
    }
    let refusal = commit(&folder, large(4)).unwrap();
    assert!(refusal.contains("--data-bytes-max is 2500000"), "{refusal}");
    // Each start begins a new segment with its first commit; the one before goes with its events.
    folder.reopen();
    assert!(commit(&folder, draft(5)).is_some());
    let kept = Duration::from_secs(60);
    let default = Retention { delivered: kept, parked: kept, rejected: kept };
    let retentions = Retentions { default, endpoints: HashMap::new() };
    assert_eq!(folder.archive().retain(&retentions, build::at(3_600)).unwrap(), 4);
    assert_eq!(commit(&folder, draft(6)), None);
}

/// One key for each number: digests differ from their first byte on.
pub(crate) fn digest(number: u64) -> DedupeKey {
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    hash[8..].copy_from_slice(&number.to_be_bytes());
    DedupeKey { hash, body: None }
}

fn keep_nothing() -> Retentions {
    let second = Duration::from_secs(1);
    let default = Retention { delivered: second, parked: second, rejected: second };
    Retentions { default, endpoints: HashMap::new() }
}

#[test]
fn keys_that_came_many_at_a_time_are_known_after_a_start_and_forgotten_after_their_window() {
    let mut folder = Folder::new();
    let events = |numbers: std::ops::Range<u64>| {
        let body =
            |number: u64| DedupeKey { body: number.is_multiple_of(3).then_some([7; 16]), ..digest(number) };
        numbers.map(|number| draft(number).sinks(&[]).dedupe(&[body(number)])).collect::<Vec<_>>()
    };
    // Twice many, and few.
    for numbers in [1..1_501, 1_501..3_001, 3_001..3_011] {
        folder.append(&events(numbers));
        folder.archive().statistics().unwrap();
    }
    for _ in 0..2 {
        let repeated = folder.append(&events(1..3_011));
        let of = (1..3_011).map(|of| Verdict::Duplicate { of, rearmed: false }).collect::<Vec<_>>();
        assert_eq!(repeated, of);
        folder.reopen();
    }
    let another = draft(4_000).sinks(&[]).dedupe(&[DedupeKey { body: Some([8; 16]), ..digest(3) }]);
    assert_eq!(folder.append(&[another]), [Verdict::IdConflict { seq: 3_011 }]);
    let later = build::START + build::WINDOW;
    folder.set_time(later);
    folder.archive().retain(&keep_nothing(), later).unwrap();
    assert!(matches!(folder.append(&events(1..2))[..], [Verdict::Stored { .. }]));
    folder.store = None;
    let database = rusqlite::Connection::open(folder.dir.path().join("events.db")).unwrap();
    let count = |table| database.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0));
    let left: (i64, i64) = (count("packed_keys").unwrap(), count("dedupe").unwrap());
    assert_eq!(left, (0, 0));
}

#[test]
fn the_oldest_keys_are_forgotten_early_where_there_is_no_room_and_that_is_told_for_as_long_as_it_matters() {
    let folder = Folder::new();
    let mut archive = folder.store().archive().unwrap().remembering(1);
    let retentions = Retentions {
        default: Retention { delivered: build::WINDOW, parked: build::WINDOW, rejected: build::WINDOW },
        endpoints: HashMap::new(),
    };
    let events = |first: u64| {
        let drafts = first..first + 16_400;
        drafts.map(|number| draft(number).sinks(&[]).dedupe(&[digest(number)])).collect::<Vec<_>>()
    };
    // Each is a generation.
    for (second, first) in [(0, 0), (10, 20_000), (20, 40_000)] {
        folder.set_time(build::at(second));
        folder.append(&events(first));
        archive.statistics().unwrap();
    }
    assert_eq!(archive.keys_since(build::at(20)).unwrap(), None);
    archive.retain(&retentions, build::at(20)).unwrap();
    assert_eq!(archive.keys_since(build::at(20)).unwrap(), Some(build::at(20)));
    let again = |first: u64| folder.append(&events(first)[..1]).remove(0);
    assert!(matches!(again(0), Verdict::Stored { .. }));
    assert!(matches!(again(20_000), Verdict::Stored { .. }));
    assert!(matches!(again(40_000), Verdict::Duplicate { .. }));
    // The windows of the last of those that were forgotten end then.
    let end = build::at(10) + build::WINDOW;
    assert!(archive.keys_since(end - Duration::from_micros(1)).unwrap().is_some());
    assert_eq!(archive.keys_since(end).unwrap(), None);
}

#[test]
fn events_of_one_endpoint_are_found_among_many_others_both_ways_until_they_are_gone() {
    let mut folder = Folder::new();
    let of = |uid: u64| if uid.is_multiple_of(300) { "rare" } else { "in" };
    let drafts = (1..=1_500).map(|uid| build::Draft { endpoint: of(uid), ..draft(uid).sinks(&[]) });
    folder.append(&drafts.collect::<Vec<_>>());
    let rare = Question { endpoint: Some(build::name("rare")), ..Question::default() };
    let found = |folder: &Folder, order, after| {
        let question = Question { order, ..rare.clone() };
        let found = folder.archive().find(&question, after, 3).unwrap();
        found.events.iter().map(|event| event.seq).collect::<Vec<_>>()
    };
    assert_eq!(found(&folder, Order::NewestFirst, None), [1_500, 1_200, 900]);
    assert_eq!(found(&folder, Order::NewestFirst, Some(900)), [600, 300]);
    assert_eq!(found(&folder, Order::OldestFirst, Some(300)), [600, 900, 1_200]);
    let listed = folder.archive().list(Some(&build::name("rare")), 600, 9).unwrap();
    assert_eq!(listed.iter().map(|event| event.seq).collect::<Vec<_>>(), [900, 1_200, 1_500]);
    assert_eq!(folder.archive().erase(&[1_200]).unwrap().events, 1);
    assert!(folder.archive().show(&build::uid(1_200)).unwrap().is_none());
    assert_eq!(folder.archive().show(&build::uid(1_201)).unwrap().unwrap().seq, 1_201);
    assert_eq!(folder.archive().retain(&keep_nothing(), build::at(3_600)).unwrap(), 1_499);
    folder.store = None;
    let database = rusqlite::Connection::open(folder.dir.path().join("events.db")).unwrap();
    for table in ["events", "spans", "endpoint_spans"] {
        let count = database.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0));
        assert_eq!(count, Ok(0), "{table}");
    }
}

#[test]
fn a_journal_without_a_part_that_was_acknowledged_is_refused() {
    let mut folder = Folder::new();
    folder.append(&[draft(1)]);
    folder.archive().statistics().unwrap();
    folder.store = None;
    fs::remove_file(folder.dir.path().join("journal/000000000001")).unwrap();
    let Err(Error::Open(text)) = Local::open(folder.dir.path(), Duration::ZERO) else {
        panic!("it was opened")
    };
    assert!(text.contains("segment 1") && text.contains("folder `journal`"), "{text}");
}

/// The database lets a few outcomes wait in the journal while others are replayed, and while what is due is read.
#[test]
fn what_waits_in_the_journal_is_neither_due_nor_lost_while_other_events_are_replayed() {
    let mut folder = Folder::new();
    let epoch = folder.claim();
    let record = |folder: &Folder, records: Vec<Record>| {
        let outcomes = records.into_iter().map(|record| (epoch, record)).collect();
        folder.committer().commit(&Batch { outcomes, ..Batch::default() }).unwrap();
    };
    let delivered = |number, second| build::delivered(number, "a", 1, build::at(second));
    let replay =
        |folder: &Folder, events: &[u64]| folder.archive().replay(events, &Replay::default()).unwrap().armed;
    let due = |folder: &Folder| {
        let (feed, sink) = (folder.feed(), build::name("a"));
        let due = feed.due(&sink, build::at(100), build::FIRST, build::ALL).unwrap().deliveries;
        let earliest = feed.earliest_due(&sink, build::at(-1)).unwrap();
        (due.into_iter().map(|delivery| delivery.seq).collect::<Vec<_>>(), earliest)
    };
    folder.append(&[draft(1), draft(2), draft(3), draft(4)]);
    record(&folder, (1..=3).map(|number| delivered(number, 0)).collect());
    assert_eq!(replay(&folder, &[1, 2]), [1, 2]);
    folder.append(&[draft(5)]);
    record(&folder, vec![delivered(1, 9)]);
    assert_eq!(due(&folder), (vec![2], Some(build::START)));
    // Event 1 stays behind in the journal, and then has ended once more before it is replayed.
    assert_eq!(replay(&folder, &[3]), [3]);
    assert_eq!(due(&folder).0, [2, 3]);
    assert_eq!(replay(&folder, &[1, 2, 5]), [1]);
    assert_eq!(due(&folder).0, [1, 2, 3]);
    record(
        &folder,
        vec![build::retry(2, "a", 1, build::at(1), build::at(50)), delivered(3, 2), delivered(1, 2)],
    );
    assert_eq!(due(&folder), (vec![2], Some(build::at(50))));
    record(&folder, vec![delivered(2, 50)]);
    assert_eq!(due(&folder), (vec![], None));
    for restart in [Folder::kill as fn(&mut Folder), Folder::reopen] {
        restart(&mut folder);
        let sink = folder.archive().statistics().unwrap().sinks.remove(0);
        assert_eq!((sink.delivered, sink.pending, sink.failed_attempts), (7, 2, 1));
        assert_eq!(due(&folder), (vec![], None));
    }
}
