//! What is remembered of refused requests.
use std::collections::BTreeSet;

use boathook_event::{ObjectName, Rejected};
use tokio_postgres::{Row, types::Type};

use crate::{
    Error,
    columns::place,
    limits::{LIST_MAX, REJECTED_KEPT_MAX},
    postgres::{
        connection::Session,
        fault::Fault,
        flight::{Flight, value},
        names::Lookup,
        rows, text,
    },
};

/// Remembers them, and forgets the oldest of their endpoints above the budget.
pub(super) fn write(rejected: &[Rejected], names: &Lookup<'_>, flight: &mut Flight<'_>) -> Result<(), Fault> {
    if rejected.is_empty() {
        return Ok(());
    }
    let rejected = rejected.iter().cloned().map(Rejected::bounded).collect::<Vec<_>>();
    let endpoints = rejected.iter().map(|of| names.expect(&of.endpoint)).collect::<Result<Vec<_>, _>>()?;
    let distinct = endpoints.iter().copied().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    let texts = |of: fn(&Rejected) -> String| {
        value(
            rejected.iter().map(|rejected| text::encode(&of(rejected)).into_owned()).collect::<Vec<_>>(),
            Type::TEXT_ARRAY,
        )
    };
    flight.ask(
        "insert into rejected (endpoint, received, code, status, source, diagnosis)
         select endpoint, received, code, status, source, diagnosis
         from unnest($1, $2, $3, $4, $5, $6) with ordinality
             as new (endpoint, received, code, status, source, diagnosis, number) order by number",
        vec![
            value(endpoints, Type::INT4_ARRAY),
            value(
                rejected.iter().map(|rejected| rejected.received_at.as_microsecond()).collect::<Vec<_>>(),
                Type::INT8_ARRAY,
            ),
            texts(|rejected| rejected.code.to_string()),
            value(
                rejected.iter().map(|rejected| i32::from(rejected.status)).collect::<Vec<_>>(),
                Type::INT4_ARRAY,
            ),
            texts(|rejected| rejected.source.to_string()),
            texts(|rejected| rejected.diagnosis.to_string()),
        ],
    );
    let kept = i64::try_from(REJECTED_KEPT_MAX).unwrap_or(i64::MAX);
    flight.ask(
        "delete from rejected r using unnest($1) as of_endpoint (endpoint) where r.endpoint = of_endpoint.endpoint
         and r.number <= (select number from rejected where endpoint = of_endpoint.endpoint
                          order by number desc limit 1 offset $2)",
        vec![value(distinct, Type::INT4_ARRAY), value(kept, Type::INT8)],
    );
    Ok(())
}

/// See [`crate::traits::Archive::rejections`].
pub(super) async fn list(
    session: &Session,
    endpoint: Option<&ObjectName>,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<(u64, Rejected)>, Fault> {
    let of = match endpoint {
        Some(_) => "r.endpoint = (select id from names where name = $3)",
        None => "$3::text is null",
    };
    let select = format!(
        "select r.number, n.name, r.received, r.code, r.status, r.source, r.diagnosis
         from rejected r join names n on n.id = r.endpoint where r.number < $1 and {of} order by r.number desc limit $2"
    );
    let mut flight = Flight::new(&session.client);
    let rows = flight.ask(
        &select,
        vec![
            value(after.map_or(i64::MAX, place), Type::INT8),
            value(i64::try_from(limit.min(LIST_MAX)).unwrap_or(i64::MAX), Type::INT8),
            value(endpoint.map(ObjectName::as_str), Type::TEXT),
        ],
    );
    flight.land().await?.take(rows).iter().map(read).collect()
}

fn read(row: &Row) -> Result<(u64, Rejected), Fault> {
    let rejected = Rejected {
        endpoint: ObjectName::from_stored(row.try_get(1)?),
        received_at: rows::timestamp(row.try_get(2)?)?,
        code: text::decode(row.try_get(3)?),
        status: u16::try_from(row.try_get::<_, i32>(4)?).unwrap_or_default(),
        source: row
            .try_get::<_, &str>(5)?
            .parse()
            .map_err(|_| Error::Rejected("an address in the store is damaged".into()))?,
        diagnosis: text::decode(row.try_get(6)?),
    };
    Ok((row.try_get::<_, i64>(0)?.unsigned_abs(), rejected))
}
