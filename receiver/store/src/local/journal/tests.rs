//! The journal on a simulated disk, which forgets what was not synced.
use std::{
    borrow::Cow,
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use boathook_event::{
    Attempt, Count, DedupeKey, Delivered, Destination, Event, EventParts, Failure, FailureKind, Head, Making,
    Next, ObjectName, ParkReason, Record, Rejected, Uid, Word,
};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use proptest::prelude::*;

use super::{
    disk::{Disk, SegmentFile},
    *,
};
use crate::traits::Append;

const SECTOR: usize = 512;

/// A disk behind a page cache. What was written is read at once, and is on the disk after a sync.
#[derive(Default)]
struct Simulated {
    files: Mutex<BTreeMap<u64, Arc<SimulatedFile>>>,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Default)]
struct Faults {
    /// The next sync fails, and the cache takes what it has for clean.
    sync_fails: bool,
    /// No further write succeeds.
    full: bool,
    /// Nothing can be removed.
    stuck: bool,
}

struct SimulatedFile {
    state: Mutex<FileState>,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Default)]
struct FileState {
    cache: Vec<u8>,
    disk: Vec<u8>,
    /// Sectors that the cache would still write.
    dirty: Vec<usize>,
}

impl Simulated {
    fn files(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<SimulatedFile>>> {
        self.files.lock().unwrap()
    }

    /// Power is lost: of what was not synced some sectors are on the disk, as `survives` says, and the others are not.
    fn crash(&self, mut survives: impl FnMut() -> bool) {
        for file in self.files().values() {
            let mut state = file.state.lock().unwrap();
            let FileState { cache, disk, dirty } = &mut *state;
            for sector in dirty.drain(..) {
                if survives() {
                    write_sector(cache, disk, sector);
                }
            }
            cache.clone_from(disk);
        }
    }
}

fn write_sector(cache: &[u8], disk: &mut Vec<u8>, sector: usize) {
    let end = ((sector + 1) * SECTOR).min(cache.len());
    disk.resize(disk.len().max(end), 0);
    disk[sector * SECTOR..end].copy_from_slice(&cache[sector * SECTOR..end]);
}

impl Disk for Simulated {
    fn segments(&self) -> io::Result<Vec<u64>> {
        Ok(self.files().keys().copied().collect())
    }

    fn create(&self, number: u64) -> io::Result<Arc<dyn SegmentFile>> {
        let file = SimulatedFile { state: Mutex::default(), faults: Arc::clone(&self.faults) };
        self.files().insert(number, Arc::new(file));
        self.open(number)
    }

    fn open(&self, number: u64) -> io::Result<Arc<dyn SegmentFile>> {
        Ok(Arc::clone(self.files().get(&number).ok_or(io::ErrorKind::NotFound)?) as _)
    }

    fn remove(&self, number: u64) -> io::Result<()> {
        if self.faults.lock().unwrap().stuck {
            return Err(io::Error::other("input/output error"));
        }
        self.files().remove(&number).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn bytes(&self) -> io::Result<u64> {
        self.files().values().map(|file| file.bytes()).sum()
    }
}

impl SegmentFile for SimulatedFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.state.lock().unwrap().cache.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.state.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let bytes = state.cache.get(offset..offset + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.faults.lock().unwrap().full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut state = self.state.lock().unwrap();
        let (start, end) = (usize::try_from(offset).unwrap(), usize::try_from(offset).unwrap() + bytes.len());
        let length = state.cache.len().max(end);
        state.cache.resize(length, 0);
        state.cache[start..end].copy_from_slice(bytes);
        state.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let FileState { cache, disk, dirty } = &mut *state;
        let dirty = std::mem::take(dirty);
        if std::mem::take(&mut self.faults.lock().unwrap().sync_fails) {
            return Err(io::Error::other("input/output error"));
        }
        dirty.into_iter().for_each(|sector| write_sector(cache, disk, sector));
        Ok(())
    }
}

fn name(name: &str) -> ObjectName {
    ObjectName::new("test", name)
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap()
}

fn append(seq: u64, bytes: usize) -> Append {
    let mut headers = HeaderMap::new();
    headers.append("x-opaque", HeaderValue::from_bytes(b"caf\xe9").unwrap());
    let head = Head { method: Method::POST, path: "/in".into(), query: Some("a=1".into()), headers };
    let event = Event::restore(EventParts {
        uid: Uid::from_bytes([7; 16]),
        endpoint: name("in"),
        received_at: at(1_800_000_000_000_001),
        id: Some("id".into()),
        event_type: None,
        key: Some("key".into()),
        tenant: None,
        entity: Some("".into()),
        index: 3,
        head: Arc::new(head),
        body: vec![seq.to_le_bytes()[0]; bytes].into(),
    });
    Append {
        event: Arc::new(event),
        dedupe: vec![
            DedupeKey { hash: [1; 16], body: None },
            DedupeKey { hash: [2; 16], body: Some([3; 16]) },
        ],
        dedupe_window: Duration::from_secs(60),
        parked: (seq.is_multiple_of(2)).then_some(ParkReason::Shadow),
        destinations: vec![
            Destination { sink: name("a"), ordered: true, blocks: true },
            Destination { sink: name("b"), ordered: false, blocks: false },
        ],
    }
}

/// A frame with an event of this place and so many bytes.
fn frame(seq: u64, bytes: usize) -> Frame {
    let stored =
        Stored { seq, conflict: seq.is_multiple_of(3), append: append(seq, bytes), kept: Kept::default() };
    let appends = vec![Decided::Stored(stored)];
    Frame { at: at(5), appends, outcomes: Vec::new(), counters: Vec::new(), rejected: Vec::new() }
}

fn record(result: Result<Delivered, Failure>, next: Next) -> Record {
    let attempt = Some(Attempt { number: 2, started_at: at(7), duration_millis: 8, result });
    Record { seq: 9, sink: name("a"), endpoint: name("in"), making: Making::Any, attempt, next }
}

fn failure(kind: FailureKind, retry_after: Option<Duration>) -> Failure {
    Failure { kind, permanent: true, status: Some(410), retry_after, message: Cow::Borrowed("gone") }
}

#[test]
fn a_frame_comes_back_as_it_was() {
    let mut written = frame(4, 100);
    written.appends.push(Decided::Duplicate { endpoint: name("in"), of: 3, rearm: true });
    written.appends.push(Decided::Duplicate { endpoint: name("in"), of: 2, rearm: false });
    let delivered = Delivered { already_there: true, status: None };
    written.outcomes = vec![
        record(Ok(delivered.clone()), Next::Delivered { already_there: true }),
        record(Ok(Delivered { already_there: false, ..delivered }), Next::Delivered { already_there: false }),
        record(Err(failure(FailureKind::Timeout, None)), Next::Retry { due: at(99) }),
        record(
            Err(failure(FailureKind::Refused, Some(Duration::from_millis(1_500)))),
            Next::Parked(ParkReason::Permanent),
        ),
        Record {
            attempt: None,
            ..record(Ok(Delivered { already_there: false, status: None }), Next::Skipped)
        },
    ];
    written.counters = Word::ALL.map(|word| Count { endpoint: name("in"), word, by: 5 }).into();
    written.rejected = vec![Rejected {
        endpoint: name("in"),
        received_at: at(3),
        code: "invalid_signature".into(),
        status: 401,
        source: "2001:db8::1".parse().unwrap(),
        diagnosis: "no".into(),
    }];
    let mut bytes = vec![0; 5];
    written.encode(3, 1_000, &mut bytes);
    let read = Frame::decode(3, 1_000, &Bytes::from(bytes.clone()).slice(5..)).unwrap();
    assert_eq!(format!("{read:?}"), format!("{written:?}"));
    for cut in 5..bytes.len() {
        assert!(Frame::decode(3, 1_000, &Bytes::from(bytes.clone()).slice(5..cut)).is_none(), "{cut}");
    }
}

/// Opens the journal and reads it: the places of the events in it.
fn open(disk: &Arc<Simulated>, from: Position) -> (Journal, Vec<u64>) {
    let segments = Segments::on(Arc::clone(disk) as _);
    let mut journal = Journal::at(&segments, from).unwrap();
    (journal.segment_bytes, journal.ahead_bytes) = (8_192, 1_500);
    let mut read = Vec::new();
    while let Some(frame) = journal.read_next().unwrap() {
        check(&segments, &frame);
        read.extend(frame.last_seq());
    }
    (journal, read)
}

/// The event's bytes are where the frame says.
fn check(segments: &Segments, frame: &Frame) {
    for decided in &frame.appends {
        let Decided::Stored(Stored { append, kept, .. }) = decided else { continue };
        assert_eq!(segments.read(kept).unwrap().1, append.event.body);
    }
}

proptest! {
    /// Whatever is lost with the power: what is read is the beginning of what was written, and all that was synced.
    #[test]
    fn everything_synced_is_read_again_and_nothing_out_of_order(
        runs in prop::collection::vec(
            (prop::collection::vec((1_usize..6_000, any::<bool>()), 0..12), any::<u64>(), 0_usize..12),
            1..6,
        )
    ) {
        let disk = Arc::new(Simulated::default());
        let mut expected = Vec::new();
        let mut applied = Position::default();
        let mut forgotten = 0;
        for (frames, seed, applies) in runs {
            let (mut journal, read) = open(&disk, applied);
            prop_assert_eq!(&read[..], &expected[forgotten..]);
            let mut synced = expected.len();
            let mut ends = Vec::new();
            for (bytes, sync) in frames {
                let seq = expected.len() as u64 + 1;
                journal.write(&mut frame(seq, bytes), sync).unwrap();
                expected.push(seq);
                ends.push(journal.end());
                if sync {
                    synced = expected.len();
                }
            }
            // The database has taken some of what is synced.
            let new = ends.len();
            let durable = new - (expected.len() - synced);
            if let Some(index) = applies.min(durable).checked_sub(1) {
                applied = ends[index];
                forgotten = expected.len() - new + index + 1;
            }
            let mut random = seed;
            disk.crash(|| {
                random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                random >> 63 == 1
            });
            let (_, read) = open(&disk, applied);
            let all = expected.len();
            let kept = forgotten + read.len();
            prop_assert!((synced..=all).contains(&kept), "{} of {}, {} synced", kept, all, synced);
            expected.truncate(kept);
            prop_assert_eq!(&read[..], &expected[forgotten..]);
        }
    }
}

/// With one frame that is synced, and a second one whose sync has failed.
fn in_doubt() -> Arc<Simulated> {
    let disk = Arc::new(Simulated::default());
    let (mut journal, _) = open(&disk, Position::default());
    journal.write(&mut frame(1, 10), true).unwrap();
    disk.faults.lock().unwrap().sync_fails = true;
    assert!(journal.write(&mut frame(2, 5_000), true).unwrap_err().is_io());
    disk
}

#[test]
fn what_a_failed_sync_left_in_the_cache_is_written_anew_before_it_counts() {
    let disk = in_doubt();
    // The process ends, and a new one reads what the cache has.
    assert_eq!(open(&disk, Position::default()).1, [1, 2]);
    disk.crash(|| false);
    assert_eq!(open(&disk, Position::default()).1, [1, 2]);
}

#[test]
fn what_is_taken_while_more_is_read_is_on_the_disk_before() {
    let disk = in_doubt();
    let segments = Segments::on(Arc::clone(&disk) as _);
    let mut journal = Journal::at(&segments, Position::default()).unwrap();
    let read = [journal.read_next().unwrap().unwrap(), journal.read_next().unwrap().unwrap()];
    journal.sync_read().unwrap();
    // The database has both now.
    disk.crash(|| false);
    assert!(open(&disk, journal.end()).1.is_empty());
    read.iter().for_each(|frame| check(&segments, frame));
}

#[test]
fn a_first_segment_that_can_neither_be_begun_nor_removed_hides_nothing() {
    let disk = Arc::new(Simulated::default());
    let (mut journal, _) = open(&disk, Position::default());
    for (full, result) in [(true, false), (true, false), (false, true)] {
        *disk.faults.lock().unwrap() = Faults { full, stuck: full, sync_fails: false };
        assert_eq!(journal.write(&mut frame(1, 10), true).is_ok(), result);
    }
    journal.write(&mut frame(2, 9_000), true).unwrap();
    disk.crash(|| false);
    assert_eq!(disk.segments().unwrap(), [1, 2, 3, 4]);
    assert_eq!(open(&disk, Position::default()).1, [1, 2]);
}

#[test]
fn a_full_disk_takes_nothing_and_the_journal_goes_on_when_there_is_room_again() {
    let disk = Arc::new(Simulated::default());
    let (mut journal, _) = open(&disk, Position::default());
    journal.write(&mut frame(1, 10), true).unwrap();
    for bytes in [10, 100_000] {
        disk.faults.lock().unwrap().full = true;
        assert!(matches!(journal.write(&mut frame(2, bytes), true), Err(Error::Full(_))));
        disk.faults.lock().unwrap().full = false;
    }
    journal.write(&mut frame(2, 10), true).unwrap();
    disk.crash(|| false);
    assert_eq!(open(&disk, Position::default()).1, [1, 2]);
}

#[test]
fn damage_before_acknowledged_events_is_told_and_not_skipped() {
    let disk = Arc::new(Simulated::default());
    let (mut journal, _) = open(&disk, Position::default());
    (1..=4).for_each(|seq| journal.write(&mut frame(seq, 5_000), true).unwrap());
    disk.open(1).unwrap().write_at(&[0xff], 3_000).unwrap();
    let segments = Segments::on(Arc::clone(&disk) as _);
    let mut journal = Journal::at(&segments, Position::default()).unwrap();
    let Err(Error::Open(text)) = journal.read_next() else { panic!("it was read") };
    assert!(text.contains("byte 64 of segment 1") && text.contains("acknowledged"), "{text}");
}

#[test]
fn damaged_and_erased_bytes_are_not_given_out() {
    let disk = Arc::new(Simulated::default());
    let (mut journal, _) = open(&disk, Position::default());
    let mut written = frame(1, 100);
    journal.write(&mut written, true).unwrap();
    let segments = Segments::on(Arc::clone(&disk) as _);
    let [Decided::Stored(Stored { kept, .. })] = &written.appends[..] else { panic!("one event") };
    assert!(segments.read(kept).is_ok());
    let place = Position { segment: kept.segment, offset: kept.offset };
    segments.overwrite(&[(place, kept.bytes()), (Position { segment: 99, ..place }, 1)]).unwrap();
    assert!(segments.read(kept).unwrap_err().is_io());
    let mut whole = vec![0; usize::try_from(disk.open(1).unwrap().bytes().unwrap()).unwrap()];
    disk.open(1).unwrap().read_at(&mut whole, 0).unwrap();
    for trace in [&[1; 30][..], b"id", b"key", b"x-opaque"] {
        assert!(!whole.windows(trace.len()).any(|bytes| bytes == trace), "{trace:?}");
    }
}
