//! The front door: `cargo xtask <command>`.
mod packages;
mod steps;
mod test;

use clap::{Parser, Subcommand};

/// Everything one does with this repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every test, and say how many ran.
    Test,
    /// Write the generated files; with --check, say which are stale.
    Generate {
        /// Write nothing.
        #[arg(long)]
        check: bool,
    },
    /// Check formatting, lints and generated files, as CI does.
    Lint,
}

fn main() -> anyhow::Result<()> {
    match Xtask::parse().command {
        Command::Test => test::run(),
        Command::Generate { check } => generate(check),
        Command::Lint => {
            steps::run("formatting", "cargo", &["fmt", "--all", "--check"])?;
            let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
            steps::run("lints", "cargo", &clippy)?;
            generate(true)
        }
    }
}

fn generate(check: bool) -> anyhow::Result<()> {
    let mut arguments =
        vec!["run", "--quiet", "--locked", "--package", "boathook-crds", "--bin", "boathook-crds-generate"];
    arguments.extend(check.then_some(["--", "--check"]).into_iter().flatten());
    steps::run("generated files", "cargo", &arguments)
}
