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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::Layer as _;
use tower::util::MapRequestLayer;

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

/// Serves `router` on `listener` until `shutdown` resolves; then takes no new connection, lets every request
/// in flight end (at most [`DRAIN_TIMEOUT`]) and returns.
///
/// HTTP/1.1 without TLS: the binary puts TLS or a proxy in front.
///
/// # Errors
/// When the listener has no local address: it was never bound.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "listening");
    let (stop, stopping) = watch::channel(false);
    let room = Arc::new(Semaphore::new(OPEN_CONNECTIONS_MAX));
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &room) => accepted,
        };
        if let Some((stream, peer, permit)) = accepted {
            tokio::spawn(connection(
                stream,
                Peer(peer.ip()),
                router.clone(),
                stopping.clone(),
                permit,
            ));
        }
    }
    drop(listener);
    let _ = stop.send(true);
    drain(&room).await;
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

async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
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

async fn drain(room: &Semaphore) {
    let all = u32::try_from(OPEN_CONNECTIONS_MAX).unwrap_or(u32::MAX);
    if tokio::time::timeout(DRAIN_TIMEOUT, room.acquire_many(all))
        .await
        .is_err()
    {
        tracing::warn!("requests in flight did not end in time and are cut");
    }
}
