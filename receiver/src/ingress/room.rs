//! Whether the sinks of a request's events may have more waiting for them (`backlogBytesMax`).
use std::time::Instant;

use boathook_event::ObjectName;
use boathook_store::traits::{Append, Verdict};
use boathook_table::Endpoint;
use tokio::time::timeout_at;

use super::{Ingress, outcome::Refusal};
use crate::limits::STORE_TIME_MAX;

/// What an append adds: its sinks that have a bound, with it, and the bytes.
pub(super) struct Adds {
    sinks: Vec<(ObjectName, u64)>,
    bytes: usize,
}

impl Ingress {
    /// Refuses the request if as much waits for one of its sinks as may. Else gives, for each append, what it will add.
    pub(super) async fn has_room(
        &self,
        endpoint: &Endpoint,
        appends: &[Append],
        deadline: Option<Instant>,
    ) -> Result<Vec<Adds>, Refusal> {
        let adds: Vec<Adds> = appends.iter().map(|append| adds(endpoint, append)).collect();
        if adds.iter().all(|adds| adds.sinks.is_empty()) {
            return Ok(adds);
        }
        if !self.backlog.is_known() {
            // If the store cannot be asked, it will say so when it is to store them.
            let until = Instant::now() + STORE_TIME_MAX;
            let until = deadline.map_or(until, |deadline| deadline.min(until));
            timeout_at(until.into(), self.backlog.know(&self.reader)).await.ok();
        }
        for (sink, bytes_max) in adds.iter().flat_map(|adds| &adds.sinks) {
            if self.backlog.bytes(sink) >= *bytes_max {
                return Err(Refusal::SinkFull(sink.clone()));
            }
        }
        Ok(adds)
    }

    /// These were stored, and wait for their sinks.
    pub(super) fn wait_for(&self, verdicts: &[Verdict], adds: &[Adds]) {
        for (verdict, Adds { sinks, bytes }) in verdicts.iter().zip(adds) {
            if !matches!(verdict, Verdict::Duplicate { .. }) {
                sinks.iter().for_each(|(sink, _)| self.backlog.stored(sink, *bytes));
            }
        }
    }
}

fn adds(endpoint: &Endpoint, append: &Append) -> Adds {
    // What is put aside waits for nobody.
    let goes = append.destinations.iter().filter(|_| append.parked.is_none());
    let bounded = goes.filter_map(|destination| {
        let route = endpoint.sinks.iter().find(|route| route.sink == destination.sink)?;
        Some((destination.sink.clone(), route.backlog_bytes_max?))
    });
    Adds { sinks: bounded.collect(), bytes: append.event.body.len() }
}
