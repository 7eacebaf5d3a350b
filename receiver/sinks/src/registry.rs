//! Which sinks there are: one line each.
use std::{
    fmt,
    io::Write,
    sync::{Arc, Mutex},
};

use boathook_event::ObjectName;

use crate::{
    AddressGuard, BodySpec, BuildError, Fetcher, HttpSpec, Sink,
    client::SharedClient,
    http::HttpSink,
    log::{LogSink, Output},
};

/// What a sink is, with its secrets resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkSpec {
    /// Posts to a URL.
    Http(HttpSpec),
    /// Writes lines to standard output, each with such a body.
    Log(BodySpec),
}

/// Makes sinks, and holds what they share.
pub struct Registry {
    client: SharedClient,
    output: Output,
}

impl Registry {
    /// `guard` decides what addresses are called; `output` takes the lines of `log` sinks (standard output).
    pub fn new(guard: AddressGuard, output: Box<dyn Write + Send>) -> Self {
        Self { client: SharedClient::new(guard), output: Arc::new(Mutex::new(output)) }
    }

    /// Makes the sink.
    ///
    /// # Errors
    /// [`BuildError`], with the first member of the spec that cannot be used.
    pub fn build(&self, name: &ObjectName, spec: &SinkSpec) -> Result<Arc<dyn Sink>, BuildError> {
        Ok(match spec {
            SinkSpec::Http(spec) => Arc::new(HttpSink::build(spec, &self.client)?),
            SinkSpec::Log(body) => Arc::new(LogSink::build(name.clone(), body, Arc::clone(&self.output))?),
        })
    }

    /// What fetches documents, over the client that sinks share.
    ///
    /// # Errors
    /// The client cannot be made: there are no root certificates, for one.
    pub fn fetcher(&self) -> Result<Fetcher, String> {
        self.client.guarded().map(Fetcher).map_err(|error| error.to_string())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("client", &self.client).finish_non_exhaustive()
    }
}
