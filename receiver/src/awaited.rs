//! Deliveries that requests wait for (`acknowledge.mode: OnDelivered`): a request says which, the loop that drives dispatch says
//! how they end.
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use boathook_event::{ObjectName, Uid};
use futures::future::try_join_all;
use tokio::sync::oneshot;

use crate::limits::AWAITED_MAX;

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Awaited(Mutex<Waiters>);

#[derive(Debug, Default)]
struct Waiters {
    /// By event and request.
    of_event: HashMap<Uid, BTreeMap<u64, Vec<Waiter>>>,
    /// Deliveries that are waited for, each as often as somebody waits.
    count: usize,
    requests: u64,
}

#[derive(Debug)]
struct Waiter {
    sink: ObjectName,
    told: oneshot::Sender<Result<(), NotDelivered>>,
}

/// Why a request is not told that its event was delivered. The event is stored all the same, and goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotDelivered {
    /// The deadline has passed.
    #[error("stored, and not delivered to every required sink within acknowledge.deadline; it goes on")]
    Late,
    /// It was put aside.
    #[error("stored, and parked by the sink {0}: mend the sink, then let the provider send the event again")]
    Parked(ObjectName),
    /// The sink is suspended, or gone from the configuration.
    #[error("stored, and the sink {0} is suspended or gone: it waits")]
    Suspended(ObjectName),
    /// The sink is left alone for a while.
    #[error("stored, and the sink {0} is left alone after failures: it waits")]
    LeftAlone(ObjectName),
    /// Too many wait.
    #[error("stored, and too many deliveries are waited for already; it goes on")]
    Crowded,
    /// The store could not say how its first delivery stands.
    #[error("a repetition, and the store does not say how its delivery stands: {0}")]
    Unknown(String),
}

/// One event's deliveries that a request waits for; it waits no more when this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    awaited: &'a Awaited,
    uid: Uid,
    request: u64,
    answers: Vec<oneshot::Receiver<Result<(), NotDelivered>>>,
}

impl Awaited {
    /// Waits for an event's deliveries to these sinks from now on.
    pub(crate) fn wait(&self, uid: Uid, sinks: &[ObjectName]) -> Result<Waiting<'_>, NotDelivered> {
        let mut waiters = self.waiters();
        if waiters.count + sinks.len() > AWAITED_MAX {
            return Err(NotDelivered::Crowded);
        }
        waiters.count += sinks.len();
        waiters.requests += 1;
        let request = waiters.requests;
        let mut answers = Vec::with_capacity(sinks.len());
        if !sinks.is_empty() {
            let mine = waiters.of_event.entry(uid).or_default().entry(request).or_default();
            for sink in sinks {
                let (told, answer) = oneshot::channel();
                mine.push(Waiter { sink: sink.clone(), told });
                answers.push(answer);
            }
        }
        drop(waiters);
        Ok(Waiting { awaited: self, uid, request, answers })
    }

    /// A delivery has ended. It may be told twice.
    pub(crate) fn ended(&self, uid: &Uid, sink: &ObjectName, how: &Result<(), NotDelivered>) {
        let mut waiters = self.waiters();
        if waiters.of_event.contains_key(uid) {
            waiters.tell(uid, |waiter| (waiter.sink == *sink).then(|| how.clone()));
        }
    }

    /// Nobody waits any longer for sinks of which `why` says why not.
    pub(crate) fn give_up(&self, why: impl Fn(&ObjectName) -> Option<NotDelivered>) {
        let mut waiters = self.waiters();
        let events: Vec<Uid> = waiters.of_event.keys().copied().collect();
        events.iter().for_each(|uid| waiters.tell(uid, |waiter| why(&waiter.sink).map(Err)));
    }

    fn waiters(&self) -> MutexGuard<'_, Waiters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiters {
    /// Tells those of whom `how` knows; they wait no more.
    fn tell(&mut self, uid: &Uid, how: impl Fn(&Waiter) -> Option<Result<(), NotDelivered>>) {
        let Some(of_event) = self.of_event.get_mut(uid) else { return };
        of_event.retain(|_, mine| {
            let before = mine.len();
            for waiter in std::mem::take(mine) {
                match how(&waiter) {
                    // Who no longer listens has gone away.
                    Some(how) => drop(waiter.told.send(how)),
                    None => mine.push(waiter),
                }
            }
            self.count -= before - mine.len();
            !mine.is_empty()
        });
        if of_event.is_empty() {
            self.of_event.remove(uid);
        }
    }

    fn leave(&mut self, uid: &Uid, request: u64) {
        let Some(of_event) = self.of_event.get_mut(uid) else { return };
        self.count -= of_event.remove(&request).map_or(0, |mine| mine.len());
        if of_event.is_empty() {
            self.of_event.remove(uid);
        }
    }
}

impl Waiting<'_> {
    /// The sinks of which nothing is told yet.
    pub(crate) fn sinks(&self) -> Vec<ObjectName> {
        let waiters = self.awaited.waiters();
        let mine = waiters.of_event.get(&self.uid).and_then(|of_event| of_event.get(&self.request));
        mine.into_iter().flatten().map(|waiter| waiter.sink.clone()).collect()
    }

    /// Returns when all are delivered, or as soon as one will not be in time.
    pub(crate) async fn ended(mut self) -> Result<(), NotDelivered> {
        let answers = std::mem::take(&mut self.answers).into_iter().map(|answer| async {
            // The sender is kept until it has told, or this is dropped.
            answer.await.unwrap_or(Err(NotDelivered::Late))
        });
        try_join_all(answers).await.map(drop)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.awaited.waiters().leave(&self.uid, self.request);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn uid(number: u8) -> Uid {
        Uid::from_bytes([number; 16])
    }

    fn sinks(names: &[&str]) -> Vec<ObjectName> {
        names.iter().map(|name| sink(name)).collect()
    }

    fn sink(name: &str) -> ObjectName {
        ObjectName::new("default", name)
    }

    #[test]
    fn everybody_who_waits_for_an_event_is_told_when_all_its_sinks_have_it() {
        let awaited = Awaited::default();
        let [first, second] = [0; 2].map(|_| awaited.wait(uid(1), &sinks(&["a", "b"])).unwrap());
        let (mut first, mut second) = (Box::pin(first.ended()), Box::pin(second.ended()));
        awaited.ended(&uid(1), &sink("a"), &Ok(()));
        awaited.ended(&uid(1), &sink("a"), &Ok(()));
        awaited.ended(&uid(2), &sink("b"), &Ok(()));
        assert_eq!((first.as_mut().now_or_never(), second.as_mut().now_or_never()), (None, None));
        awaited.ended(&uid(1), &sink("b"), &Ok(()));
        assert_eq!((first.now_or_never(), second.now_or_never()), (Some(Ok(())), Some(Ok(()))));
        assert_eq!(awaited.waiters().count, 0);
    }

    #[test]
    fn the_first_sink_that_will_not_have_it_ends_the_wait() {
        let awaited = Awaited::default();
        let parked = || NotDelivered::Parked(sink("b"));
        let waiting = awaited.wait(uid(1), &sinks(&["a", "b"])).unwrap();
        assert_eq!(waiting.sinks(), sinks(&["a", "b"]));
        awaited.ended(&uid(1), &sink("b"), &Err(parked()));
        assert_eq!(waiting.sinks(), sinks(&["a"]));
        assert_eq!(waiting.ended().now_or_never(), Some(Err(parked())));
        let waiting = awaited.wait(uid(1), &sinks(&["a", "b"])).unwrap();
        awaited.give_up(|name| (*name == sink("b")).then(|| NotDelivered::Suspended(name.clone())));
        assert_eq!(waiting.ended().now_or_never(), Some(Err(NotDelivered::Suspended(sink("b")))));
        assert!(awaited.waiters().of_event.is_empty());
    }

    #[test]
    fn no_more_wait_than_the_bound_and_who_goes_away_makes_room() {
        let awaited = Awaited::default();
        let kept: Vec<_> = (0..AWAITED_MAX).map(|_| awaited.wait(uid(1), &sinks(&["a"])).unwrap()).collect();
        assert_eq!(awaited.wait(uid(2), &sinks(&["a"])).map(drop), Err(NotDelivered::Crowded));
        assert!(awaited.wait(uid(2), &[]).is_ok(), "who waits for nothing needs no room");
        drop(kept);
        assert_eq!(awaited.waiters().count, 0);
        assert!(awaited.wait(uid(2), &sinks(&["a"])).is_ok());
    }
}
