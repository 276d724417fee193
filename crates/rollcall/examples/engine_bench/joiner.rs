//! A joiner on an idle system: from the POST being sent to the user being usable in the simulator.

use std::time::Instant;

use rollcall_domain::{Context, ContextType, Grant, RoleName};
use rollcall_fluent::{FluentClient, FluentConfig, FluentCredentials, Mutation, NewUser, SystemClock};
use rollcall_fluent_sim::{SimConfig, SimHandle};

use crate::client::Client;
use crate::figures::{Processor, Times, head, row};
use crate::people::{name, scim_user, store_role};
use crate::rooms::Handles;
use crate::world::World;

const JOINERS: u64 = 500;
const WARM: u64 = 50;

fn usable(sim: &SimHandle, name: &str) -> bool {
    sim.user(name)
        .is_some_and(|user| user.status == "ACTIVE" && !user.grants.is_empty())
}

pub(crate) async fn run(handles: Handles) {
    let world = World::start(handles).await;
    head("joiner on an idle system");
    let sim = world.sim.handle();
    let bare = bare(&world).await;
    let mut client = Client::new(world.engine.address()).await;
    let (mut answered, mut done) = (Times::default(), Times::default());
    let mut processor = Processor::now();
    for number in 0..WARM + JOINERS {
        if number == WARM {
            processor = Processor::now();
            (answered, done) = (Times::default(), Times::default());
        }
        let person = scim_user("joiner", number, &[store_role(number, "STORE_ASSOCIATE")]);
        let name = name("joiner", number);
        let sent = Instant::now();
        client.post("/scim/v2/Users", person).await;
        answered.time(sent);
        sim.wait_until(|sim| usable(sim, &name)).await;
        done.time(sent);
        world.quiet_soon().await;
    }
    let used = processor.since();
    row(
        "baseline: the simulator alone, read by name and createUser",
        bare.line(),
    );
    row("SCIM POST sent -> answered 201, durable", answered.line());
    row("SCIM POST sent -> usable in the simulator", done.line());
    row(
        "above Fluent's own time, p99 less p99",
        format!("{:.2} ms (mark: 50 ms)", done.at(99) - bare.at(99)),
    );
    row(
        "ratio to the baseline",
        format!(
            "p50 {:.1}, p99 {:.1}",
            done.at(50) / bare.at(50),
            done.at(99) / bare.at(99)
        ),
    );
    row("processor", used.each(usize::try_from(JOINERS).unwrap()));
    world.stop().await;
}

impl World {
    /// The read-back and its outcome are done too.
    async fn quiet_soon(&self) {
        crate::rooms::until(std::time::Duration::from_millis(1), || {
            let status = self.engine.reconciler(&crate::people::tenant()).unwrap();
            status.accounts.is_idle()
        })
        .await;
    }
}

/// The same calls by a bare client: what Fluent itself needs for a joiner.
async fn bare(world: &World) -> Times {
    let credentials = SimConfig::default().credentials;
    let credentials = FluentCredentials {
        username: credentials.username,
        password: credentials.password.into(),
        client_id: credentials.client_id,
        client_secret: credentials.client_secret.into(),
    };
    let config = FluentConfig::new(world.sim.url(), "ACME", credentials);
    let client = FluentClient::new(config, std::sync::Arc::new(SystemClock)).unwrap();
    client.login().await.unwrap();
    let mut times = Times::default();
    for number in 0..WARM + JOINERS {
        let name = name("bare", number);
        let started = Instant::now();
        assert!(client.user_by_username(&name).await.unwrap().is_none());
        let new = NewUser {
            username: name.clone(),
            reference: name.clone(),
            first_name: "Given".to_owned(),
            last_name: "Family".to_owned(),
            primary_email: name,
            kind: "ADMIN".to_owned(),
            timezone: "UTC".to_owned(),
            grants: vec![Grant {
                role: RoleName("STORE_ASSOCIATE".to_owned()),
                context: Context {
                    kind: ContextType::Agent,
                    id: "10".to_owned(),
                },
            }],
        };
        let written = client.batch(&[Mutation::CreateUser(new)]).await;
        assert!(written[0].is_ok());
        if number >= WARM {
            times.time(started);
        }
    }
    times
}
