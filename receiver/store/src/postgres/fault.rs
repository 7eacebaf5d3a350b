//! PostgreSQL's errors in the store's words.
use std::error::Error as _;

use tokio_postgres::error::{Severity, SqlState};

use crate::Error;

/// Why a piece of work on a connection ended.
#[derive(Debug)]
pub(super) enum Fault {
    /// The client or the server says so.
    Server(tokio_postgres::Error),
    /// We do.
    Ours(Error),
}

/// What follows from a fault.
pub(super) enum Follows {
    /// Nothing was done, and the same may succeed now.
    Again,
    /// It failed.
    Failed(Error),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl Fault {
    /// `committing`: the server may have been told to commit. `stale`: the connection was there before this work, so that
    /// its end may be old news.
    pub(super) fn follows(self, committing: bool, stale: bool) -> Follows {
        let error = match self {
            Self::Ours(error) => return Follows::Failed(error),
            Self::Server(error) => error,
        };
        let Some(said) = error.as_db_error() else {
            let of_connection = error.is_closed() || is_io(&error);
            return match (of_connection, committing, stale) {
                (true, true, _) => Follows::Failed(Error::InDoubt(text(&error))),
                (true, false, true) => Follows::Again,
                (true, false, false) => Follows::Failed(Error::Away(text(&error))),
                (false, ..) => Follows::Failed(Error::Rejected(text(&error))),
            };
        };
        let ends_connection = !matches!(said.parsed_severity(), Some(Severity::Error));
        if ends_connection && committing {
            return Follows::Failed(Error::InDoubt(text(&error)));
        }
        if ends_connection && stale
            || matches!(*said.code(), SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED)
        {
            return Follows::Again;
        }
        match said.code().code().get(..2) {
            // Data exceptions and violated constraints are this batch's own.
            Some("22" | "23") => Follows::Failed(Error::Rejected(text(&error))),
            Some("53") => Follows::Failed(Error::Full(text(&error))),
            _ => Follows::Failed(Error::Away(text(&error))),
        }
    }
}

/// An error with what lies behind it.
pub(super) fn text(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", said.message(), said.code().code());
    }
    match error.source() {
        Some(source) => {
            format!("{error}: {source}").replacen(&format!(": {source}: {source}"), &format!(": {source}"), 1)
        }
        None => error.to_string(),
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(|source| source.is::<std::io::Error>())
}
