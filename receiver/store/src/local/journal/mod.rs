//! The journal: each commit is one frame, and durable when one sync has succeeded. The database is made from it.
//!
//! Frames stand in segments, files that are written from front to back and never again: except that what a person erases is
//! overwritten with zeros. A segment begins with its own number and with the place where the one before it ended; a
//! frame with its length and a checksum that its place is part of. So an end is known from a gap, and from bytes that a
//! lost sync has left behind. Every start begins a new segment: nothing is ever written over what was in doubt.
mod disk;
mod frame;
mod segments;
#[cfg(test)]
mod tests;

use std::{io, sync::Arc};

use bytes::Bytes;

use self::disk::{Disk, SegmentFile};
pub(super) use self::{
    frame::{Decided, Frame, Stored},
    segments::Segments,
};
use crate::{
    Error,
    limits::{JOURNAL_AHEAD_BYTES, JOURNAL_BUFFER_BYTES, SEGMENT_BYTES},
};

/// A place in the journal; places rise with time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// Where an event's bytes are: what is said of it, a checksum, its head, its body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) meta_bytes: u32,
    pub(super) head_bytes: u32,
    pub(super) body_bytes: u32,
}

impl Kept {
    /// Bytes of the checksum over head and body.
    const CHECK_BYTES: usize = 4;

    /// All its bytes.
    pub(super) fn bytes(&self) -> u32 {
        [self.meta_bytes, 4, self.head_bytes, self.body_bytes]
            .iter()
            .fold(0, |sum, part| sum.saturating_add(*part))
    }
}

/// The journal of this process: read to its end, then written to.
pub(super) struct Journal {
    disk: Arc<dyn Disk>,
    /// Where the last frame ended.
    end: Position,
    /// The segment at `end`, while it is read.
    reading: Option<Arc<dyn SegmentFile>>,
    /// Segments that were not read, the first one last.
    unread: Vec<u64>,
    /// The highest number in use.
    last_segment: u64,
    /// The segment at `end`; none until the first frame is written.
    writing: Option<Writing>,
    buffer: Vec<u8>,
    /// [`SEGMENT_BYTES`].
    segment_bytes: u64,
    /// [`JOURNAL_AHEAD_BYTES`].
    ahead_bytes: usize,
}

/// A segment that is written to.
struct Writing {
    file: Arc<dyn SegmentFile>,
    /// Up to where it has blocks on the disk.
    filled: u64,
    /// Something was written since the last sync.
    unsynced: bool,
}

impl Journal {
    /// To be read from there on; then it can be written to.
    ///
    /// # Errors
    /// [`Error::Open`] if that segment is not there.
    pub(super) fn at(segments: &Segments, from: Position) -> Result<Self, Error> {
        let disk = segments.disk();
        let numbers = disk.segments().map_err(failed)?;
        let mut end = from;
        if end.segment == 0 {
            // Nothing was read yet: it begins with the first one.
            end = Position { segment: numbers.first().copied().unwrap_or(0), offset: HEADER_BYTES };
        } else if !numbers.contains(&end.segment) {
            return Err(missing(end));
        }
        let unread = numbers.iter().copied().filter(|number| *number > end.segment).rev().collect();
        let last_segment = numbers.last().copied().unwrap_or(0);
        Ok(Self {
            disk,
            end,
            reading: None,
            unread,
            last_segment,
            writing: None,
            buffer: Vec::new(),
            segment_bytes: SEGMENT_BYTES,
            ahead_bytes: JOURNAL_AHEAD_BYTES,
        })
    }

    /// The next frame; none at the end. What was read is written anew, and synced at the end or by [`Journal::sync_read`]: after
    /// a failed sync the operating system may hold pages that the disk has not.
    ///
    /// # Errors
    /// [`Error::Open`] if a part is missing that was acknowledged.
    pub(super) fn read_next(&mut self) -> Result<Option<Frame>, Error> {
        while self.end.segment != 0 {
            let file = match self.reading.take() {
                Some(file) => file,
                None => self.disk.open(self.end.segment).map_err(failed)?,
            };
            if let Some((frame, end)) = read(&*file, self.end)? {
                self.end = end;
                self.reading = Some(file);
                return Ok(Some(frame));
            }
            file.sync().map_err(failed)?;
            match following(&*self.disk, &mut self.unread, self.end)? {
                Some(next) => self.end = Position { segment: next, offset: HEADER_BYTES },
                None => break,
            }
        }
        Ok(None)
    }

    /// Makes all that was read durable.
    pub(super) fn sync_read(&self) -> Result<(), Error> {
        self.reading.iter().try_for_each(|file| file.sync()).map_err(failed)
    }

    /// Where the last frame that was read or written ended.
    pub(super) fn end(&self) -> Position {
        self.end
    }

    /// Writes the frame, and sets where its events' bytes are. Synced if asked for, together with all before it; else durable
    /// with the next one that is.
    ///
    /// # Errors
    /// [`Error::Full`]: nothing was written. [`Error::Io`]: whether it is durable is not known.
    pub(super) fn write(&mut self, frame: &mut Frame, sync: bool) -> Result<(), Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.write_with(frame, sync, &mut buffer);
        buffer.clear();
        buffer.shrink_to(JOURNAL_BUFFER_BYTES);
        self.buffer = buffer;
        result
    }

    fn write_with(&mut self, frame: &mut Frame, sync: bool, buffer: &mut Vec<u8>) -> Result<(), Error> {
        loop {
            let at = self.end;
            buffer.extend_from_slice(&[0; FRAME_HEADER]);
            frame.encode(at.segment, at.offset + wide(FRAME_HEADER), buffer);
            let end = at.offset + wide(buffer.len());
            // A frame that is larger than a segment has one for itself.
            let fits = end <= self.segment_bytes || at.offset == HEADER_BYTES;
            if let Some(writing) = self.writing.as_mut().filter(|_| fits) {
                seal(buffer, at);
                writing.fill(end, self.ahead_bytes)?;
                writing.write(buffer, at.offset)?;
                self.end.offset = end;
                return if sync { writing.sync() } else { Ok(()) };
            }
            // Places are part of the frame: it is encoded again for the new one.
            buffer.clear();
            self.begin_segment()?;
        }
    }

    /// Ends the segment and begins the next one.
    fn begin_segment(&mut self) -> Result<(), Error> {
        if let Some(writing) = &mut self.writing {
            writing.sync()?;
        }
        let number = self.last_segment + 1;
        let file = self.disk.create(number).map_err(failed)?;
        let mut writing = Writing { file, filled: 0, unsynced: false };
        let begun = writing
            .fill(HEADER_BYTES, self.ahead_bytes)
            .and_then(|()| writing.write(&header(number, self.end), 0));
        if let Err(error) = begun {
            // Its number is used again. If it cannot be removed, it is one that was begun and has nothing.
            if self.disk.remove(number).is_err() {
                self.last_segment = number;
            }
            return Err(error);
        }
        self.last_segment = number;
        self.end = Position { segment: number, offset: HEADER_BYTES };
        self.writing = Some(writing);
        Ok(())
    }
}

impl Writing {
    /// Gives the segment blocks ahead of what is written: then a sync need not wait for the file system's own journal.
    fn fill(&mut self, up_to: u64, ahead_bytes: usize) -> Result<(), Error> {
        const ZEROS: &[u8] = &[0; 64 << 10];
        while self.filled < up_to {
            let mut ahead = ahead_bytes;
            while ahead > 0 {
                let zeros = ZEROS.get(..ahead).unwrap_or(ZEROS);
                self.file.write_at(zeros, self.filled).map_err(failed)?;
                self.filled += wide(zeros.len());
                ahead -= zeros.len();
            }
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), Error> {
        self.unsynced = true;
        self.file.write_at(bytes, offset).map_err(failed)
    }

    fn sync(&mut self) -> Result<(), Error> {
        if self.unsynced {
            self.file.sync().map_err(|error| Error::Io(format!("cannot sync the journal: {error}")))?;
            self.unsynced = false;
        }
        Ok(())
    }
}

/// Bytes at the front of a segment: magic, its number, where the one before it ended, a checksum.
const HEADER_BYTES: u64 = 64;
const MAGIC: &[u8; 8] = b"BoatJ\0\0\x01";
/// Bytes before each frame: its length and its checksum.
const FRAME_HEADER: usize = 8;

fn header(number: u64, before: Position) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    for part in [number, before.segment, before.offset] {
        header.extend_from_slice(&part.to_le_bytes());
    }
    let sum = crc32fast::hash(&header);
    header.extend_from_slice(&sum.to_le_bytes());
    header
}

/// Where the segment before this one ended; `None` if this one has no whole header.
fn before(file: &dyn SegmentFile, number: u64) -> Result<Option<Position>, Error> {
    let mut read = [0; 36];
    if file.bytes().map_err(failed)? < HEADER_BYTES {
        return Ok(None);
    }
    file.read_at(&mut read, 0).map_err(failed)?;
    let part = |at: usize| {
        let bytes = read.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_le_bytes(bytes.unwrap_or_default())
    };
    let before = Position { segment: part(16), offset: part(24) };
    Ok((header(number, before) == read).then_some(before))
}

/// The segment that goes on where this one ended. Those that were begun and never synced are none.
fn following(disk: &dyn Disk, unread: &mut Vec<u64>, end: Position) -> Result<Option<u64>, Error> {
    while let Some(number) = unread.pop() {
        let file = disk.open(number).map_err(failed)?;
        match before(&*file, number)? {
            Some(before) if before == end => return Ok(Some(number)),
            // The very first that could be begun, where an empty one before it could neither be begun nor removed.
            Some(before) if before.segment == 0 && end.offset == HEADER_BYTES => return Ok(Some(number)),
            // It was begun when more of the one before it was durable than can be read now.
            Some(before) if before > end => return Err(missing(end)),
            _ => {}
        }
    }
    Ok(None)
}

/// The frame at this place and the place behind it, after it was written there anew.
fn read(file: &dyn SegmentFile, at: Position) -> Result<Option<(Frame, Position)>, Error> {
    let payload = at.offset + wide(FRAME_HEADER);
    let length = file.bytes().map_err(failed)?;
    if payload > length {
        return Ok(None);
    }
    let mut head = [0; FRAME_HEADER];
    file.read_at(&mut head, at.offset).map_err(failed)?;
    let [bytes, _] = lengths(head);
    if bytes == 0 || u64::from(bytes) > length - payload {
        return Ok(None);
    }
    let mut whole = vec![0; FRAME_HEADER + usize::try_from(bytes).unwrap_or(0)];
    file.read_at(&mut whole, at.offset).map_err(failed)?;
    let written = head;
    seal(&mut whole, at);
    if whole.first_chunk() != Some(&written) {
        return Ok(None);
    }
    file.write_at(&whole, at.offset).map_err(failed)?;
    let whole = Bytes::from(whole).slice(FRAME_HEADER..);
    let frame = Frame::decode(at.segment, payload, &whole).ok_or_else(|| unreadable(at))?;
    Ok(Some((frame, Position { offset: payload + u64::from(bytes), ..at })))
}

fn lengths(head: [u8; FRAME_HEADER]) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = head;
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}

/// Sets the frame's length and its checksum for this place.
fn seal(frame: &mut [u8], at: Position) {
    let Some((head, payload)) = frame.split_first_chunk_mut::<FRAME_HEADER>() else { return };
    let mut sum = crc32fast::Hasher::new();
    sum.update(&at.segment.to_le_bytes());
    sum.update(&at.offset.to_le_bytes());
    sum.update(payload);
    let [a, b, c, d] = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    let [e, f, g, h] = sum.finalize().to_le_bytes();
    *head = [a, b, c, d, e, f, g, h];
}

fn missing(at: Position) -> Error {
    Error::Open(format!(
        "the journal cannot be read behind byte {} of segment {}, and acknowledged events stand there: bring back the files of \
         the folder `journal` as they were, or move the data folder away to begin with an empty one",
        at.offset, at.segment,
    ))
}

fn unreadable(at: Position) -> Error {
    Error::Open(format!(
        "the journal has a record at byte {} of segment {} that this program does not know: it was written by a newer one; \
         start that version",
        at.offset, at.segment,
    ))
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn failed(error: io::Error) -> Error {
    let text = format!("the journal: {error}");
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Error::Full(text)
        }
        _ => Error::Io(text),
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
