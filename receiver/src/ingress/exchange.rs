//! One request from its head to its answer: what is learnt of it on the way, and the one log line and the counts that
//! it ends with, also when the sender goes away.
use std::{borrow::Cow, net::IpAddr, time::Instant};

use boathook_event::{Rejected, Word};
use boathook_table::{Ignored, Profile};
use jiff::Timestamp;

use super::{
    noted::Noted,
    outcome::{Outcome, Refusal},
    reply::{Reply, reply},
};
use crate::{metrics::Metrics, traffic::EndpointTraffic};

/// A request under way at an endpoint. Dropped without an answer, it counts as unanswered.
pub(super) struct Exchange<'x> {
    traffic: &'x EndpointTraffic,
    metrics: &'x Metrics,
    source: IpAddr,
    pub(super) started: Instant,
    pub(super) received_at: Timestamp,
    pub(super) noted: Noted,
    /// Its events are with the store, which counts them.
    pub(super) submitted: bool,
    answered: bool,
}

impl<'x> Exchange<'x> {
    pub(super) fn begin(traffic: &'x EndpointTraffic, metrics: &'x Metrics, source: IpAddr) -> Self {
        Self {
            traffic,
            metrics,
            source,
            started: Instant::now(),
            received_at: microseconds(Timestamp::now()),
            noted: Noted::default(),
            submitted: false,
            answered: false,
        }
    }

    /// Counts and logs how it ended, and makes the answer.
    pub(super) fn end(mut self, outcome: &Outcome, profile: &Profile) -> Reply {
        self.answered = true;
        let reply = reply(outcome, profile, &self.noted);
        self.count(outcome.word());
        match outcome {
            Outcome::Taken { .. } => self.traffic.pulse.taken(),
            Outcome::Refused(refusal) if outcome.word() == Word::Rejected => {
                self.traffic.pulse.refused(refusal.is_signed());
            }
            Outcome::Handshake(_) | Outcome::Refused(_) => {}
        }
        if let Outcome::Refused(refusal) = outcome {
            self.metrics.refusal(self.traffic.name(), refusal.code().as_str());
        }
        self.log(outcome, reply.status().as_u16());
        reply
    }

    /// The request's own word. The store counts events that were submitted to it by itself, and ignored ones are counted
    /// one by one where they are chosen.
    fn count(&self, word: Word) {
        let meters = self.traffic.meters(self.metrics);
        meters.request(word);
        meters.seconds.observe(self.started.elapsed().as_secs_f64());
        match word {
            Word::Accepted | Word::Duplicate | Word::IdConflict => {
                self.traffic.pulse.event(self.received_at);
            }
            Word::Ignored => {}
            // They may be stored all the same: then they are counted there.
            Word::Unanswered if self.submitted => {}
            Word::Handshake | Word::Busy | Word::Unanswered => self.traffic.count(word, 1),
            Word::Rejected => {
                self.traffic.last_rejected.at(self.received_at);
                self.traffic.count(word, 1);
            }
        }
    }

    fn log(&self, outcome: &Outcome, status: u16) {
        let millis = self.started.elapsed().as_secs_f64() * 1_000.0;
        let processing_time_ms = (millis * 1_000.0).round() / 1_000.0;
        let (endpoint, source) = (self.traffic.name(), self.source);
        // A repetition is not stored: its own uid is nobody's.
        let stored = self.noted.uid().filter(|_| outcome.word() != Word::Duplicate);
        let (event_id, uid) = (self.noted.event_id(), stored.map(tracing::field::display));
        let (event_id, event_type) = (event_id.as_deref(), self.noted.event_type());
        macro_rules! line {
            ($level:ident, $text:expr $(, $field:ident)*) => {
                tracing::$level!(event_id, uid, event_type, status, processing_time_ms, %endpoint, %source $(, $field)*, $text)
            };
        }
        match outcome {
            Outcome::Taken { word: Word::Ignored, why_ignored: Some(Ignored::Filtered), .. } => {
                let reason = Ignored::Filtered.as_str();
                line!(info, "ignored: the filter does not want it", reason);
            }
            Outcome::Taken { word: Word::Ignored, .. } => {
                let reason = Ignored::UnknownType.as_str();
                line!(warn, "ignored: nobody wants this type", reason);
            }
            Outcome::Taken { word: Word::Duplicate, .. } => line!(info, "duplicate"),
            Outcome::Taken { .. } => line!(info, "accepted"),
            Outcome::Handshake(_) => {
                if self.traffic.handshakes.admits() {
                    line!(info, "handshake");
                }
            }
            Outcome::Refused(refusal) => {
                if self.traffic.refusals.admits() {
                    let (error_code, reason) = (refusal.public_code(), reason(refusal));
                    let (error_code, reason) = (&*error_code, &*reason);
                    line!(error, "refused", error_code, reason);
                    self.traffic.refuse(Rejected {
                        endpoint: endpoint.clone(),
                        received_at: self.received_at,
                        code: error_code.into(),
                        status,
                        source,
                        diagnosis: reason.into(),
                    });
                }
            }
        }
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        self.answered = true;
        self.count(Word::Unanswered);
        if self.traffic.refusals.admits() {
            let (endpoint, source) = (self.traffic.name(), self.source);
            let (event_id, submitted) = (self.noted.event_id(), self.submitted);
            let event_id = event_id.as_deref();
            tracing::error!(
                event_id, submitted, %endpoint, %source, error_code = "unanswered",
                "the sender went away before it was answered; what was submitted is stored all the same"
            );
        }
    }
}

/// As a store keeps it.
fn microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// What happened, for the people who run the endpoint.
pub(super) fn reason(refusal: &Refusal) -> Cow<'static, str> {
    refusal.diagnosis().map_or_else(|| refusal.message(), Cow::Owned)
}
