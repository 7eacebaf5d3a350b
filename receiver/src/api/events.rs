//! Events: listed, shown, erased, delivered again; and the requests that were refused.
use boathook_api::{
    Armed, Code, EventPage, EventQuery, EventReplay, Order, Problem, RejectionPage, RejectionQuery,
};
use boathook_event::{Destination, ObjectName, Seq, Uid};
use boathook_store::{
    limits::LIST_MAX,
    traits::{self, Erased, Question, Replay},
};

use super::{Answer, Answered, Parts, archived, away, call::Call, invalid, json, no_sink, object};
use crate::limits::PAGE_DEFAULT;

/// Why an erased event is not yet gone everywhere.
pub(super) const ERASED_LATER: &str = "what was erased is gone, but its bytes are still in the write-ahead log, which somebody reads: try again";

impl Parts {
    pub(super) async fn list_events(&self, call: &Call) -> Answered {
        let query: EventQuery = call.query()?;
        let (limit, after) = (limit(query.limit)?, place(query.cursor.as_deref())?);
        let question = question(query)?;
        let found =
            self.reader.find(&question, after, limit).await.map_err(|error| away(&error.to_string()))?;
        json(&EventPage {
            events: found.events.into_iter().map(archived::summary).collect(),
            next: found.next.map(cursor),
        })
    }

    pub(super) async fn show_event(&self, uid: &str) -> Answered {
        json(&archived::event(self.event(uid).await?))
    }

    pub(super) async fn erase_event(&self, uid: &str) -> Answered {
        let place = self.place(uid).await?;
        // Without one, an earlier call may have left bytes of it.
        let erased = self.hand.erase(place.into_iter().collect()).await;
        let Erased { events, traces, .. } = erased.map_err(|error| away(&error.to_string()))?;
        if events > 0 {
            tracing::warn!(uid, "a person has erased the event");
        }
        match (traces, events) {
            (true, _) => Err(away(ERASED_LATER)),
            (false, 0) => Err(self.no_event(uid)),
            (false, _) => Ok(Answer::Nothing),
        }
    }

    pub(super) async fn replay_event(&self, uid: &str, call: &Call) -> Answered {
        self.may_replay()?;
        let EventReplay { sink, state, to } = call.body()?;
        let replay = self.replay(sink.as_deref(), state, to.as_deref())?;
        let seq = self.place(uid).await?.ok_or_else(|| self.no_event(uid))?;
        let armed = self.hand.arm(vec![seq], &replay).await;
        let replayed = armed.map_err(|error| refused(&error))?;
        tracing::info!(uid, deliveries = replayed.deliveries, "a person has the event delivered again");
        json(&Armed { deliveries: replayed.deliveries, already_pending: replayed.pending })
    }

    pub(super) async fn list_rejections(&self, call: &Call) -> Answered {
        let RejectionQuery { endpoint, limit: asked, cursor: given } = call.query()?;
        let (limit, after) = (limit(asked)?, place(given.as_deref())?);
        let endpoint = endpoint.as_deref().map(|text| object("endpoint", text)).transpose()?;
        let found = self.reader.rejections(endpoint.as_ref(), after, limit).await;
        let found = found.map_err(|error| away(&error.to_string()))?;
        let next = found.last().filter(|_| found.len() == limit).map(|(number, _)| cursor(*number));
        let rejections = found.into_iter().map(|(_, rejected)| archived::rejection(rejected)).collect();
        json(&RejectionPage { rejections, next })
    }

    /// Which deliveries are meant; sinks that nothing could be delivered to are refused.
    pub(super) fn replay(
        &self,
        sink: Option<&str>,
        state: Option<boathook_api::DeliveryState>,
        to: Option<&str>,
    ) -> Result<Replay, Problem> {
        let sink = sink.map(|sink| object("sink", sink)).transpose()?;
        let to = to.map(|to| object("to", to)).transpose()?;
        if state == Some(boathook_api::DeliveryState::Pending) {
            return Err(invalid(
                "`state` is pending: such deliveries are on their way",
                "write parked, skipped or delivered, or leave it out",
            ));
        }
        let target = to.as_ref().or(sink.as_ref());
        let destination = target.map(|target| self.destination(target)).transpose()?;
        Ok(Replay { sink, state: state.map(archived::stored_state), to: to.and(destination) })
    }

    /// A sink that is configured.
    fn destination(&self, sink: &ObjectName) -> Result<Destination, Problem> {
        match self.live.load().sink(sink) {
            Some(_) => Ok(Destination { sink: sink.clone(), ordered: true, blocks: false }),
            None => Err(no_sink(sink)),
        }
    }

    pub(super) async fn event(&self, uid: &str) -> Result<traits::Archived, Problem> {
        let found = self.reader.show(read_uid(uid)?).await.map_err(|error| away(&error.to_string()))?;
        found.ok_or_else(|| self.no_event(uid))
    }

    async fn place(&self, uid: &str) -> Result<Option<Seq>, Problem> {
        self.reader.place(read_uid(uid)?).await.map_err(|error| away(&error.to_string()))
    }

    /// Whether anything is kept that could be delivered again.
    pub(super) fn may_replay(&self) -> Result<(), Problem> {
        if !self.reporter.ingress.keeps_nothing {
            return Ok(());
        }
        Err(Problem::new(
            Code::Conflict,
            "nothing is kept here (--store none), so nothing can be delivered again",
            "let the provider send the event again, or use a store that keeps events",
        ))
    }

    fn no_event(&self, uid: &str) -> Problem {
        let next = if self.reporter.ingress.keeps_nothing {
            "nothing is kept here (--store none): an event is shown while it is on its way; GET /v1/events lists those"
        } else {
            "it was never stored here, or its retention is over, or it was erased; GET /v1/events lists what is there"
        };
        Problem::new(Code::NotFound, format!("there is no event {uid}"), next)
    }
}

/// What the store is asked.
pub(super) fn question(query: EventQuery) -> Result<Question, Problem> {
    let EventQuery { endpoint, sink, state, event_type, id, key, since, until, order, .. } = query;
    let named = |member, text: Option<String>| text.map(|text| object(member, &text)).transpose();
    Ok(Question {
        endpoint: named("endpoint", endpoint)?,
        sink: named("sink", sink)?,
        state: state.map(archived::stored_state),
        event_type: event_type.map(Into::into),
        id: id.map(Into::into),
        key: key.map(Into::into),
        since,
        until,
        order: match order {
            None | Some(Order::NewestFirst) => traits::Order::NewestFirst,
            Some(Order::OldestFirst) => traits::Order::OldestFirst,
        },
    })
}

/// The store did not arm it.
pub(super) fn refused(error: &boathook_store::Error) -> Problem {
    match error {
        boathook_store::Error::Rejected(reason) => Problem::new(
            Code::Conflict,
            format!("it cannot be delivered again so: {reason}"),
            "leave `to` out, or name a sink that the event has",
        ),
        error => away(&error.to_string()),
    }
}

fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(PAGE_DEFAULT) {
        limit @ 1..=LIST_MAX => Ok(limit),
        limit => Err(invalid(format!("`limit` is {limit}"), format!("write a number from 1 to {LIST_MAX}"))),
    }
}

fn cursor(place: u64) -> String {
    format!("{place:x}")
}

fn place(cursor: Option<&str>) -> Result<Option<u64>, Problem> {
    let read = |text: &str| {
        u64::from_str_radix(text, 16).map_err(|_| {
            invalid("`cursor` is none of ours", "take `next` of the page before, or leave it out")
        })
    };
    cursor.map(read).transpose()
}

fn read_uid(text: &str) -> Result<Uid, Problem> {
    Uid::parse(text).ok_or_else(|| {
        invalid(
            format!("`{text}` is no uid of ours"),
            "a uid is a UUID; the provider's id is looked for by GET /v1/events?id=…",
        )
    })
}
