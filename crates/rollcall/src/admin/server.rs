//! The instance's end of the admin socket.

use std::convert::Infallible;
use std::future::Future;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};

use super::api::{Operation, ReplayLine};
use super::service::{AdminError, AdminService, Caller, ErrorCode};

/// Largest request: a rule set of the largest file, as JSON.
const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Operators at once. More wait in the system's queue.
const CONNECTIONS_MAX: usize = 32;
/// A caller that sends its request slower than this is cut off.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for the body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Lines of a replay that wait for a slow reader.
const REPLAY_LINES_MAX: usize = 256;
/// Connections that are open at the end get this long to finish.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// The system's bound on the path of a socket, less the zero at its end.
const SOCKET_PATH_MAX: usize = 107;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Why the socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another instance answers there.
    #[error("another instance is running: it answers at {}", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Others may write its folder, so they could put a socket of their own there.
    #[error(
        "the folder of {} may be written by others (mode {mode:o}); chmod 700 it, or set admin.socket",
        path.display()
    )]
    FolderOpenToOthers {
        /// The socket.
        path: PathBuf,
        /// The folder's mode.
        mode: u32,
    },
    /// The system takes no path that long.
    #[error(
        "the path {} has more than {SOCKET_PATH_MAX} bytes; set admin.socket to a shorter one",
        path.display()
    )]
    PathTooLong {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is in its place, or the system refused.
    #[error("{}: {action} failed", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// An open socket; its file is removed when this is dropped.
#[derive(Debug)]
pub struct AdminServer {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path); // the next start removes it otherwise
    }
}

impl AdminServer {
    /// Opens the socket with mode 0600, so that at no moment anybody else could open it. A file left by an
    /// instance that died is replaced.
    ///
    /// # Errors
    /// [`BindError`], also when another instance is running.
    pub async fn bind(path: &Path) -> Result<Self, BindError> {
        let io = |action| {
            move |source| BindError::Io {
                path: path.to_owned(),
                action,
                source,
            }
        };
        // It is made in a folder of its own, made private, and moved to its place.
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(io("making its folder"))?;
        let mode = std::fs::metadata(folder)
            .map_err(io("reading its folder"))?
            .permissions()
            .mode()
            & 0o777;
        if mode & 0o022 != 0 {
            return Err(BindError::FolderOpenToOthers {
                path: path.to_owned(),
                mode,
            });
        }
        let private = folder.join(format!(".admin-{}", std::process::id()));
        let made = private.join("s");
        if made.as_os_str().len().max(path.as_os_str().len()) > SOCKET_PATH_MAX {
            return Err(BindError::PathTooLong {
                path: path.to_owned(),
            });
        }
        if UnixStream::connect(path).await.is_ok() {
            return Err(BindError::InUse {
                path: path.to_owned(),
            });
        }
        let _ = std::fs::remove_dir_all(&private); // of an instance with this number that died
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&private)
            .map_err(io("making a private folder"))?;
        let listener = UnixListener::bind(&made).map_err(io("opening the socket"));
        let placed = listener.and_then(|listener| {
            std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600))
                .map_err(io("protecting it"))?;
            std::fs::rename(&made, path).map_err(io("putting it in its place"))?;
            Ok(listener)
        });
        let _ = std::fs::remove_dir_all(&private);
        Ok(Self {
            listener: placed?,
            path: path.to_owned(),
        })
    }

    /// Answers until `stop` is done; then requests in flight get a few seconds to finish.
    pub async fn serve<S: AdminService>(self, service: Arc<S>, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let slot = tokio::select! {
                () = &mut stop => break,
                slot = Arc::clone(&slots).acquire_owned() => slot,
            };
            let Ok(slot) = slot else { break };
            let stream = tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "the admin socket could not accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await; // such as: no file handles left
                        continue;
                    }
                },
            };
            let service = Arc::clone(&service);
            tokio::spawn(async move {
                connection(stream, service).await;
                drop(slot);
            });
        }
        let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
        if tokio::time::timeout(STOP_GRACE, slots.acquire_many(all))
            .await
            .is_err()
        {
            tracing::warn!("operators' requests were cut off at the end");
        }
    }
}

async fn connection<S: AdminService>(stream: UnixStream, service: Arc<S>) {
    let Ok(peer) = stream.peer_cred() else { return };
    let caller = Caller { uid: peer.uid() };
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(answer(request, caller, service).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .keep_alive(false) // every command asks once; a slot is not held by the idle
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an operator's connection ended early");
    }
}

async fn answer<S: AdminService>(
    request: Request<Incoming>,
    caller: Caller,
    service: Arc<S>,
) -> Response<Body> {
    let Some(operation) = Operation::ALL
        .into_iter()
        .find(|known| known.path() == request.uri().path())
    else {
        let message = format!("there is no {}", request.uri().path());
        return refused(&AdminError::new(ErrorCode::NotFound, message));
    };
    if request.method() != Method::POST {
        return refused(&AdminError::new(ErrorCode::Invalid, "every operation is a POST"));
    }
    match operate(operation, request, caller, service).await {
        Ok(response) => response,
        Err(error) => refused(&error),
    }
}

async fn operate<S: AdminService>(
    operation: Operation,
    request: Request<Incoming>,
    caller: Caller,
    service: Arc<S>,
) -> Result<Response<Body>, AdminError> {
    let body = body(request).await?;
    match operation {
        Operation::Status => Ok(json(StatusCode::OK, &service.status().await)),
        Operation::Explain => Ok(json(StatusCode::OK, &service.explain(read(&body)?).await?)),
        Operation::Holds => Ok(json(StatusCode::OK, &service.holds(read(&body)?).await?)),
        Operation::Decide => Ok(json(StatusCode::OK, &service.decide(caller, read(&body)?).await?)),
        Operation::Rules => Ok(json(StatusCode::OK, &service.rules(read(&body)?).await?)),
        Operation::ActivateRules => Ok(json(
            StatusCode::OK,
            &service.activate_rules(caller, read(&body)?).await?,
        )),
        Operation::Replay => {
            let ask = read(&body)?;
            let (sender, receiver) = mpsc::channel(REPLAY_LINES_MAX);
            tokio::spawn(async move {
                if let Err(error) = service.replay(ask, sender.clone()).await {
                    // The reader may be gone: then nobody wants to know.
                    let _ = sender
                        .send(ReplayLine::Failed {
                            message: error.message,
                        })
                        .await;
                }
            });
            Ok(lines(receiver))
        }
    }
}

async fn body(request: Request<Incoming>) -> Result<Bytes, AdminError> {
    let limited = Limited::new(request.into_body(), REQUEST_BYTES_MAX);
    match tokio::time::timeout(BODY_TIMEOUT, limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(_)) => Err(AdminError::new(
            ErrorCode::Invalid,
            format!("the request is broken off, or has more than {REQUEST_BYTES_MAX} bytes"),
        )),
        Err(_) => Err(AdminError::new(ErrorCode::Invalid, "the request came too slowly")),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, AdminError> {
    serde_json::from_slice(body).map_err(|error| {
        AdminError::new(
            ErrorCode::Invalid,
            format!("the request is not of its form: {error}"),
        )
    })
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> Response<Body> {
    let bytes = serde_json::to_vec(value).unwrap_or_default(); // string keys only: cannot fail
    response(
        status,
        "application/json",
        Full::new(Bytes::from(bytes)).boxed_unsync(),
    )
}

fn refused(error: &AdminError) -> Response<Body> {
    let status = match error.code {
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Invalid => StatusCode::BAD_REQUEST,
        ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    };
    json(status, &error.body())
}

/// One JSON object a line, as they come.
fn lines(receiver: mpsc::Receiver<ReplayLine>) -> Response<Body> {
    let stream = futures::stream::unfold(receiver, |mut receiver| async move {
        let line = receiver.recv().await?;
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default(); // string keys only: cannot fail
        bytes.push(b'\n');
        Some((Ok(Frame::data(Bytes::from(bytes))), receiver))
    });
    response(
        StatusCode::OK,
        "application/x-ndjson",
        StreamBody::new(stream).boxed_unsync(),
    )
}

fn response(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
