//! `secret new`: a secret that nobody can guess.
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};

use crate::Ended;

/// Make a secret.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a new secret as Standard Webhooks writes it: `whsec_` and the Base64 of 32 random bytes.
    New,
}

pub(crate) fn run(flags: &Flags) -> Ended {
    let Flags { command: Command::New } = flags;
    let bytes: [u8; 32] = rand::random();
    Ended::good(format!("whsec_{}\n", STANDARD.encode(bytes)))
}
