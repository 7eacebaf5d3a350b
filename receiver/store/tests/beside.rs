//! Commits of the embedded store go on beside all else that is done to it, and each is as good as if nothing else had been.
use std::{collections::HashMap, thread, time::Duration};

use boathook_event::Retention;
use boathook_store::{
    Error,
    traits::{Replay, Retentions, Verdict},
};
use jiff::SignedDuration;

use crate::{
    local::{Folder, digest},
    suite::{
        Environment, Lasting,
        build::{self, draft},
    },
};

/// The next event, which must be stored, and one that was stored long before or just now: a repetition.
fn append_and_repeat(folder: &Folder, number: u64, of: u64) {
    let event = |number: u64| draft(number).dedupe(&[digest(number)]);
    assert_eq!(folder.append(&[event(number)]), [Verdict::Stored { seq: number }]);
    assert_eq!(
        folder.append(&[event(of)]),
        [Verdict::Duplicate { of, rearmed: false }],
        "{of} after {number}"
    );
}

#[test]
fn beside_reads_and_replays_what_repeats_is_known_and_all_are_counted() {
    let mut folder = Folder::new();
    thread::scope(|scope| {
        let appending = scope.spawn(|| {
            for number in 1..=1_500 {
                // Some of them the database has, some it is taking, some it has not seen.
                append_and_repeat(&folder, number, number - (number * 7) % number.min(40));
            }
        });
        let (mut archive, feed, mut seen) = (folder.archive(), folder.feed(), 0);
        while !appending.is_finished() {
            let events = archive.statistics().unwrap().events;
            assert!(seen <= events, "{events} events after {seen}");
            seen = events;
            let waiting = feed.next(&build::name("a"), 0, build::ALL).unwrap();
            assert!(waiting.more || waiting.deliveries.len() as u64 >= events);
            // Nothing of it has ended.
            let replayed = archive.replay(&[events.max(1)], &Replay::default()).unwrap();
            assert_eq!(replayed.deliveries, 0);
        }
    });
    for restart in [Folder::kill as fn(&mut Folder), Folder::reopen] {
        restart(&mut folder);
        let statistics = folder.archive().statistics().unwrap();
        assert_eq!((statistics.events, statistics.last_seq), (1_500, 1_500));
        assert_eq!((statistics.sinks[0].pending, statistics.sinks[0].delivered), (1_500, 0));
    }
}

/// The generation that keys are written to is forgotten in the moment in which new ones come.
#[test]
fn beside_the_forgetting_of_old_keys_new_ones_stay_known() {
    let folder = Folder::new();
    let mut archive = folder.archive();
    let kept = Duration::from_secs(60 * 60 * 24);
    let default = Retention { delivered: kept, parked: kept, rejected: kept };
    let retentions = Retentions { default, endpoints: HashMap::new() };
    let window = SignedDuration::try_from(build::WINDOW).unwrap();
    let mut now = build::START;
    for round in 0..400 {
        now += window;
        folder.set_time(now);
        let number = round * 2 + 1;
        thread::scope(|scope| {
            scope.spawn(|| archive.retain(&retentions, now).unwrap());
            append_and_repeat(&folder, number, number);
            append_and_repeat(&folder, number + 1, number);
        });
        folder.archive().statistics().unwrap();
        let again = folder.append(&[draft(0).dedupe(&[digest(number + 1)])]);
        assert_eq!(again, [Verdict::Duplicate { of: number + 1, rearmed: false }]);
    }
}

/// The database cannot take what the journal has, once for so long that who reads is told so.
#[test]
fn while_somebody_else_holds_the_database_commits_go_on_and_nothing_is_lost_or_twice() {
    let mut folder = Folder::new();
    let event = |number: u64| draft(number).dedupe(&[digest(number)]);
    folder.append(&[event(1)]);
    let other = rusqlite::Connection::open(folder.dir.path().join("events.db")).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let archive = folder.archive();
    let mut last = 1;
    thread::scope(|scope| {
        let reading = scope.spawn(move || archive.statistics());
        while !reading.is_finished() {
            last += 1;
            append_and_repeat(&folder, last, last.div_ceil(2));
            thread::sleep(Duration::from_millis(20));
        }
        assert!(matches!(reading.join().unwrap(), Err(Error::Full(_))));
    });
    assert!(last > 2);
    append_and_repeat(&folder, last + 1, 1);
    other.execute_batch("commit").unwrap();
    append_and_repeat(&folder, last + 2, last);
    for restart in [|_: &mut Folder| {}, Folder::kill, Folder::reopen] as [fn(&mut Folder); 3] {
        restart(&mut folder);
        let statistics = folder.archive().statistics().unwrap();
        assert_eq!((statistics.events, statistics.last_seq), (last + 2, last + 2));
        for repeated in 1..=last + 2 {
            let verdict = folder.append(&[event(repeated)]);
            assert_eq!(verdict, [Verdict::Duplicate { of: repeated, rearmed: false }]);
        }
    }
}
