#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use rollcall_domain::{Decision, EventId, HoldId, RuleSet, Sequence, TenantId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use super::api::{
    ActivateAsk, DecideAsk, ExplainAsk, Explanation, HoldsAsk, HoldsPage, InstanceStatus, Recorded,
    ReplayAsk, ReplayLine, RulesAsk, RulesInForce, Until, sample_status,
};
use super::{
    AdminClient, AdminError, AdminServer, AdminService, BindError, Caller, ClientError, ErrorCode, ReplaySink,
};

/// Answers as an engine would, and passes on what was decided.
struct Fake {
    decided: mpsc::UnboundedSender<(Caller, DecideAsk)>,
}

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn event() -> EventId {
    "01995f00-0000-7000-8000-000000000001".parse().unwrap()
}

impl AdminService for Fake {
    async fn status(&self) -> InstanceStatus {
        sample_status()
    }

    async fn explain(&self, ask: ExplainAsk) -> Result<Explanation, AdminError> {
        Err(AdminError::new(
            ErrorCode::NotFound,
            format!("nobody goes by {:?}", ask.user),
        ))
    }

    async fn holds(&self, ask: HoldsAsk) -> Result<HoldsPage, AdminError> {
        let (decisions, accounts) = (Vec::new(), Vec::new());
        Ok(HoldsPage {
            tenant: tenant(),
            sequence: Sequence(ask.limit.into()),
            decisions,
            accounts,
            next: None,
        })
    }

    async fn decide(&self, caller: Caller, ask: DecideAsk) -> Result<Recorded, AdminError> {
        self.decided.send((caller, ask)).unwrap();
        Ok(Recorded {
            event: Some(event()),
            sequence: Sequence(7),
        })
    }

    async fn rules(&self, _: RulesAsk) -> Result<RulesInForce, AdminError> {
        Ok(RulesInForce {
            tenant: tenant(),
            version: None,
            rules: RuleSet::default(),
        })
    }

    async fn activate_rules(&self, _: Caller, _: ActivateAsk) -> Result<Recorded, AdminError> {
        Err(AdminError::new(
            ErrorCode::Conflict,
            "another rule set came into force",
        ))
    }

    async fn replay(&self, ask: ReplayAsk, lines: ReplaySink) -> Result<(), AdminError> {
        let Until::Sequence(until) = ask.until else {
            return Err(AdminError::new(ErrorCode::Invalid, "only sequences here"));
        };
        for events in 1..=until.0 {
            let line = ReplayLine::Progress { events, of: until.0 };
            if lines.send(line).await.is_err() {
                return Ok(());
            }
        }
        let _ = lines
            .send(ReplayLine::End {
                sequence: until,
                users: 0,
            })
            .await;
        Ok(())
    }
}

/// A running server; it stops when this is dropped.
struct Running {
    _folder: tempfile::TempDir,
    socket: PathBuf,
    decided: mpsc::UnboundedReceiver<(Caller, DecideAsk)>,
    _stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
}

async fn running() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("data/admin.sock");
    let server = AdminServer::bind(&socket).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (decided, receiver) = mpsc::unbounded_channel();
    let served = tokio::spawn(server.serve(Arc::new(Fake { decided }), async {
        let _ = stopped.await;
    }));
    Running {
        _folder: folder,
        socket,
        decided: receiver,
        _stop: stop,
        served,
    }
}

#[tokio::test]
async fn what_the_engine_answers_arrives() {
    let mut running = running().await;
    let client = AdminClient::new(&running.socket);
    assert_eq!(client.status().await.unwrap(), sample_status());
    let ask = DecideAsk {
        tenant: None,
        hold: HoldId::Guard { cause: event() },
        decision: Decision::Approve,
        reason: Some("the store closes".to_owned()),
    };
    assert_eq!(client.decide(&ask).await.unwrap().event, Some(event()));
    let (caller, decided) = running.decided.recv().await.unwrap();
    assert_eq!(decided, ask);
    let own = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&running.socket).unwrap());
    assert_eq!(caller, Caller { uid: own });
}

#[tokio::test]
async fn a_refusal_keeps_its_kind_and_its_words() {
    let running = running().await;
    let client = AdminClient::new(&running.socket);
    let error = client
        .explain(&ExplainAsk {
            tenant: None,
            user: "ida".to_owned(),
        })
        .await
        .unwrap_err();
    assert!(
        matches!(
            &error,
            ClientError::Refused {
                code: ErrorCode::NotFound,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.to_string(), "nobody goes by \"ida\"");
}

#[tokio::test]
async fn a_replay_arrives_line_by_line_whatever_its_length() {
    let running = running().await;
    let client = AdminClient::new(&running.socket);
    let ask = |until| ReplayAsk { tenant: None, until };
    let mut lines = client
        .replay(&ask(Until::Sequence(Sequence(10_000))))
        .await
        .unwrap();
    let mut count = 0;
    let end = loop {
        match lines.next().await.unwrap().expect("it ends with its end") {
            ReplayLine::Progress { events, .. } => {
                count += 1;
                assert_eq!(events, count);
            }
            other => break other,
        }
    };
    assert_eq!(
        end,
        ReplayLine::End {
            sequence: Sequence(10_000),
            users: 0
        }
    );
    assert_eq!(lines.next().await.unwrap(), None);
    let mut failed = client.replay(&ask(Until::End)).await.unwrap();
    assert!(matches!(
        failed.next().await.unwrap(),
        Some(ReplayLine::Failed { .. })
    ));
}

#[tokio::test]
async fn where_no_instance_runs_the_client_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let error = AdminClient::new(&socket).status().await.unwrap_err();
    assert!(matches!(error, ClientError::NoInstance { .. }), "{error:?}");
    // A file that a dead instance left.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let error = AdminClient::new(&socket).status().await.unwrap_err();
    assert!(matches!(error, ClientError::NoInstance { .. }), "{error:?}");
}

#[tokio::test]
async fn the_socket_is_its_owners_and_replaces_what_a_dead_instance_left() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("data/admin.sock");
    std::fs::create_dir(folder.path().join("data")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let server = AdminServer::bind(&socket).await.unwrap();
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("data")).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing but the socket is left: {left:?}");
    drop(server);
    assert!(!socket.exists(), "it goes with the server");
}

#[tokio::test]
async fn a_second_instance_does_not_take_the_socket_away() {
    let running = running().await;
    let error = AdminServer::bind(&running.socket).await.unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }), "{error:?}");
    assert!(
        AdminClient::new(&running.socket).status().await.is_ok(),
        "the first one still answers"
    );
}

#[tokio::test]
async fn a_folder_that_others_may_write_and_a_path_that_is_too_long_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = AdminServer::bind(&folder.path().join("admin.sock"))
        .await
        .unwrap_err();
    assert!(matches!(error, BindError::FolderOpenToOthers { .. }), "{error:?}");
    let folder = tempfile::tempdir().unwrap();
    let error = AdminServer::bind(&folder.path().join("x".repeat(120)))
        .await
        .unwrap_err();
    assert!(matches!(error, BindError::PathTooLong { .. }), "{error:?}");
}

async fn raw(socket: &PathBuf, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await; // a reset after the answer is no fault
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_is_no_request_of_ours_gets_an_error_and_the_server_stays() {
    let running = running().await;
    let post = |path: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for (request, status, word) in [
        (post("/admin/v1/nothing", "{}"), "404", "not-found"),
        (
            "GET /admin/v1/status HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            "400",
            "POST",
        ),
        (post("/admin/v1/explain", "nonsense"), "400", "not of its form"),
        (post("/admin/v1/explain", "{}"), "400", "not of its form"),
        (post("/admin/v1/holds", "[[[["), "400", "not of its form"),
        ("nonsense\r\n\r\n".to_owned(), "400", ""),
    ] {
        let answer = raw(&running.socket, &request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{request:?}: {answer}"
        );
        assert!(answer.contains(word), "{request:?}: {answer}");
    }
    let large = format!(
        "POST /admin/v1/rules HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        9 << 20
    );
    let mut stream = UnixStream::connect(&running.socket).await.unwrap();
    stream.write_all(large.as_bytes()).await.unwrap();
    let chunk = vec![b' '; 1 << 20];
    for _ in 0..9 {
        if stream.write_all(&chunk).await.is_err() {
            break; // it may answer and hang up before it has read all
        }
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
    assert!(AdminClient::new(&running.socket).status().await.is_ok());
}

#[tokio::test]
async fn stopping_ends_the_server_and_removes_the_socket() {
    let running = running().await;
    let Running {
        socket,
        _stop: stop,
        served,
        _folder: folder,
        ..
    } = running;
    stop.send(()).unwrap();
    served.await.unwrap();
    assert!(!socket.exists());
    drop(folder);
}
