//! Reading what the caller names: a file, or standard input where `-` is given, within a bound.
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use zeroize::Zeroizing;

use crate::Mistake;

/// The bytes of a file, or of standard input.
pub(crate) fn read(path: &Path, stdin: &mut dyn Read, bytes_max: usize) -> Result<Vec<u8>, Mistake> {
    if path.as_os_str() == "-" {
        return bounded("standard input", Ok(stdin), bytes_max, Vec::new());
    }
    read_file(path, bytes_max)
}

/// The bytes of a file.
pub(crate) fn read_file(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Mistake> {
    bounded(&path.display().to_string(), File::open(path), bytes_max, Vec::new())
}

/// The bytes of a file with a secret. They are read to one place, so that no copy is left behind.
pub(crate) fn read_secret(path: &Path, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, Mistake> {
    let room = Vec::with_capacity(bytes_max + 1);
    bounded(&path.display().to_string(), File::open(path), bytes_max, room).map(Zeroizing::new)
}

fn bounded<R: Read>(
    name: &str,
    source: io::Result<R>,
    bytes_max: usize,
    mut bytes: Vec<u8>,
) -> Result<Vec<u8>, Mistake> {
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    source
        .and_then(|source| source.take(limit).read_to_end(&mut bytes))
        .map_err(|error| Mistake::new(format!("{name}: cannot be read ({error}): give another file")))?;
    if bytes.len() > bytes_max {
        return Err(Mistake::new(format!("{name}: has more than {bytes_max} bytes: is it the right file?")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_bound_is_read_and_a_longer_one_is_refused() {
        let read = |bytes_max| read(Path::new("-"), &mut &b"four"[..], bytes_max);
        assert_eq!(read(4), Ok(b"four".to_vec()));
        assert!(read(3).unwrap_err().0.contains("more than 3 bytes"));
    }
}
