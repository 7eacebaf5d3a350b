//! Inserting many rows: several with one statement, since starting and ending one costs as much as a row.
use rusqlite::{Connection, Statement, ToSql};

use crate::{Error, limits::ROWS_AT_ONCE};

/// The parameters of one row, bound one after the other.
pub(super) struct Row<'s, 'c> {
    statement: &'s mut Statement<'c>,
    next: usize,
}

impl Row<'_, '_> {
    /// Binds these to the next columns.
    pub(super) fn bind<const N: usize>(&mut self, values: [&dyn ToSql; N]) -> Result<(), Error> {
        for value in values {
            self.statement.raw_bind_parameter(self.next, value)?;
            self.next += 1;
        }
        Ok(())
    }
}

/// Inserts a row for each item. `into` is the statement up to its values, `values` those of one row, with a `?` for each that is
/// bound.
pub(super) fn insert_all<T>(
    sql: &Connection,
    into: &str,
    values: &str,
    items: &[T],
    mut bind: impl FnMut(&mut Row<'_, '_>, &T) -> Result<(), Error>,
) -> Result<(), Error> {
    let (many, rest) = items.as_chunks::<ROWS_AT_ONCE>();
    let mut insert = |rows: usize, chunks: &mut dyn Iterator<Item = &[T]>| -> Result<(), Error> {
        let mut chunks = chunks.peekable();
        if chunks.peek().is_none() {
            return Ok(());
        }
        let mut statement =
            sql.prepare_cached(&format!("{into} values {}", vec![values; rows].join(", ")))?;
        for chunk in chunks {
            let mut row = Row { statement: &mut statement, next: 1 };
            chunk.iter().try_for_each(|item| bind(&mut row, item))?;
            statement.raw_execute()?;
        }
        Ok(())
    };
    insert(ROWS_AT_ONCE, &mut many.iter().map(|chunk| &chunk[..]))?;
    insert(1, &mut rest.chunks(1))
}
