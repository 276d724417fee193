//! The client against the simulator, over real HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod batches;
mod failures;
mod logins;
mod operations;
mod paging;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rollcall_domain::{ContextType, Grant, Timestamp};
use rollcall_fluent::{Clock, FluentClient, FluentConfig, FluentCredentials, NewUser};
use rollcall_fluent_sim::{ClockMode, Seed, Sim, SimConfig, SimHandle};

/// A clock that a test moves.
#[derive(Debug)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl TestClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_767_225_600_000)))
    }

    fn advance(&self, by: Duration) {
        self.0
            .fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

/// A simulator with a store, a retailer and two roles, and a client that talks to it.
struct World {
    sim: Sim,
    handle: SimHandle,
    clock: Arc<TestClock>,
    client: FluentClient,
}

impl World {
    async fn new() -> Self {
        let seed: Seed = serde_json::from_value(serde_json::json!({
            "roles": ["STORE", "REPORT_VIEWER"],
            "retailers": [{ "id": 3, "ref": "BRAND_A" }, { "id": 4, "ref": "BRAND_B", "status": "INACTIVE" }],
            "locations": [{ "id": 7001, "ref": "CHIC-01", "retailer": "BRAND_A" }],
        }))
        .unwrap();
        let config = SimConfig {
            seed: Some(seed),
            clock: ClockMode::Manual,
            ..SimConfig::default()
        };
        let sim = Sim::start(config).await.unwrap();
        let handle = sim.handle();
        let clock = TestClock::new();
        let client = FluentClient::new(config_for(&sim, "sim-password"), Arc::clone(&clock) as _).unwrap();
        Self {
            sim,
            handle,
            clock,
            client,
        }
    }

    /// Another client of the same account, as after a restart.
    fn client(&self, change: impl FnOnce(&mut FluentConfig)) -> FluentClient {
        let mut config = config_for(&self.sim, "sim-password");
        change(&mut config);
        FluentClient::new(config, Arc::clone(&self.clock) as _).unwrap()
    }

    /// Moves both clocks.
    fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.handle.advance(by);
    }
}

fn config_for(sim: &Sim, password: &str) -> FluentConfig {
    let credentials = FluentCredentials {
        username: "rollcall-api".into(),
        password: password.to_owned().into(),
        client_id: "SIM".into(),
        client_secret: "sim-client-secret".to_owned().into(),
    };
    FluentConfig::new(sim.url(), "SIM", credentials)
}

fn new_user(username: &str) -> NewUser {
    NewUser {
        username: username.to_owned(),
        reference: username.to_owned(),
        first_name: "Ida".into(),
        last_name: "Test".into(),
        primary_email: "ida@example.com".into(),
        kind: "LOCATION".into(),
        timezone: "UTC".into(),
        grants: Vec::new(),
    }
}

fn store() -> Grant {
    Grant::new("STORE", ContextType::Agent, "7001")
}

fn viewer() -> Grant {
    Grant::new("REPORT_VIEWER", ContextType::Retailer, "3")
}
