//! `cargo xtask up --kubernetes`: from a checkout to an endpoint that is Healthy in a cluster.
mod cluster;
mod demo;
mod operator;
mod pod;
mod stage;

use std::path::PathBuf;

use self::{pod::Pod, stage::Stage};
use crate::{
    addresses::Addresses,
    delivery::{Delivery, Endpoint, SECRET},
    packages,
    programs::{self, OPERATOR, RECEIVER},
};

/// Builds the programs, starts a control plane, the operator and a receiver, sends one webhook through them, and stays
/// until it is told to stop.
///
/// # Errors
/// When a step does not end as it should; nothing is left running.
pub(crate) fn run(port: Option<u16>) -> anyhow::Result<()> {
    packages::ensure(&["openssl"])?;
    let programs = programs::build([OPERATOR, RECEIVER], "dev")?;
    let addresses = Addresses::usual(port)?;
    let mut stage = Stage::set()?;
    walk(&mut stage, &programs, &addresses).map_err(|failure| stage.failure(&failure))
}

/// What must be seen, in this order.
fn walk(stage: &mut Stage, programs: &[PathBuf; 2], addresses: &Addresses) -> anyhow::Result<()> {
    let [operator, receiver] = programs;
    cluster::install(stage)?;
    operator::start(stage, operator)?;
    demo::apply(stage)?;
    let pod = Pod::awaited(stage)?;
    let delivery = Delivery::fresh();
    let lines = pod.run(stage, receiver, addresses, &delivery)?;
    pod.make_ready(stage)?;
    demo::programmed(stage)?;
    let endpoint = Endpoint { receiver: addresses.public, path: demo::PATH };
    println!("ready: {endpoint}");
    delivery.send(endpoint, SECRET, 200, "verified and stored")?;
    delivery.arrive(&lines)?;
    demo::healthy(stage)?;
    demo::tell(stage, endpoint, addresses);
    stage.stay()?;
    lines.finish();
    Ok(())
}
