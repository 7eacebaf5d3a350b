//! Is a request genuine? A provider's scheme is data ([`Scheme`]); compiled with its secrets it is a [`Verifier`],
//! the only maker of [`Verified`].
//!
//! The presets are the files of `providers/`; each is proved by the vectors of the same name in `vectors/`.
mod certificate;
mod certificates;
mod compile;
mod credential_proof;
mod digest;
mod duration;
mod form;
mod grammar;
mod handshake;
mod hint;
mod jws;
mod jwt_check;
mod jwt_proof;
mod key;
mod key_set;
mod key_slot;
pub mod limits;
mod parsed;
mod place;
mod proven;
mod providers;
mod public_key;
mod qsh;
mod rejection;
mod request;
mod scheme;
mod schemes;
mod sender_url;
mod signature_proof;
mod signed_text;
mod timestamp;
mod url;
mod verifier;
mod xml;

pub use certificate::Certificate;
pub use duration::{Duration, InvalidDuration};
pub use form::{form_as_json, form_value, is_parameter};
pub use handshake::{Answered, BroughtSecret, Handshakes};
pub use hint::Hint;
pub use key::Secret;
pub use key_set::KeySet;
pub use key_slot::{KeyDocument, KeyFormat, KeySlot, KeySource};
pub use providers::{nearest, preset, preset_ids, presets};
pub use rejection::{Code, Diagnosis, Rejection};
pub use request::RawRequest;
pub use scheme::*;
pub use verifier::{Expected, SchemeError, Setup, Verified, Verifier};
pub use xml::{XmlError, xml_as_json};
