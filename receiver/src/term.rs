//! Whether this process delivers: as long as it runs, or as long as it holds the lease of a store that others share.
//!
//! A lease is renewed long before it runs out. An attempt begins only while more than half of it is left, and takes less
//! than that; so none of ours is under way when another process takes over. If it cannot be renewed, nothing begins until
//! it is; what has ended meanwhile is recorded, unless somebody else has it by then.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use boathook_event::Seq;
use boathook_store::{
    Error, Reader,
    traits::{Claim, Epoch},
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    deliveries::{self, Parts},
    limits::{ATTEMPT_TIME_SLACK, CLAIM_AGAIN, LEASE_TIME_MIN, OTHERS_LOOK, RENEW_AGAIN},
    serving::Live,
};

/// The right to deliver, for a time.
#[derive(Clone)]
pub(crate) struct Term {
    pub(crate) epoch: Epoch,
    /// What is new of it.
    pub(crate) hold: watch::Receiver<Hold>,
    /// Up to where other processes have stored events, at least.
    pub(crate) others: watch::Receiver<Seq>,
}

/// How a right is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    /// Until when attempts may begin, and how long each may take; none where nobody else can have it.
    lease: Option<(Instant, Duration)>,
    /// Nothing may begin for now.
    pub(crate) paused: bool,
    /// Another process has it.
    pub(crate) lost: bool,
}

impl Term {
    /// Whether it has to be asked for anew: somebody else has it, or this process stood still for so long that somebody may.
    pub(crate) fn is_over(&self) -> bool {
        let Hold { lease, paused, lost } = *self.hold.borrow();
        lost || (!paused && lease.is_some_and(|(until, _)| Instant::now() >= until))
    }

    /// How long an attempt may take.
    pub(crate) fn attempt_time_max(&self) -> Option<Duration> {
        self.hold.borrow().lease.map(|(_, time)| time)
    }
}

/// Delivers whenever this process may, until it is to stop.
///
/// # Errors
/// The store does not let this process record anything.
pub(crate) async fn run(mut parts: Parts) -> Result<(), Error> {
    let mut told = None;
    loop {
        let lease = lease(&parts.live);
        let asked = Instant::now();
        match parts.reader.claim(lease).await {
            Ok(Claim::Sole(epoch)) => {
                let hold = Hold { lease: None, paused: false, lost: false };
                let (hold, others) = (watch::Sender::new(hold), watch::Sender::new(0));
                let term = Term { epoch, hold: hold.subscribe(), others: others.subscribe() };
                deliveries::run(parts, term).await;
                return Ok(());
            }
            Ok(Claim::Leased(epoch)) => {
                told = None;
                tracing::info!(epoch = epoch.0, "this receiver delivers now");
                let (term, keeper) = keep(&parts, epoch, asked, lease);
                parts = deliveries::run(parts, term).await;
                keeper.abort();
                if *parts.stopping.borrow() {
                    return release(&parts.reader, epoch).await;
                }
                tracing::warn!(
                    epoch = epoch.0,
                    "this receiver delivers no longer; what it was about to is left to the next"
                );
            }
            Ok(Claim::Held { by }) => {
                if told.as_ref() != Some(&by) {
                    tracing::info!(%by, "another receiver delivers; this one stores events");
                    told = Some(by);
                }
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

async fn release(reader: &Reader, epoch: Epoch) -> Result<(), Error> {
    if let Err(error) = reader.release(epoch).await {
        tracing::warn!(%error, "the right to deliver is not given back; the next receiver waits until it has run out");
    }
    Ok(())
}

/// So long that the longest attempt takes less than half of it.
fn lease(live: &Live) -> Duration {
    LEASE_TIME_MIN.max(2 * (live.load().attempt_time_max() + ATTEMPT_TIME_SLACK))
}

/// Renews the lease as long as it can be.
fn keep(parts: &Parts, epoch: Epoch, asked: Instant, lease: Duration) -> (Term, JoinHandle<()>) {
    let held = |asked: Instant, lease: Duration| Hold {
        lease: Some((asked + lease / 2, lease / 2)),
        paused: false,
        lost: false,
    };
    let (hold, others) = (watch::Sender::new(held(asked, lease)), watch::Sender::new(0));
    let term = Term { epoch, hold: hold.subscribe(), others: others.subscribe() };
    let (reader, live) = (parts.reader.clone(), Arc::clone(&parts.live));
    let renewing = async move {
        let (mut asked, mut lease, mut next) = (asked, lease, lease / 6);
        loop {
            sleep(next).await;
            let now = Instant::now();
            let renewed = self::lease(&live);
            match reader.renew(epoch, renewed).await {
                Ok(true) => {
                    (asked, lease, next) = (now, renewed, renewed / 6);
                    hold.send_replace(held(asked, lease));
                }
                Ok(false) => {
                    hold.send_modify(|hold| hold.lost = true);
                    return;
                }
                Err(error) => {
                    next = RENEW_AGAIN;
                    let paused = asked.elapsed() >= lease / 3;
                    if hold.send_if_modified(|hold| !std::mem::replace(&mut hold.paused, paused) && paused) {
                        tracing::warn!(%error, "the right to deliver cannot be renewed: nothing is delivered until it is");
                    }
                }
            }
        }
    };
    let looking = look(parts.reader.clone(), others);
    let keeper = tokio::spawn(async {
        tokio::join!(renewing, looking);
    });
    (term, keeper)
}

/// Tells what others have stored. What we have stored comes by itself, and sooner: so what is told is what was there one
/// look before.
async fn look(reader: Reader, others: watch::Sender<Seq>) {
    let mut ticks = interval(OTHERS_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = 0;
    loop {
        ticks.tick().await;
        if let Ok(last) = reader.last().await {
            others.send_if_modified(|told| std::mem::replace(told, before) != before);
            before = last;
        }
    }
}
