//! The settings: each field is a flag and an environment variable, and its comment is what `--help` says.
use std::{
    convert::Infallible,
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use boathook_verify::Duration;
use clap::{CommandFactory as _, Parser, ValueEnum, error::ErrorKind};
use ipnet::IpNet;

/// Receives webhooks, verifies and stores each, acknowledges it, and hands it to sinks.
///
/// The folder named by --config holds WebhookEndpoints, WebhookSinks and Secrets as YAML. It is watched: a change is
/// live within a second, and one with a mistake is refused whole. In Kubernetes, --namespace and --class say which objects
/// are served instead; one that is not acceptable is served as it was before.
///
/// Exit status: 0 after SIGTERM or SIGINT, 2 when a flag or the configuration is wrong, 1 when something else fails,
/// such as an address or a data folder that is taken. SIGHUP reads the folder again; SIGUSR1 turns debug logs on and off.
#[derive(Debug, Clone, Parser)]
#[command(name = "boathook-receiver", version)]
pub struct Settings {
    /// The folder of YAML files that says what is received and where it goes.
    #[arg(
        long,
        env = "BOATHOOK_CONFIG",
        value_name = "DIR",
        required_unless_present = "namespace",
        conflicts_with = "namespace"
    )]
    pub config: Option<PathBuf>,
    /// In Kubernetes, instead of --config: the namespace whose WebhookEndpoints and WebhookSinks are served.
    #[arg(long, env = "BOATHOOK_NAMESPACE", value_name = "NAME", requires = "pod_name")]
    pub namespace: Option<String>,
    /// In Kubernetes: the receiver class; endpoints of others are left alone.
    #[arg(long, env = "BOATHOOK_CLASS", value_name = "NAME", default_value = "default")]
    pub class: String,
    /// In Kubernetes: this pod's name, under which it reports.
    #[arg(long, env = "BOATHOOK_POD_NAME", value_name = "NAME")]
    pub pod_name: Option<String>,
    /// In Kubernetes: this pod's uid.
    #[arg(long, env = "BOATHOOK_POD_UID", value_name = "UID", default_value = "")]
    pub pod_uid: String,
    /// In Kubernetes: where the class's Secret is mounted, so that a start while the API server is away has its keys.
    #[arg(long, env = "BOATHOOK_KEYS", value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// In Kubernetes: loopback networks that sinks may call. With --config all are allowed.
    #[arg(long, env = "BOATHOOK_SINK_ALLOW", value_name = "CIDR,…", default_value = "")]
    pub sink_allow: Networks,
    /// Where events are stored: in the folder of --data, for this receiver alone; in a PostgreSQL database that several
    /// receivers share; or nowhere, for endpoints that acknowledge what is delivered (acknowledge.mode: OnDelivered).
    #[arg(long, env = "BOATHOOK_STORE", value_name = "STORE", default_value = "local")]
    pub store: StoreKind,
    /// With --store postgres: the database, as postgres://USER:PASSWORD@HOST:PORT/DATABASE. Better by the environment: others
    /// can see a process's flags. The connection is encrypted and the server's certificate checked (?sslrootcert=FILE names
    /// an authority of your own), unless the server is on this machine or the URL says ?sslmode=disable.
    #[arg(
        long,
        env = "BOATHOOK_POSTGRES_URL",
        value_name = "URL",
        hide_env_values = true,
        required_if_eq("store", "postgres")
    )]
    pub postgres_url: Option<Confidential>,
    /// A file with the password for --postgres-url, which then needs none; read at each connect.
    #[arg(long, env = "BOATHOOK_POSTGRES_PASSWORD_FILE", value_name = "FILE")]
    pub postgres_password_file: Option<PathBuf>,
    /// The folder of the local store and of what else is kept; made where there is none. One process at a time. Not with
    /// --store none. Default: boathook-data.
    #[arg(long, env = "BOATHOOK_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// With --store local: while its files have so many bytes or more, no events are taken (503), and deliveries go on.
    /// Default: as many as the disk has.
    #[arg(long, env = "BOATHOOK_DATA_BYTES_MAX", value_name = "BYTES")]
    pub data_bytes_max: Option<u64>,
    /// With --store local: bytes of memory for deduplication keys, some 2 for each; on disk each takes 40. Where more come within
    /// their windows, the oldest are forgotten early, and the endpoints' health says so. Room for 30 million unless told otherwise.
    #[arg(
        long,
        env = "BOATHOOK_DEDUPE_BYTES_MAX",
        value_name = "BYTES",
        default_value_t = boathook_store::limits::DEDUPE_BYTES_MAX
    )]
    pub dedupe_bytes_max: u64,
    /// The address that providers call.
    #[arg(long, env = "BOATHOOK_LISTEN", value_name = "ADDR", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// The private address: /livez, /readyz, /metrics, /report.
    #[arg(long, env = "BOATHOOK_ADMIN", value_name = "ADDR", default_value = "127.0.0.1:9090")]
    pub admin: SocketAddr,
    /// The address of the data API: events, replays, rejections. Loopback unless told otherwise: it has no TLS.
    #[arg(long, env = "BOATHOOK_API", value_name = "ADDR", default_value = "127.0.0.1:9091")]
    pub api: SocketAddr,
    /// The folder of the data API's tokens: files `view` (may read) and `operate` (may act, too), of 16 characters and more.
    /// Default: `api-tokens` in the data folder, made where there are none; with --store none nobody is let in.
    #[arg(long, env = "BOATHOOK_API_TOKENS", value_name = "DIR")]
    pub api_tokens: Option<PathBuf>,
    /// Networks of the proxies in front, such as 10.0.0.0/8: what they say in X-Forwarded-For (or Forwarded) about the
    /// caller is believed. Default: none, and the caller is who connects.
    #[arg(long, env = "BOATHOOK_TRUSTED_PROXIES", value_name = "CIDR,…", default_value = "")]
    pub trusted_proxies: Networks,
    /// How long to go on accepting after SIGTERM, while load balancers learn that this receiver is leaving.
    #[arg(long, env = "BOATHOOK_DRAIN_DELAY", value_name = "TIME", default_value = "0s")]
    pub drain_delay: Duration,
    /// How long to wait for another process to leave the data folder.
    #[arg(long, env = "BOATHOOK_LOCK_WAIT", value_name = "TIME", default_value = "0s")]
    pub lock_wait: Duration,
    /// How log lines are written, to standard error.
    #[arg(long, env = "BOATHOOK_LOG", value_name = "FORMAT", default_value = "text")]
    pub log: LogFormat,
    /// The least important lines to be written.
    #[arg(long, env = "BOATHOOK_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub log_level: LogLevel,
}

/// Where events are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StoreKind {
    /// In a folder of this machine.
    Local,
    /// In a database that several receivers share.
    Postgres,
    /// Nowhere: events are in memory until they are delivered.
    None,
}

/// The data folder where none is named.
const DATA_DEFAULT: &str = "boathook-data";

impl Settings {
    /// Reads the command line and the environment. Ends the process where help is asked for, or where they are wrong.
    pub fn read() -> Self {
        Self::parse().checked().unwrap_or_else(|error| error.exit())
    }

    /// What contradicts itself is told.
    fn checked(self) -> Result<Self, clap::Error> {
        if self.keeps_nothing() && self.data.is_some() {
            let message = "--store none keeps nothing and has no data folder: leave out --data (BOATHOOK_DATA), or write \
                           --store local";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, message));
        }
        Ok(self)
    }

    /// Whether the store keeps nothing.
    pub(crate) fn keeps_nothing(&self) -> bool {
        self.store == StoreKind::None
    }

    /// The data folder, where there is one.
    pub(crate) fn data_folder(&self) -> Option<&Path> {
        let folder = self.data.as_deref().unwrap_or(Path::new(DATA_DEFAULT));
        (!self.keeps_nothing()).then_some(folder)
    }
}

/// A text that is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Confidential(pub String);

impl FromStr for Confidential {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Confidential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Something failed, or a request was refused.
    Error,
    /// Something that a person should look at.
    Warn,
    /// A line for each request.
    Info,
    /// Each attempt to deliver.
    Debug,
    /// Everything.
    Trace,
}

/// Networks or addresses, separated by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(pub Vec<IpNet>);

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = |part: &str| {
            let address = || part.parse::<IpAddr>().map(IpNet::from);
            part.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
                format!("`{part}` is no network: write 192.0.2.0/24, 2001:db8::/32 or an address")
            })
        };
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_the_database_is_shown_to_nobody() {
        let read = |arguments: &[&str]| {
            Settings::try_parse_from(["boathook-receiver", "--config", "."].iter().chain(arguments))
        };
        let settings = read(&["--store", "postgres", "--postgres-url", "postgres://u:geheim@h/db"]).unwrap();
        assert!(!format!("{settings:?}").contains("geheim"));
        let refusal = read(&["--store", "postgres"]).unwrap_err().to_string();
        assert!(refusal.contains("--postgres-url"), "{refusal}");
    }

    #[test]
    fn a_store_that_keeps_nothing_has_no_data_folder_and_refuses_one() {
        let read = |arguments: &[&str]| {
            let all = ["boathook-receiver", "--config", "."].iter().chain(arguments);
            Settings::try_parse_from(all).and_then(Settings::checked)
        };
        assert_eq!(read(&[]).unwrap().data_folder(), Some(Path::new("boathook-data")));
        assert_eq!(read(&["--store", "none"]).unwrap().data_folder(), None);
        let refusal = read(&["--store", "none", "--data", "d"]).unwrap_err().to_string();
        assert!(refusal.contains("leave out --data"), "{refusal}");
    }

    #[test]
    fn networks_are_written_as_blocks_or_addresses_or_not_at_all() {
        let read = |text: &str| text.parse::<Networks>().map(|networks| networks.0.len());
        assert_eq!(read(""), Ok(0));
        assert_eq!(read("10.0.0.0/8, 192.0.2.7,2001:db8::/32,"), Ok(3));
        assert!(read("10.0.0.0/8,proxy").unwrap_err().contains("`proxy` is no network"));
    }
}
