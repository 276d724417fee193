//! Files damaged between two runs: state comes back from the log; a log is never used in part.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::acts::names;
use super::harness::{Settings, World, files_below};
use super::idp::{Dialect::*, named};

/// Damage done to a folder.
type ToFolder = Box<dyn Fn(&Path) + Send>;
/// Damage done to a world's files.
type ToWorld = fn(&World);

/// A world that ran for a while and was stopped.
async fn ended() -> (World, Vec<Value>) {
    let mut world = World::running(Settings::default()).await;
    let people = world
        .hire_all(Entra, &names("worker", 12), &["Agent_CHIC-01_Associate"])
        .await;
    let floor = world.make_group(Entra, "Floor", &["Agent_CHIC-01_Clerk"]).await;
    world.add_members(Entra, &floor, &people[..6]).await;
    world.hire(Okta, "rita", &["Retailer_MIDWEST_Viewer"]).await;
    world.set_active(Entra, &people[0], false).await;
    world.okta.hire(&named("dora"), &["Agent_CHIC-01_Unknown"]).await;
    world.model.gone.insert(named("dora")); // held: she must not be in Fluent
    world.converged().await;
    let told = answers(&world).await;
    world.stop().await;
    (world, told)
}

/// What the program says of everything: whoever asks must get the same from a rebuilt state.
async fn answers(world: &World) -> Vec<Value> {
    let mut all = world.entra.all_users().await;
    all.extend(world.okta.all_users().await);
    let groups = world.entra.get("/Groups").await.good().body["Resources"].clone();
    all.push(groups);
    for name in ["worker-1", "worker-2", "rita", "dora"] {
        all.push(world.json(&["explain", &named(name)]).await);
    }
    all.push(world.json(&["holds"]).await);
    // The address is another one at every start.
    let text = serde_json::to_string(&all).unwrap();
    let address = world.entra.base();
    serde_json::from_str(&text.replace(&address, "")).unwrap()
}

fn flip(path: &Path, every: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    for byte in bytes.iter_mut().step_by(every) {
        *byte ^= 0xff;
    }
    std::fs::write(path, bytes).unwrap();
}

fn cut(path: &Path) {
    let length = std::fs::metadata(path).unwrap().len();
    std::fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(length / 2)
        .unwrap();
}

fn empty(path: &Path) {
    std::fs::write(path, b"").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_state_is_rebuilt_and_says_the_same() {
    let (mut world, told) = ended().await;
    let state = world.data().join("state");
    let each =
        |damage: fn(&Path)| move |state: &Path| files_below(state).iter().for_each(|file| damage(file));
    let damages: [(&str, ToFolder); 6] = [
        (
            "deleted",
            Box::new(|state| std::fs::remove_dir_all(state).unwrap()),
        ),
        ("cut", Box::new(each(cut))),
        ("emptied", Box::new(each(empty))),
        ("flipped here and there", Box::new(each(|file| flip(file, 4099)))),
        ("flipped everywhere", Box::new(each(|file| flip(file, 1)))),
        (
            "replaced by a file",
            Box::new(|state| {
                std::fs::remove_dir_all(state).unwrap();
                std::fs::write(state, b"not a folder").unwrap();
            }),
        ),
    ];
    for (what, damage) in damages {
        damage(&state);
        let written = world.fluent.journal_next();
        world.start().await;
        world.converged().await;
        assert_eq!(answers(&world).await, told, "{what}");
        assert_eq!(
            world.fluent.journal_next(),
            written,
            "{what}: there was nothing to do in Fluent"
        );
        world.stop().await;
        let said = world.lines.all();
        assert!(!said.iter().any(|line| line.contains("panicked")), "{what}");
    }
}

/// Copies a folder, file by file.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in files_below(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        // The socket of an instance is no file to copy.
        if std::fs::metadata(&file).is_ok_and(|meta| meta.is_file()) {
            std::fs::copy(&file, &target).unwrap();
        }
    }
}

fn log_file(world: &World) -> PathBuf {
    world.data().join("log").join("log.redb")
}

/// Flips a byte of every event of this kind.
fn flip_events(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let needle = b"rollcall.user.created";
    let places: Vec<usize> = (0..bytes.len() - needle.len())
        .filter(|at| bytes[*at..].starts_with(needle))
        .collect();
    assert!(!places.is_empty(), "events are in the log as text");
    for place in places {
        bytes[place + 9] ^= 1;
    }
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_log_refuses_to_start_and_names_the_place() {
    let (mut world, told) = ended().await;
    let whole = world.file("whole");
    copy(&world.data(), &whole);
    let damages: [(&str, ToWorld); 6] = [
        ("cut", |world| cut(&log_file(world))),
        ("emptied", |world| empty(&log_file(world))),
        ("flipped in its events", |world| flip_events(&log_file(world))),
        ("flipped all over", |world| flip(&log_file(world), 512)),
        ("removed", |world| std::fs::remove_file(log_file(world)).unwrap()),
        ("the folder removed", |world| {
            std::fs::remove_dir_all(world.data().join("log")).unwrap()
        }),
    ];
    for (what, damage) in damages {
        damage(&world);
        // Twice: a start that refused must not have made a new log.
        for _ in 0..2 {
            let said = world.refused_start(what).await;
            let place = said.contains("log.redb") || said.contains("data/log");
            assert!(
                place && said.contains("error:"),
                "{what}: it does not name the place:\n{said}"
            );
        }
        assert!(
            world
                .fluent
                .user(&named("worker-3"))
                .is_some_and(|user| user.status == "ACTIVE"),
            "{what}"
        );
        std::fs::remove_dir_all(world.data()).unwrap();
        copy(&whole, &world.data());
    }
    world.start().await;
    world.converged().await;
    assert_eq!(answers(&world).await, told, "the copy is as good as the original");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_without_its_keys_refuses_to_start() {
    let (mut world, told) = ended().await;
    let keys = world.data().join("keys.json");
    let aside = world.file("keys-aside.json");
    std::fs::rename(&keys, &aside).unwrap();
    for _ in 0..2 {
        let said = world.refused_start("no keys").await;
        assert!(
            said.contains("keys.json is missing, but a log is there"),
            "{said}"
        );
        assert!(!keys.exists(), "it must not make new ones");
    }
    std::fs::copy(&aside, &keys).unwrap();
    cut(&keys);
    let said = world.refused_start("cut keys").await;
    assert!(said.contains("keys.json is damaged"), "{said}");
    std::fs::rename(&aside, &keys).unwrap();
    world.start().await;
    assert_eq!(answers(&world).await, told);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_instance_on_the_same_folder_refuses_and_harms_nothing() {
    let mut world = World::running(Settings::default()).await;
    world.hire(Entra, "ida", &["Agent_CHIC-01_Lead"]).await;
    let told = world.command_with_secrets(&["run"]).await;
    assert_eq!(told.code, 1, "{told:?}");
    assert!(
        told.err.contains("error:") && told.err.contains("data"),
        "{told:?}"
    );
    world.hire(Entra, "bo", &["Agent_CHIC-01_Lead"]).await;
    world.converged().await;
    assert_eq!(
        world.json(&["status"]).await["ready"],
        true,
        "the socket is still the first one's"
    );
    world.stop().await;
}
