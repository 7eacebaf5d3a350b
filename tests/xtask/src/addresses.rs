//! Addresses for a receiver on this machine: the usual ports, or free ones where those are taken.
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use anyhow::{Context, bail};

const PUBLIC_PORT: u16 = 8080;
const PRIVATE_PORT: u16 = 9090;
const API_PORT: u16 = 9091;

/// Where a receiver listens.
pub(crate) struct Addresses {
    /// For the providers.
    pub(crate) public: SocketAddr,
    /// For whoever runs it.
    pub(crate) private: SocketAddr,
    /// For whoever asks what was received.
    pub(crate) api: SocketAddr,
}

impl Addresses {
    /// The port that was asked for, or the usual one; says so where it takes another.
    ///
    /// # Errors
    /// When the port that was asked for cannot be had.
    pub(crate) fn usual(port: Option<u16>) -> anyhow::Result<Self> {
        let public = match port {
            Some(port) => asked_for(port)?,
            None => usual_or_free("webhooks", PUBLIC_PORT)?,
        };
        let private = usual_or_free("metrics and report", PRIVATE_PORT)?;
        Self::of(&public, &private, &usual_or_free("the data API", API_PORT)?)
    }

    /// Free ports.
    ///
    /// # Errors
    /// When there are none.
    pub(crate) fn free() -> anyhow::Result<Self> {
        Self::of(&free()?, &free()?, &free()?)
    }

    /// All are bound until all are chosen, so that they differ.
    fn of(public: &TcpListener, private: &TcpListener, api: &TcpListener) -> anyhow::Result<Self> {
        Ok(Self { public: public.local_addr()?, private: private.local_addr()?, api: api.local_addr()? })
    }
}

fn asked_for(port: u16) -> anyhow::Result<TcpListener> {
    bind(port).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "port {port} on 127.0.0.1 is taken: stop the program that listens there, give another --port, or leave \
             --port out to get a free one"
        ),
        _ => anyhow::anyhow!("cannot listen on port {port} of 127.0.0.1 ({error}): give another --port"),
    })
}

fn usual_or_free(purpose: &str, port: u16) -> anyhow::Result<TcpListener> {
    match bind(port) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let listener = free()?;
            eprintln!(
                "» port {port} is taken: {purpose} at port {} this time",
                listener.local_addr()?.port()
            );
            Ok(listener)
        }
        Err(error) => bail!("cannot listen on port {port} of 127.0.0.1: {error}"),
    }
}

fn free() -> anyhow::Result<TcpListener> {
    bind(0).context("127.0.0.1 has no free port")
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_where_it_was_asked_for_and_replaced_where_it_was_not() {
        let taken = free().unwrap();
        let port = taken.local_addr().unwrap().port();
        let refusal = asked_for(port).unwrap_err().to_string();
        assert!(refusal.contains(&port.to_string()) && refusal.contains("give another --port"), "{refusal}");
        assert_ne!(usual_or_free("tests", port).unwrap().local_addr().unwrap().port(), port);
    }

    #[test]
    fn the_ports_differ() {
        let Addresses { public, private, api } = Addresses::free().unwrap();
        assert!(public != private && private != api && api != public);
    }
}
