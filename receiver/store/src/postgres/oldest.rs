//! Since when deliveries wait, endpoint by endpoint, at a cost that the backlog does not change.
use boathook_event::ObjectName;
use jiff::Timestamp;
use tokio_postgres::types::Type;

use crate::{
    limits::OLDEST_LOOKED_AT,
    oldest::{Backlog, Waiting, oldest},
    postgres::{
        connection::Session,
        fault::Fault,
        flight::{Flight, value},
        rows,
    },
};

/// See [`crate::traits::Archive::oldest_pending`].
pub(super) async fn pending(session: &Session) -> Result<Vec<(ObjectName, Timestamp)>, Fault> {
    let limit = i64::try_from(OLDEST_LOOKED_AT).unwrap_or(i64::MAX);
    let mut flight = Flight::new(&session.client);
    let backlogs = flight.ask(
        "select r.sink, r.endpoint, n.name from routes r join names n on n.id = r.endpoint where r.pending > 0",
        Vec::new(),
    );
    let looked_at = flight.ask(
        "select s.sink, e.endpoint, e.received from (select distinct sink from routes where pending > 0) s
         cross join lateral (select seq from pending where sink = s.sink order by seq limit $1) p
         join events e on e.seq = p.seq order by p.seq",
        vec![value(limit, Type::INT8)],
    );
    let mut answers = flight.land().await?;
    let (mut backlogs_there, mut names) = (Vec::new(), Vec::new());
    for row in answers.take(backlogs) {
        let (sink, endpoint): (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
        backlogs_there.push(Backlog { sink, endpoint });
        names.push((endpoint, ObjectName::from_stored(row.try_get(2)?)));
    }
    let mut waiting = Vec::new();
    for row in answers.take(looked_at) {
        waiting.push(Waiting {
            sink: row.try_get(0)?,
            endpoint: row.try_get(1)?,
            since: rows::timestamp(row.try_get(2)?)?,
        });
    }
    let mut oldest = oldest(&backlogs_there, &waiting);
    Ok(names.into_iter().filter_map(|(endpoint, name)| Some((name, oldest.remove(&endpoint)?))).collect())
}
