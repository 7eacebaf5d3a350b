//! What a request must pass, in this order. Each line is a step of the order of defence: cheap before dear, and nothing
//! parsed before it is genuine, nothing acknowledged before it is durable.
use std::{net::IpAddr, time::Instant};

use boathook_event::{Facts, Read, Uid, Word};
use boathook_store::{
    SubmitError,
    traits::{Append, Verdict},
};
use boathook_table::Endpoint;
use boathook_verify::{self as verify, Answered, RawRequest, Rejection, Verified};
use bytes::Bytes;
use http::{Method, request::Parts};
use hyper::body::Body;
use jiff::Timestamp;
use rand::RngExt as _;
use tokio::time::timeout_at;

use super::{
    Ingress, capture,
    chosen::Chosen,
    exchange::Exchange,
    outcome::{Outcome, Refusal},
};
use crate::{brought::Taken, deliveries::Changed, held::Holders, limits::STORE_TIME_MAX, serving::Served};

impl Ingress {
    /// Takes a request or refuses it.
    pub(super) async fn accept<B: Body<Data = Bytes> + Unpin>(
        &self,
        served: &Served,
        head: Parts,
        body: &mut B,
        source: IpAddr,
        exchange: &mut Exchange<'_>,
    ) -> Result<Outcome, Refusal> {
        let Served { endpoint, gate, traffic, secrets: _ } = served;
        takes_method(endpoint, &head)?;
        may_call(endpoint, source)?;
        gate.admit_source(source).map_err(Refusal::SourceRate)?;
        is_open(endpoint)?;
        let holders = Holders { all: &self.bodies, endpoint: &traffic.bodies };
        let (body, _held) = capture::body(body, endpoint.body_bytes_max, holders).await?;
        let request = capture::raw(head, body);
        if let Some(answered) = self.handshake(endpoint, &request).await {
            return answered;
        }
        let verified = self.genuine(served, &request).await?;
        served.matched(verified.secret(), exchange.received_at);
        gate.admit_genuine().map_err(Refusal::Rate)?;
        if request.method != Method::POST {
            let answered = endpoint.handshakes.after_proof(&verified).ok_or_else(|| not_taken(endpoint))?;
            return self.visited(answered).await;
        }
        let read = {
            let mut facts = Facts { received_at: exchange.received_at, uid: &mut new_uid };
            endpoint.reading.read(&verified, &mut facts).map_err(Refusal::Unreadable)?
        };
        if let Some(answered) = endpoint.handshakes.after_proof(&verified) {
            return self.visited(answered).await;
        }
        drop(request);
        exchange.noted.first(read.events.first().map(|read| &read.event));
        let tenants = read.events.iter().filter_map(|read| read.event.tenant.as_deref());
        gate.admit_tenants(tenants).map_err(Refusal::TenantRate)?;
        self.keep(served, read, exchange).await
    }

    /// Answers a handshake that needs no proof. A secret that it brings is kept first; where another one came before, it
    /// brings none.
    async fn handshake(&self, endpoint: &Endpoint, request: &RawRequest) -> Option<Result<Outcome, Refusal>> {
        let armed = endpoint.capture.as_ref().filter(|capture| capture.is_armed(Timestamp::now()));
        let mut answered = endpoint.handshakes.before_proof(request, armed.is_some())?;
        if let (Some(capture), Ok(Answered { secret: Some(secret), .. })) = (armed, &answered) {
            match self.brought.keep(&endpoint.name, capture, secret).await {
                Ok(Taken::Kept) => {}
                Ok(Taken::TooLate) => answered = endpoint.handshakes.before_proof(request, false)?,
                Err(error) => {
                    let why = format!("the provider's secret cannot be kept in the data folder: {error}");
                    return Some(Err(Refusal::NotStored(SubmitError::Unavailable(why))));
                }
            }
        }
        let refused = |rejection| Refusal::NotGenuine(rejection, None);
        Some(answered.map(Outcome::Handshake).map_err(refused))
    }

    /// Verifies; once more where the request names a key that its sender may have published since.
    async fn genuine<'r>(&self, served: &Served, request: &'r RawRequest) -> Result<Verified<'r>, Refusal> {
        let verifier = &served.endpoint.verifier;
        let verify = || {
            let (before, now) = (Instant::now(), Timestamp::now());
            let verified = verifier.verify(request, now).map_err(|rejection| (rejection, now))?;
            self.metrics.verify_seconds.observe(before.elapsed().as_secs_f64());
            Ok(verified)
        };
        let verified = match verify() {
            Err((rejection, now)) if rejection.lacks_key() => match verifier.lacks_key(request, now) {
                Some(slot) => {
                    self.published_keys.look_again(slot).await;
                    verify()
                }
                None => Err((rejection, now)),
            },
            decided => decided,
        };
        verified.map_err(|(rejection, now)| not_genuine(served, request, rejection, now))
    }

    /// Visits what a handshake wants visited before it is answered.
    async fn visited(&self, answered: Answered) -> Result<Outcome, Refusal> {
        if let Some(url) = &answered.visit {
            let fetcher = self.configuration.fetcher().map_err(Refusal::NotVisited)?;
            fetcher.visit(url).await.map_err(Refusal::NotVisited)?;
        }
        Ok(Outcome::Handshake(answered))
    }

    /// Stores what is wanted of a genuine request.
    async fn keep(
        &self,
        served: &Served,
        read: Read,
        exchange: &mut Exchange<'_>,
    ) -> Result<Outcome, Refusal> {
        let Served { endpoint, traffic, .. } = served;
        let Read { events, answer } = read;
        let Chosen { appends, labels, ignored, why_ignored } = Chosen::of(served, events, &self.metrics)?;
        let mut best = Word::Ignored;
        let deadline = endpoint.acknowledge.deadline().map(|deadline| exchange.started + deadline);
        let mut expected = self.expect(endpoint, &appends);
        if !appends.is_empty() {
            let bounded = self.has_room(endpoint, &appends, deadline).await?;
            let verdicts = self.stored(appends, deadline, exchange).await.map_err(Refusal::NotStored)?;
            self.wait_for(&verdicts, &bounded);
            for (verdict, label) in verdicts.iter().zip(labels) {
                let word = self.word(*verdict);
                self.metrics.event(traffic.name(), label, word);
                best = best.min(word);
            }
            expected.took(verdicts);
        }
        for label in &ignored {
            self.metrics.event(traffic.name(), label, Word::Ignored);
        }
        traffic.count(Word::Ignored, ignored.len() as u64);
        if expected.is_something() {
            traffic.pulse.event(exchange.received_at);
            self.happened(endpoint, expected, deadline).await.map_err(Refusal::NotDelivered)?;
        }
        Ok(Outcome::Taken { word: best, why_ignored, answer })
    }

    async fn stored(
        &self,
        appends: Vec<Append>,
        deadline: Option<Instant>,
        exchange: &mut Exchange<'_>,
    ) -> Result<Vec<Verdict>, SubmitError> {
        // From here on the store counts them, whether or not anybody waits for its answer.
        exchange.submitted = true;
        let until = Instant::now() + STORE_TIME_MAX;
        let until = deadline.map_or(until, |deadline| deadline.min(until));
        let verdicts = timeout_at(until.into(), self.store.append(appends)).await;
        let late = |_| Err(SubmitError::InDoubt("the store did not answer in time".into()));
        let verdicts = verdicts.unwrap_or_else(late);
        // What is certainly not there is counted here.
        exchange.submitted = matches!(verdicts, Ok(_) | Err(SubmitError::InDoubt(_)));
        verdicts
    }

    fn word(&self, verdict: Verdict) -> Word {
        match verdict {
            Verdict::Stored { .. } | Verdict::IdConflict { .. } => Word::Accepted,
            Verdict::Duplicate { of, rearmed } => {
                if rearmed {
                    // When there is no room, dispatch finds it by itself, a little later.
                    self.changed.try_send(Changed::Armed(vec![of])).ok();
                }
                Word::Duplicate
            }
        }
    }
}

/// Why it was refused, with what would explain it. Looking for that costs more than refusing: not for every request of a
/// flood.
fn not_genuine(served: &Served, request: &RawRequest, rejection: Rejection, now: Timestamp) -> Refusal {
    if rejection.code == verify::Code::Unavailable {
        return Refusal::Unchecked(rejection);
    }
    let Served { endpoint, traffic, .. } = served;
    let hint = traffic.hints.admits().then(|| endpoint.verifier.hint(request, &rejection, now));
    Refusal::NotGenuine(rejection, hint.flatten())
}

/// Deliveries are a POST; handshakes may be others.
fn takes_method(endpoint: &Endpoint, head: &Parts) -> Result<(), Refusal> {
    let takes = head.method == Method::POST || endpoint.handshakes.take(&head.method);
    if takes { Ok(()) } else { Err(not_taken(endpoint)) }
}

fn not_taken(endpoint: &Endpoint) -> Refusal {
    let others = [Method::GET, Method::HEAD, Method::OPTIONS];
    let others = others.iter().filter(|method| endpoint.handshakes.take(method));
    Refusal::Method { allow: others.fold("POST".to_owned(), |all, method| all + ", " + method.as_str()) }
}

fn may_call(endpoint: &Endpoint, source: IpAddr) -> Result<(), Refusal> {
    let allowed = &endpoint.allowed_sources;
    let may = allowed.is_empty() || allowed.iter().any(|network| network.contains(&source));
    if may { Ok(()) } else { Err(Refusal::Source) }
}

fn is_open(endpoint: &Endpoint) -> Result<(), Refusal> {
    if endpoint.paused { Err(Refusal::Paused) } else { Ok(()) }
}

/// Our own id: time, and chance from the thread's generator, which asks the system only for its seeds.
pub(crate) fn new_uid() -> Uid {
    let millis = Timestamp::now().as_millisecond();
    Uid::new(u64::try_from(millis).unwrap_or(0), &rand::rng().random())
}
