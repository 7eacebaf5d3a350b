//! `cargo xtask figures`: what a large backlog and a large replay cost, measured on a release build.
//!
//! A receiver holds a million events that nobody takes, while they come and after a start; and it delivers a hundred thousand
//! again while live traffic goes on. The numbers are told beside their bounds; only with `--write` they are kept.
mod backlog;
mod live;
mod replay;
mod rig;
mod sink;

use std::fs;

use anyhow::Context;

use crate::{programs, programs::RECEIVER, steps};

/// Where they are kept.
const PAGE: &str = "crds/docs/figures.md";

/// One number beside its bound.
struct Figure {
    what: String,
    measured: String,
    bound: String,
    kept: bool,
}

/// Measures all, or those whose names have `only` in them, and prints them; with `write` they are kept, too. It does not judge:
/// a machine under load is no failure.
///
/// # Errors
/// When the receiver cannot be built, started or looked at.
pub(crate) fn run(only: Option<&str>, write: bool) -> anyhow::Result<()> {
    if write && only.is_some() {
        anyhow::bail!("the page is kept whole: leave --only out");
    }
    let [program] = programs::build([RECEIVER], "release")?;
    let before = load()?;
    let mut figures = Vec::new();
    for (name, measure) in
        [("backlog", backlog::measure as fn(&std::path::Path) -> _), ("replay", replay::measure)]
    {
        if only.is_none_or(|only| name.contains(only)) {
            eprintln!("» {name}");
            figures.append(&mut measure(&program).with_context(|| format!("figures `{name}`"))?);
        }
    }
    let table = table(&figures);
    let load = format!("load average before {before}, after {}, on {} processors", load()?, processors());
    println!("{table}\n{load}");
    if write {
        let file = steps::root()?.join(PAGE);
        fs::write(&file, page(&table, &load)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// That of the last minute.
fn load() -> anyhow::Result<String> {
    let text = fs::read_to_string("/proc/loadavg").context("cannot read /proc/loadavg (Linux has it)")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn table(figures: &[Figure]) -> String {
    let mut table = String::from("| figure | measured | bound | kept |\n| --- | ---: | ---: | --- |\n");
    for Figure { what, measured, bound, kept } in figures {
        let kept = if *kept { "yes" } else { "no" };
        table.push_str(&format!("| {what} | {measured} | {bound} | {kept} |\n"));
    }
    table
}

/// The page that keeps it.
fn page(table: &str, load: &str) -> String {
    format!(
        "# Figures\n\n\
         `cargo xtask figures --write` makes this page, with a release build and the local store, on the machine where it runs\n\
         ({load}).\n\n\
         {table}\n\
         *Backlog*: {} events of 1 KiB, sent in batches of {} to an endpoint with an ordering key, for a sink that nobody \
         listens at.\nMemory is what is resident, at its highest, in MB of 1,000,000 bytes.\n\n\
         *Replay*: {} delivered events are delivered again at {} a minute, while some {} live requests a second go on, at \
         moments\nwithout a beat and on connections that stay open. A time counts from the moment at which the request was due. \
         The times\nwithout a replay are those before it and after it, taken together.\n",
        grouped(backlog::EVENTS),
        backlog::BATCH,
        grouped(replay::EVENTS),
        grouped(replay::PER_MINUTE),
        live::PER_SECOND,
    )
}

/// With commas between thousands.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!([7, 999, 1_000, 1_000_000].map(grouped), ["7", "999", "1,000", "1,000,000"]);
    }
}
