//! The operator's program: settings in, an exit status out.
mod apply;
mod capture;
mod controller;
mod fetch;
mod kinds;
mod lease;
mod limits;
mod report;
mod settings;
mod watches;

use std::{fs, process::ExitCode, sync::Arc};

use anyhow::{Context as _, bail};
use boathook_plan::Configuration;
use clap::Parser as _;
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};

use self::{lease::Lease, settings::Settings};

fn main() -> ExitCode {
    let settings = Settings::parse();
    settings.start_logs();
    let configuration = match configuration(&settings) {
        Ok(configuration) => Arc::new(configuration),
        Err(error) => {
            eprintln!("boathook-operator: {error:#}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime
        .context("cannot start threads")
        .and_then(|runtime| runtime.block_on(run(&settings, configuration)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("boathook-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The file, without a mistake in it.
fn configuration(settings: &Settings) -> anyhow::Result<Configuration> {
    let file = settings.config.display();
    let text = fs::read_to_string(&settings.config).with_context(|| format!("cannot read {file}"))?;
    let mut track = serde_path_to_error::Track::new();
    let options = serde_saphyr::Options::default();
    let read: Result<Configuration, _> =
        serde_saphyr::with_deserializer_from_str_with_options(&text, options, |deserializer| {
            serde::Deserialize::deserialize(serde_path_to_error::Deserializer::new(deserializer, &mut track))
        });
    let configuration = read.map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        let message = error.without_snippet().to_string();
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        anyhow::anyhow!("{file}:{line}: {}: {message}", track.path())
    })?;
    let mistakes = configuration.check();
    if !mistakes.is_empty() {
        bail!("{file}:\n{}", mistakes.join("\n"));
    }
    Ok(configuration)
}

/// Waits to lead, and leads until it is told to stop or has lost the lease.
async fn run(settings: &Settings, configuration: Arc<Configuration>) -> anyhow::Result<()> {
    let client = Client::try_default()
        .await
        .context("no way to the Kubernetes API: run this in a pod, or set KUBECONFIG")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    kinds::check(&client).await?;
    let lease = Lease::new(client.clone(), &settings.lease_namespace, &settings.identity);
    let lead = async {
        lease.take().await;
        tracing::info!(identity = settings.identity, "leading");
        tokio::select! {
            () = controller::run(client, configuration) => bail!("the watches have ended: this is a bug, please report it"),
            () = lease.lost() => bail!("the lease is lost: another one leads"),
        }
    };
    let ended = tokio::select! {
        ended = lead => ended,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    lease.release().await;
    ended
}
