//! What the journal asks of a disk, and a folder as one.
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Segments by their numbers.
pub(super) trait Disk: Send + Sync {
    /// The numbers that are there, in order.
    fn segments(&self) -> io::Result<Vec<u64>>;

    /// Makes an empty one. Its name is durable when this returns.
    fn create(&self, number: u64) -> io::Result<Arc<dyn SegmentFile>>;

    /// Opens one that is there.
    fn open(&self, number: u64) -> io::Result<Arc<dyn SegmentFile>>;

    /// Removes one. Who has it open reads on.
    fn remove(&self, number: u64) -> io::Result<()>;

    /// Bytes of all.
    fn bytes(&self) -> io::Result<u64>;
}

/// A segment's bytes.
pub(super) trait SegmentFile: Send + Sync {
    /// How many there are.
    fn bytes(&self) -> io::Result<u64>;

    /// Fills the buffer from there on.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of it there; durable only after [`SegmentFile::sync`].
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything written durable.
    fn sync(&self) -> io::Result<()>;
}

/// Segments as files of a folder, which is made for its owner alone.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        Ok(Self(dir.to_owned()))
    }

    fn file(&self, number: u64) -> PathBuf {
        self.0.join(format!("{number:012}"))
    }
}

impl Disk for Folder {
    fn segments(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn create(&self, number: u64) -> io::Result<Arc<dyn SegmentFile>> {
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(self.file(number))?;
        File::open(&self.0)?.sync_all()?;
        Ok(Arc::new(file))
    }

    fn open(&self, number: u64) -> io::Result<Arc<dyn SegmentFile>> {
        Ok(Arc::new(OpenOptions::new().read(true).write(true).open(self.file(number))?))
    }

    fn remove(&self, number: u64) -> io::Result<()> {
        fs::remove_file(self.file(number))
    }

    fn bytes(&self) -> io::Result<u64> {
        fs::read_dir(&self.0)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
    }
}

impl SegmentFile for File {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
