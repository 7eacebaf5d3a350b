//! The front door: `cargo xtask <command>`.
mod addresses;
mod delivery;
mod faults;
mod figures;
mod fuzz;
mod http;
mod idle;
mod kubernetes;
mod lines;
mod lint;
mod packages;
mod process;
mod programs;
mod receiver;
mod signals;
mod steps;
mod test;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand, value_parser};

/// Everything one does with this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a receiver, send one signed webhook through it, show it arriving, and stay up.
    Up {
        /// The public port on 127.0.0.1; without it 8080, or a free one where that is taken.
        #[arg(long, value_parser = value_parser!(u16).range(1..))]
        port: Option<u16>,
        /// In a Kubernetes control plane on this machine, with the operator, until the endpoint is Healthy. The
        /// first time etcd, kube-apiserver and the others are built: about 7 minutes.
        #[arg(long)]
        kubernetes: bool,
    },
    /// Run the tests, and say how many ran.
    Test {
        /// Which; without it all of them.
        level: Option<test::Level>,
    },
    /// Write the generated files; with --check, say which are stale.
    Generate {
        /// Write nothing.
        #[arg(long)]
        check: bool,
    },
    /// Check formatting, lints, dependencies and generated files, as CI does.
    Lint,
    /// Try verification with whatever comes, with the vectors as seeds; needs nightly and cargo-fuzz.
    Fuzz {
        /// How long for each target, in seconds.
        #[arg(long, default_value_t = 600)]
        seconds: u32,
    },
    /// Break one thing after the other under load, and print what became of every delivery.
    Faults {
        /// Only faults with this text in their names.
        #[arg(long)]
        only: Option<String>,
        /// Keep the table in `crds/docs/faults.md`.
        #[arg(long)]
        write: bool,
    },
    /// Measure memory with a million events pending, and live traffic beside a replay, with a release build; 10 minutes.
    Figures {
        /// Only those with this text in their names: backlog, replay.
        #[arg(long)]
        only: Option<String>,
        /// Keep them in `crds/docs/figures.md`.
        #[arg(long)]
        write: bool,
    },
    /// Measure what verification costs beside the bare digest of the same bytes, and storing beside a synced write.
    Bench,
    /// Measure an idle receiver: how soon it is ready, how much memory it keeps.
    Idle,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The message says what to do; a backtrace would only push it off the screen.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    match Xtask::parse().command {
        Command::Up { port, kubernetes: false } => up::run(port),
        Command::Up { port, kubernetes: true } => kubernetes::run(port),
        Command::Test { level } => test::run(level),
        Command::Generate { check } => generate(check),
        Command::Lint => lint::run(),
        Command::Fuzz { seconds } => fuzz::run(seconds),
        Command::Faults { only, write } => faults::run(only.as_deref(), write),
        Command::Figures { only, write } => figures::run(only.as_deref(), write),
        Command::Bench => bench(),
        Command::Idle => idle::run(),
    }
}

fn bench() -> anyhow::Result<()> {
    for (package, bench) in [("boathook-verify", "verify"), ("boathook-store", "local")] {
        steps::run("benchmark", "cargo", &["bench", "--locked", "--package", package, "--bench", bench])?;
    }
    Ok(())
}

fn generate(check: bool) -> anyhow::Result<()> {
    for (package, bin) in
        [("boathook-crds", "boathook-crds-generate"), ("boathook-api", "boathook-api-generate")]
    {
        let mut arguments = vec!["run", "--quiet", "--locked", "--package", package, "--bin", bin];
        arguments.extend(check.then_some(["--", "--check"]).into_iter().flatten());
        steps::run("generated files", "cargo", &arguments)?;
    }
    Ok(())
}
