//! Parked deliveries of which a repetition came: a person pressed "Redeliver".
use tokio_postgres::types::Type;

use crate::{
    local::rows::decode_sinks,
    postgres::{
        connection::Session,
        fault::Fault,
        flight::{Flight, value},
        tally::Tally,
    },
};

/// Deliveries that start anew.
#[derive(Default)]
pub(super) struct Rearmed(Vec<Parked>);

struct Parked {
    seq: i64,
    sink: i32,
    endpoint: i32,
    ordered: bool,
}

/// The parked deliveries of these events.
pub(super) async fn parked(session: &Session, events: &[i64]) -> Result<Rearmed, Fault> {
    if events.is_empty() {
        return Ok(Rearmed::default());
    }
    let mut flight = Flight::new(&session.client);
    let asked = flight.ask(
        "select d.seq, d.sink, e.endpoint, e.sinks from deliveries d join events e on e.seq = d.seq
         where d.seq = any($1) and d.outcome not in ('delivered', 'already_there')",
        vec![value(events, Type::INT8_ARRAY)],
    );
    let mut parked = Vec::new();
    for row in flight.land().await?.take(asked) {
        let (seq, sink, endpoint) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let sinks = decode_sinks(row.try_get(3)?);
        let ordered = sinks.into_iter().any(|(known, ordered)| known == i64::from(sink) && ordered);
        parked.push(Parked { seq, sink, endpoint, ordered });
    }
    Ok(Rearmed(parked))
}

impl Rearmed {
    /// Their events.
    pub(super) fn events(&self) -> Vec<i64> {
        self.0.iter().map(|parked| parked.seq).collect()
    }

    pub(super) fn count(&self, tally: &mut Tally) {
        for Parked { endpoint, sink, .. } in &self.0 {
            let totals = tally.route(*endpoint, *sink);
            totals.parked -= 1;
            totals.pending += 1;
        }
    }

    /// Due at once, and their failures are forgotten.
    pub(super) fn write<'f>(&self, now: i64, flight: &mut Flight<'f>) {
        if self.0.is_empty() {
            return;
        }
        let places = || {
            let seqs = self.0.iter().map(|parked| parked.seq).collect::<Vec<_>>();
            let sinks = self.0.iter().map(|parked| parked.sink).collect::<Vec<_>>();
            vec![value(seqs, Type::INT8_ARRAY), value(sinks, Type::INT4_ARRAY)]
        };
        for delete in [
            "delete from deliveries d using unnest($1, $2) as again (seq, sink)
             where d.seq = again.seq and d.sink = again.sink",
            "delete from failures f using unnest($1, $2) as again (seq, sink)
             where f.seq = again.seq and f.sink = again.sink",
        ] {
            flight.ask(delete, places());
        }
        let mut parameters = places();
        let ordered = self.0.iter().map(|parked| parked.ordered).collect::<Vec<_>>();
        parameters.extend([value(ordered, Type::BOOL_ARRAY), value(now, Type::INT8)]);
        flight.ask(
            "insert into pending (sink, seq, attempts, due, key)
             select again.sink, again.seq, 0, $4, case when again.ordered then e.key end
             from unnest($1, $2, $3) as again (seq, sink, ordered) join events e on e.seq = again.seq",
            parameters,
        );
    }
}
