//! Bounds of the receiver's edge, each with its reason.

/// Bytes of one file of the folder: some thousand documents.
pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
