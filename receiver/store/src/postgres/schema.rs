//! The database's tables: made where there are none, and brought up to date under programs that still run.
//!
//! Each schema is made of the one before by adding: so an older program goes on with a newer schema, as long as the newer
//! one says that it can. That is how two versions share a store during a rolling update.
use boathook_event::{ObjectName, Partition};
use tokio_postgres::types::Type;

use crate::{
    Error,
    limits::DEDUPE_PARTITIONS,
    postgres::{
        connection::{BEGIN, COMMIT, Connection, Session},
        fault::Fault,
        flight::{Flight, value},
        rows, text,
    },
};

/// The schema that this program writes.
const VERSION: i32 = 7;
/// The statements that make each schema of the one before, the first of nothing, and the oldest schema whose programs can
/// work with it.
const STEPS: [(i32, i32, &str); 7] = [
    (1, 1, include_str!("schema.sql")),
    (2, 1, include_str!("schema_2.sql")),
    (3, 1, include_str!("schema_3.sql")),
    (4, 4, include_str!("schema_4.sql")),
    (5, 4, include_str!("schema_5.sql")),
    (6, 4, include_str!("schema_6.sql")),
    (7, 4, include_str!("schema_7.sql")),
];
/// The advisory lock under which tables are made: "boathook" in ASCII.
const LOCK: i64 = 0x626f_6174_686f_6f6b;

/// What a database says of itself.
#[derive(Debug, Clone, Copy)]
struct Made {
    schema: i32,
    readable_by: i32,
}

/// Makes what is missing.
///
/// # Errors
/// [`Error::Open`] where the schema is one that this program cannot work with.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), Error> {
    if let Some(made) = connection.work(&made)? {
        is_known(made)?;
    }
    connection.work(&make)
}

fn is_known(made: Made) -> Result<(), Error> {
    let Made { schema, readable_by } = made;
    if readable_by <= VERSION {
        return Ok(());
    }
    Err(Error::Open(format!(
        "the database has schema {schema}, and this program knows {VERSION}: it was written by a newer one, and programs \
         older than schema {readable_by} cannot work with it; start that version, or name another database with --postgres-url"
    )))
}

async fn made(session: &Session) -> Result<Option<Made>, Fault> {
    let mut flight = Flight::new(&session.client);
    // Not by to_regclass, which may not see yet what another process has just made.
    let there = flight.ask(
        "select exists (select from pg_class where relname = 'store' and pg_table_is_visible(oid))",
        Vec::new(),
    );
    let there: bool = match flight.land().await?.take(there).first() {
        Some(row) => row.try_get(0)?,
        None => false,
    };
    if !there {
        return Ok(None);
    }
    let mut flight = Flight::new(&session.client);
    let rows = flight.ask("select schema, readable_by from store", Vec::new());
    let rows = flight.land().await?.take(rows);
    let row = rows.first().map(|row| {
        Ok::<_, tokio_postgres::Error>(Made { schema: row.try_get(0)?, readable_by: row.try_get(1)? })
    });
    Ok(row.transpose()?)
}

/// Takes the steps that are missing, each whole or not at all.
async fn make(session: &Session) -> Result<(), Fault> {
    let known = made(session).await?;
    if known.is_some_and(|made| made.schema >= VERSION) {
        return Ok(());
    }
    let mut flight = Flight::new(&session.client);
    flight.run(BEGIN);
    flight.ask("select pg_advisory_xact_lock($1)", vec![value(LOCK, Type::INT8)]);
    flight.land().await?;
    // Another process may have been faster.
    let known = made(session).await?.map_or(0, |made| made.schema);
    for (schema, readable_by, statements) in STEPS.into_iter().filter(|(schema, ..)| *schema > known) {
        let partitions = if schema == 1 { partitions() } else { String::new() };
        let stamp = match schema {
            1 => format!("insert into store (schema, readable_by) values ({schema}, {readable_by})"),
            _ => format!("update store set schema = {schema}, readable_by = {readable_by}"),
        };
        session.client.batch_execute(&format!("{statements}; {partitions} {stamp}")).await?;
        if schema == 4 {
            deal_out(session).await?;
        }
    }
    session.committing();
    session.client.batch_execute(COMMIT).await?;
    Ok(())
}

/// Gives each pending delivery the number of its partition.
async fn deal_out(session: &Session) -> Result<(), Fault> {
    loop {
        let mut flight = Flight::new(&session.client);
        let slice = flight.ask(
            "select p.sink, n.name, p.seq, p.key from pending p join names n on n.id = p.sink where p.part is null limit 10000",
            Vec::new(),
        );
        let slice = flight.land().await?.take(slice);
        if slice.is_empty() {
            break;
        }
        let (mut sinks, mut seqs, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for row in slice {
            let (name, seq) = (ObjectName::from_stored(row.try_get(1)?), row.try_get::<_, i64>(2)?);
            let key = row.try_get::<_, Option<&str>>(3)?.map(text::decode);
            sinks.push(row.try_get::<_, i32>(0)?);
            seqs.push(seq);
            parts.push(rows::part(Partition::of(&name, key.as_deref(), seq.unsigned_abs())));
        }
        let mut flight = Flight::new(&session.client);
        flight.ask(
            "update pending p set part = dealt.part from unnest($1, $2, $3) as dealt (sink, seq, part)
             where p.sink = dealt.sink and p.seq = dealt.seq",
            vec![
                value(sinks, Type::INT4_ARRAY),
                value(seqs, Type::INT8_ARRAY),
                value(parts, Type::INT4_ARRAY),
            ],
        );
        flight.land().await?;
    }
    session.client.batch_execute("alter table pending alter column part set not null").await?;
    Ok(())
}

fn partitions() -> String {
    let partition = |number: u32| {
        format!(
            "create table dedupe_{number} partition of dedupe for values with (modulus {DEDUPE_PARTITIONS}, \
             remainder {number});"
        )
    };
    (0..DEDUPE_PARTITIONS).map(partition).collect()
}
