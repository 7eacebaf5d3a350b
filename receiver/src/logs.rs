//! Where log lines go: through a bounded queue to standard error, so that writing never stops a request.
use std::io::{self, IsTerminal as _};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{Registry, filter::LevelFilter, fmt, layer::SubscriberExt as _, reload};

use crate::{
    limits::LOG_LINES_MAX,
    settings::{LogFormat, LogLevel},
};

/// The running log. Dropping it writes what waits.
pub(crate) struct Logs {
    level: LevelFilter,
    filter: reload::Handle<LevelFilter, Registry>,
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
        let (filter, handle) = reload::Layer::new(level);
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
        let now = self.filter.clone_current().unwrap_or(self.level);
        let next = if now == self.level { self.level.max(LevelFilter::DEBUG) } else { self.level };
        if self.filter.reload(next).is_ok() {
            tracing::warn!(level = %next, "the log level has changed");
        }
    }

    /// Lines dropped so far because nobody took them.
    pub(crate) fn dropped(&self) -> usize {
        self.dropped.dropped_lines()
    }
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
