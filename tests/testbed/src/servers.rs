//! The three servers: how each is started, and when it is ready.
use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;

use crate::{kubectl::Kubectl, pki, process::Process};

/// Below the ports that systems take for outgoing connections (from 32768 on Linux): a server that is stopped and
/// started again finds its port free.
const PORTS: Range<u16> = 20_000..32_000;

/// Its data need not survive the machine, so nothing is synced. It has no peers.
const ETCD: &str = "--data-dir=etcd --log-level=warn --unsafe-no-fsync --listen-peer-urls=http://127.0.0.1:0";

/// It advertises an address that is nobody's (RFC 5737), since it refuses loopback there; without a reconciler nobody
/// is told. The proxy's headers are for servers behind this one: we have none, but the controller manager asks for them.
const API_SERVER: &str = "--advertise-address=192.0.2.1 --endpoint-reconciler-type=none --anonymous-auth=false \
    --tls-cert-file=pki/apiserver.crt --tls-private-key-file=pki/apiserver.key --client-ca-file=pki/ca.crt \
    --requestheader-client-ca-file=pki/front-proxy-ca.crt --requestheader-allowed-names=front-proxy-client \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=pki/sa.pub \
    --service-account-signing-key-file=pki/sa.key --service-cluster-ip-range=10.96.0.0/16 \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
    --profiling=false";

/// Nobody has to ask it anything, and it takes no lease: so it outlives an API server that is taken away. With the usual
/// limits on its requests, its controllers would start one after the other, over five seconds.
const CONTROLLER_MANAGER: &str = "--kubeconfig=controller-manager.kubeconfig --secure-port=0 --leader-elect=false \
    --use-service-account-credentials=true --root-ca-file=pki/ca.crt \
    --service-account-private-key-file=pki/sa.key --cluster-signing-cert-file=pki/ca.crt \
    --cluster-signing-key-file=pki/ca.key --service-cluster-ip-range=10.96.0.0/16 --kube-api-qps=200 \
    --kube-api-burst=400 --profiling=false";

/// The servers, in the order in which they end.
pub(crate) struct Running {
    controller_manager: Option<Process>,
    api_server: Mutex<Option<Process>>,
    etcd: Process,
    /// Where the API server listens.
    pub(crate) address: SocketAddr,
    store: SocketAddr,
    api_server_program: PathBuf,
    folder: PathBuf,
}

impl Running {
    /// Starts etcd, and makes the certificates meanwhile. All that is written is in `folder`.
    ///
    /// # Errors
    /// When there is no free port, no process or no certificate.
    pub(crate) fn start(etcd: &Path, api_server: &Path, folder: &Path) -> anyhow::Result<Self> {
        // Both are bound until both are chosen, so that they differ.
        let [store, address] = [free_port()?, free_port()?].map(|listener| listener.local_addr());
        let (store, address) = (store?, address?);
        let flags =
            format!("{ETCD} --listen-client-urls=http://{store} --advertise-client-urls=http://{store}");
        let mut etcd = Process::start(etcd, &flags, folder)?;
        pki::make(&folder.join("pki"))?;
        etcd.wait_until("listening", || TcpStream::connect(store).is_ok())?;
        Ok(Self {
            controller_manager: None,
            api_server: Mutex::new(None),
            etcd,
            address,
            store,
            api_server_program: api_server.to_owned(),
            folder: folder.to_owned(),
        })
    }

    /// Starts the controller manager, and waits until it works. The API server has to be ready: else it ends at once.
    ///
    /// # Errors
    /// When it ends, or the account that every namespace has does not come in time.
    pub(crate) fn start_controller_manager(
        &mut self,
        program: &Path,
        kubectl: &Kubectl,
    ) -> anyhow::Result<()> {
        let mut process = Process::start(program, CONTROLLER_MANAGER, &self.folder)?;
        let account = ["get", "serviceaccount", "default", "--namespace", "default"];
        let has_account = || kubectl.run(&account).is_ok_and(|answer| answer.status.success());
        process.wait_until("making service accounts", has_account)?;
        self.controller_manager = Some(process);
        Ok(())
    }

    /// Starts the API server where it does not run, and waits until it is ready.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub(crate) fn start_api_server(&self, kubectl: &Kubectl) -> anyhow::Result<()> {
        let mut running = self.api_server();
        if running.is_some() {
            return Ok(());
        }
        let (store, address) = (self.store, self.address);
        let (ip, port) = (address.ip(), address.port());
        let flags =
            format!("{API_SERVER} --etcd-servers=http://{store} --bind-address={ip} --secure-port={port}");
        let mut process = Process::start(&self.api_server_program, &flags, &self.folder)?;
        let is_ready =
            || kubectl.run(&["get", "--raw", "/readyz"]).is_ok_and(|answer| answer.status.success());
        process.wait_until("ready", || TcpStream::connect(address).is_ok() && is_ready())?;
        *running = Some(process);
        Ok(())
    }

    /// Kills the API server.
    pub(crate) fn stop_api_server(&self) {
        *self.api_server() = None;
    }

    /// The process ids of those that run.
    pub(crate) fn process_ids(&self) -> Vec<u32> {
        let api_server = self.api_server();
        self.controller_manager.iter().chain(api_server.iter()).chain([&self.etcd]).map(Process::id).collect()
    }

    fn api_server(&self) -> MutexGuard<'_, Option<Process>> {
        self.api_server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Chance says where the search begins, so that two testbeds that start at once do not find the same.
pub(crate) fn free_port() -> anyhow::Result<TcpListener> {
    let chance = RandomState::new().hash_one(());
    let first = PORTS.start + u16::try_from(chance % u64::from(PORTS.end - PORTS.start))?;
    let bind = |port: u16| -> io::Result<TcpListener> { TcpListener::bind((Ipv4Addr::LOCALHOST, port)) };
    let free = (first..PORTS.end).chain(PORTS.start..first).find_map(|port| bind(port).ok());
    free.with_context(|| format!("127.0.0.1 has no free port in {PORTS:?}"))
}
