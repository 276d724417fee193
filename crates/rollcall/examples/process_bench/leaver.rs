//! Leavers while joiners are queued, across processes.

use std::time::{Duration, Instant};

use rollcall_eventlog::{AppendLog as _, Stream};

use crate::client::Client;
use crate::figures::{rate, row, wall_ms};
use crate::leavers::{self, Leaver};
use crate::people::{BATCH, name, scim_user, store_role};
use crate::program::Program;
use crate::rooms::{Handles, size, until};
use crate::town::{Town, title};

const LEAVERS: u64 = 200;

/// People who are in Fluent already and will leave; their ids.
async fn settled_people(town: &Town, doors: &mut [Client]) -> Vec<String> {
    let mut ids = Vec::new();
    let count = doors.len();
    for number in 0..LEAVERS {
        let door = &mut doors[usize::try_from(number).unwrap() % count];
        let person = scim_user("leaver", number, &[store_role(number, "STORE_ASSOCIATE")]);
        ids.push(door.post("/scim/v2/Users", person).await);
    }
    let sim = town.sim.handle();
    let is_in = |number| {
        let user = sim.user(&name("leaver", number));
        user.is_some_and(|user| user.status == "ACTIVE" && !user.grants.is_empty())
    };
    until(Duration::from_millis(50), || (0..LEAVERS).all(is_in)).await;
    ids
}

async fn append_joiners(town: &Town, users: u64) {
    let events = town.events();
    let (groups, records) = events.groups();
    town.log.append(Stream::Events, records).await.unwrap();
    for batch in 0..users / BATCH {
        let records = events.batch("backfill", batch, &groups, &[]);
        town.log.append(Stream::Events, records).await.unwrap();
    }
}

/// One leaves: half of them by PATCH, half by DELETE.
async fn leave(door: &mut Client, number: u64, id: &str) -> Leaver {
    let sent = wall_ms();
    if number % 4 < 2 {
        door.set_active(id, false).await;
    } else {
        let path = format!("/scim/v2/Users/{id}");
        door.send("DELETE", &path, String::new(), 204).await;
    }
    Leaver {
        name: name("leaver", number),
        sent,
        answered: wall_ms(),
    }
}

pub(crate) async fn run(handles: Handles) {
    let (users, each) = (size("BACKFILL", 100_000), size("EACH", 2));
    let town = Town::with_world(&handles).await;
    title(&format!(
        "leavers while {users} joiners are queued, {each} of each process"
    ));
    let mut programs = Vec::new();
    for role in ["ingest", "project", "reconcile"] {
        for number in 0..each {
            programs.push(town.start(role, number).await);
        }
    }
    let mut doors = Vec::new();
    for door in programs.iter().take(usize::try_from(each).unwrap()) {
        doors.push(Client::new(door.address()).await);
    }
    let leaving = settled_people(&town, &mut doors).await;
    let sim = town.sim.handle();
    let (before, from) = (sim.user_count() as u64, sim.journal_next());
    let (started, used) = (Instant::now(), town.used(&programs));
    append_joiners(&town, users).await;
    row(
        "joiners appended and durable",
        format!("{:.2} s", started.elapsed().as_secs_f64()),
    );
    let mut gone = Vec::new();
    for (number, id) in (0..).zip(&leaving) {
        // Spread over the whole queue, by its own progress.
        let due = before + users * number / LEAVERS;
        until(Duration::from_millis(1), || sim.user_count() as u64 >= due).await;
        let count = doors.len();
        let door = &mut doors[usize::try_from(number).unwrap() % count];
        gone.push(leave(door, number, id).await);
    }
    let behind = before + users - sim.user_count() as u64;
    until(Duration::from_millis(20), || {
        sim.user_count() as u64 >= before + users
    })
    .await;
    let (took, users) = (started.elapsed(), usize::try_from(users).unwrap());
    let used = used.each(&town.used(&programs), users);
    rate("joiners made in the simulator meanwhile", users, took, &used);
    row("joiners still missing when the last leaver was sent", behind);
    leavers::tell(&sim, from, &gone, "mark: p99 1000 ms");
    programs.into_iter().for_each(Program::stop);
    town.end().await;
}
