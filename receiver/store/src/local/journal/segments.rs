//! Reading events' bytes out of the journal, and removing what is no longer needed.
use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard},
};

use bytes::Bytes;

use super::{
    Kept, Position,
    disk::{Disk, Folder, SegmentFile},
    failed,
};
use crate::{Error, limits::SEGMENTS_OPEN_MAX};

/// The segments as everybody but the writing end sees them.
pub(in crate::local) struct Segments {
    disk: Arc<dyn Disk>,
    open: Mutex<HashMap<u64, Arc<dyn SegmentFile>>>,
    /// Held by who reads rows and then the bytes that they name; taken whole by who makes such bytes go away.
    used: RwLock<()>,
}

impl Segments {
    /// Those in this folder, which is made where it is missing.
    pub(in crate::local) fn in_folder(dir: &Path) -> Result<Self, Error> {
        let folder = Folder::open(dir)
            .map_err(|error| Error::Open(format!("cannot use the folder {}: {error}", dir.display())))?;
        Ok(Self::on(Arc::new(folder)))
    }

    pub(super) fn on(disk: Arc<dyn Disk>) -> Self {
        Self { disk, open: Mutex::default(), used: RwLock::default() }
    }

    pub(super) fn disk(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.disk)
    }

    /// To be held from before the rows are read until their bytes are.
    pub(in crate::local) fn using(&self) -> RwLockReadGuard<'_, ()> {
        self.used.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event's head and body.
    pub(in crate::local) fn read(&self, kept: &Kept) -> Result<(Bytes, Bytes), Error> {
        let Kept { segment, offset, meta_bytes, head_bytes, body_bytes } = *kept;
        let [head, body] = [head_bytes, body_bytes].map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let mut whole = vec![0; Kept::CHECK_BYTES + head + body];
        self.file(segment)
            .and_then(|file| file.read_at(&mut whole, offset + u64::from(meta_bytes)))
            .map_err(failed)?;
        let whole = Bytes::from(whole);
        let (sum, bytes) = (whole.slice(..Kept::CHECK_BYTES), whole.slice(Kept::CHECK_BYTES..));
        if *sum != crc32fast::hash(&bytes).to_le_bytes() {
            return Err(Error::Io(format!(
                "the bytes of an event at byte {offset} of segment {segment} are damaged"
            )));
        }
        Ok((bytes.slice(..head), bytes.slice(head..)))
    }

    /// Overwrites so many bytes at these places, for good. Nothing may name them any more. What is gone already is passed over.
    pub(in crate::local) fn overwrite(&self, places: &[(Position, u32)]) -> Result<(), Error> {
        let _nobody_reads = self.used.write().unwrap_or_else(PoisonError::into_inner);
        let mut touched = HashMap::new();
        for (Position { segment, offset }, bytes) in places {
            let file = match self.file(*segment) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file.map_err(failed)?,
            };
            let zeros = vec![0; usize::try_from(*bytes).unwrap_or(0)];
            file.write_at(&zeros, *offset).map_err(failed)?;
            touched.insert(*segment, file);
        }
        touched.values().try_for_each(|file| file.sync().map_err(failed))
    }

    /// Removes these segments. Nothing may name them any more, not after a crash either.
    pub(in crate::local) fn remove(&self, numbers: &[u64]) -> Result<(), Error> {
        let _nobody_reads = self.used.write().unwrap_or_else(PoisonError::into_inner);
        for number in numbers {
            self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(number);
            match self.disk.remove(*number) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The segments before this one, whatever they hold.
    pub(in crate::local) fn before(&self, segment: u64) -> Result<Vec<u64>, Error> {
        let numbers = self.disk.segments().map_err(failed)?;
        Ok(numbers.into_iter().filter(|number| *number < segment).collect())
    }

    /// Bytes of all segments.
    pub(in crate::local) fn bytes(&self) -> Result<u64, Error> {
        self.disk.bytes().map_err(failed)
    }

    fn file(&self, number: u64) -> io::Result<Arc<dyn SegmentFile>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&number) {
            return Ok(Arc::clone(file));
        }
        if open.len() >= SEGMENTS_OPEN_MAX {
            open.clear();
        }
        let file = self.disk.open(number)?;
        open.insert(number, Arc::clone(&file));
        Ok(file)
    }
}
