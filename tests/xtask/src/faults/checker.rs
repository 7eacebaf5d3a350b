//! What a fault did: from the journals of the sender and of the sink, and the receiver's own totals.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// One delivery of a provider: its key, and its place among those of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id {
    pub(super) key: u32,
    pub(super) place: u32,
}

/// What the sender saw.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent {
    /// Those that were acknowledged, once each.
    pub(super) acknowledged: BTreeSet<Id>,
    /// Requests that were answered, by status.
    pub(super) answers: BTreeMap<u16, u64>,
    /// Requests without an answer: nobody can say what became of them.
    pub(super) in_doubt: u64,
}

/// What the sink took: in its order, each with our id of the event.
pub(super) type Taken = Vec<(Id, String)>;

/// What the receiver says at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) accepted: u64,
    pub(super) duplicate: u64,
    pub(super) delivered: u64,
    pub(super) pending: u64,
    pub(super) parked: u64,
    pub(super) skipped: u64,
    pub(super) erased: u64,
    /// Events in the store.
    pub(super) events: u64,
}

/// What became of everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) requests: u64,
    pub(super) acknowledged: u64,
    pub(super) totals: Totals,
    /// Deliveries that the sink got more than once.
    pub(super) again: u64,
    /// What must not be, a sentence each.
    pub(super) broken: Vec<String>,
}

impl Totals {
    /// Of the only endpoint in a receiver's `/report`.
    pub(super) fn read(report: &str) -> Option<Self> {
        let report: Value = serde_json::from_str(report).ok()?;
        let endpoint = report.get("endpoints")?.get(0)?.get("events")?;
        let number = |word: &str| endpoint.get(word)?.as_u64();
        Some(Self {
            accepted: number("accepted")?,
            duplicate: number("duplicate")?,
            delivered: number("delivered")?,
            pending: number("pending")?,
            parked: number("parked")?,
            skipped: number("skipped")?,
            erased: number("erased")?,
            events: report.get("events")?.as_u64()?,
        })
    }
}

/// Holds the journals against each other, once everything that was acknowledged had time to arrive.
pub(super) fn check(sent: &Sent, taken: &Taken, totals: Totals) -> Verdict {
    let mut broken = Vec::new();
    let mut tell = |count: usize, what: &str| {
        if count > 0 {
            broken.push(format!("{count} {what}"));
        }
    };
    let mut ours: BTreeMap<Id, BTreeSet<&str>> = BTreeMap::new();
    for (id, uid) in taken {
        ours.entry(*id).or_default().insert(uid);
    }
    tell(sent.acknowledged.iter().filter(|id| !ours.contains_key(id)).count(), "acknowledged and lost");
    tell(ours.values().filter(|uids| uids.len() > 1).count(), "stored twice");
    tell(out_of_order(taken), "out of the order of their key");
    let acknowledged = sent.acknowledged.len() as u64;
    let Totals { accepted, duplicate, delivered, pending, parked, skipped, erased, events } = totals;
    let answered: u64 = sent.answers.values().sum();
    let taken_by_answer: u64 = sent.answers.range(200..300).map(|(_, number)| number).sum();
    // What was not answered, or with a failure of ours, may have been stored all the same: there may be more, but no less.
    let in_doubt = sent.in_doubt + sent.answers.range(500..).map(|(_, number)| number).sum::<u64>();
    let words = accepted + duplicate;
    if words < taken_by_answer || words > taken_by_answer + in_doubt {
        broken.push(format!(
            "accepted {accepted} + duplicate {duplicate} is not what was acknowledged ({taken_by_answer}, {in_doubt} in doubt)"
        ));
    }
    if accepted != events || accepted < acknowledged {
        broken.push(format!("{accepted} accepted, {events} stored, {acknowledged} acknowledged"));
    }
    if delivered + skipped + parked + pending + erased != accepted {
        broken.push(format!(
            "{delivered} delivered + {skipped} skipped + {parked} parked + {pending} pending + {erased} erased is not {accepted}"
        ));
    }
    if ours.len() as u64 != delivered {
        broken.push(format!("{delivered} are said to be delivered, and the sink has {}", ours.len()));
    }
    Verdict {
        requests: answered + sent.in_doubt,
        acknowledged,
        totals,
        again: (taken.len() - ours.len()) as u64,
        broken,
    }
}

/// Of each key, the first times that its deliveries came must be in their order.
fn out_of_order(taken: &Taken) -> usize {
    let mut seen = BTreeSet::new();
    let mut last: BTreeMap<u32, u32> = BTreeMap::new();
    let firsts = taken.iter().map(|(id, _)| *id).filter(|id| seen.insert(*id));
    firsts
        .filter(|id| {
            let last = last.entry(id.key).or_default();
            let late = id.place < *last;
            *last = id.place.max(*last);
            late
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(key: u32, place: u32) -> Id {
        Id { key, place }
    }

    /// Two keys with two deliveries each, of which one was sent twice.
    fn sound() -> (Sent, Taken, Totals) {
        let all = [id(1, 1), id(1, 2), id(2, 1), id(2, 2)];
        let sent = Sent { acknowledged: all.into(), answers: [(200, 4), (503, 2)].into(), in_doubt: 1 };
        let taken = all.iter().map(|id| (*id, format!("{id:?}"))).collect();
        let totals = Totals { accepted: 4, duplicate: 1, delivered: 4, events: 4, ..Totals::default() };
        (sent, taken, totals)
    }

    #[test]
    fn what_is_sound_is_told_in_numbers() {
        let (sent, mut taken, totals) = sound();
        taken.push(taken[0].clone());
        let verdict = Verdict { requests: 7, acknowledged: 4, totals, again: 1, broken: Vec::new() };
        assert_eq!(check(&sent, &taken, totals), verdict);
    }

    #[test]
    fn each_broken_promise_is_found() {
        type Breaks = fn(&mut Sent, &mut Taken, &mut Totals);
        let breaks: [(&str, Breaks); 8] = [
            ("1 acknowledged and lost", |_, taken, totals| {
                taken.pop();
                (totals.delivered, totals.pending) = (3, 1);
            }),
            ("1 stored twice", |_, taken, _| taken.push((id(1, 1), "another".into()))),
            ("1 out of the order of their key", |_, taken, _| taken.swap(0, 1)),
            ("is not what was acknowledged", |_, _, totals| totals.duplicate = 9),
            ("4 accepted, 3 stored", |_, _, totals| totals.events = 3),
            ("is not 4", |_, _, totals| totals.parked = 1),
            ("1 skipped", |_, _, totals| totals.skipped = 1),
            ("and the sink has 4", |_, _, totals| (totals.delivered, totals.pending) = (3, 1)),
        ];
        for (told, break_it) in breaks {
            let (mut sent, mut taken, mut totals) = sound();
            break_it(&mut sent, &mut taken, &mut totals);
            let broken = check(&sent, &taken, totals).broken;
            assert!(broken.iter().any(|sentence| sentence.contains(told)), "{told}: {broken:?}");
        }
    }
}
