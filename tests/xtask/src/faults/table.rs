//! The table of faults, as people read it.
use super::checker::Verdict;

/// A line for each fault.
pub(super) fn table(rows: &[(&str, Verdict)]) -> String {
    let mut table = String::from(
        "| fault | requests | acknowledged | stored | delivered | pending | parked | delivered again | broken |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n",
    );
    for (name, Verdict { requests, acknowledged, totals, again, broken }) in rows {
        let broken = if broken.is_empty() { "nothing".to_owned() } else { broken.join("; ") };
        let (stored, delivered) = (totals.accepted, totals.delivered);
        let (pending, parked) = (totals.pending, totals.parked);
        table.push_str(&format!(
            "| {name} | {requests} | {acknowledged} | {stored} | {delivered} | {pending} | {parked} | {again} | {broken} |\n"
        ));
    }
    table
}

/// The page that keeps it.
pub(super) fn page(table: &str) -> String {
    format!(
        "# What faults do\n\n\
         `cargo xtask faults --write` makes this page: on the whole receiver with its local store, or over \
         PostgreSQL\nwhere that or a second receiver is named, under load by a sender that keeps an order in each of eight \
         keys and sends\nagain what is not acknowledged, one fault at a time.\n\n\
         {table}\n\
         *Acknowledged* are deliveries that were answered 200; each is stored once, and delivered. *Delivered again*: a sink got \
         it more than\nonce, with the same `Idempotency-Key`, which is what at-least-once means: a receiver that is killed \
         forgets the last few\nanswers of sinks. *Broken* would say what was lost, stored twice, out of the order of its key, \
         or where\nthe sums do not hold: requests taken = accepted + duplicate, and accepted = delivered + skipped + parked +\npending + erased.\n"
    )
}
