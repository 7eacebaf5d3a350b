//! `cargo xtask faults`: what becomes of deliveries when something breaks, tried on the whole receiver.
//!
//! A provider sends without a pause, with an order in each of its keys, and sends again what was not acknowledged. While it
//! does, one thing breaks. At the end every journal is held against the others ([`checker`]); the table says what came out.
mod bench;
mod checker;
mod sender;
mod shared;
mod sink;
mod table;
mod trials;

use anyhow::{Context, bail};

use crate::{packages, programs, programs::RECEIVER, steps};

/// Where the table is kept.
const TABLE: &str = "crds/docs/faults.md";

/// Tries every fault, or those whose names have `only` in them, and prints the table; with `write` it is kept, too.
///
/// # Errors
/// When a promise is broken, a fault cannot be made, or the receiver cannot be built.
pub(crate) fn run(only: Option<&str>, write: bool) -> anyhow::Result<()> {
    if write && only.is_some() {
        bail!("the table is kept whole: leave --only out");
    }
    packages::ensure(&["strace", packages::POSTGRES, packages::FAKETIME])?;
    let [program] = programs::build([RECEIVER], "dev")?;
    let mut rows = Vec::new();
    for trial in trials::ALL
        .iter()
        .chain(&shared::ALL)
        .filter(|trial| only.is_none_or(|only| trial.name.contains(only)))
    {
        eprintln!("» {}", trial.name);
        let verdict = (trial.run)(&program).with_context(|| format!("fault `{}`", trial.name))?;
        verdict.broken.iter().for_each(|broken| eprintln!("» broken: {broken}"));
        rows.push((trial.name, verdict));
    }
    let table = table::table(&rows);
    println!("{table}");
    if write {
        let file = steps::root()?.join(TABLE);
        std::fs::write(&file, table::page(&table))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let broken = rows.iter().filter(|(_, verdict)| !verdict.broken.is_empty()).count();
    if broken > 0 {
        bail!("{broken} of {} faults broke a promise; the lines above say which", rows.len());
    }
    Ok(())
}
