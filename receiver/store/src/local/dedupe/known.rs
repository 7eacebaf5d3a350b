//! Every key in memory or asked for in the database: the keys of commits that the database does not have yet, and a filter over those
//! that it has.
use std::collections::HashMap;

use boathook_event::{DedupeKey, Digest, Seq};
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{Row, filter::Filter, packed};
use crate::Error;

/// What the keys of an append say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::local) enum Known {
    /// Nothing: it is new.
    No,
    /// It is a repetition of the event at this place.
    Repeats(Seq),
    /// The id was seen with another body.
    Conflicts,
}

/// A key with the event that brought it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Nothing where the body does not matter.
    pub(super) body: Option<Digest>,
    pub(super) seq: Seq,
    /// In microseconds.
    pub(super) expires: i64,
}

/// Every key: in the database, and of the commits that are not in it yet.
#[derive(Debug, Default)]
pub(in crate::local) struct Dedupe {
    filter: Filter,
    /// Of commits that the database takes now.
    settling: Entries,
    /// Of those after them.
    recent: Entries,
    /// Those of them whose commit is not in the journal yet.
    unsure: Vec<Digest>,
}

type Entries = HashMap<Digest, Vec<Entry>>;

impl Dedupe {
    /// Reads which generation knows what: some hundred nanoseconds for each key.
    pub(in crate::local) fn load(sql: &Connection) -> Result<Self, Error> {
        let mut filter = Filter::default();
        let mut keys = sql.prepare("select generation, hash from dedupe")?;
        let mut rows = keys.query([])?;
        while let Some(row) = rows.next()? {
            filter.insert(row.get(0)?, &row.get(1)?);
        }
        packed::all(sql, |generation, hash| filter.insert(generation, hash))?;
        Ok(Self { filter, ..Self::default() })
    }

    /// Any key that is known makes a repetition. A key is kept once per body that came with it, so of several events with
    /// one unsigned id each is known again.
    pub(in crate::local) fn known(
        &self,
        sql: &Connection,
        keys: &[DedupeKey],
        now: Timestamp,
    ) -> Result<Known, Error> {
        let mut known = Known::No;
        for DedupeKey { hash, body } in keys {
            let mut entries = self.entries(sql, hash)?;
            entries.retain(|entry| entry.expires > now.as_microsecond());
            let same = |entry: &&Entry| body.is_none() || entry.body == *body;
            if let Some(first) = entries.iter().filter(same).map(|entry| entry.seq).min() {
                return Ok(Known::Repeats(first));
            }
            if !entries.is_empty() {
                known = Known::Conflicts;
            }
        }
        Ok(known)
    }

    /// What is remembered of the key; of each body what came last.
    fn entries(&self, sql: &Connection, hash: &Digest) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        let mut candidates = self.filter.candidates(hash).peekable();
        if candidates.peek().is_some() {
            let mut statement = sql.prepare_cached(
                "select body, seq, expires from dedupe where generation = ?1 and hash = ?2",
            )?;
            for generation in candidates {
                let mut rows = statement.query(params![generation, hash])?;
                while let Some(row) = rows.next()? {
                    let body = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?.try_into().ok();
                    let seq = row.get::<_, i64>(1)?.unsigned_abs();
                    newer(&mut entries, Entry { body, seq, expires: row.get(2)? });
                }
                packed::find(sql, generation, hash, |entry| newer(&mut entries, entry))?;
            }
        }
        let unsettled = [&self.settling, &self.recent].into_iter().filter_map(|keys| keys.get(hash));
        unsettled.flatten().for_each(|entry| newer(&mut entries, *entry));
        Ok(entries)
    }

    /// Remembers the keys of an event that is on its way into the journal.
    pub(in crate::local) fn remember(&mut self, keys: &[DedupeKey], seq: Seq, expires: i64) {
        for DedupeKey { hash, body } in keys {
            let entries = self.recent.entry(*hash).or_default();
            newer(entries, Entry { body: *body, seq, expires });
            self.unsure.push(*hash);
        }
    }

    /// What was remembered since the last time is in the journal.
    pub(in crate::local) fn committed(&mut self) {
        self.unsure.clear();
    }

    /// It is not, and is forgotten. It was of events from this place on.
    pub(in crate::local) fn take_back(&mut self, from: Seq) {
        for hash in self.unsure.drain(..) {
            if let Some(entries) = self.recent.get_mut(&hash) {
                entries.retain(|entry| entry.seq < from);
            }
        }
    }

    /// The keys that the journal has and the database has not are on their way. They are remembered until it has them. What comes
    /// from this place on is not in the journal yet.
    pub(in crate::local) fn take(&mut self, from: Seq) {
        if self.settling.is_empty() {
            std::mem::swap(&mut self.settling, &mut self.recent);
        }
        // It did not take the others the last time.
        for (hash, entries) in self.recent.drain() {
            let settling = self.settling.entry(hash).or_default();
            entries.into_iter().for_each(|entry| newer(settling, entry));
        }
        for hash in &self.unsure {
            let Some(entries) = self.settling.get_mut(hash) else { continue };
            let unsure = entries.extract_if(.., |entry| entry.seq >= from);
            self.recent.entry(*hash).or_default().extend(unsure);
        }
    }

    /// The database has what it took, with these keys in this generation.
    pub(in crate::local) fn taken(&mut self, generation: i64, keys: &[Row]) {
        keys.iter().for_each(|key| self.filter.insert(generation, &key.hash));
        self.settling.clear();
    }

    /// The generation is gone from the database.
    pub(in crate::local) fn forgotten(&mut self, generation: i64) {
        self.filter.forget(generation);
    }
}

/// Adds the entry, in place of an older one with the same body.
fn newer(entries: &mut Vec<Entry>, entry: Entry) {
    match entries.iter_mut().find(|known| known.body == entry.body) {
        Some(known) if known.seq > entry.seq => {}
        Some(known) => *known = entry,
        None => entries.push(entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn key(number: u8) -> DedupeKey {
        DedupeKey { hash: [number; 16], body: None }
    }

    /// Of which events these keys are, of those that are not in the database.
    fn events<const N: usize>(dedupe: &Dedupe, keys: [u8; N]) -> [Option<Seq>; N] {
        let sql = Connection::open_in_memory().unwrap();
        keys.map(|number| match dedupe.known(&sql, &[key(number)], NOW).unwrap() {
            Known::Repeats(seq) => Some(seq),
            Known::No | Known::Conflicts => None,
        })
    }

    #[test]
    fn what_is_on_its_way_into_the_journal_is_neither_taken_by_the_database_nor_lost() {
        let mut dedupe = Dedupe::default();
        dedupe.remember(&[key(1)], 1, 1);
        dedupe.committed();
        dedupe.remember(&[key(2), key(3)], 2, 1);
        dedupe.take(2);
        assert_eq!(events(&dedupe, [1, 2, 3]), [Some(1), Some(2), Some(2)]);
        dedupe.taken(0, &[]);
        assert_eq!(events(&dedupe, [1, 2, 3]), [None, Some(2), Some(2)]);
        dedupe.take_back(2);
        assert_eq!(events(&dedupe, [2, 3]), [None, None]);
    }

    #[test]
    fn what_the_database_could_not_take_is_taken_with_what_came_since() {
        let mut dedupe = Dedupe::default();
        for seq in 1..4 {
            dedupe.remember(&[key(u8::try_from(seq).unwrap())], seq, 1);
            dedupe.committed();
            dedupe.take(seq + 1);
        }
        dedupe.remember(&[key(4)], 4, 1);
        dedupe.committed();
        assert_eq!(events(&dedupe, [1, 2, 3, 4]), [Some(1), Some(2), Some(3), Some(4)]);
        dedupe.taken(0, &[]);
        assert_eq!(events(&dedupe, [1, 2, 3, 4]), [None, None, None, Some(4)]);
    }
}
