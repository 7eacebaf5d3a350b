//! The command line: how providers sign, whether a saved request is genuine, and a signed one to send; and what a receiver
//! has received, and how it is delivered again.
//!
//! Nothing here needs a cluster. A command takes flags, files and standard input, and ends as [`Ended`] or with a
//! [`Mistake`]; [`main`] alone prints. A secret comes from a file, and goes nowhere but into a signature.
mod at;
mod call;
mod decision;
mod demands;
mod ended;
mod erase;
mod events;
mod explain;
mod given_header;
mod http_text;
mod input;
mod keys;
mod limits;
mod moment;
mod outgoing;
mod post;
mod providers;
mod published;
mod rejections;
mod rendered;
mod replay;
mod saved;
mod secret;
mod send;
mod sender;
mod sign;
mod sink;
mod statistics;
mod status;
mod table;
mod target;
mod token;
mod vector;
mod verify;

use std::{
    io::{self, Read, Write as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

pub use ended::{Ended, Mistake};

/// Tells how webhook providers sign, checks a saved request, and sends a signed one; asks a receiver what came of its events,
/// and has them delivered again.
///
/// Works without a cluster. Exit status: 0 for yes (genuine, signed, answered with 2xx, healthy), 1 for no, 2 when a flag or
/// a file is wrong, or the receiver does not do what is asked; the message then says where, and what to do next. Secrets are
/// read from files and never printed.
#[derive(Debug, Parser)]
#[command(name = "boathook", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Providers(providers::Flags),
    Verify(verify::Flags),
    Sign(sign::Flags),
    Send(send::Flags),
    Secret(secret::Flags),
    Status(status::Flags),
    Statistics(statistics::Flags),
    Events(events::Flags),
    Explain(explain::Flags),
    Replay(replay::Flags),
    Erase(erase::Flags),
    Rejections(rejections::Flags),
    Sink(sink::Flags),
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Runs the command of this process and prints what came of it. `called` is what the user types.
pub fn main(called: &'static str) -> ExitCode {
    let matches = Arguments::command().bin_name(called).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match arguments.run(&mut io::stdin().lock()) {
        Ok(ended) => print(called, &ended),
        Err(mistake) => {
            eprintln!("{called}: {mistake}");
            ExitCode::from(2)
        }
    }
}

impl Arguments {
    /// Runs the command. `stdin` is read where a file is given as `-`.
    ///
    /// # Errors
    /// A flag, a file or a secret that cannot be used.
    pub fn run(&self, stdin: &mut dyn Read) -> Result<Ended, Mistake> {
        match &self.command {
            Command::Providers(flags) => providers::run(flags),
            Command::Verify(flags) => verify::run(flags, stdin),
            Command::Sign(flags) => sign::run(flags, stdin),
            Command::Send(flags) => send::run(flags, stdin),
            Command::Secret(flags) => Ok(secret::run(flags)),
            Command::Status(flags) => status::run(flags),
            Command::Statistics(flags) => statistics::run(flags),
            Command::Events(flags) => events::run(flags),
            Command::Explain(flags) => explain::run(flags),
            Command::Replay(flags) => replay::run(flags),
            Command::Erase(flags) => erase::run(flags),
            Command::Rejections(flags) => rejections::run(flags),
            Command::Sink(flags) => sink::run(flags, stdin),
        }
    }
}

/// Results to standard output, notes to standard error.
fn print(called: &str, ended: &Ended) -> ExitCode {
    let Ended { good, output, notes } = ended;
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(output.as_bytes()).and_then(|()| stdout.flush());
    notes.iter().for_each(|note| eprintln!("{called}: {note}"));
    match written {
        // Whoever reads has seen enough: `… | head`.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("{called}: cannot write the result ({error}): where does standard output go?");
            ExitCode::FAILURE
        }
        _ if *good => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
