//! The settings: each field is a flag and an environment variable, and its comment is what `--help` says.
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use tracing_subscriber::filter::LevelFilter;

/// Turns WebhookEndpoints and WebhookSinks into running receivers, and says in their statuses how they are.
///
/// Exit status: 0 after SIGTERM or SIGINT, 2 when a flag or the configuration is wrong, 1 when something else fails, such
/// as a lease that is lost.
#[derive(Debug, Clone, Parser)]
#[command(name = "boathook-operator", version)]
pub(crate) struct Settings {
    /// The file with the receiver classes.
    #[arg(long, env = "BOATHOOK_OPERATOR_CONFIG", value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The namespace of the lease by which one of several operators leads.
    #[arg(long, env = "BOATHOOK_LEASE_NAMESPACE", value_name = "NAME", default_value = "boathook-system")]
    pub(crate) lease_namespace: String,
    /// Who this is among several operators: the pod's name.
    #[arg(long, env = "BOATHOOK_IDENTITY", value_name = "NAME")]
    pub(crate) identity: String,
    /// How log lines are written, to standard error.
    #[arg(long, env = "BOATHOOK_LOG", value_name = "FORMAT", default_value = "text")]
    log: LogFormat,
    /// The least important lines to be written: error, warn, info, debug or trace.
    #[arg(long, env = "BOATHOOK_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    log_level: LevelFilter,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Settings {
    /// Starts the log of this process.
    pub(crate) fn start_logs(&self) {
        let lines = tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_target(false)
            .with_max_level(self.log_level);
        match self.log {
            LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
            LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).init(),
        }
    }
}
