//! Adding what one transaction has counted to the stored totals.
use tokio_postgres::types::Type;

use crate::{
    postgres::flight::{Flight, value},
    tally::{RouteDelta, Tally},
};

impl Tally<i32> {
    /// Adds all to the stored totals, and to those of its hours.
    pub(super) fn write<'f>(&'f self, flight: &mut Flight<'f>) {
        let Self { words, hours, hour: _, routes, events } = self;
        if !words.is_empty() {
            let endpoints = words.keys().map(|(endpoint, _)| *endpoint).collect::<Vec<_>>();
            let names = words.keys().map(|(_, word)| word.as_str()).collect::<Vec<_>>();
            let numbers = words.values().copied().collect::<Vec<_>>();
            flight.ask(
                "insert into words as w (endpoint, word, number) select * from unnest($1, $2, $3)
                 on conflict (endpoint, word) do update set number = w.number + excluded.number",
                vec![
                    value(endpoints, Type::INT4_ARRAY),
                    value(names, Type::TEXT_ARRAY),
                    value(numbers, Type::INT8_ARRAY),
                ],
            );
        }
        if !routes.is_empty() {
            let of = |number: fn(&RouteDelta) -> i64| {
                value(routes.values().map(number).collect::<Vec<_>>(), Type::INT8_ARRAY)
            };
            let endpoints = routes.keys().map(|(endpoint, _)| *endpoint).collect::<Vec<_>>();
            let sinks = routes.keys().map(|(_, sink)| *sink).collect::<Vec<_>>();
            // Programs of schema 1 do not count bytes: what they have left over is gone when nothing waits any more.
            flight.ask(
                "insert into routes as r
                 (endpoint, sink, delivered, parked, pending, failed_attempts, erased, skipped, pending_bytes)
                 select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 on conflict (endpoint, sink) do update set delivered = r.delivered + excluded.delivered,
                     parked = r.parked + excluded.parked, pending = r.pending + excluded.pending,
                     failed_attempts = r.failed_attempts + excluded.failed_attempts, erased = r.erased + excluded.erased,
                     skipped = r.skipped + excluded.skipped,
                     pending_bytes = case when r.pending + excluded.pending <= 0 then 0
                         else r.pending_bytes + excluded.pending_bytes end",
                vec![
                    value(endpoints, Type::INT4_ARRAY),
                    value(sinks, Type::INT4_ARRAY),
                    of(|route| route.delivered),
                    of(|route| route.parked),
                    of(|route| route.pending),
                    of(|route| route.failed_attempts),
                    of(|route| route.erased),
                    of(|route| route.skipped),
                    of(|route| route.pending_bytes),
                ],
            );
        }
        hours.iter().for_each(|(hour, hourly)| hourly.write(*hour, flight));
        if *events != 0 {
            flight.ask("update store set events = events + $1", vec![value(*events, Type::INT8)]);
        }
    }
}
