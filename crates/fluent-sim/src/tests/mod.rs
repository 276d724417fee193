//! What the simulator promises, asked of it without and with sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod faults;
mod graphql;
mod users;
mod wire;

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::clock::{ClockMode, SimClock};
use crate::core::{Answer, Core};
use crate::graphql::Schema;
use crate::oauth::{Credentials, DEFAULT_EXPIRES_IN, Logins, TokenRequest};
use crate::seed::Seed;
use crate::state::State;
use crate::{Behavior, Fault, FaultKind};

/// A simulator without sockets, logged in.
struct Bench {
    core: Core,
    token: String,
}

impl Bench {
    fn new() -> Self {
        Self::with(Behavior::default())
    }

    fn with(behavior: Behavior) -> Self {
        let schema = Schema::parse(include_str!("../../schema.graphql")).unwrap();
        let clock = SimClock::new(ClockMode::Manual);
        let mut state = State::new(behavior, "rollcall-api", clock.unix_ms(Duration::ZERO));
        let seed: Seed = serde_json::from_value(json!({
            "roles": ["STORE", "REPORT_VIEWER"],
            "retailers": [{ "id": 3, "ref": "BRAND_A" }],
            "locations": [{ "id": 7001, "ref": "CHIC-01", "retailer": "BRAND_A" }],
        }))
        .unwrap();
        state.load(&seed, 0).unwrap();
        let logins = Logins::new(Credentials::default(), DEFAULT_EXPIRES_IN);
        let core = Core::new(clock, schema, state, logins, 7, 1_000);
        let mut bench = Self {
            core,
            token: String::new(),
        };
        let (status, body) = bench.login("sim-password");
        assert_eq!(status, 200);
        bench.token = body["access_token"].as_str().unwrap().to_owned();
        bench
    }

    fn login(&self, password: &str) -> (u16, Json) {
        let request: TokenRequest = serde_json::from_value(json!({
            "grant_type": "password", "client_id": "SIM", "client_secret": "sim-client-secret",
            "username": "rollcall-api", "password": password, "scope": "api",
        }))
        .unwrap();
        read(self.core.token(&request).answer)
    }

    fn raw(&self, query: &str, variables: &Json) -> Answer {
        let body = json!({ "query": query, "variables": variables }).to_string();
        self.core.graphql(Some(&self.token), body.as_bytes()).answer
    }

    fn ask(&self, query: &str, variables: &Json) -> Json {
        let (status, body) = read(self.raw(query, variables));
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Runs a query that has to work.
    fn data(&self, query: &str, variables: &Json) -> Json {
        let mut body = self.ask(query, variables);
        assert!(body.get("errors").is_none(), "{body}");
        body["data"].take()
    }

    /// The code of the first error.
    fn code(&self, query: &str, variables: &Json) -> String {
        let body = self.ask(query, variables);
        body["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    fn create(&self, username: &str, more: &Json) -> Json {
        self.data(CREATE, &json!({ "input": create_input(username, more) }))["createUser"].clone()
    }

    fn fault(&self, fault: Fault) {
        self.core
            .with(|inner, now, _| inner.faults.inject(fault, now))
            .unwrap();
    }

    fn pairs(&self, username: &str) -> Vec<String> {
        self.core.with(|inner, _, _| {
            let mut pairs: Vec<_> = inner.state.user_by_name(username).unwrap().pairs();
            pairs.sort();
            pairs
                .into_iter()
                .map(|p| format!("{}@{}/{}", p.role, p.context_type, p.context_id))
                .collect()
        })
    }
}

const CREATE: &str = "mutation($input: CreateUserInput) { createUser(input: $input) \
    { id username status roles { role { name } contexts { contextType contextId } } } }";
const UPDATE: &str =
    "mutation($input: UpdateUserInput) { updateUser(input: $input) { id status firstName } }";
const REMOVE: &str = "mutation($input: RemoveUserRolesFromUserInput) \
    { removeUserRolesFromUser(input: $input) { status } }";

fn create_input(username: &str, more: &Json) -> Json {
    let mut input = json!({
        "ref": username, "username": username, "password": "x", "primaryEmail": "a@example.com",
        "type": "LOCATION", "timezone": "UTC",
    });
    input
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    input
}

fn role(name: &str, contexts: &[(&str, &str)]) -> Json {
    let contexts: Vec<_> = contexts
        .iter()
        .map(|(kind, id)| json!({ "contextType": kind, "contextId": id }))
        .collect();
    json!({ "role": { "name": name }, "contexts": contexts })
}

fn read(answer: Answer) -> (u16, Json) {
    match answer {
        Answer::Cut => panic!("cut"),
        Answer::Json { status, body, .. } => (status, serde_json::from_slice(&body).unwrap()),
    }
}
