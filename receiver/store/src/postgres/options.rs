//! How a server is reached: what its URL says, and what we ask for beside it.
use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr as _,
};

use tokio_postgres::{
    Config,
    config::{Host, SslMode, TargetSessionAttrs},
};

use crate::{
    Error,
    limits::{CONNECT_TIME_MAX, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES, UNACKNOWLEDGED_MAX},
    postgres::tls::Tls,
};

/// Where the store is, and who asks. Its Debug output and its errors hold no password.
#[derive(Clone)]
pub struct Options {
    pub(super) config: Config,
    pub(super) tls: Option<Tls>,
    /// Read at each connect, so that a new password needs no restart.
    pub(super) password: Option<PathBuf>,
    /// This process, among those that share the store.
    pub(super) holder: Box<str>,
}

impl Options {
    /// Reads a URL such as `postgres://user@host:5432/database?sslmode=verify-full&sslrootcert=/ca.pem`.
    ///
    /// TLS is used, and the server's certificate checked, unless `sslmode=disable` is given or the server is on this machine.
    /// `password` is a file that has it, instead of the URL. `holder` names this process, and outlives it: whoever comes
    /// under the same name is its successor, and takes over at once.
    ///
    /// # Errors
    /// [`Error::Open`] says what is wrong with the URL.
    pub fn new(url: &str, password: Option<&Path>, holder: &str) -> Result<Self, Error> {
        let wrong = |what: String| Error::Open(format!("the URL of the store cannot be used: {what}"));
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong("it must begin with postgres://".into()));
        }
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => roots = Some(PathBuf::from(value)),
                _ => rest.push(pair),
            }
        }
        let mut config = Config::from_str(&format!("{place}?{}", rest.join("&")))
            .map_err(|error| wrong(super::fault::text(&error)))?;
        if config.get_hosts().is_empty() {
            return Err(wrong("it names no host".into()));
        }
        let checked = match mode {
            Some("disable") => false,
            Some("verify-full" | "require") => true,
            None => !config.get_hosts().iter().all(is_here),
            Some(other) => {
                return Err(wrong(format!(
                    "sslmode={other} is not known: verify-full (the default) or disable"
                )));
            }
        };
        let tls = checked.then(|| Tls::new(roots.as_deref())).transpose()?;
        config.ssl_mode(if checked { SslMode::Require } else { SslMode::Disable });
        if config.get_application_name().is_none() {
            config.application_name("boathook");
        }
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(CONNECT_TIME_MAX)
            .tcp_user_timeout(UNACKNOWLEDGED_MAX)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES);
        Ok(Self { config, tls, password: password.map(Path::to_owned), holder: holder.into() })
    }

    /// Where the store is, for people.
    pub fn place(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(folder)) => folder.display().to_string(),
            None => "?".into(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        format!("{host}:{port}/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Options").field(&self.place()).finish()
    }
}

/// Whether what goes there stays on this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Options, Error> {
        Options::new(url, None, "test")
    }

    #[test]
    fn tls_is_left_out_only_on_this_machine_or_where_it_is_said() {
        for (url, tls) in [
            ("postgres://user@127.0.0.1/db", false),
            ("postgresql://user@localhost:5433/db", false),
            ("postgres://user@%2Frun%2Fpostgresql/db", false),
            ("postgres://user@127.0.0.1/db?sslmode=require", true),
            ("postgres://user@db.example/db", true),
            ("postgres://user@localhost,db.example/db", true),
            ("postgres://user@db.example/db?sslmode=disable", false),
        ] {
            let options = read(url).unwrap();
            assert_eq!(options.tls.is_some(), tls, "{url}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_is_told_without_its_password() {
        for (url, part) in [
            ("mysql://u:geheim@h/db", "postgres://"),
            ("postgres://u:geheim@h/db?sslmode=prefer", "sslmode=prefer"),
            ("postgres://u:geheim@h/db?colour=red", "colour"),
            ("postgres://u:geheim@h:port/db", "port"),
            ("postgres:///db", "no host"),
            ("postgres://u:geheim@h/db?sslrootcert=/nowhere.pem", "/nowhere.pem"),
        ] {
            let text = read(url).unwrap_err().to_string();
            assert!(text.contains(part) && !text.contains("geheim"), "{text}");
        }
        let options = read("postgres://u:geheim@db.example:5433/db").unwrap();
        assert_eq!(format!("{options:?}"), "Options(\"db.example:5433/db\")");
    }
}
