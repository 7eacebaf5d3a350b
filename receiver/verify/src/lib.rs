//! Is a request genuine? A provider's scheme is data ([`Scheme`]); compiled with its secrets it is a [`Verifier`],
//! the only maker of [`Verified`].
//!
//! The presets are the files of `providers/`; each is proved by the vectors of the same name in `vectors/`.
mod compile;
mod duration;
mod grammar;
mod handshake;
mod hmac_proof;
mod key;
pub mod limits;
mod providers;
mod rejection;
mod request;
mod scheme;
mod timestamp;
mod token_proof;
mod verifier;

pub use duration::{Duration, InvalidDuration};
pub use handshake::Handshakes;
pub use key::Secret;
pub use providers::{nearest, preset, preset_ids};
pub use rejection::{Code, Diagnosis, Rejection};
pub use request::RawRequest;
pub use scheme::*;
pub use verifier::{SchemeError, Verified, Verifier};
