//! What this process delivers: all, as long as it runs, or the partitions that it holds of a store that others share.
//!
//! Who shares a store says every second that it lives, and looks at how the partitions are dealt out: it takes what is missing of
//! its share, and gives back what is more, each partition once nothing of it is under way. An attempt begins only while more
//! than half of the lease is left, and is given up when a quarter is; so none of ours is under way when another process takes
//! over. If the lease cannot be renewed, nothing begins until it is; what has ended meanwhile is recorded, unless somebody else
//! has its partition by then.
use std::{collections::BTreeMap, future::pending, pin::pin, time::Instant};

use boathook_dispatch::Standing;
use boathook_event::{Partition, Partitions, Seq, limits::PARTITIONS};
use boathook_store::{
    Error, Reader,
    traits::{Epoch, Joined, News, Shares},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep_until},
};

use crate::{
    deliveries::{self, Changed, Parts},
    limits::{ARMED_LOOK_AGAIN, CLAIM_AGAIN, LEASE_TIME, OTHERS_LOOK, RENEW},
};

/// The right to deliver, for a time.
#[derive(Clone)]
pub(crate) struct Term {
    /// What is new of the lease.
    pub(crate) hold: watch::Receiver<Hold>,
    /// What of the partitions.
    pub(crate) rights: watch::Receiver<Rights>,
    /// What other processes have done, at least.
    pub(crate) others: watch::Receiver<Others>,
    /// Of which partitions that are given back nothing is under way any more, and by which version of the rights.
    pub(crate) quiet: watch::Sender<(u64, Partitions)>,
}

/// How far others are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Others {
    /// The place of the last event that is committed.
    pub(crate) last: Seq,
    /// Rises when deliveries are armed again.
    pub(crate) armed: u64,
}

/// How the lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    /// When it was asked for last; none where nobody else can deliver.
    asked: Option<Instant>,
    /// Nothing may begin for now.
    pub(crate) paused: bool,
    /// Another process has something of it.
    lost: bool,
}

/// The partitions that are held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rights {
    epochs: BTreeMap<Partition, Epoch>,
    /// Those that are given back when nothing of them is under way.
    pub(crate) giving: Partitions,
    /// Rises with each change.
    pub(crate) version: u64,
}

impl Rights {
    /// Of what attempts may begin.
    pub(crate) fn owned(&self) -> Partitions {
        self.epochs.keys().copied().collect::<Partitions>().without(self.giving)
    }

    /// Under which an outcome is recorded.
    pub(crate) fn epoch(&self, partition: Partition) -> Option<Epoch> {
        self.epochs.get(&partition).copied()
    }

    /// Whether another process has something of it. What is given back may be given already, if the answer to that was lost.
    fn is_lost(&self, held: &BTreeMap<Partition, Epoch>) -> bool {
        let mut kept = self.epochs.iter().filter(|(partition, _)| !self.giving.contains(**partition));
        kept.any(|(partition, epoch)| held.get(partition) != Some(epoch))
    }

    /// This process's part of what a sink may bear in all, at least one.
    pub(crate) fn part_of(&self, all: usize) -> usize {
        let owned = usize::try_from(self.owned().len()).unwrap_or(usize::MAX);
        all.saturating_mul(owned).div_ceil(usize::from(PARTITIONS)).max(1)
    }
}

impl Term {
    /// Alone, as long as the process runs.
    fn sole(epoch: Epoch) -> Self {
        let rights = Rights {
            epochs: Partitions::ALL.iter().map(|partition| (partition, epoch)).collect(),
            ..Rights::default()
        };
        let hold = Hold { asked: None, paused: false, lost: false };
        Self {
            hold: watch::Sender::new(hold).subscribe(),
            rights: watch::Sender::new(rights).subscribe(),
            others: watch::Sender::new(Others::default()).subscribe(),
            quiet: watch::Sender::new((0, Partitions::NONE)),
        }
    }

    /// Whether it has to be asked for anew: somebody else has something of it, or this process stood still for so long that
    /// somebody may, and dispatch does not know yet that nothing may begin.
    pub(crate) fn is_over(&self, paused: bool) -> bool {
        let Hold { asked, lost, .. } = *self.hold.borrow();
        lost || (!paused && asked.is_some_and(|asked| asked.elapsed() >= LEASE_TIME / 2))
    }

    /// Returns when an attempt that is under way must be given up.
    pub(crate) async fn ended(mut self) {
        loop {
            let Some(asked) = self.hold.borrow_and_update().asked else { return pending().await };
            let until = asked + LEASE_TIME * 3 / 4;
            tokio::select! {
                () = sleep_until(until.into()) => return,
                // Nobody renews it any more: it ends when it ends.
                changed = self.hold.changed() => if changed.is_err() { return sleep_until(until.into()).await },
            }
        }
    }
}

/// Delivers whenever this process may, until it is to stop.
///
/// # Errors
/// The store does not let this process record anything.
pub(crate) async fn run(mut parts: Parts) -> Result<(), Error> {
    loop {
        let asked = Instant::now();
        match parts.reader.join(LEASE_TIME).await {
            Ok(Joined::Sole(epoch)) => {
                deliveries::run(parts, Term::sole(epoch)).await;
                return Ok(());
            }
            Ok(Joined::Shared(shares)) => {
                let (term, keeper) = keep(&parts, asked, shares);
                parts = deliveries::run(parts, term).await;
                keeper.abort();
                if *parts.stopping.borrow() {
                    return leave(&parts.reader).await;
                }
                tracing::warn!(
                    "others may deliver what this receiver did; what it was about to do is left to whoever holds it now"
                );
            }
            Err(error @ (Error::Away(_) | Error::InDoubt(_) | Error::Full(_))) => {
                tracing::warn!(%error, "cannot ask who delivers; trying again");
            }
            Err(error) => return Err(error),
        }
        if parts.idle(CLAIM_AGAIN).await {
            return Ok(());
        }
    }
}

async fn leave(reader: &Reader) -> Result<(), Error> {
    if let Err(error) = reader.leave().await {
        tracing::warn!(%error, "what this receiver delivered is not given back; others wait until its lease has run out");
    }
    Ok(())
}

/// Holds on to the lease as long as it can be, and to this process's share.
fn keep(parts: &Parts, asked: Instant, shares: Shares) -> (Term, JoinHandle<()>) {
    let hold = watch::Sender::new(Hold { asked: Some(asked), paused: false, lost: false });
    // Of an earlier term of this process.
    let rights = watch::Sender::new(Rights { epochs: shares.held, ..Rights::default() });
    let (others, quiet) = (watch::Sender::new(Others::default()), watch::Sender::new((0, Partitions::NONE)));
    let term = Term {
        hold: hold.subscribe(),
        rights: rights.subscribe(),
        others: others.subscribe(),
        quiet: quiet.clone(),
    };
    let looking = look(parts.reader.clone(), others, parts.changes.clone());
    let keeping = Keeper { reader: parts.reader.clone(), hold, rights, told: None }.run(quiet.subscribe());
    let keeper = tokio::spawn(async {
        tokio::join!(keeping, looking);
    });
    (term, keeper)
}

/// Renews the lease, and deals with the others.
struct Keeper {
    reader: Reader,
    hold: watch::Sender<Hold>,
    rights: watch::Sender<Rights>,
    /// How many partitions and receivers were told last.
    told: Option<(u32, u32)>,
}

impl Keeper {
    async fn run(mut self, mut quiet: watch::Receiver<(u64, Partitions)>) {
        let mut next = Instant::now();
        while !self.hold.borrow().lost {
            tokio::select! {
                () = sleep_until(next.into()) => {
                    next = Instant::now() + RENEW;
                    self.renew().await;
                }
                Ok(()) = quiet.changed() => {}
            }
            let (version, quiet) = *quiet.borrow_and_update();
            self.release(version, quiet).await;
        }
    }

    async fn renew(&mut self) {
        let asked = Instant::now();
        match self.join().await {
            Ok(Joined::Shared(shares)) => {
                let lost = self.rights.borrow().is_lost(&shares.held);
                // What came late counts from when it was asked for.
                let paused = asked.elapsed() >= LEASE_TIME / 3;
                self.hold.send_replace(Hold { asked: Some(asked), paused, lost });
                if !lost {
                    self.deal(&shares).await;
                }
            }
            Ok(Joined::Sole(_)) => self.hold.send_modify(|hold| hold.lost = true),
            Err(error) if Instant::now() >= self.late_at() => self.pause(&error.to_string()),
            Err(_) => {}
        }
    }

    /// Asks for another lease. Nothing begins while it is late, and none is there yet.
    async fn join(&self) -> Result<Joined, Error> {
        let mut answer = pin!(self.reader.join(LEASE_TIME));
        tokio::select! {
            answer = &mut answer => return answer,
            () = sleep_until(self.late_at().into()) => self.pause("the store does not answer"),
        }
        answer.await
    }

    /// From when on nothing begins without another lease.
    fn late_at(&self) -> Instant {
        self.hold.borrow().asked.unwrap_or_else(Instant::now) + LEASE_TIME / 3
    }

    fn pause(&self, error: &str) {
        if self.hold.send_if_modified(|hold| !std::mem::replace(&mut hold.paused, true)) {
            tracing::warn!(error, "the right to deliver cannot be renewed: nothing is delivered until it is");
        }
    }

    /// Takes what is missing of this process's share, or gives back what is more.
    async fn deal(&mut self, shares: &Shares) {
        let held = self.rights.borrow().owned();
        let Shares { living, place, free, .. } = *shares;
        let change = Standing { living, place, held, free }.change();
        if !change.give.is_empty() {
            self.change(|rights| rights.giving = rights.giving.with(change.give));
        }
        if !change.take.is_empty() {
            match self.reader.claim(change.take).await {
                Ok(claimed) => self.change(|rights| rights.epochs.extend(claimed)),
                Err(error) => tracing::warn!(%error, "cannot take what nobody delivers; trying again"),
            }
        }
        let partitions = self.rights.borrow().owned().len();
        if self.told.replace((partitions, living)) != Some((partitions, living)) {
            tracing::info!(
                partitions,
                of = PARTITIONS,
                receivers = living,
                "this receiver delivers its share"
            );
        }
    }

    /// Gives back what nothing is under way of, as the rights were then.
    async fn release(&mut self, version: u64, quiet: Partitions) {
        let given = {
            let rights = self.rights.borrow();
            let kept = Partitions::ALL.without(rights.giving);
            if rights.version == version { quiet.without(kept) } else { Partitions::NONE }
        };
        if given.is_empty() {
            return;
        }
        match self.reader.release(given).await {
            Ok(()) => self.change(|rights| {
                rights.epochs.retain(|partition, _| !given.contains(*partition));
                rights.giving = rights.giving.without(given);
            }),
            Err(error) => {
                tracing::warn!(%error, "what others are to deliver is not given back; trying again")
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Rights)) {
        self.rights.send_modify(|rights| {
            change(rights);
            rights.version += 1;
        });
    }
}

/// Tells what others have stored and armed. What we have stored comes by itself, and sooner: so what is told is what was there
/// one look before. What was armed is told twice: it may have been in memory as it was before.
async fn look(reader: Reader, told: watch::Sender<Others>, changes: mpsc::Sender<Changed>) {
    let mut ticks = interval(OTHERS_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut before, mut again) = (News::default(), None::<Instant>);
    loop {
        ticks.tick().await;
        let Ok(mut news) = reader.news(before.erased_up_to).await else { continue };
        let erased = std::mem::take(&mut news.erased);
        if !erased.is_empty() {
            changes.send(Changed::Erased(erased)).await.ok();
        }
        if news.armed != before.armed {
            again = Some(Instant::now() + ARMED_LOOK_AGAIN);
        }
        let due = again.take_if(|at| *at <= Instant::now()).is_some();
        let tells = Others { last: before.last, armed: news.armed };
        told.send_if_modified(|told| std::mem::replace(told, tells) != tells || due);
        before = news;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn some(numbers: std::ops::Range<u8>) -> Partitions {
        numbers.filter_map(Partition::numbered).collect()
    }

    #[test]
    fn a_lease_that_is_half_over_ends_the_term_unless_dispatch_knows_that_nothing_may_begin() {
        let term = Term::sole(Epoch(1));
        assert!(!term.is_over(false));
        for (seconds, paused, lost, [not_knowing, knowing]) in [
            (1, false, false, [false, false]),
            (1, false, true, [true, true]),
            (20, true, false, [true, false]),
            (20, true, true, [true, true]),
        ] {
            let asked = Instant::now().checked_sub(Duration::from_secs(seconds));
            let hold = watch::Sender::new(Hold { asked, paused, lost }).subscribe();
            let term = Term { hold, ..term.clone() };
            assert_eq!([term.is_over(false), term.is_over(true)], [not_knowing, knowing], "{seconds} s");
        }
    }

    #[test]
    fn what_is_given_back_may_be_gone_and_nothing_else() {
        let held = |of: Partitions| of.iter().map(|one| (one, Epoch(7))).collect::<BTreeMap<_, _>>();
        let rights = Rights { epochs: held(some(0..32)), giving: some(0..16), version: 1 };
        assert!(!rights.is_lost(&held(some(0..32))));
        assert!(!rights.is_lost(&held(some(16..40))));
        assert!(rights.is_lost(&held(some(0..31))));
        assert!(rights.is_lost(&some(0..32).iter().map(|one| (one, Epoch(8))).collect()));
    }
}
