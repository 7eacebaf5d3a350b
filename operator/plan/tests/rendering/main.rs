//! What classes need, rendered: compared with golden files, and held against what is true of every such set of objects.
//!
//! A case is two files in `tests/golden`: `<case>.need.yaml`, written by hand, and `<case>.objects.yaml`, made from it
//! by `BOATHOOK_GOLDEN=write cargo test -p boathook-plan`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]
#![expect(clippy::disallowed_methods, reason = "tests read their cases; the crate stays pure")]
mod cases;
mod changes;
mod golden;
mod truths;
