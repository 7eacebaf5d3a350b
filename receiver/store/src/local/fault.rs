//! SQLite's errors in the store's words.
use rusqlite::ErrorCode;

use crate::Error;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            // Somebody else holds the database, an operator's shell for instance: as with a full disk, later is better.
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Full(text)
            }
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen,
            ) => Self::Io(text),
            _ => Self::Rejected(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn a_full_disk_may_work_later_a_failed_one_is_in_doubt_and_the_rest_is_the_batch() {
        let of = |code| Error::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(matches!(of(ffi::SQLITE_FULL), Error::Full(_)));
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_CORRUPT, ffi::SQLITE_READONLY, ffi::SQLITE_CANTOPEN]
        {
            assert!(of(code).is_io(), "{code}");
        }
        assert!(matches!(of(ffi::SQLITE_CONSTRAINT_UNIQUE), Error::Rejected(_)));
        assert!(matches!(Error::from(rusqlite::Error::QueryReturnedNoRows), Error::Rejected(_)));
    }
}
