//! `cargo xtask up`: from a checkout to a webhook that arrives.
use std::{fs, os::unix::process::CommandExt, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, bail};

use crate::{
    addresses::Addresses,
    delivery::{self, Delivery, SECRET},
    lines::Lines,
    receiver::{self, Receiver},
    signals::Signals,
    steps,
};

const READY_POLL: Duration = Duration::from_millis(50);
/// A `log` sink has nothing to wait for.
const ARRIVAL_WAIT: Duration = Duration::from_secs(10);

/// Builds and starts a receiver, sends one webhook through it, and stays until it ends.
///
/// # Errors
/// When a step does not end as it should; the receiver is stopped then.
pub(crate) fn run(port: Option<u16>) -> anyhow::Result<()> {
    let program = receiver::build("dev")?;
    let data = steps::root()?.join(".boathook/data");
    fs::create_dir_all(&data).with_context(|| format!("cannot make the folder {}", data.display()))?;
    let addresses = Addresses::usual(port)?;
    let mut command = receiver::quick_start(&program, &data, &addresses)?;
    let signals = Signals::catch()?;
    let mut receiver = Receiver::start(command.stdout(Stdio::piped()).process_group(0), addresses.private)?;
    signals.pass_on(receiver.id());
    let delivery = Delivery::fresh();
    let output = receiver.stdout().context("the receiver's output was asked for")?;
    let lines = Lines::read(output, delivery.id.clone());
    if let Err(failure) = walk(&mut receiver, &addresses, &delivery, &lines) {
        if let Err(also) = receiver.stop() {
            eprintln!("» {also}");
        }
        return Err(failure);
    }
    tell(&addresses, &data);
    let status = receiver.wait()?;
    lines.finish();
    if !status.success() {
        bail!("the receiver ended ({status}); its messages above say why");
    }
    Ok(())
}

/// What must be seen, in this order.
fn walk(
    receiver: &mut Receiver,
    addresses: &Addresses,
    delivery: &Delivery,
    lines: &Lines,
) -> anyhow::Result<()> {
    receiver.wait_until_ready(READY_POLL)?;
    println!("ready: http://{}{}", addresses.public, delivery::PATH);
    expect(200, "verified and stored", delivery, addresses, SECRET)?;
    let Ok(line) = lines.awaited(ARRIVAL_WAIT) else {
        bail!(
            "the delivery {} was stored but did not arrive on the receiver's standard output in {ARRIVAL_WAIT:?}; \
             the receiver's messages above may say why",
            delivery.id
        );
    };
    println!("delivered: {line}");
    expect(401, "refused", &Delivery::fresh(), addresses, "a wrong secret")
}

/// Sends a delivery, and says how it was answered.
fn expect(
    status: u16,
    what: &str,
    delivery: &Delivery,
    addresses: &Addresses,
    secret: &str,
) -> anyhow::Result<()> {
    let answer = delivery.send(addresses.public, secret);
    let answer = answer.with_context(|| format!("no answer from http://{}", addresses.public))?;
    if answer.status != status {
        bail!(
            "a delivery that must be {what} ({status}) was answered {}: {}\nthe receiver's messages above may say \
             why; was a file in crds/examples/quick-start changed?",
            answer.status,
            answer.body
        );
    }
    println!("{what}: {status} {}", answer.body);
    Ok(())
}

/// What one can do now.
fn tell(addresses: &Addresses, data: &Path) {
    let Addresses { public, private } = addresses;
    println!("\nSend another one from a second terminal:\n\n{}\n", delivery::shell_lines(*public));
    println!("metrics  http://{private}/metrics");
    println!("report   http://{private}/report");
    println!("data     {} (delete it to start afresh)", data.display());
    println!("Ctrl-C stops it.");
}
