//! The keys that senders publish and a receiver would fetch: here they come from files.
use std::{path::PathBuf, sync::Arc};

use boathook_verify::{KeyFormat, KeySlot, RawRequest, Verifier};
use clap::Args;
use jiff::Timestamp;

use crate::{Mistake, input};

/// One of them at most.
#[derive(Debug, Args)]
pub(crate) struct PublishedFlags {
    /// A file with the keys that the token's issuer publishes (JWKS), instead of --secret-file.
    #[arg(long, value_name = "FILE")]
    jwks_file: Option<PathBuf>,
    /// A file with the certificate that is at the URL which the request names (PEM), for providers that sign with one.
    #[arg(long, value_name = "FILE")]
    certificate_file: Option<PathBuf>,
}

impl PublishedFlags {
    /// Gives the verifier the keys that it needs for this request; `certificate` is the one of the request's file.
    pub(crate) fn fill(
        &self,
        verifier: &Verifier,
        request: &RawRequest,
        certificate: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Mistake> {
        let format = verifier.key_format();
        let unused = "this provider's keys are those of --secret-file: leave it out";
        for (wanted, flag, file) in self.flags() {
            if file.is_some() && format != Some(wanted) {
                return Err(Mistake(format!("{flag}: {unused}")));
            }
        }
        // A request that names no certificate of its provider's is refused for that.
        for slot in verifier.lacks_key(request, now).into_iter().chain(verifier.key_slots()) {
            if slot.is_empty() {
                self.fill_one(&slot, certificate)?;
            }
        }
        Ok(())
    }

    fn fill_one(&self, slot: &KeySlot, certificate: Option<&str>) -> Result<(), Mistake> {
        let (url, format) = (slot.source().url(), slot.source().format());
        let file = self.flags().into_iter().find(|(wanted, ..)| *wanted == format);
        let Some((_, flag, file)) = file else { return Ok(()) };
        let (name, document) = match (file, certificate) {
            (Some(file), _) => (file.display().to_string(), input::read_file(file, format.bytes_max())?),
            (None, Some(certificate)) if format == KeyFormat::Certificate => {
                ("certificate".to_owned(), certificate.as_bytes().to_vec())
            }
            (None, _) => {
                let next = format!("save what is at {url}, and name the file");
                return Err(Mistake(format!("{flag}: is missing: {next}")));
            }
        };
        let document = format.parse(&document);
        let document =
            document.map_err(|message| Mistake(format!("{name}: {message}: save what is at {url}")))?;
        slot.fill(Arc::new(document));
        Ok(())
    }

    fn flags(&self) -> [(KeyFormat, &'static str, Option<&PathBuf>); 2] {
        [
            (KeyFormat::KeySet, "--jwks-file", self.jwks_file.as_ref()),
            (KeyFormat::Certificate, "--certificate-file", self.certificate_file.as_ref()),
        ]
    }
}
