//! Accepting connections, under caps and deadlines, and letting go of them in peace.
use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Notify, Semaphore},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    ingress::Reply,
    limits::{
        ACCEPT_PAUSE, BACKLOG, CONNECTIONS_MAX, DESCRIPTORS_RESERVED, FIRST_HEAD_TIME_MAX, HEAD_BYTES_MAX,
        HTTP2_PING, IDLE_TIME_MAX, STREAMS_MAX, UNACKNOWLEDGED_TIME_MAX,
    },
};

/// A bound address.
pub(crate) struct Listener {
    socket: TcpListener,
    connections: Connections,
}

/// Counts the open connections of a listener.
#[derive(Clone)]
pub(crate) struct Connections {
    free: Arc<Semaphore>,
    all: usize,
}

impl Connections {
    pub(crate) fn open(&self) -> usize {
        self.all - self.free.available_permits()
    }
}

/// How many connections may be open: as many as the process may have descriptors, less what the others need. Asks the
/// system for as many as it gives.
pub(crate) fn connections_max() -> usize {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // Without more it works with fewer.
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).ok();
    }
    let descriptors = getrlimit(Resource::Nofile)
        .current
        .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    descriptors.saturating_sub(DESCRIPTORS_RESERVED).clamp(1, CONNECTIONS_MAX)
}

impl Listener {
    /// Binds the address, for so many connections at once.
    ///
    /// # Errors
    /// The address cannot be had; the flag is named for the message.
    pub(crate) fn bind(address: SocketAddr, flag: &str, connections_max: usize) -> anyhow::Result<Self> {
        let bind = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        };
        let socket = bind().map_err(|error: std::io::Error| {
            anyhow::anyhow!("cannot listen on {address}: {error}; name another address with {flag}")
        })?;
        let free = Arc::new(Semaphore::new(connections_max));
        Ok(Self { socket, connections: Connections { free, all: connections_max } })
    }

    /// The address with the port that was given.
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(crate) fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// Serves until `stop`; then closes the address, and lets requests under way end within `patience`.
    pub(crate) async fn serve<F, R>(self, handle: F, stop: CancellationToken, patience: Duration)
    where
        F: Fn(Request<Incoming>, SocketAddr) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let graceful = GracefulShutdown::new();
        let http = Arc::new(http());
        while let Some(Ok(permit)) =
            stop.run_until_cancelled(Arc::clone(&self.connections.free).acquire_owned()).await
        {
            let Some(accepted) = stop.run_until_cancelled(self.socket.accept()).await else { break };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let connection = connection(stream, peer, &http, handle.clone(), &graceful);
            tokio::spawn(async move {
                connection.await;
                drop(permit);
            });
        }
        drop(self.socket);
        if timeout(patience, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests did not end in time; their connections are cut");
        }
    }
}

fn http() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(IDLE_TIME_MAX).max_buf_size(HEAD_BYTES_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PING);
    http
}

/// Serves one connection to its end. What ends it early is the peer's doing, and the request under way has told it.
fn connection<F, R>(
    stream: TcpStream,
    peer: SocketAddr,
    http: &Arc<auto::Builder<TokioExecutor>>,
    handle: F,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<F, R>
where
    F: Fn(Request<Incoming>, SocketAddr) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    // An answer is one small packet: it must not wait for company. A peer that takes none is not waited for.
    drop(stream.set_nodelay(true));
    drop(SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIME_MAX)));
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let service = service_fn(move |request| {
        begins.notify_one();
        let reply = handle(request, peer);
        async move { Ok::<_, std::convert::Infallible>(reply.await) }
    });
    let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service).into_owned());
    async move {
        tokio::pin!(connection);
        tokio::select! {
            _ = &mut connection => return,
            begun = timeout(FIRST_HEAD_TIME_MAX, begun.notified()) => {
                if begun.is_err() {
                    return;
                }
            }
        }
        drop(connection.await);
    }
}
