//! Waiting until what a request has brought is delivered (`acknowledge.mode: OnDelivered`).
//!
//! A request waits from before its events are stored, so that no end of theirs is missed. A repetition waits for the first
//! one's deliveries: the store says which event that was, and how they stand.
use std::time::Instant;

use boathook_crds::Breaker;
use boathook_event::{ObjectName, Seq};
use boathook_store::traits::{Append, DeliveryState, Standing, Verdict};
use boathook_table::{Acknowledge, Endpoint};
use futures::future::try_join_all;
use tokio::time::{sleep, timeout_at};

use super::Ingress;
use crate::{
    awaited::{NotDelivered, Waiting},
    limits::{STANDING_LOOK_MAX, STANDING_LOOK_MIN},
};

/// What a request waits for; with [`Acknowledge::OnStored`] nothing.
#[derive(Default)]
pub(super) struct Expected<'a> {
    /// One for each event.
    fresh: Vec<Result<Waiting<'a>, NotDelivered>>,
    /// Whether each of them is put aside as it comes.
    aside: Vec<bool>,
    /// Places of events that were there before, and whether their repetition would be put aside, too.
    repeated: Vec<(Seq, bool)>,
    /// Places of all.
    places: Vec<Seq>,
}

impl Expected<'_> {
    pub(super) fn is_something(&self) -> bool {
        !self.fresh.is_empty() || !self.repeated.is_empty()
    }

    /// What became of the events, in their order.
    pub(super) fn took(&mut self, verdicts: Vec<Verdict>) {
        let mut verdicts = verdicts.into_iter().zip(std::mem::take(&mut self.aside));
        self.fresh.retain(|_| match verdicts.next() {
            Some((Verdict::Duplicate { of, .. }, aside)) => {
                self.repeated.push((of, aside));
                self.places.push(of);
                false
            }
            Some((Verdict::Stored { seq } | Verdict::IdConflict { seq }, _)) => {
                self.places.push(seq);
                true
            }
            None => true,
        });
    }
}

impl Ingress {
    /// Waits from now on for what is about to be stored.
    pub(super) fn expect(&self, endpoint: &Endpoint, appends: &[Append]) -> Expected<'_> {
        if matches!(endpoint.acknowledge, Acknowledge::OnStored { .. }) {
            return Expected::default();
        }
        let wait = |append: &Append| {
            let destinations = append.distinct_destinations().map(|destination| &destination.sink);
            // What is put aside is not delivered.
            let sent = |_: &&ObjectName| append.parked.is_none();
            let required = destinations.filter(sent).filter(|sink| is_required(endpoint, sink));
            let required: Vec<_> = required.cloned().collect();
            self.awaited.wait(append.event.uid, &required)
        };
        let aside = appends.iter().map(|append| append.parked.is_some()).collect();
        Expected { fresh: appends.iter().map(wait).collect(), aside, ..Expected::default() }
    }

    /// Returns once all that was expected is delivered, or as soon as something will not be by the deadline.
    pub(super) async fn happened(
        &self,
        endpoint: &Endpoint,
        expected: Expected<'_>,
        deadline: Option<Instant>,
    ) -> Result<(), NotDelivered> {
        let Expected { fresh, aside: _, repeated, places } = expected;
        let all = async {
            let mut all = fresh.into_iter().collect::<Result<Vec<_>, _>>()?;
            for (place, aside) in repeated {
                all.extend(self.join(endpoint, place, aside).await?);
            }
            all.iter().flat_map(Waiting::sinks).try_for_each(|sink| self.is_served(&sink))?;
            tokio::select! {
                ended = try_join_all(all.into_iter().map(Waiting::ended)) => ended.map(drop),
                () = self.look(&places) => Err(NotDelivered::Late),
            }
        };
        match deadline {
            Some(deadline) => timeout_at(deadline.into(), all).await.unwrap_or(Err(NotDelivered::Late)),
            None => all.await,
        }
    }

    /// Waits for what is still to be delivered of an event that was stored before; `None` when nothing is. Nothing is expected of
    /// what was parked and would be put aside again.
    async fn join(
        &self,
        endpoint: &Endpoint,
        place: Seq,
        aside: bool,
    ) -> Result<Option<Waiting<'_>>, NotDelivered> {
        let Some(Standing { uid, deliveries }) = self.standing(place).await? else {
            // A store that keeps events lets go only of what has ended, long ago or by a person's hand.
            let ended = || NotDelivered::Unknown("it has ended meanwhile, and nothing is kept".into());
            return if self.keeps_nothing { Err(ended()) } else { Ok(None) };
        };
        let required = deliveries.into_iter().filter(|(sink, _)| is_required(endpoint, sink));
        let waits = |state: &DeliveryState| match state {
            DeliveryState::Pending => true,
            DeliveryState::Parked => !aside,
            DeliveryState::Delivered | DeliveryState::Skipped => false,
        };
        let pending: Vec<ObjectName> =
            required.filter(|(_, state)| waits(state)).map(|(sink, _)| sink).collect();
        if pending.is_empty() {
            return Ok(None);
        }
        let waiting = self.awaited.wait(uid, &pending)?;
        // What has ended since it was looked at is told to nobody any more: once more, now that somebody waits.
        self.told_by_the_store(place).await?;
        Ok(Some(waiting))
    }

    /// Looks, from time to time and as long as it is waited for, whether other receivers that share the store have delivered
    /// these events: they tell only those who wait there.
    async fn look(&self, places: &[Seq]) {
        let Some(looking) = &self.looking else { return std::future::pending().await };
        let mut pause = STANDING_LOOK_MIN;
        loop {
            sleep(pause).await;
            pause = (2 * pause).min(STANDING_LOOK_MAX);
            // Never closed.
            let Ok(_turn) = looking.acquire().await else { continue };
            for place in places {
                if let Err(error) = self.told_by_the_store(*place).await {
                    tracing::debug!(%error, place, "the store does not say how a delivery stands; looking again");
                }
            }
        }
    }

    /// Tells those who wait for this event what of it has ended.
    async fn told_by_the_store(&self, place: Seq) -> Result<(), NotDelivered> {
        let Some(Standing { uid, deliveries }) = self.standing(place).await? else { return Ok(()) };
        for (sink, state) in deliveries {
            match state {
                DeliveryState::Pending => {}
                DeliveryState::Delivered | DeliveryState::Skipped => self.awaited.ended(&uid, &sink, &Ok(())),
                DeliveryState::Parked => {
                    self.awaited.ended(&uid, &sink, &Err(NotDelivered::Parked(sink.clone())));
                }
            }
        }
        Ok(())
    }

    async fn standing(&self, place: Seq) -> Result<Option<Standing>, NotDelivered> {
        self.reader.standing(place).await.map_err(|error| NotDelivered::Unknown(error.to_string()))
    }

    /// Whether deliveries go to the sink now. From now on the loop that drives dispatch tells when that changes.
    fn is_served(&self, name: &ObjectName) -> Result<(), NotDelivered> {
        let serving = self.live.load();
        match serving.sink(name) {
            // It is left out soon, and that is an end.
            Some(sink) if sink.settings.skip => Ok(()),
            Some(sink) if sink.settings.suspend => Err(NotDelivered::Suspended(name.clone())),
            Some(sink) if sink.traffic.breaker() == Breaker::Open => {
                Err(NotDelivered::LeftAlone(name.clone()))
            }
            Some(_) => Ok(()),
            None => Err(NotDelivered::Suspended(name.clone())),
        }
    }
}

fn is_required(endpoint: &Endpoint, sink: &ObjectName) -> bool {
    endpoint.sinks.iter().any(|route| route.required && route.sink == *sink)
}
