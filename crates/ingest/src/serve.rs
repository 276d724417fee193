//! The listener: accepts connections, bounds them, and drains them at the end.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::Layer as _;
use tower::util::MapRequestLayer;

use crate::patience::{Patience, SEND_TIMEOUT};
use crate::tls::{HANDSHAKE_TIMEOUT, Tls};

/// Most open connections; the listener's own queue holds what comes beyond. Far above what a few IdPs and a
/// proxy open, far below the usual limit of open files.
pub const OPEN_CONNECTIONS_MAX: usize = 4096;
/// Time for the whole head of a request, counted from the end of the one before: a slow sender cannot hold a
/// connection for nothing, and an idle one is closed. Long enough for the pauses inside a provisioning cycle.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Most headers of a request.
pub const HEADERS_MAX: usize = 64;
/// Read buffer of a connection; a head that does not fit ends the connection with 431. Larger than the door's
/// own bounds, so that those answer first, with a SCIM error.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;
/// Time that requests in flight get to end after a shutdown was asked for: more than a request's own
/// time-out.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(35);
/// Pause after `accept` failed (out of files, mostly), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end of the connection that a request came by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// How a listener serves.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// What it presents; plain HTTP without.
    pub tls: Option<Tls>,
    /// Most open connections; see [`OPEN_CONNECTIONS_MAX`].
    pub connections_max: usize,
}

impl Default for ServeOptions {
    /// Plain HTTP.
    fn default() -> Self {
        Self {
            tls: None,
            connections_max: OPEN_CONNECTIONS_MAX,
        }
    }
}

/// As [`serve_with`], with plain HTTP/1.1 and the default bounds.
///
/// # Errors
/// When the listener has no local address: it was never bound.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    serve_with(listener, ServeOptions::default(), router, shutdown).await
}

/// Serves `router` on `listener` until `shutdown` resolves; then takes no new connection, lets every request
/// in flight end (at most [`DRAIN_TIMEOUT`]) and returns. HTTP/1.1, over TLS when the options have it.
///
/// # Errors
/// When the listener has no local address: it was never bound.
pub async fn serve_with(
    listener: TcpListener,
    options: ServeOptions,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "listening");
    let (stop, stopping) = watch::channel(false);
    let places = u32::try_from(options.connections_max.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
    let room = Arc::new(Semaphore::new(places as usize));
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &room) => accepted,
        };
        if let Some((stream, peer, permit)) = accepted {
            let (peer, router, stopping) = (Peer(peer.ip()), router.clone(), stopping.clone());
            let _ = stream.set_nodelay(true);
            let stream = Patience::new(stream, SEND_TIMEOUT);
            match &options.tls {
                None => tokio::spawn(connection(stream, peer, router, stopping, permit)),
                Some(tls) => tokio::spawn(encrypted(tls.acceptor(), stream, peer, router, stopping, permit)),
            };
        }
    }
    drop(listener);
    let _ = stop.send(true);
    drain(&room, places).await;
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, permit)),
        Err(error) => {
            tracing::warn!(%error, "accepting a connection failed");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Shakes hands, within its time, and serves what follows.
async fn encrypted(
    acceptor: TlsAcceptor,
    stream: Patience<TcpStream>,
    peer: Peer,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    permit: OwnedSemaphorePermit,
) {
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)) => shaken,
        _ = stopping.changed() => return,
    };
    match shaken {
        Ok(Ok(stream)) => Box::pin(connection(stream, peer, router, stopping, permit)).await,
        Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
        Err(_elapsed) => tracing::debug!("a handshake was too slow"),
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
) {
    let service = MapRequestLayer::new(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        request.map(Body::new)
    });
    let service = TowerToHyperService::new(service.layer(router));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(READ_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        _ = stopping.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn drain(room: &Semaphore, all: u32) {
    if tokio::time::timeout(DRAIN_TIMEOUT, room.acquire_many(all))
        .await
        .is_err()
    {
        tracing::warn!("requests in flight did not end in time and are cut");
    }
}
