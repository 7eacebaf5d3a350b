//! A PostgreSQL database as a store that several processes share.
//!
//! Each may receive and commit; one at a time may deliver, by a lease. A process uses four connections at most, keeps
//! nothing in their sessions (a pooler by transaction may stand between), and asks for what it needs in as few round trips
//! as there are questions that depend on answers.
mod append;
mod archive;
mod connection;
mod fault;
mod feed;
mod flight;
mod names;
mod oldest;
mod options;
mod outcome;
mod question;
mod rejected;
mod removal;
mod replay;
mod rows;
mod schema;
mod series;
mod sharing;
mod tally;
mod text;
mod tls;
mod turns;
mod writer;

use tokio_postgres::types::Type;

pub use self::{archive::PostgresArchive, feed::PostgresFeed, options::Options, writer::PostgresCommitter};
use self::{
    connection::Connection,
    flight::{Flight, value},
};
use crate::Error;

/// A store in a database.
#[derive(Debug, Clone)]
pub struct Postgres {
    options: Options,
    /// What is wrong with the server's settings.
    warnings: Vec<Box<str>>,
}

impl Postgres {
    /// Looks at the database, and makes or brings up to date what is in it. To be called where threads may wait.
    ///
    /// # Errors
    /// [`Error::Away`] while the server cannot be reached: it may be later. [`Error::Open`] says why the database cannot be
    /// used at all.
    pub fn open(options: Options) -> Result<Self, Error> {
        let mut connection = Connection::new(options.clone())?;
        schema::prepare(&mut connection)?;
        let warnings = warnings(&mut connection)?;
        Ok(Self { options, warnings })
    }

    /// What the server's settings put at risk, for people: nothing, if they are as they should be.
    pub fn warnings(&self) -> &[Box<str>] {
        &self.warnings
    }

    /// Where it is, for people.
    pub fn place(&self) -> String {
        self.options.place()
    }

    /// What makes batches durable, on a connection of its own.
    pub fn committer(&self) -> Result<PostgresCommitter, Error> {
        PostgresCommitter::open(&self.options)
    }

    /// A feed, on a connection of its own.
    pub fn feed(&self) -> Result<PostgresFeed, Error> {
        PostgresFeed::open(&self.options)
    }

    /// An archive, on a connection of its own.
    pub fn archive(&self) -> Result<PostgresArchive, Error> {
        PostgresArchive::open(&self.options)
    }
}

/// Settings with which what was acknowledged may be lost in a crash of the server's machine.
fn warnings(connection: &mut Connection) -> Result<Vec<Box<str>>, Error> {
    connection.work(&async |session| {
        let mut flight = Flight::new(&session.client);
        let off = flight.ask(
            "select name from pg_settings where name = any($1) and setting = 'off'",
            vec![value(vec!["fsync", "full_page_writes"], Type::TEXT_ARRAY)],
        );
        let mut warnings = Vec::new();
        for row in flight.land().await?.take(off) {
            let name: &str = row.try_get(0)?;
            warnings.push(format!("{name} is off: a crash of the server's machine may lose what was acknowledged; set {name} = on").into());
        }
        Ok(warnings)
    })
}
