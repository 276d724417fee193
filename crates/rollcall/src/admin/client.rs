//! The commands' end of the admin socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::api::{
    ActivateAsk, DecideAsk, ErrorBody, ExplainAsk, Explanation, HoldsAsk, HoldsPage, InstanceStatus,
    Operation, Recorded, ReplayAsk, ReplayLine, RulesAsk, RulesInForce,
};
use super::service::ErrorCode;

/// Largest answer, and largest line of a replay.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// An instance that does not begin to answer within this is stuck: every operation but the replay is quick,
/// and the replay begins with its progress.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why an instance gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "no instance is running here: nobody answers at {}; start one with `rollcall run`",
        path.display()
    )]
    NoInstance {
        /// The socket.
        path: PathBuf,
    },
    /// The socket is somebody else's.
    #[error(
        "{} may be opened only by the user that the instance runs as; run this command as that user",
        path.display()
    )]
    NotAllowed {
        /// The socket.
        path: PathBuf,
    },
    /// The instance refused.
    #[error("{message}")]
    Refused {
        /// What kind.
        code: ErrorCode,
        /// Why.
        message: String,
    },
    /// The connection broke, or the answer is none; trying again may help.
    #[error("the instance at {} gave no proper answer: {problem}", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
}

/// A way to the running instance. Every request opens a connection of its own.
#[derive(Debug, Clone)]
pub struct AdminClient {
    path: PathBuf,
}

impl AdminClient {
    /// The instance behind a socket.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// How the instance is.
    ///
    /// # Errors
    /// [`ClientError`], as for all operations.
    pub async fn status(&self) -> Result<InstanceStatus, ClientError> {
        self.ask(Operation::Status, &serde_json::json!({})).await
    }

    /// Why an account should hold what it should hold.
    ///
    /// # Errors
    /// [`ClientError`]; refused when nobody goes by that name.
    pub async fn explain(&self, ask: &ExplainAsk) -> Result<Explanation, ClientError> {
        self.ask(Operation::Explain, ask).await
    }

    /// A page of held accounts.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn holds(&self, ask: &HoldsAsk) -> Result<HoldsPage, ClientError> {
        self.ask(Operation::Holds, ask).await
    }

    /// Records a decision.
    ///
    /// # Errors
    /// [`ClientError`]; refused when no such hold waits.
    pub async fn decide(&self, ask: &DecideAsk) -> Result<Recorded, ClientError> {
        self.ask(Operation::Decide, ask).await
    }

    /// The rule set in force.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rules(&self, ask: &RulesAsk) -> Result<RulesInForce, ClientError> {
        self.ask(Operation::Rules, ask).await
    }

    /// Activates a rule set.
    ///
    /// # Errors
    /// [`ClientError`]; refused when another one came into force meanwhile.
    pub async fn activate_rules(&self, ask: &ActivateAsk) -> Result<Recorded, ClientError> {
        self.ask(Operation::ActivateRules, ask).await
    }

    /// Begins a replay.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn replay(&self, ask: &ReplayAsk) -> Result<ReplayStream, ClientError> {
        let response = self.send(Operation::Replay, ask).await?;
        Ok(ReplayStream {
            path: self.path.clone(),
            body: response.into_body(),
            read: BytesMut::new(),
        })
    }

    fn broken(&self, problem: impl ToString) -> ClientError {
        ClientError::Broken {
            path: self.path.clone(),
            problem: problem.to_string(),
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        operation: Operation,
        ask: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = self.whole(self.send(operation, ask).await?).await?;
        serde_json::from_slice(&body).map_err(|error| self.broken(error))
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let collected = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        Ok(collected.map_err(|error| self.broken(error))?.to_bytes())
    }

    /// Sends a request; an answer that is no success is an error.
    async fn send(
        &self,
        operation: Operation,
        ask: &impl Serialize,
    ) -> Result<Response<Incoming>, ClientError> {
        let stream = UnixStream::connect(&self.path)
            .await
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
                    ClientError::NoInstance {
                        path: self.path.clone(),
                    }
                }
                std::io::ErrorKind::PermissionDenied => ClientError::NotAllowed {
                    path: self.path.clone(),
                },
                _ => self.broken(error),
            })?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.broken(error))?;
        tokio::spawn(async move {
            let _ = connection.await; // its error reaches whoever waits for the answer
        });
        let body = serde_json::to_vec(ask).map_err(|error| self.broken(error))?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(operation.path())
            .header(hyper::header::HOST, "rollcall")
            .header(hyper::header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| self.broken(error))?;
        let response = tokio::time::timeout(ANSWER_TIMEOUT, sender.send_request(request)).await;
        let response = response
            .map_err(|_| self.broken(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs())))?
            .map_err(|error| self.broken(error))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let status = response.status();
        let body = self.whole(response).await?;
        let error: ErrorBody =
            serde_json::from_slice(&body).map_err(|_| self.broken(format!("status {status}")))?;
        Err(ClientError::Refused {
            code: error.code,
            message: error.message,
        })
    }
}

/// The lines of a replay as they come.
#[derive(Debug)]
pub struct ReplayStream {
    path: PathBuf,
    body: Incoming,
    read: BytesMut,
}

impl ReplayStream {
    /// The next line; `None` after the last one.
    ///
    /// # Errors
    /// [`ClientError::Broken`] when the connection broke off or a line is none.
    pub async fn next(&mut self) -> Result<Option<ReplayLine>, ClientError> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(end);
                self.read.advance(1);
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|error| self.broken(error.to_string()));
            }
            if self.read.len() > ANSWER_BYTES_MAX {
                return Err(self.broken("a line without end".to_owned()));
            }
            match self.body.frame().await {
                None if self.read.is_empty() => return Ok(None),
                None => return Err(self.broken("the last line is broken off".to_owned())),
                Some(Err(error)) => return Err(self.broken(error.to_string())),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.read.extend_from_slice(data);
                    }
                }
            }
        }
    }

    fn broken(&self, problem: String) -> ClientError {
        ClientError::Broken {
            path: self.path.clone(),
            problem,
        }
    }
}
