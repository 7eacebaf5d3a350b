//! From settings to a running receiver, and to its end.
use std::{
    fmt,
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use boathook_store::{
    Error,
    local::Local,
    memory::Memory,
    postgres::{Options, Postgres},
};
use rustix::process::{getpriority_process, setpriority_process};
use tokio::{
    runtime::{self, Handle},
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    admin::Admin,
    api::{Api, Tokens},
    brought::BroughtSecrets,
    config::{ClusterSource, FolderSource, Source, folder::FolderError},
    limits::{PRIVATE_CONNECTIONS_MAX, STORE_AGAIN, WAITING_TOLD, WORK_NICENESS},
    listener::{Listener, connections_max},
    logs::Logs,
    metrics::Metrics,
    receiver::{Hands, Listeners, Receiver, Room, Stores},
    settings::{Settings, StoreKind},
};

/// Why the receiver ended by itself.
#[derive(Debug)]
pub enum Failed {
    /// The configuration has mistakes.
    Configuration(FolderError),
    /// Anything else.
    Other(anyhow::Error),
}

impl Failed {
    /// 2 for what a person must correct in the configuration, else 1.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Configuration(_) => ExitCode::from(2),
            Self::Other(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(error) => write!(f, "the configuration cannot be used:\n{error}"),
            Self::Other(error) => write!(f, "{error:#}"),
        }
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

/// Runs a receiver until SIGTERM or SIGINT.
///
/// # Errors
/// [`Failed`]; nothing that was acknowledged is lost.
pub fn run(settings: &Settings) -> Result<(), Failed> {
    let logs = Arc::new(Logs::start(settings.log, settings.log_level));
    let metrics = Arc::new(Metrics::new());
    let read = |folder| FolderSource::read(folder, Arc::clone(&metrics), settings.keeps_nothing());
    let folder = settings.config.as_deref().map(read);
    let folder = folder.transpose().map_err(Failed::Configuration)?;
    // What comes in has threads of its own, before whose turn nothing else is: deliveries and replays wake many at once.
    let receiving = threads("receive").build().context("cannot start threads")?;
    let niceness = getpriority_process(None).unwrap_or_default() + WORK_NICENESS;
    let working = threads("work")
        .on_thread_start(move || {
            // Where it is not allowed, all have their turn alike.
            let _ = setpriority_process(None, niceness);
        })
        .build()
        .context("cannot start threads")?;
    let ended = working.block_on(serve(settings, folder, metrics, logs, receiving.handle()));
    // A read of the store that still runs ends by itself; nobody waits for its answer.
    for runtime in [receiving, working] {
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
    ended.map_err(Failed::Other)
}

fn threads(name: &str) -> runtime::Builder {
    let mut builder = runtime::Builder::new_multi_thread();
    builder.enable_all().thread_name(name);
    builder
}

/// Addresses first, since most mistakes are there; then the store, then everything that uses it.
async fn serve(
    settings: &Settings,
    folder: Option<FolderSource>,
    metrics: Arc<Metrics>,
    logs: Arc<Logs>,
    receiving: &Handle,
) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let public = Listener::bind(settings.listen, "--listen", connections_max())?;
    let private = Listener::bind(settings.admin, "--admin", PRIVATE_CONNECTIONS_MAX)?;
    let data_api = Listener::bind(settings.api, "--api", PRIVATE_CONNECTIONS_MAX)?;
    let (listen, private_address, api_address) = (public.address()?, private.address()?, data_api.address()?);
    let admin = Arc::new(Admin::default());
    let private = receiving.spawn(private.serve(
        {
            let admin = Arc::clone(&admin);
            move |request, _| {
                let admin = Arc::clone(&admin);
                async move { admin.answer(request).await }
            }
        },
        admin.closing(),
        Duration::from_secs(1),
    ));
    let opened = async {
        anyhow::Ok((open(settings, &admin, receiving).await?, source(settings, folder, &metrics).await?))
    };
    let (stores, source) = tokio::select! {
        opened = opened => opened?,
        () = signals.stop() => return Ok(()),
    };
    let api = Arc::new(Api::new(tokens(settings)?));
    let listeners = Listeners { public, data_api };
    let mut receiver = Receiver::start(
        settings,
        source,
        stores,
        listeners,
        (Arc::clone(&admin), api),
        (metrics, logs),
        receiving,
    );
    let data = settings.data_folder().map(|data| data.display().to_string());
    tracing::info!(%listen, admin = %private_address, api = %api_address, data, "ready");
    let hands = receiver.hands();
    let failed = tokio::select! {
        () = signals.until_stopped(&hands) => None,
        failed = receiver.failed() => Some(failed),
    };
    let ended = match failed {
        None => tokio::select! {
            () = receiver.stop(settings.drain_delay.std()) => Ok(()),
            () = signals.stop() => Err(anyhow!("stopped by a second signal before everything had ended")),
        },
        Some(failed) => {
            receiver.abandon().await;
            Err(failed)
        }
    };
    admin.close();
    drop(private.await);
    ended
}

/// Opens the store: a folder, waiting for whoever has it as long as the settings say, or a database, waiting until it is
/// there, or none.
async fn open(settings: &Settings, admin: &Admin, receiving: &Handle) -> anyhow::Result<Stores> {
    let Some(data) = settings.data_folder().map(Path::to_owned) else {
        return Ok(Stores::passing(&Memory::new())?);
    };
    let store = match settings.store {
        StoreKind::Postgres => Some(database(settings, admin).await?),
        StoreKind::Local | StoreKind::None => None,
    };
    let patience = settings.lock_wait.std();
    let room = Room { bytes_max: settings.data_bytes_max, key_bytes_max: settings.dedupe_bytes_max };
    // The threads that commit are begun by one of those that receive: they have their turn.
    let opened = receiving.spawn_blocking(move || -> anyhow::Result<Stores> {
        let Some(store) = store else {
            let store = Local::open(&data, patience)?;
            return Ok(Stores::local(&store, room, BroughtSecrets::open(&data)?)?);
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&data);
        made.with_context(|| format!("cannot make the data folder {}", data.display()))?;
        Ok(Stores::shared(&store, BroughtSecrets::open(&data)?)?)
    });
    opened.await.context("the store was not opened")?
}

/// Who may call the data API.
fn tokens(settings: &Settings) -> anyhow::Result<Tokens> {
    match (&settings.api_tokens, settings.data_folder()) {
        (Some(folder), _) => Ok(Tokens::of(folder.clone())),
        (None, Some(data)) => Tokens::in_data(data),
        (None, None) => Ok(Tokens::none()),
    }
}

/// The database that is shared, once it can be reached.
async fn database(settings: &Settings, admin: &Admin) -> anyhow::Result<Postgres> {
    let url = settings.postgres_url.as_ref().map_or("", |url| &url.0);
    // A pod's name outlives its containers: the next one takes over from the one before at once.
    let holder =
        settings.pod_name.clone().unwrap_or_else(|| format!("receiver-{:016x}", rand::random::<u64>()));
    let options = Options::new(url, settings.postgres_password_file.as_deref(), &holder)?;
    let place = options.place();
    let mut told: Option<Instant> = None;
    loop {
        let options = options.clone();
        let opened = tokio::task::spawn_blocking(move || Postgres::open(options));
        match opened.await.context("the store was not opened")? {
            Ok(store) => {
                admin.waits_for(None);
                tracing::info!(database = place, holder, "the store is open");
                store.warnings().iter().for_each(|warning| tracing::warn!(database = place, "{warning}"));
                return Ok(store);
            }
            Err(error @ (Error::Away(_) | Error::InDoubt(_) | Error::Full(_))) => {
                if told.is_none_or(|told| told.elapsed() >= WAITING_TOLD) {
                    tracing::warn!(%error, "waiting for the database");
                    told = Some(Instant::now());
                }
                admin.waits_for(Some(&format!("waiting for the database: {error}")));
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(STORE_AGAIN).await;
    }
}

/// Where the objects come from; in a cluster, once they are there.
async fn source(
    settings: &Settings,
    folder: Option<FolderSource>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Source> {
    match folder {
        Some(folder) => Ok(Source::Folder(folder)),
        None => Ok(Source::Cluster(Box::new(ClusterSource::load(settings, Arc::clone(metrics)).await?))),
    }
}

/// What the system may ask of the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
            user: on(SignalKind::user_defined1())?,
        })
    }

    /// Carries out the others until one says stop.
    async fn until_stopped(&mut self, hands: &Hands) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => hands.read_again(),
                _ = self.user.recv() => hands.toggle_debug(),
            }
        }
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
