//! Identity providers at work: several at a time, seeded, each trying again until it is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::task::JoinHandle;

use super::harness::{World, until};
use super::idp::{Dialect, Idp, named};
use super::model::{Group, Model, Person};

/// What people may be given.
const APP_ROLES: [&str; 5] = [
    "Agent_CHIC-01_Associate",
    "Agent_CHIC-01_Clerk",
    "Agent_MILW-01_Lead",
    "Retailer_MIDWEST_Viewer",
    "Account_0_Returns_Agent",
];

/// Numbers from a seed.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }
}

#[derive(Debug, Default)]
struct Shared {
    /// Only what was acknowledged.
    model: Mutex<Model>,
    acknowledged: AtomicU64,
    stop: AtomicBool,
    /// Held for reading by an act until it is acknowledged: who has it for writing sees no act under way.
    pause: tokio::sync::RwLock<()>,
}

/// Providers at work.
#[derive(Debug)]
pub(crate) struct Fleet {
    shared: Arc<Shared>,
    idps: [Idp; 2],
    workers: Vec<JoinHandle<()>>,
}

impl Fleet {
    /// Three clients of Entra and one of Okta begin to work. The program must be running.
    pub(crate) async fn start(world: &mut World, seed: u64) -> Self {
        Self::start_bounded(world, seed, u64::MAX).await
    }

    /// As [`Fleet::start`]; each client does so many acts and no more. The same seed and number lead to the same end,
    /// however the clients' acts mix.
    pub(crate) async fn start_bounded(world: &mut World, seed: u64, acts: u64) -> Self {
        let mut groups: BTreeMap<bool, Vec<String>> = BTreeMap::new();
        for (number, role) in APP_ROLES.iter().take(4).enumerate() {
            let name = format!("Fleet {number}");
            for dialect in [Dialect::Entra, Dialect::Okta] {
                let id = world.make_group(dialect, &name, &[role]).await;
                groups.entry(dialect == Dialect::Okta).or_default().push(id);
            }
        }
        // One within another, so that a change of the inner one's members changes what the outer one gives.
        let entra = groups[&false].clone();
        world.add_members(Dialect::Entra, &entra[0], &entra[1..2]).await;
        let shared = Arc::new(Shared {
            model: Mutex::new(world.model.clone()),
            ..Shared::default()
        });
        let workers = (0..4u64).map(|number| {
            let okta = number == 3;
            let worker = Worker {
                shared: Arc::clone(&shared),
                idp: if okta {
                    world.okta.clone()
                } else {
                    world.entra.clone()
                },
                groups: groups[&okta].clone(),
                left: acts,
                random: Random::new(seed ^ (number + 1).wrapping_mul(0xA076_1D64_78BD_642F)),
                prefix: format!("fleet-{number}"),
                made: 0,
                mine: Vec::new(),
                fired: Vec::new(),
            };
            tokio::spawn(worker.run())
        });
        Self {
            workers: workers.collect(),
            idps: [world.entra.clone(), world.okta.clone()],
            shared,
        }
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::SeqCst)
    }

    /// Waits until so many more acts are acknowledged.
    pub(crate) async fn works(&self, acts: u64) {
        let target = self.acknowledged() + acts;
        until("the providers' acts are acknowledged", async || {
            self.acknowledged() >= target
        })
        .await;
    }

    /// Everything acknowledged is there, by GET, and nothing else. The program must be running.
    pub(crate) async fn check(&self) {
        let _nobody_acts = self.shared.pause.write().await;
        let model = self.shared.model.lock().unwrap().clone();
        let mut found: BTreeMap<String, Person> = BTreeMap::new();
        for idp in &self.idps {
            for user in idp.all_users().await {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let person = Person {
                    user_name: text(&user["userName"]),
                    active: user["active"] == true,
                    roles: values(&user["roles"]),
                };
                found.insert(text(&user["id"]), person);
            }
        }
        let differs = |id: &&String| model.people.get(*id) != found.get(*id);
        let ids: BTreeSet<&String> = model.people.keys().chain(found.keys()).collect();
        if let Some(id) = ids.into_iter().find(differs) {
            panic!(
                "user {id}: acknowledged {:?}, found {:?}",
                model.people.get(id),
                found.get(id)
            );
        }
        for (id, group) in &model.groups {
            let mut replies = Vec::new();
            for idp in &self.idps {
                replies.push(idp.get(&format!("/Groups/{id}")).await);
            }
            let mut there = replies.into_iter().filter(super::idp::Reply::is_good);
            let body = there.next().expect("an acknowledged group is there").body;
            let extension = &body["urn:rollcall:params:scim:schemas:extension:1.0:Group"];
            let found = Group {
                members: values(&body["members"]),
                roles: values(&extension["roles"]),
            };
            assert_eq!(&found, group, "group {id}");
        }
    }

    /// The providers end their acts and stop; the world's model is what they did.
    pub(crate) async fn stop(self, world: &mut World) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.finish(world).await;
    }

    /// Waits until the providers have done all their acts; the world's model is what they did.
    pub(crate) async fn finish(self, world: &mut World) {
        for worker in self.workers {
            worker.await.unwrap();
        }
        world.model = self.shared.model.lock().unwrap().clone();
    }
}

fn values(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().cloned().unwrap_or_default();
    list.iter()
        .map(|one| one["value"].as_str().unwrap().to_owned())
        .collect()
}

struct Worker {
    shared: Arc<Shared>,
    idp: Idp,
    groups: Vec<String>,
    /// How many acts it may still do.
    left: u64,
    random: Random,
    prefix: String,
    made: u64,
    /// Ids of users that are there.
    mine: Vec<String>,
    /// Names of users that were deleted.
    fired: Vec<String>,
}

impl Worker {
    async fn run(mut self) {
        while self.left > 0 && !self.shared.stop.load(Ordering::SeqCst) {
            self.left -= 1;
            let shared = Arc::clone(&self.shared);
            let _acting = shared.pause.read().await;
            self.act().await;
            self.shared.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn note(&self, change: impl FnOnce(&mut Model)) {
        change(&mut self.shared.model.lock().unwrap());
    }

    fn some_roles(&mut self) -> Vec<&'static str> {
        let count = self.random.below(3);
        let roles: BTreeSet<&str> = (0..count).map(|_| *self.random.pick(&APP_ROLES)).collect();
        roles.into_iter().collect()
    }

    async fn act(&mut self) {
        let what = self.random.below(100);
        if self.mine.len() < 3 || what < 20 {
            return self.hire().await;
        }
        let at = usize::try_from(self.random.below(self.mine.len() as u64)).unwrap();
        let id = self.mine[at].clone();
        let group = self.random.pick(&self.groups).clone();
        match what {
            20..45 => {
                self.idp.add_members(&group, std::slice::from_ref(&id)).await;
                self.note(|model| {
                    model.groups.get_mut(&group).unwrap().members.insert(id);
                });
            }
            45..60 => {
                self.idp.remove_member(&group, &id).await;
                self.note(|model| {
                    model.groups.get_mut(&group).unwrap().members.remove(&id);
                });
            }
            60..75 => {
                let roles = self.some_roles();
                self.idp.set_roles(&id, &roles).await;
                let roles = roles.iter().map(|role| (*role).to_owned()).collect();
                self.note(|model| model.people.get_mut(&id).unwrap().roles = roles);
            }
            75..90 => {
                let active = self.random.below(2) == 0;
                self.idp.set_active(&id, active).await;
                self.note(|model| model.people.get_mut(&id).unwrap().active = active);
            }
            90..95 => {
                self.made += 1;
                let name = named(&format!("{}-{}-renamed", self.prefix, self.made));
                self.idp.rename(&id, &name).await;
                self.note(|model| {
                    let person = model.people.get_mut(&id).unwrap();
                    let old = std::mem::replace(&mut person.user_name, name);
                    model.gone.insert(old);
                });
            }
            _ => {
                self.idp.delete("/Users", &id).await;
                self.mine.swap_remove(at);
                let mut name = String::new();
                self.note(|model| {
                    name = model.people.remove(&id).unwrap().user_name;
                    model.gone.insert(name.clone());
                    for group in model.groups.values_mut() {
                        group.members.remove(&id);
                    }
                });
                self.fired.push(name);
            }
        }
    }

    /// Somebody new, or somebody that was deleted before.
    async fn hire(&mut self) {
        let again = if self.random.below(4) == 0 {
            self.fired.pop()
        } else {
            None
        };
        let name = again.unwrap_or_else(|| {
            self.made += 1;
            named(&format!("{}-{}", self.prefix, self.made))
        });
        let roles = self.some_roles();
        let id = self.idp.hire(&name, &roles).await;
        let person = Person {
            user_name: name,
            active: true,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        };
        self.note(|model| {
            model.people.insert(id.clone(), person);
        });
        self.mine.push(id);
    }
}
