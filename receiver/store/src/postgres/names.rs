//! Names of endpoints and sinks as the numbers that rows carry.
use std::collections::{BTreeSet, HashMap};

use boathook_event::{Count, ObjectName};
use tokio_postgres::{Row, types::Type};

use crate::{
    Error,
    postgres::{
        fault::Fault,
        flight::{Flight, value},
    },
    traits::Batch,
};

/// The names met so far and their numbers: as many as objects were ever configured.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<ObjectName, i32>);

/// The same in a transaction, which may give numbers that are none if it fails.
pub(super) struct Lookup<'n> {
    known: &'n Names,
    fresh: Names,
}

/// The names of one batch that are not known yet.
pub(super) struct Unknown {
    /// Given a number if they have none: something will carry it.
    given: Vec<String>,
    all: Vec<String>,
}

impl Names {
    /// What must be asked for before the batch can be written.
    pub(super) fn unknown<'b>(&self, batch: &'b Batch, counters: impl Iterator<Item = &'b Count>) -> Unknown {
        let Batch { appends, outcomes, counters: _, rejected } = batch;
        let is_unknown = |name: &&ObjectName| !self.0.contains_key(*name);
        let of_appends = appends.iter().flat_map(|append| {
            let sinks = append.destinations.iter().map(|destination| &destination.sink);
            sinks.chain([&append.event.endpoint])
        });
        let given = of_appends.chain(counters.map(|count| &count.endpoint));
        let given = given.chain(rejected.iter().map(|rejected| &rejected.endpoint));
        let given = given.filter(is_unknown).collect::<BTreeSet<_>>();
        let seen = outcomes.iter().flat_map(|(_, record)| [&record.sink, &record.endpoint]);
        let seen = seen.filter(is_unknown).collect::<BTreeSet<_>>();
        let text = |name: &&ObjectName| name.as_str().to_owned();
        Unknown { given: given.iter().map(text).collect(), all: given.union(&seen).map(text).collect() }
    }

    /// Takes what a transaction has learnt, once it is committed.
    pub(super) fn keep(&mut self, fresh: Names) {
        self.0.extend(fresh.0);
    }

    /// What a transaction knows after it was answered [`Unknown::ask`].
    pub(super) fn with(&self, rows: &[Row]) -> Result<Lookup<'_>, Fault> {
        let mut fresh = Names::default();
        for row in rows {
            fresh.0.insert(ObjectName::from_stored(row.try_get(0)?), row.try_get(1)?);
        }
        Ok(Lookup { known: self, fresh })
    }
}

impl Lookup<'_> {
    /// The name's number, if it has one.
    pub(super) fn id(&self, name: &ObjectName) -> Option<i32> {
        self.known.0.get(name).or_else(|| self.fresh.0.get(name)).copied()
    }

    /// The number of a name that was asked for to be given one.
    pub(super) fn expect(&self, name: &ObjectName) -> Result<i32, Fault> {
        self.id(name).ok_or_else(|| Error::Rejected(format!("{name} was given no number")).into())
    }

    /// What is new.
    pub(super) fn into_fresh(self) -> Names {
        self.fresh
    }
}

impl Unknown {
    /// A name that is given a number, and one that may have one.
    pub(super) fn of(given: Option<&ObjectName>, other: Option<&ObjectName>) -> Self {
        let text = |name: &ObjectName| name.as_str().to_owned();
        Self {
            given: given.map(text).into_iter().collect(),
            all: given.into_iter().chain(other).map(text).collect(),
        }
    }

    /// Asks for them; where nothing is unknown, for nothing.
    pub(super) fn ask<'f>(&'f self, flight: &mut Flight<'f>) -> Option<usize> {
        if !self.given.is_empty() {
            let statement = "insert into names (name) select unnest($1) on conflict do nothing";
            flight.ask(statement, vec![value(&self.given, Type::TEXT_ARRAY)]);
        }
        (!self.all.is_empty()).then(|| {
            let statement = "select name, id from names where name = any($1)";
            flight.ask(statement, vec![value(&self.all, Type::TEXT_ARRAY)])
        })
    }
}
