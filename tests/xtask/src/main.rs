//! The front door: `cargo xtask <command>`.
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
    /// Check formatting and lints, as CI does.
    Lint,
}

fn main() -> anyhow::Result<()> {
    match Xtask::parse().command {
        Command::Test => test::run(),
        Command::Lint => {
            steps::run("formatting", "cargo", &["fmt", "--all", "--check"])?;
            let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
            steps::run("lints", "cargo", &clippy)
        }
    }
}
