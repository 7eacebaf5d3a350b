//! Bounds of verification, each with its reason.

/// Secrets of one endpoint: a rotation needs two, a careful one three; each costs one digest per request.
pub const SECRETS_MAX: usize = 8;
/// Signatures taken from one request: a rotation sends two; more is a sender who makes us work.
pub const SIGNATURES_MAX: usize = 16;
/// Bytes of one signature header.
pub const SIGNATURE_HEADER_BYTES_MAX: usize = 4096;
/// Bytes of one secret.
pub const SECRET_BYTES_MAX: usize = 8192;
/// Parts of the signed text.
pub const SIGNED_PARTS_MAX: usize = 16;
/// Bytes of a value that a handshake echoes.
pub const HANDSHAKE_ANSWER_BYTES_MAX: usize = 4096;
/// Handshakes of one scheme.
pub const HANDSHAKES_MAX: usize = 8;
/// Candidates for an id, a type, and the like.
pub const CANDIDATES_MAX: usize = 8;
