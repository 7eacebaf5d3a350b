//! Memory with a backlog: while it grows, and after a start.
use std::{net::TcpListener, path::Path, thread, time::Duration};

use anyhow::Context;

use super::{Figure, grouped, rig::Rig};

/// Events of the backlog.
pub(super) const EVENTS: u32 = 1_000_000;
/// Events of one request.
pub(super) const BATCH: u32 = 500;
/// The bound of both figures, in bytes.
const RESIDENT_MAX: u64 = 200_000_000;
/// From ready to the look at memory: the store is read, and the sink is tried a few times.
const SETTLED: Duration = Duration::from_secs(20);

/// Measures both.
///
/// # Errors
/// See [`super::run`].
pub(super) fn measure(program: &Path) -> anyhow::Result<Vec<Figure>> {
    // Bound and not listened at by anybody: each attempt is refused.
    let nobody = TcpListener::bind("127.0.0.1:0").context("127.0.0.1 has no free port")?.local_addr()?;
    let mut rig = Rig::start(program, nobody)?;
    rig.fill(EVENTS, BATCH)?;
    rig.until("pending", EVENTS.into())?;
    let growing = rig.resident_max()?;
    rig.restart()?;
    thread::sleep(SETTLED);
    rig.until("pending", EVENTS.into())?;
    let started = rig.resident_max()?;
    let figure = |when: &str, bytes: u64| Figure {
        what: format!("memory, {} events pending, {when}", grouped(EVENTS)),
        measured: format!("{} MB", bytes.div_ceil(1_000_000)),
        bound: format!("{} MB", RESIDENT_MAX / 1_000_000),
        kept: bytes < RESIDENT_MAX,
    };
    Ok(vec![figure("while they come", growing), figure("after a start", started)])
}
