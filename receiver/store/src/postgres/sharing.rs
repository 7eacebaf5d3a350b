//! How receivers deal the partitions out: who lives, who holds what, and since which claim.
//!
//! Who joins writes its own row of `receivers`; who claims removes the rows whose time has passed, under the store's lock. Both
//! write the same row, one after the other: so a receiver that comes back either still lives for whoever claims, or sees, in
//! what it reads after it has written, all that was claimed before.
use std::{collections::BTreeMap, time::Duration};

use boathook_event::{Partition, Partitions};
use tokio_postgres::types::Type;

use crate::{
    columns::place,
    postgres::{
        connection::{BEGIN, Session},
        fault::Fault,
        flight::{Flight, Parameter, value},
        rows,
        writer::{commit, locked},
    },
    traits::{Epoch, Shares},
};

/// What a process holds.
pub(super) type Held = BTreeMap<Partition, Epoch>;

/// See [`crate::traits::Feed::join`]. Of `known`, what is still there is held. What else has this name is given back: an earlier
/// process had it, or a claim whose answer was lost; while this one lives, nobody else could take it.
pub(super) async fn join(
    session: &Session,
    name: &str,
    lease: Duration,
    known: &Held,
) -> Result<Shares, Fault> {
    let mut flight = Flight::new(&session.client);
    flight.ask(
        "insert into receivers (name, ends) values ($1, now() + make_interval(secs => $2))
         on conflict (name) do update set ends = excluded.ends",
        vec![value(name, Type::TEXT), value(lease.as_secs_f64(), Type::FLOAT8)],
    );
    let epochs = known.values().copied().collect::<Vec<_>>();
    flight.ask(
        "update leases set holder = '' where holder = $1 and epoch <> all($2)",
        vec![value(name, Type::TEXT), of(&epochs)],
    );
    let living = flight.ask("select name from receivers where ends > now() order by name", Vec::new());
    let holders = flight.ask("select part, holder, epoch from leases", Vec::new());
    let mut answers = flight.land().await?;
    let living = answers.take(living);
    let living =
        living.iter().map(|row| Ok(row.try_get::<_, &str>(0)?)).collect::<Result<Vec<_>, Fault>>()?;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut shares = Shares {
        living: number(living.len()).max(1),
        place: number(living.iter().take_while(|other| **other < name).count()),
        held: Held::new(),
        free: Partitions::ALL,
    };
    for row in answers.take(holders) {
        let (partition, holder) = (rows::partition(row.try_get(0)?)?, row.try_get::<_, &str>(1)?);
        let epoch = Epoch(row.try_get::<_, i64>(2)?.unsigned_abs());
        if holder == name && known.get(&partition) == Some(&epoch) {
            shares.held.insert(partition, epoch);
            shares.free.remove(partition);
        } else if holder != name && living.contains(&holder) {
            shares.free.remove(partition);
        }
    }
    Ok(shares)
}

/// See [`crate::traits::Feed::claim`]. Under the lock: an outcome is written before the claim, or after it, and then it is seen
/// to be late.
pub(super) async fn claim(session: &Session, name: &str, wanted: Partitions) -> Result<Held, Fault> {
    let (_, ()) = locked(session, BEGIN, |_| ()).await?;
    let mut flight = Flight::new(&session.client);
    flight.ask("delete from receivers where ends <= now() and name <> $1", vec![value(name, Type::TEXT)]);
    let claimed = flight.ask(
        "with last as (select coalesce(max(epoch), 0) as epoch from leases),
         free as (
             select w.part, row_number() over (order by w.part) as number from unnest($2) as w (part)
             where exists (select from receivers where name = $1) and not exists (
                 select from leases l join receivers r on r.name = l.holder where l.part = w.part and l.holder <> $1
             )
         )
         insert into leases (part, holder, epoch) select free.part, $1, last.epoch + free.number from free, last
         on conflict (part) do update set holder = excluded.holder, epoch = excluded.epoch returning part, epoch",
        vec![
            value(name, Type::TEXT),
            value(wanted.iter().map(rows::part).collect::<Vec<_>>(), Type::INT4_ARRAY),
        ],
    );
    let claimed = flight.land().await?.take(claimed);
    let right = |row: &tokio_postgres::Row| {
        Ok((rows::partition(row.try_get(0)?)?, Epoch(row.try_get::<_, i64>(1)?.unsigned_abs())))
    };
    let claimed = claimed.iter().map(right).collect::<Result<_, Fault>>()?;
    commit(session, Flight::new(&session.client)).await?;
    Ok(claimed)
}

/// Gives back what was claimed so.
pub(super) async fn release(session: &Session, epochs: &[Epoch]) -> Result<(), Fault> {
    let mut flight = Flight::new(&session.client);
    flight.ask("update leases set holder = '' where epoch = any($1)", vec![of(epochs)]);
    flight.land().await?;
    Ok(())
}

/// The same, and the process lives no longer; unless another one of its name holds something.
pub(super) async fn leave(session: &Session, name: &str, epochs: &[Epoch]) -> Result<(), Fault> {
    let mut flight = Flight::new(&session.client);
    flight.ask("update leases set holder = '' where epoch = any($1)", vec![of(epochs)]);
    flight.ask(
        "delete from receivers where name = $1 and not exists (select from leases where holder = $1)",
        vec![value(name, Type::TEXT)],
    );
    flight.land().await?;
    Ok(())
}

fn of(epochs: &[Epoch]) -> Parameter<'static> {
    value(epochs.iter().map(|epoch| place(epoch.0)).collect::<Vec<_>>(), Type::INT8_ARRAY)
}
