//! `cargo xtask up`: from a checkout to a webhook that arrives.
use std::{fs, os::unix::process::CommandExt, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, anyhow, bail};

use crate::{
    addresses::Addresses,
    delivery::{Delivery, Endpoint, SECRET},
    lines::Lines,
    process::Process,
    programs::{self, RECEIVER},
    receiver,
    signals::Signals,
    steps,
};

/// The path of the endpoint in `crds/examples/quick-start`.
const PATH: &str = "/github";
const READY_POLL: Duration = Duration::from_millis(50);

/// Builds and starts a receiver, sends one webhook through it, and stays until it ends.
///
/// # Errors
/// When a step does not end as it should; the receiver is stopped then.
pub(crate) fn run(port: Option<u16>) -> anyhow::Result<()> {
    let [program] = programs::build([RECEIVER], "dev")?;
    let data = steps::root()?.join(".boathook/data");
    fs::create_dir_all(&data).with_context(|| format!("cannot make the folder {}", data.display()))?;
    let addresses = Addresses::usual(port)?;
    let mut command = receiver::quick_start(&program, &data, &addresses)?;
    let signals = Signals::catch()?;
    let mut receiver = Process::start("receiver", command.stdout(Stdio::piped()).process_group(0))?;
    signals.pass_on(receiver.id());
    let delivery = Delivery::fresh();
    let output = receiver.stdout().context("the receiver's output was asked for")?;
    let lines = Lines::read(output, delivery.id.clone());
    let endpoint = Endpoint { receiver: addresses.public, path: PATH };
    walk(&mut receiver, endpoint, &addresses, &delivery, &lines).map_err(|failure| {
        let data = data.display();
        anyhow!(
            "{failure:#}\nthe receiver's messages above may say why; was a file in crds/examples/quick-start changed? \
             To start afresh, delete {data}"
        )
    })?;
    tell(endpoint, &addresses, &data);
    let status = receiver.wait()?;
    lines.finish();
    if !status.success() {
        bail!("the receiver ended ({status}); its messages above say why");
    }
    Ok(())
}

/// What must be seen, in this order.
fn walk(
    receiver: &mut Process,
    endpoint: Endpoint,
    addresses: &Addresses,
    delivery: &Delivery,
    lines: &Lines,
) -> anyhow::Result<()> {
    receiver::wait_until_ready(receiver, addresses.private, READY_POLL)?;
    println!("ready: {endpoint}");
    delivery.send(endpoint, SECRET, 200, "verified and stored")?;
    delivery.arrive(lines)?;
    Delivery::fresh().send(endpoint, "a wrong secret", 401, "refused")
}

/// What one can do now.
fn tell(endpoint: Endpoint, addresses: &Addresses, data: &Path) {
    let private = addresses.private;
    println!("\nSend another one from a second terminal:\n\n{}\n", endpoint.shell_lines());
    println!("metrics  http://{private}/metrics");
    println!("report   http://{private}/report");
    let (api, data) = (addresses.api, data.display());
    println!("events   http://{api}/v1/events (tokens in {data}/api-tokens)");
    println!("data     {data} (delete it to start afresh)");
    println!("Ctrl-C stops it.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_start_still_has_this_path() {
        let file = steps::root().unwrap().join("crds/examples/quick-start/github.yaml");
        let text = fs::read_to_string(file).unwrap();
        let line = format!("path: {PATH}");
        assert!(text.lines().any(|other| other.trim() == line), "change PATH along with the quick start");
    }
}
