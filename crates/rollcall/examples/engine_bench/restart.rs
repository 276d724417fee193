//! Starting with many users: after a clean stop, and after `kill -9` under load.
//!
//! The data folder is made without an engine: users, groups and memberships as events, folded and published by the
//! projector; an intent and an outcome for every account, and the same users in the simulator, so that a resync
//! finds nothing to do. The engine then runs in a child process.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rollcall::engine::Engine;
use rollcall::keys::{KeyStore, LogPresence};
use rollcall_domain::outcome::{OutcomeApplied, OutcomeIntended};
use rollcall_domain::{AccountKey, DesiredUser, EventData, FluentStatus, FluentUserId, Grant, Source, seal};
use rollcall_eventlog::{
    AppendLog as _, EmbeddedLog, EmbeddedOptions, EventLog, Record, Stream, Verification,
};
use rollcall_fluent_sim::{GrantPair, SeedUser, SimHandle};
use rollcall_projector::{Projector, TenantHandle, TenantSetup};

use crate::client::Client;
use crate::figures::{Times, head, resident, row, wall_ms};
use crate::people::{self, BATCH, Events, scim_user, store_role, tenant};
use crate::rooms::{Handles, Rooms, configuration, load, size, start_sim};

/// Starts after each kind of end.
const STARTS: usize = 3;

/// The child: an engine on a data folder, until the standard input ends.
pub(crate) fn serve(config: &str, resync: &str) {
    let began = Instant::now();
    let config = load(Path::new(config));
    if std::env::var("PHASES").is_ok() {
        rollcall::logging::start(&config.logging).unwrap();
    }
    let wait_for_resync = resync == "resync";
    Rooms::new().run(|handles| async move {
        let engine = handles
            .engine
            .spawn(Engine::start(config))
            .await
            .unwrap()
            .unwrap();
        println!("{} {}", engine.address(), began.elapsed().as_millis());
        if wait_for_resync {
            crate::rooms::until(Duration::from_millis(20), || {
                engine
                    .reconciler(&tenant())
                    .is_some_and(|status| status.resyncs > 0)
            })
            .await;
            println!("resynced");
        }
        let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        ended.await.unwrap().unwrap();
        handles.engine.spawn(engine.stop()).await.unwrap().unwrap();
    });
}

struct Served {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    address: SocketAddr,
    /// From the process being started to its saying that it serves.
    ready_ms: f64,
}

impl Served {
    fn start(config: &Path, resync: &str) -> Self {
        let began = Instant::now();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("serve")
            .arg(config)
            .arg(resync)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(':') || line.contains("share") {
            line.clear();
            assert!(
                output.read_line(&mut line).unwrap() > 0,
                "the child could not start"
            );
        }
        let ready_ms = began.elapsed().as_secs_f64() * 1000.0;
        let address = line.split(' ').next().unwrap().parse().unwrap();
        Self {
            child,
            output,
            address,
            ready_ms,
        }
    }

    fn memory(&self) -> u64 {
        resident(&self.child.id().to_string())
    }

    fn stop(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    /// SIGKILL in the middle of writes.
    async fn kill_under_load(mut self) {
        let address = self.address;
        let writing: Vec<_> = (0..64u64)
            .map(|number| {
                tokio::spawn(async move {
                    let mut client = Client::new(address).await;
                    for turn in 0.. {
                        let person = scim_user("killed", turn * 64 + number, &[store_role(number, "STORE")]);
                        if client.try_send("POST", "/scim/v2/Users", person).await.is_none() {
                            return;
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        for task in writing {
            task.await.unwrap();
        }
    }
}

pub(crate) async fn run(handles: Handles) {
    let users = size("USERS", 1_000_000);
    head(&format!("restart with {users} users"));
    let folder = tempfile::tempdir().unwrap();
    let sim = start_sim(&handles, people::seed()).await;
    let config = configuration(folder.path(), &sim.url(), "");
    let began = Instant::now();
    build(folder.path(), users, sim.handle()).await;
    row(
        "the data folder was made in",
        format!("{:.0} s", began.elapsed().as_secs_f64()),
    );
    tell_sizes(&folder.path().join("data"));
    // The first start brings policy and rules into force and waits for a whole resync.
    let mut served = Served::start(&config, "resync");
    row("first start", format!("{:.0} ms", served.ready_ms));
    let (at_start, ready) = (served.memory(), Instant::now());
    let mut line = String::new();
    served.output.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "resynced");
    row(
        "resync of all accounts",
        format!("{:.1} s", ready.elapsed().as_secs_f64()),
    );
    let after = served.memory();
    row(
        "resident memory of the engine, per user",
        format!(
            "{} B ready, {} B after the resync",
            at_start / users,
            after / users
        ),
    );
    served.stop();
    let mut clean = Times::default();
    for _ in 0..STARTS {
        let served = Served::start(&config, "");
        clean.add(served.ready_ms);
        served.stop();
    }
    row("ready after a clean stop (mark: 2000 ms)", clean.line());
    log_alone(&folder.path().join("data/log"), clean.at(50));
    let mut killed = Times::default();
    for _ in 0..STARTS {
        Served::start(&config, "").kill_under_load().await;
        let served = Served::start(&config, "");
        killed.add(served.ready_ms);
        served.stop();
    }
    row("ready after kill -9 under load (mark: 2000 ms)", killed.line());
    sim.stop().await;
}

/// What opening the log has of it: by default every page and every record is checked.
fn log_alone(folder: &Path, ready_ms: f64) {
    let began = Instant::now();
    let mut buffer = vec![0; 1 << 20];
    let files = std::fs::read_dir(folder).unwrap();
    for mut file in files.map(|entry| std::fs::File::open(entry.unwrap().path()).unwrap()) {
        while file.read(&mut buffer).unwrap() > 0 {}
    }
    let bare = began.elapsed().as_secs_f64() * 1000.0;
    row(
        "  baseline: every byte of log/ read once",
        format!("{bare:.0} ms"),
    );
    for (name, verification) in [("full", Verification::Full), ("quick", Verification::Quick)] {
        let options = EmbeddedOptions {
            verification,
            ..EmbeddedOptions::default()
        };
        let began = Instant::now();
        let log = EmbeddedLog::open(folder, options).unwrap();
        let took = began.elapsed().as_secs_f64() * 1000.0;
        row(
            &format!("  of it: opening the log alone, {name} verification"),
            format!(
                "{took:.0} ms  ratio {:.2}; the rest {:.0} ms",
                took / bare,
                ready_ms - took
            ),
        );
        log.close();
    }
}

fn tell_sizes(folder: &Path) {
    for part in ["log", "state"] {
        let entries = std::fs::read_dir(folder.join(part)).unwrap();
        let bytes: u64 = entries
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        row(&format!("size of {part}/"), format!("{} MB", bytes / 1_000_000));
    }
}

async fn build(folder: &Path, users: u64, sim: SimHandle) {
    let data = folder.join("data");
    let keys = KeyStore::open(&data, &[tenant()], LogPresence::Absent).unwrap();
    let key = keys.get(&tenant()).unwrap().clone();
    let log = Arc::new(EmbeddedLog::open(data.join("log"), EmbeddedOptions::default()).unwrap());
    let setup = TenantSetup {
        id: tenant(),
        key: key.clone(),
    };
    let shared: Arc<dyn EventLog> = Arc::<EmbeddedLog>::clone(&log);
    let state = data.join("state");
    let started = tokio::task::spawn_blocking(move || Projector::start(shared, &state, vec![setup]));
    let projector = started.await.unwrap().unwrap();
    let directory = projector.tenant(&tenant()).unwrap();
    let events = Events::new(key, wall_ms());
    log.append(Stream::Events, events.world()).await.unwrap();
    let (groups, records) = events.groups();
    log.append(Stream::Events, records).await.unwrap();
    for batch in 0..users / BATCH {
        log.append(Stream::Events, events.batch("settled", batch, &groups, &[]))
            .await
            .unwrap();
        while directory.lag() > 20_000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    crate::rooms::until(Duration::from_millis(50), || {
        let status = directory.status();
        directory.lag() == 0 && status.dirty == 0 && status.unpublished == 0
    })
    .await;
    settle(&log, &events, &directory, users, &sim).await;
    projector.stop().await;
    tokio::task::spawn_blocking(move || log.close()).await.unwrap();
}

/// Writes down that every account is in Fluent as desired, and puts it there.
async fn settle(log: &EmbeddedLog, events: &Events, directory: &TenantHandle, users: u64, sim: &SimHandle) {
    let mut records = Vec::new();
    for number in 0..users {
        let name = people::name("settled", number);
        let account = events.key().name_key(&name);
        let desired = directory.desired(account).unwrap().unwrap();
        let id = number + 100_000;
        sim.put_user(&fluent_user(id, number, &name, &desired)).unwrap();
        records.extend(outcomes(events, account, &desired, id, &name));
        if records.len() >= 1_000 || number + 1 == users {
            log.append(Stream::Outcomes, std::mem::take(&mut records))
                .await
                .unwrap();
        }
    }
}

fn fluent_user(id: u64, number: u64, name: &str, desired: &DesiredUser) -> SeedUser {
    let pair = |grant: &Grant| GrantPair {
        role: grant.role.0.clone(),
        context_type: grant.context.kind.as_str().to_owned(),
        context_id: grant.context.id.clone(),
    };
    SeedUser {
        id: Some(id),
        username: name.to_owned(),
        reference: Some(name.to_owned()),
        first_name: Some(format!("Given{number}")),
        last_name: Some(format!("Family{number}")),
        primary_email: Some(name.to_owned()),
        kind: "ADMIN".to_owned(),
        status: "ACTIVE".to_owned(),
        roles: desired.grants.iter().map(|wanted| pair(&wanted.grant)).collect(),
    }
}

fn outcomes(events: &Events, account: AccountKey, desired: &DesiredUser, id: u64, name: &str) -> [Record; 2] {
    let grants: Vec<Grant> = desired.grants.iter().map(|wanted| wanted.grant.clone()).collect();
    let claimant = desired
        .claimants
        .first()
        .and_then(|claimant| claimant.external_key);
    let source = Source::Rollcall("reconciler".to_owned());
    let intended = events.event(
        source.clone(),
        EventData::OutcomeIntended(OutcomeIntended {
            account,
            serves: desired.sequence,
            plan: format!("{id:016x}"),
            fluent_user: None,
            create: true,
            status: None,
            add: grants.clone(),
            adopt: Vec::new(),
            remove: Vec::new(),
            profile: false,
            claimant,
            personal: Some(seal(&name)),
        }),
    );
    let applied = events.event(
        source,
        EventData::OutcomeApplied(OutcomeApplied {
            account,
            intent: Some(intended.id),
            serves: desired.sequence,
            fluent_user: Some(FluentUserId(id.to_string())),
            created: true,
            status: Some(FluentStatus::Active),
            owned: grants.clone(),
            added: grants,
            removed: Vec::new(),
            claimant,
        }),
    );
    let key = format!("{}/{account}", tenant());
    [&intended, &applied].map(|event| Record::new(key.clone(), event.encode()))
}
