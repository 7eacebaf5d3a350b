//! Where log lines go: through a bounded queue to standard error, so that writing never stops a request.
use std::io::{self, IsTerminal as _};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
    reload,
};

use crate::{
    limits::LOG_LINES_MAX,
    settings::{LogFormat, LogLevel},
};

/// The running log. Dropping it writes what waits.
pub(crate) struct Logs {
    level: LevelFilter,
    filter: reload::Handle<Targets, Registry>,
    dropped: ErrorCounter,
    _writer: WorkerGuard,
}

impl Logs {
    /// Starts, for the whole process. Does nothing but drop lines if somebody has started one before.
    pub(crate) fn start(format: LogFormat, level: LogLevel) -> Self {
        let (writer, guard) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(LOG_LINES_MAX)
            .finish(io::stderr());
        let dropped = writer.error_counter();
        let level = level_filter(level);
        let (filter, handle) = reload::Layer::new(targets(level));
        let lines = fmt::layer().with_writer(writer).with_target(false);
        let registry = tracing_subscriber::registry().with(filter);
        let started = match format {
            LogFormat::Json => tracing::subscriber::set_global_default(
                registry
                    .with(lines.json().flatten_event(true).with_current_span(false).with_span_list(false)),
            ),
            LogFormat::Text => tracing::subscriber::set_global_default(
                registry.with(lines.with_ansi(io::stderr().is_terminal())),
            ),
        };
        drop(started);
        Self { level, filter: handle, dropped, _writer: guard }
    }

    /// Debug lines on, or back to the level of the settings.
    pub(crate) fn toggle_debug(&self) {
        let debug = targets(self.level.max(LevelFilter::DEBUG));
        let is_debug = self.filter.clone_current().is_some_and(|now| now == debug);
        let next = if is_debug { targets(self.level) } else { debug };
        let level = next.to_string();
        if self.filter.reload(next).is_ok() {
            tracing::warn!(filter = level, "the log level has changed");
        }
    }

    /// Lines dropped so far because nobody took them.
    pub(crate) fn dropped(&self) -> usize {
        self.dropped.dropped_lines()
    }
}

/// Our own lines from this level on; those of libraries no finer than `info`: they may show what goes over a wire.
fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_default(level.min(LevelFilter::INFO)).with_target("boathook", level)
}

fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
