//! Values as bytes: a length in groups of seven bits, lowest first, before what has no fixed length; numbers lowest byte
//! first.

/// Writes a length and the bytes.
pub(crate) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(low_seven(length) | 0x80);
        length >>= 7;
    }
    out.push(low_seven(length));
    out.extend_from_slice(bytes);
}

/// Writes whether it is there, then its length and bytes.
pub(crate) fn put_maybe(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(u8::from(text.is_some()));
    if let Some(text) = text {
        put(out, text.as_bytes());
    }
}

fn low_seven(length: usize) -> u8 {
    u8::try_from(length & 0x7f).unwrap_or(0x7f)
}

/// What is still to be read. Each step is `None` where the bytes end, or are no such value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct In<'b>(pub(crate) &'b [u8]);

impl<'b> In<'b> {
    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn yes(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// So many bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, behind) = self.0.split_first_chunk()?;
        self.0 = behind;
        Some(*array)
    }

    /// What [`put`] wrote.
    pub(crate) fn bytes(&mut self) -> Option<&'b [u8]> {
        let mut length = 0_usize;
        for shift in (0..usize::BITS).step_by(7) {
            let group = self.byte()?;
            length |= usize::from(group & 0x7f).checked_shl(shift)?;
            if group & 0x80 == 0 {
                return self.take(length);
            }
        }
        None
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (bytes, behind) = self.0.split_at_checked(length)?;
        self.0 = behind;
        Some(bytes)
    }

    /// What [`put`] wrote of a text.
    pub(crate) fn text(&mut self) -> Option<&'b str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// What [`put_maybe`] wrote.
    pub(crate) fn maybe(&mut self) -> Option<Option<Box<str>>> {
        Some(if self.yes()? { Some(self.text()?.into()) } else { None })
    }
}
