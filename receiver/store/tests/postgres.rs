//! The store in PostgreSQL passes the suite on a real server, and keeps what several processes are promised.
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Barrier, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use boathook_event::{
    Count, DedupeKey, Making, Next, ParkReason, Partition, Partitions, Record, Retention, Seq, Word,
};
use boathook_store::{
    Error,
    postgres::{Options, Postgres},
    traits::{Archive, Batch, Committer, Epoch, Feed, Joined, Page, Replay, Retentions, Shares, Verdict},
};
use boathook_testbed::{Postgres as Server, shared_postgres};
use jiff::{SignedDuration, Timestamp};

use crate::suite::{
    Environment, LEASE, Lasting,
    build::{self, Draft, draft, key, name},
};

crate::conformance!(Database);

/// A store in a schema of its own: a database for each would be megabytes to be written. What its sessions call now() is
/// read from a table.
struct Database {
    schema: String,
    url: String,
    store: Postgres,
}

impl Environment for Database {
    fn new() -> Self {
        static SUITE: OnceLock<String> = OnceLock::new();
        static SCHEMAS: AtomicU32 = AtomicU32::new(0);
        let database = SUITE.get_or_init(database);
        let schema = format!("case{}", SCHEMAS.fetch_add(1, Relaxed));
        let made = format!(
            "create schema {schema}; set search_path = {schema}; create table time (at timestamptz);
             insert into time values ('{}');
             create function now() returns timestamptz language sql stable return (select at from time)",
            build::START
        );
        shared_postgres().sql(database, &made).unwrap();
        // Listed last, so that the schema's now() is found before PostgreSQL's.
        let url = format!("{database}?application_name={schema}&options=-csearch_path%3D{schema},pg_catalog");
        Self { store: open(&url, "test"), schema, url }
    }

    fn committer(&self) -> Box<dyn Committer + Send> {
        Box::new(self.store.committer().unwrap())
    }

    fn feed(&self) -> Box<dyn Feed + Send> {
        Box::new(self.store.feed().unwrap())
    }

    fn archive(&self) -> Box<dyn Archive + Send> {
        Box::new(self.store.archive().unwrap())
    }

    fn set_time(&self, time: Timestamp) {
        let set = format!("update {}.time set at = '{time}'", self.schema);
        shared_postgres().sql(&self.url, &set).unwrap();
    }
}

impl Lasting for Database {
    fn reopen(&mut self) {
        self.store = open(&self.url, "test");
    }

    /// All that lives in the process are connections.
    fn kill(&mut self) {
        let its = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{}'",
            self.schema
        );
        shared_postgres().sql(&self.url, &its).unwrap();
        self.reopen();
    }
}

/// A database of its own.
fn database() -> String {
    shared_postgres().database().unwrap()
}

fn open(url: &str, holder: &str) -> Postgres {
    Postgres::open(Options::new(url, None, holder).unwrap()).unwrap()
}

fn batch(drafts: &[Draft]) -> Batch {
    Batch { appends: drafts.iter().map(Draft::append).collect(), ..Batch::default() }
}

/// The answer to a commit was lost, and what it says was told again after the delivery was armed.
#[test]
fn what_is_told_again_ends_nothing_that_is_pending_anew_by_then() {
    let database = Database::new();
    let epoch = database.claim();
    let tell = |record: &Record| {
        let outcomes = vec![(epoch, record.clone())];
        database.committer().commit(&Batch { outcomes, ..Batch::default() }).unwrap();
        let totals = database.archive().statistics().unwrap().sinks.remove(0);
        [totals.pending, totals.parked, totals.delivered]
    };
    let due =
        || database.feed().due(&name("a"), Timestamp::MAX, build::FIRST, build::ALL).unwrap().deliveries;
    let replay = || drop(database.archive().replay(&[1], &Replay::default()).unwrap());
    database.append(&[draft(1)]);
    let parked = Record { making: Making::Fresh, ..build::parked(1, "a", 1, build::at(0)) };
    assert_eq!(tell(&parked), [0, 1, 0]);
    replay();
    assert_eq!(tell(&parked), [1, 0, 0]);
    let too_old = build::without_attempt(1, "a", Next::Parked(ParkReason::TooOld));
    assert_eq!(tell(&Record { making: Making::Fresh, ..too_old }), [1, 0, 0]);
    // What becomes of the new making counts, and its retry too.
    let retry = Record {
        making: Making::of(&due().remove(0)),
        ..build::retry(1, "a", 1, build::at(1), build::at(60) + SignedDuration::from_nanos(1))
    };
    let delivered = build::delivered(1, "a", 2, build::at(60));
    let delivered = Record { making: Making::Due(build::at(60)), ..delivered };
    assert_eq!(tell(&delivered), [1, 0, 0]);
    assert_eq!(tell(&retry), [1, 0, 0]);
    assert_eq!(due()[0].attempts, 1);
    assert_eq!(tell(&delivered), [0, 0, 1]);
    replay();
    assert_eq!(tell(&delivered), [1, 0, 1]);
    assert_eq!(due()[0].replay, 1);
    // What was attempted twice by one process, which did not know of the first time any more, has ended.
    database.append(&[draft(2)]);
    let fresh = |record| Record { making: Making::Fresh, ..record };
    assert_eq!(tell(&fresh(build::retry(2, "a", 1, build::at(0), build::at(5)))), [2, 0, 1]);
    assert_eq!(tell(&fresh(build::delivered(2, "a", 1, build::at(0)))), [1, 0, 2]);
}

#[test]
fn what_one_erases_the_others_are_told_for_an_hour() {
    let database = Database::new();
    database.append(&[draft(1), draft(2), draft(3), draft(4)]);
    let (mut archive, feed) = (database.archive(), open(&database.url, "other").feed().unwrap());
    assert_eq!(archive.erase(&[3, 1, 9]).unwrap().events, 2);
    let first = feed.news(0).unwrap();
    assert_eq!(first.erased.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([1, 3]));
    assert_eq!(archive.erase(&[2]).unwrap().events, 1);
    let second = feed.news(first.erased_up_to).unwrap();
    assert_eq!((&second.erased[..], second.erased_up_to > first.erased_up_to), (&[2][..], true));
    let third = feed.news(second.erased_up_to).unwrap();
    assert_eq!((third.erased.len(), third.erased_up_to), (0, second.erased_up_to));
    database.set_time(build::START + SignedDuration::from_secs(3_601));
    let day = Duration::from_secs(86_400);
    let default = Retention { delivered: day, parked: day, rejected: day };
    archive.retain(&Retentions { default, endpoints: HashMap::new() }, build::START).unwrap();
    assert_eq!(feed.news(0).unwrap().erased, Vec::<Seq>::new());
}

#[test]
fn a_database_of_schema_1_goes_on_with_the_bytes_counted_that_wait() {
    let url = database();
    let rows = "insert into store (schema, readable_by, last_seq, events) values (1, 1, 1, 1);
        insert into names (name) values ('test/in'), ('test/a');
        insert into events values (1, '00000000-0000-0000-0000-000000000001', 1, 1, 0, 'id', null, null, null, null,
            '\\x02000000', '\\x0104504f5354012f00', '\\x7b7d7d');
        insert into pending values (2, 1, 0, null, null, 0);
        insert into words values (1, 'accepted', 1);
        insert into routes values (1, 2, 0, 0, 1, 0, 0)";
    let schema = include_str!("../src/postgres/schema.sql");
    shared_postgres().sql(&url, &format!("{schema}; {rows}")).unwrap();
    let store = open(&url, "new");
    let feed = store.feed().unwrap();
    assert_eq!(feed.backlog().unwrap(), [(name("a"), 3)]);
    assert_eq!(feed.next(&name("a"), 0, build::ALL).unwrap().deliveries.len(), 1);
    // A program of schema 1 delivers it, and counts no bytes: none are left over when nothing waits any more.
    shared_postgres()
        .sql(
            &url,
            "delete from pending; insert into deliveries values (1, 2, 0, 'delivered', 1, 9);
             update routes set pending = 0, delivered = 1",
        )
        .unwrap();
    store.archive().unwrap().replay(&[1], &Replay::default()).unwrap();
    assert_eq!(store.archive().unwrap().erase(&[1]).unwrap().events, 1);
    assert_eq!(feed.backlog().unwrap(), [(name("a"), 0)]);
}

#[test]
fn of_two_processes_that_receive_the_same_events_at_once_each_event_is_stored_once() {
    const EVENTS: u8 = 200;
    let url = database();
    let barrier = Arc::new(Barrier::new(2));
    let process = |from: u64| {
        let (store, barrier) = (open(&url, &format!("pod-{from}")), Arc::clone(&barrier));
        thread::spawn(move || {
            let mut committer = store.committer().unwrap();
            let mut verdicts = Vec::new();
            for number in 0..EVENTS {
                barrier.wait();
                let event = draft(from + u64::from(number)).dedupe(&[key(number)]);
                verdicts.extend(committer.commit(&batch(&[event])).unwrap());
            }
            verdicts
        })
    };
    let verdicts = [process(1_000), process(2_000)].map(|process| process.join().unwrap());
    let mut stored = BTreeSet::new();
    for (one, other) in verdicts[0].iter().zip(&verdicts[1]) {
        let pair = [(one, other), (other, one)];
        let winner = pair.iter().find_map(|pair| match pair {
            (Verdict::Stored { seq }, Verdict::Duplicate { of, rearmed: false }) if seq == of => Some(*seq),
            _ => None,
        });
        assert!(stored.insert(winner.unwrap_or_else(|| panic!("{pair:?}"))));
    }
    assert!(stored.into_iter().eq(1..=Seq::from(EVENTS)));
    let statistics = open(&url, "reader").archive().unwrap().statistics().unwrap();
    assert_eq!((statistics.events, statistics.last_seq), (EVENTS.into(), EVENTS.into()));
}

/// Whoever has read up to a place finds nothing new before it, however many write.
#[test]
fn a_feed_that_is_read_while_several_write_skips_nothing() {
    const WRITERS: u64 = 3;
    const EACH: u64 = 120;
    let url = database();
    let writers = (0..WRITERS).map(|writer| {
        let store = open(&url, &format!("pod-{writer}"));
        thread::spawn(move || {
            let mut committer = store.committer().unwrap();
            for number in 0..EACH {
                let first = 10_000 * (writer + 1) + 10 * number;
                let events = (first..first + 1 + number % 4).map(draft).collect::<Vec<_>>();
                committer.commit(&batch(&events)).unwrap();
            }
        })
    });
    let writers = writers.collect::<Vec<_>>();
    let feed = open(&url, "reader").feed().unwrap();
    let (mut read, mut after) = (Vec::new(), 0);
    loop {
        let done = writers.iter().all(thread::JoinHandle::is_finished);
        let fed = feed.next(&name("a"), after, build::ALL).unwrap();
        read.extend(fed.deliveries.iter().map(|delivery| delivery.seq));
        after = fed.up_to;
        if done && !fed.more && fed.deliveries.is_empty() {
            break;
        }
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let last = feed.news(0).unwrap().last;
    assert!(last > WRITERS * EACH);
    assert!(read.into_iter().eq(1..=last));
}

/// How this feed's process stands.
fn shares(feed: &mut dyn Feed, lease: Duration) -> Shares {
    match feed.join(lease).unwrap() {
        Joined::Shared(shares) => shares,
        Joined::Sole(_) => panic!("it is shared"),
    }
}

fn some(numbers: impl IntoIterator<Item = u8>) -> Partitions {
    numbers.into_iter().filter_map(Partition::numbered).collect()
}

fn of(held: &BTreeMap<Partition, Epoch>) -> Partitions {
    held.keys().copied().collect()
}

#[test]
fn a_partition_is_held_by_one_process_that_lives_and_what_another_says_of_it_is_refused() {
    let url = database();
    let (one, other) = (open(&url, "one"), open(&url, "other"));
    let (mut of_one, mut of_other) = (one.feed().unwrap(), other.feed().unwrap());
    assert!(of_one.claim(Partitions::ALL).unwrap().is_empty(), "nobody knows that it lives");
    let alone = shares(&mut of_one, LEASE);
    assert_eq!((alone.living, alone.place, alone.free), (1, 0, Partitions::ALL));
    let first = of_one.claim(some(0..40)).unwrap();
    assert_eq!((of(&first), first.values().collect::<BTreeSet<_>>().len()), (some(0..40), 40));
    let second = shares(&mut of_other, LEASE);
    assert_eq!((second.living, second.place, second.free), (2, 1, some(40..64)));
    assert_eq!(of(&of_other.claim(Partitions::ALL).unwrap()), some(40..64));
    // Who gives back does so for the others.
    of_one.release(some(30..40)).unwrap();
    assert_eq!(of(&of_other.claim(Partitions::ALL).unwrap()), some(30..64));
    assert_eq!(of(&shares(&mut of_one, Duration::from_millis(200)).held), some(0..30));
    // The first one stands still; the other looks until it may take what that held.
    let deadline = Instant::now() + Duration::from_secs(60);
    while shares(&mut of_other, LEASE).free != some(0..30) {
        assert!(Instant::now() < deadline, "it is never free");
    }
    let taken = of_other.claim(some(0..20)).unwrap();
    assert!(taken.iter().all(|(partition, epoch)| first.get(partition).is_some_and(|before| before < epoch)));
    // It goes on where it was stopped, and finds what nobody has taken as it was.
    let back = shares(&mut of_one, LEASE);
    assert_eq!((of(&back.held), back.living), (some(20..30), 2));
    let mut committer = one.committer().unwrap();
    committer.commit(&batch(&[draft(1), draft(2)])).unwrap();
    let mut tell = |seq, epoch| {
        let outcomes = vec![(epoch, build::delivered(seq, "a", 1, build::at(0)))];
        committer.commit(&Batch { outcomes, ..Batch::default() }).unwrap();
        one.archive().unwrap().statistics().unwrap().sinks[0].pending
    };
    assert_eq!(tell(1, first[&Partition::numbered(0).unwrap()]), 2);
    assert_eq!(tell(1, first[&Partition::numbered(20).unwrap()]), 1);
    assert_eq!(tell(2, taken[&Partition::numbered(0).unwrap()]), 0);
    // Who leaves need not be waited for; whoever has its name takes over from it at once.
    of_other.leave().unwrap();
    assert_eq!(shares(&mut of_one, LEASE).free, some((0..20).chain(30..64)));
    let mut again = open(&url, "one").feed().unwrap();
    assert_eq!(shares(&mut again, LEASE).free, Partitions::ALL);
    assert_eq!(of(&again.claim(some([25])).unwrap()), some([25]));
    assert_eq!(of(&shares(&mut of_one, LEASE).held), Partitions::NONE);
}

#[test]
fn what_a_receiver_held_before_its_restart_is_free_for_the_others_too() {
    let url = database();
    let (one, other) = (open(&url, "one"), open(&url, "other"));
    let mut of_one = one.feed().unwrap();
    shares(&mut of_one, LEASE);
    of_one.claim(Partitions::ALL).unwrap();
    let mut of_other = other.feed().unwrap();
    assert_eq!(shares(&mut of_other, LEASE).free, Partitions::NONE);
    // Its share is a half by now.
    let mut again = open(&url, "one").feed().unwrap();
    assert_eq!(shares(&mut again, LEASE).free, Partitions::ALL);
    again.claim(some(0..32)).unwrap();
    assert_eq!(shares(&mut of_other, LEASE).free, some(32..64));
    assert_eq!(of(&of_other.claim(some(32..64)).unwrap()), some(32..64));
}

#[test]
fn a_feed_gives_the_deliveries_of_the_partitions_that_its_process_holds() {
    const EVENTS: u64 = 300;
    let url = database();
    let (one, other) = (open(&url, "one"), open(&url, "other"));
    let events = (1..=EVENTS).map(draft).collect::<Vec<_>>();
    one.committer().unwrap().commit(&batch(&events)).unwrap();
    let (mut of_one, mut of_other) = (one.feed().unwrap(), other.feed().unwrap());
    let all = |feed: &dyn Feed, due: bool| {
        let (mut given, mut after) = (BTreeSet::new(), 0);
        loop {
            let page = Page { deliveries_max: 16, ..build::ALL };
            let fed = match due {
                true => feed.due(&name("a"), build::at(100), build::FIRST, build::ALL).unwrap(),
                false => feed.next(&name("a"), after, page).unwrap(),
            };
            given.extend(fed.deliveries.iter().map(|delivery| delivery.seq));
            after = fed.up_to;
            if due || !fed.more {
                return given;
            }
        }
    };
    assert_eq!(all(&of_one, false).len() as u64, EVENTS);
    shares(&mut of_one, LEASE);
    assert!(all(&of_one, false).is_empty());
    let epochs = of_one.claim(some(0..32)).unwrap();
    shares(&mut of_other, LEASE);
    of_other.claim(Partitions::ALL).unwrap();
    let is_ones = |seq: &u64| some(0..32).contains(Partition::of(&name("a"), None, *seq));
    let of_each: [BTreeSet<u64>; 2] =
        [(1..=EVENTS).filter(is_ones).collect(), (1..=EVENTS).filter(|seq| !is_ones(seq)).collect()];
    assert_eq!([all(&of_one, false), all(&of_other, false)], of_each);
    // All fail once, the later ones first.
    let failed =
        |seq| build::retry(seq, "a", 1, build::at(0), build::at(i64::try_from(400 - seq).unwrap() - 350));
    let outcomes = (1..=EVENTS).map(|seq| (*epochs.values().next().unwrap(), failed(seq))).collect();
    one.committer().unwrap().commit(&Batch { outcomes, ..Batch::default() }).unwrap();
    assert_eq!([all(&of_one, true), all(&of_other, true)], of_each);
    let first = of_one
        .due(&name("a"), build::at(100), build::FIRST, Page { deliveries_max: 5, ..build::ALL })
        .unwrap();
    let latest: Vec<u64> = of_each[0].iter().rev().take(5).copied().collect();
    assert_eq!(
        (first.deliveries.iter().map(|delivery| delivery.seq).collect::<Vec<_>>(), first.more),
        (latest, true)
    );
    let due = of_one.earliest_due(&name("a"), build::at(40)).unwrap();
    let expected =
        of_each[0].iter().map(|seq| 50 - i64::try_from(*seq).unwrap()).filter(|due| *due > 40).min();
    assert_eq!(due, expected.map(build::at));
}

#[test]
fn what_is_due_at_the_same_time_is_read_whole_where_most_of_it_is_in_one_partition() {
    const EVENTS: u64 = 256;
    let store = open(&database(), "one");
    let of_key = |seq| seq % 2 == 1 && seq < 200;
    let events = (1..=EVENTS).map(|seq| if of_key(seq) { draft(seq).key("k") } else { draft(seq) });
    store.committer().unwrap().commit(&batch(&events.collect::<Vec<_>>())).unwrap();
    let mut feed = store.feed().unwrap();
    shares(&mut feed, LEASE);
    let epochs = feed.claim(Partitions::ALL).unwrap();
    let failed = |seq| build::retry(seq, "a", 1, build::at(0), build::at(10));
    let outcomes = (1..=EVENTS).map(|seq| (*epochs.values().next().unwrap(), failed(seq))).collect();
    store.committer().unwrap().commit(&Batch { outcomes, ..Batch::default() }).unwrap();
    let (mut given, mut behind) = (BTreeSet::new(), build::FIRST);
    loop {
        let page = Page { deliveries_max: 40, ..build::ALL };
        let fed = feed.due(&name("a"), build::at(100), behind, page).unwrap();
        given.extend(fed.deliveries.iter().map(|delivery| delivery.seq));
        if !fed.more {
            break;
        }
        behind = fed.deliveries.last().unwrap().due_place();
    }
    assert_eq!(given, (1..=EVENTS).collect());
}

/// A server that does not know yet how large its tables are, as in the first minute, would read all of them for each commit.
#[test]
fn a_commit_looks_its_keys_up_by_their_index_from_the_first_minute_on() {
    const COMMITS: u64 = 40;
    let url = database();
    let mut committer = open(&url, "test").committer().unwrap();
    for commit in 0..COMMITS {
        let event = |number: u64| {
            let mut hash = [0; 16];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            draft(number).dedupe(&[DedupeKey { hash, body: None }])
        };
        committer.commit(&batch(&(8 * commit..8 * (commit + 1)).map(event).collect::<Vec<_>>())).unwrap();
    }
    // A session tells what it has read when it ends, at the latest.
    drop(committer);
    let sql = |statement: &str| shared_postgres().sql(&url, statement).unwrap();
    let written = "select coalesce(sum(n_tup_ins), 0) from pg_stat_user_tables where relname like 'dedupe%'";
    let deadline = Instant::now() + Duration::from_secs(60);
    while sql(written) != (8 * COMMITS).to_string() {
        assert!(Instant::now() < deadline, "the server does not tell what was written");
    }
    let read = "select (select sum(seq_tup_read) from pg_stat_user_tables where relname like 'dedupe%')
        + (select sum(idx_tup_read) from pg_stat_user_indexes where indexrelname like 'dedupe%expires%')";
    assert_eq!(sql(read), "0");
}

#[test]
fn texts_with_every_character_come_back() {
    let url = database();
    let store = open(&url, "test");
    store.committer().unwrap().commit(&batch(&[draft(1).key("a\0\u{1}b")])).unwrap();
    let shown = store.archive().unwrap().show(&build::uid(1)).unwrap().unwrap();
    assert_eq!(shown.event.key.as_deref(), Some("a\0\u{1}b"));
    let fed = store.feed().unwrap().by_key(&name("a"), "a\0\u{1}b", 0, build::ALL).unwrap();
    assert_eq!(fed.deliveries.len(), 1);
}

#[test]
fn several_processes_that_open_an_empty_database_at_once_make_its_tables_once() {
    let url = database();
    let opening = (0..4).map(|number| {
        let url = url.clone();
        thread::spawn(move || drop(open(&url, &format!("pod-{number}"))))
    });
    opening.collect::<Vec<_>>().into_iter().for_each(|opening| opening.join().unwrap());
    assert_eq!(shared_postgres().sql(&url, "select count(*) from store").unwrap(), "1");
}

#[test]
fn a_newer_schema_is_worked_with_as_long_as_it_says_so() {
    let url = database();
    drop(open(&url, "test"));
    let set = |values: &str| shared_postgres().sql(&url, &format!("update store set {values}")).unwrap();
    set("schema = 99, readable_by = 1");
    let store = open(&url, "test");
    store.committer().unwrap().commit(&batch(&[draft(1)])).unwrap();
    set("readable_by = 98");
    let Err(Error::Open(text)) = Postgres::open(Options::new(&url, None, "test").unwrap()) else {
        panic!("it was opened")
    };
    assert!(text.contains("schema 99") && text.contains("a newer one"), "{text}");
}

#[test]
fn settings_that_put_durability_at_risk_are_told() {
    let store = open(&database(), "test");
    assert!(store.warnings().is_empty(), "{:?}", store.warnings());
}

/// Between us and the server. What is sent to it goes on; told so, it cuts the connection when a commit has gone by, and
/// keeps the answer.
struct Wire {
    port: u16,
    cut: Arc<AtomicBool>,
}

impl Wire {
    fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, cut) = (listener.local_addr().unwrap().port(), Arc::<AtomicBool>::default());
        let cutting = Arc::clone(&cut);
        thread::spawn(move || {
            for ours in listener.incoming().map_while(Result::ok) {
                let theirs = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let back = (theirs.try_clone().unwrap(), ours.try_clone().unwrap());
                thread::spawn(move || io::copy(&mut &back.0, &mut &back.1));
                let cut = Arc::clone(&cutting);
                thread::spawn(move || forward(&ours, &theirs, &cut));
            }
        });
        Self { port, cut }
    }
}

fn forward(mut ours: &TcpStream, mut theirs: &TcpStream, cut: &AtomicBool) {
    let mut bytes = [0; 64 << 10];
    while let Ok(count @ 1..) = ours.read(&mut bytes) {
        let commits = bytes[..count].windows(8).any(|window| window == b"; commit");
        if commits && cut.swap(false, Relaxed) {
            ours.shutdown(Shutdown::Both).unwrap();
        }
        if theirs.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
    // The server has to read what it was sent: it would not, if we closed before it has answered.
    drop(theirs.shutdown(Shutdown::Write));
    drop(io::copy(&mut theirs, &mut io::sink()));
}

#[test]
fn a_lost_answer_to_a_commit_is_in_doubt_and_everything_is_stored_and_counted_once_all_the_same() {
    let url = database();
    let wire = Wire::to(shared_postgres().port());
    let store = open(&shared_postgres().by_tcp(&url, wire.port), "test");
    let mut committer = store.committer().unwrap();
    let event = |number| draft(number).dedupe(&[key(u8::try_from(number).unwrap())]);
    let refused = |by| vec![Count { endpoint: name("in"), word: Word::Rejected, by }];
    committer.commit(&batch(&[event(1)])).unwrap();
    wire.cut.store(true, Relaxed);
    let lost = committer.commit(&Batch { counters: refused(1), ..batch(&[event(2)]) });
    assert!(matches!(lost, Err(Error::InDoubt(_))), "{lost:?}");
    // Its sender tries again: it was stored.
    let again = committer.commit(&Batch { counters: refused(10), ..batch(&[event(2), event(3)]) }).unwrap();
    assert_eq!(again, [Verdict::Duplicate { of: 2, rearmed: false }, Verdict::Stored { seq: 3 }]);
    // A server that ends while it is told to commit has stored nothing.
    let server = |statements: &str| shared_postgres().sql(&url, statements).unwrap();
    server(
        "create function die() returns trigger language plpgsql as
         $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
         create constraint trigger die after insert on events deferrable initially deferred
         for each row execute function die()",
    );
    let lost = committer.commit(&Batch { counters: refused(100), ..batch(&[event(4)]) });
    assert!(matches!(lost, Err(Error::InDoubt(_))), "{lost:?}");
    server("drop trigger die on events");
    assert_eq!(committer.commit(&batch(&[event(4)])).unwrap(), [Verdict::Stored { seq: 4 }]);
    let statistics = store.archive().unwrap().statistics().unwrap();
    assert_eq!(statistics.endpoints[0].of(Word::Rejected), 111);
    assert_eq!((statistics.events, statistics.last_seq), (4, 4));
}

#[test]
fn a_server_that_crashes_under_load_loses_nothing_that_was_acknowledged() {
    let server = Server::start().unwrap();
    let store = open(&server.database().unwrap(), "test");
    let mut committer = store.committer().unwrap();
    let event = |number: u64| {
        let mut hash = [0; 16];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        draft(number).dedupe(&[DedupeKey { hash, body: None }])
    };
    let (mut acknowledged, mut number) = (0..0_u64, 1);
    for crash_after in [3, 40, 25] {
        thread::scope(|scope| {
            let (many, enough) = mpsc::channel();
            let server = &server;
            let crashing = scope.spawn(move || {
                enough.recv().unwrap();
                server.crash().unwrap();
            });
            for done in 0.. {
                if done == crash_after {
                    many.send(()).unwrap();
                }
                match committer.commit(&batch(&[event(number)])) {
                    Ok(_) => acknowledged.end = number,
                    Err(error) => {
                        assert!(matches!(error, Error::Away(_) | Error::InDoubt(_)), "{error:?}");
                        break;
                    }
                }
                number += 1;
            }
            crashing.join().unwrap();
        });
        assert!(matches!(committer.commit(&batch(&[event(number)])), Err(Error::Away(_))));
        server.start_again().unwrap();
        // The sender repeats what was not acknowledged.
    }
    committer.commit(&batch(&[event(number)])).unwrap();
    let archive = store.archive().unwrap();
    let mut listed = Vec::new();
    loop {
        let page = archive.list(None, listed.len() as u64, 1_000).unwrap();
        if page.is_empty() {
            break;
        }
        listed.extend(page.into_iter().map(|archived| (archived.seq, archived.event.uid)));
    }
    // Each number once, in order: those acknowledged, and the last one.
    assert!(acknowledged.end >= 68);
    assert!(listed.into_iter().eq((1..=number).map(|number| (number, build::uid(number)))));
}

#[test]
fn a_server_that_is_away_is_told_without_the_password() {
    let url = "postgres://user:geheim@127.0.0.1:1/nothing";
    let Err(Error::Away(text)) = Postgres::open(Options::new(url, None, "test").unwrap()) else {
        panic!("there is no server")
    };
    assert!(text.contains("127.0.0.1:1/nothing") && !text.contains("geheim"), "{text}");
}

#[test]
fn the_password_may_stand_in_a_file() {
    let url = shared_postgres().by_tcp(&database(), shared_postgres().port());
    let (user, place) = url.split_once('@').unwrap();
    let (user, password) = user.rsplit_once(':').unwrap();
    let url = format!("{user}@{place}");
    let file = tempfile::NamedTempFile::new().unwrap();
    let open = || Postgres::open(Options::new(&url, Some(file.path()), "test").unwrap());
    assert!(matches!(open(), Err(Error::Away(_))));
    std::fs::write(file.path(), format!("{password}\n")).unwrap();
    open().unwrap();
}
