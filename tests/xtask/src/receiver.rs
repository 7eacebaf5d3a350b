//! The receiver on the quick-start folder: its command, and when it is ready.
use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;

use crate::{addresses::Addresses, http, process::Process, steps};

const READY_WAIT: Duration = Duration::from_secs(30);

/// The command that serves the quick-start folder.
///
/// # Errors
/// When there is no repository here.
pub(crate) fn quick_start(program: &Path, data: &Path, addresses: &Addresses) -> anyhow::Result<Command> {
    let Addresses { public, private, api } = addresses;
    let mut command = Command::new(program);
    command.arg("--config").arg(steps::root()?.join("crds/examples/quick-start"));
    command.arg("--data").arg(data);
    command.args([
        "--listen",
        &public.to_string(),
        "--admin",
        &private.to_string(),
        "--api",
        &api.to_string(),
    ]);
    command.args(["--log", "text"]);
    command.stdin(Stdio::null());
    Ok(command)
}

/// Returns when a receiver with this private address is ready; asks every `poll`.
///
/// # Errors
/// When it ends instead, or is not ready in 30 s.
pub(crate) fn wait_until_ready(
    receiver: &mut Process,
    private: SocketAddr,
    poll: Duration,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_WAIT;
    while !is_ready(private) {
        if let Some(status) = receiver.ended()? {
            bail!("the receiver ended before it was ready ({status})");
        }
        if Instant::now() >= deadline {
            bail!("http://{private}/readyz did not answer 200 in {READY_WAIT:?}");
        }
        thread::sleep(poll);
    }
    Ok(())
}

/// Whether it is ready now. Without a connection it does not listen yet.
pub(crate) fn is_ready(private: SocketAddr) -> bool {
    http::get(private, "/readyz").is_ok_and(|answer| answer.status == 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_ends_at_once_is_told_by_its_status() {
        let mut failing = Command::new("sh");
        failing.args(["-c", "exit 2"]);
        let nobody = Addresses::free().unwrap().private;
        let mut receiver = Process::start("receiver", &mut failing).unwrap();
        let refusal =
            wait_until_ready(&mut receiver, nobody, Duration::from_millis(1)).unwrap_err().to_string();
        assert!(refusal.contains("exit status: 2"), "{refusal}");
    }
}
