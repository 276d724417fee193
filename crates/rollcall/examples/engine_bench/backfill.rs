//! Leavers while a backfill is worked off, members of groups of three sizes, and a role for a group of 100,000.

use std::time::{Duration, Instant};

use rollcall_domain::GroupId;
use rollcall_eventlog::{Partition, Position, Stream};
use rollcall_projector::TenantHandle;
use uuid::Uuid;

use crate::client::Client;
use crate::figures::{Processor, Times, head, rate, row, wall_ms};
use crate::leavers::{self, Leaver};
use crate::people::{BATCH, Events, name, scim_user, store_role, tenant};
use crate::rooms::{Handles, size, until};
use crate::world::World;

const LEAVERS: u64 = 200;
/// One-member changes measured per group.
const CHANGES: usize = 200;

/// Groups of about 100, 10,000 and everybody of the backfill.
struct Groups {
    small: GroupId,
    middle: GroupId,
    large: GroupId,
}

pub(crate) async fn run(handles: Handles) {
    let users = size("BACKFILL", 100_000);
    let world = World::start(handles).await;
    let mut client = Client::new(world.engine.address()).await;
    let groups = backfill_with_leavers(&world, &mut client, users).await;
    members(&world, &mut client, &groups).await;
    fan_out(&world, &mut client, &groups, users).await;
    world.stop().await;
}

/// People who are in Fluent already and will leave.
async fn settled_people(world: &World, client: &mut Client, kind: &str, count: u64) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let person = scim_user(kind, number, &[store_role(number, "STORE_ASSOCIATE")]);
        ids.push(client.post("/scim/v2/Users", person).await);
    }
    world.quiet().await;
    ids
}

async fn backfill_with_leavers(world: &World, client: &mut Client, users: u64) -> Groups {
    head(&format!(
        "leavers while a backfill of {users} joiners is worked off (appended as events, at once)"
    ));
    let leaving = settled_people(world, client, "leaver", LEAVERS).await;
    let sim = world.sim.handle();
    let (before, from) = (sim.user_count() as u64, sim.journal_next());
    let (started, processor) = (Instant::now(), Processor::now());
    let groups = append_backfill(world, users).await;
    row(
        "backfill appended and durable",
        format!("{:.2} s", started.elapsed().as_secs_f64()),
    );
    let mut leavers = Vec::new();
    for (number, id) in (0..).zip(&leaving) {
        // Spread over the whole backfill, by its own progress.
        let due = before + users * number / LEAVERS;
        until(Duration::from_millis(1), || sim.user_count() as u64 >= due).await;
        let sent = wall_ms();
        client.set_active(id, false).await;
        leavers.push(Leaver {
            name: name("leaver", number),
            sent,
            answered: wall_ms(),
        });
    }
    let behind = before + users - sim.user_count() as u64;
    until(Duration::from_millis(20), || {
        sim.user_count() as u64 >= before + users
    })
    .await;
    let took = started.elapsed();
    world.quiet().await;
    rate(
        "joiners made in the simulator meanwhile",
        usize::try_from(users).unwrap(),
        took,
        &processor.since().each(usize::try_from(users).unwrap()),
    );
    row("joiners still missing when the last leaver was sent", behind);
    leavers::tell(&sim, from, &leavers, "mark: p99 1000 ms");
    groups
}

async fn append_backfill(world: &World, users: u64) -> Groups {
    let events = Events::new(world.directory().key().clone(), wall_ms());
    let log = world.engine.log();
    let (ids, mut records) = events.groups();
    let new = || GroupId(Uuid::new_v4());
    let groups = Groups {
        small: new(),
        middle: new(),
        large: new(),
    };
    for (group, text) in [
        (groups.small, "A hundred"),
        (groups.middle, "Ten thousand"),
        (groups.large, "Everybody"),
    ] {
        records.push(events.group(group, text, &[store_role(1, "STORE")]));
    }
    log.append(Stream::Events, records).await.unwrap();
    for batch in 0..users / BATCH {
        let mut also = vec![groups.large];
        if batch < 20 {
            also.push(groups.middle);
        }
        let records = events.batch("backfill", batch, &ids, &also);
        log.append(Stream::Events, records).await.unwrap();
    }
    groups
}

/// The cost of one member more or less, whatever the size of the group.
async fn members(world: &World, client: &mut Client, groups: &Groups) {
    head("membership PATCH of one member, idle system");
    let extra = settled_people(world, client, "member", 120).await;
    for id in &extra[..100] {
        add(client, groups.small, id).await;
    }
    world.quiet().await;
    let mut medians = Vec::new();
    for (group, size) in [
        (groups.small, "100"),
        (groups.middle, "10,000"),
        (groups.large, "everybody"),
    ] {
        let mut times = Times::default();
        for turn in 0..CHANGES {
            let id = &extra[100 + turn / 2 % 20];
            let sent = Instant::now();
            if turn % 2 == 0 {
                add(client, group, id).await;
            } else {
                let path = format!("/scim/v2/Groups/{}", group.0);
                client
                    .patch(
                        &path,
                        &format!(r#"{{"op":"remove","path":"members[value eq \"{id}\"]"}}"#),
                    )
                    .await;
            }
            times.time(sent);
            world.quiet_account().await;
        }
        row(&format!("group of {size}"), times.line());
        medians.push(times.at(50));
    }
    row(
        "ratio of the medians to the group of 100",
        format!("{:.2}, {:.2}", medians[1] / medians[0], medians[2] / medians[0]),
    );
}

impl World {
    async fn quiet_account(&self) {
        until(Duration::from_millis(1), || {
            let status = self.directory().status();
            status.dirty == 0 && self.engine.reconciler(&tenant()).unwrap().accounts.is_idle()
        })
        .await;
    }
}

async fn add(client: &mut Client, group: GroupId, user: &str) {
    let operation = format!(r#"{{"op":"Add","path":"members","value":[{{"value":"{user}"}}]}}"#);
    client
        .patch(&format!("/scim/v2/Groups/{}", group.0), &operation)
        .await;
}

async fn fan_out(world: &World, client: &mut Client, groups: &Groups, users: u64) {
    head(&format!(
        "one role added to a group of {users}, Fluent served meanwhile"
    ));
    let leaving = settled_people(world, client, "late", 3).await;
    let sim = world.sim.handle();
    let from = sim.journal_next();
    let watch = Watch::start(world, users).await;
    let (started, processor) = (Instant::now(), Processor::now());
    let operation = format!(
        r#"{{"op":"Add","path":"{}:roles","value":[{{"value":"{}"}}]}}"#,
        "urn:rollcall:params:scim:schemas:extension:1.0:Group",
        store_role(7, "REPORT_VIEWER")
    );
    let path = format!("/scim/v2/Groups/{}", groups.large.0);
    client.patch(&path, &operation).await;
    row(
        "PATCH answered",
        format!("{:.1} ms", started.elapsed().as_secs_f64() * 1000.0),
    );
    let mut leavers = Vec::new();
    for (number, id) in (0..).zip(&leaving) {
        let sent = wall_ms();
        client.set_active(id, false).await;
        leavers.push(Leaver {
            name: name("late", number),
            sent,
            answered: wall_ms(),
        });
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let (planned, durable) = watch.end(started).await;
    row(
        "every desired user computed (mark: 250 ms)",
        format!("{planned:.0} ms"),
    );
    row(
        "all durable in the desired stream (mark: 2000 ms)",
        format!("{durable:.0} ms"),
    );
    world.quiet().await;
    let took = started.elapsed();
    let users = usize::try_from(users).unwrap();
    rate(
        "accounts brought up to date in the simulator",
        users,
        took,
        &processor.since().each(users),
    );
    leavers::tell(
        &sim,
        from,
        &leavers,
        "three leavers in the first 200 ms (mark: 1000 ms)",
    );
}

/// Looks at the projector from a thread of its own, ten times in a millisecond at most.
struct Watch {
    thread: std::thread::JoinHandle<(Instant, Instant)>,
}

impl Watch {
    async fn start(world: &World, users: u64) -> Self {
        let log = world.engine.log();
        let ends = Position::to_stored(log.end(Stream::Desired, Partition::ONLY).await.unwrap()) + users;
        let directory: TenantHandle = world.directory();
        let before = directory.status().sequence;
        let runtime = tokio::runtime::Handle::current();
        let thread = std::thread::Builder::new().name("load-watch".to_owned());
        let watching = move || {
            let pause = || std::thread::sleep(Duration::from_micros(100));
            loop {
                let status = directory.status();
                if status.sequence > before && status.dirty == 0 {
                    break;
                }
                pause();
            }
            let planned = Instant::now();
            while Position::to_stored(
                runtime
                    .block_on(log.end(Stream::Desired, Partition::ONLY))
                    .unwrap(),
            ) < ends
            {
                pause();
            }
            (planned, Instant::now())
        };
        let thread = thread.spawn(watching).unwrap();
        Self { thread }
    }

    /// When all was planned, and durable, in ms after `started`.
    async fn end(self, started: Instant) -> (f64, f64) {
        let (planned, durable) = tokio::task::spawn_blocking(|| self.thread.join())
            .await
            .unwrap()
            .unwrap();
        let ms = |at: Instant| at.duration_since(started).as_secs_f64() * 1000.0;
        (ms(planned), ms(durable))
    }
}
