//! `/sim/v1`: the handle over HTTP. Loopback only, no authentication.
//!
//! The calls and their bodies are in this crate's `README.md`.

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::behavior::Behavior;
use crate::faults::{Down, Fault, FaultId};
use crate::handle::SimHandle;
use crate::seed::Seed;
use crate::sim::SimError;

/// Bytes of a control request: a seed may be large.
const MAX_CONTROL_BODY: usize = 64 * 1024 * 1024;

/// The clock is moved by at most a year at a time.
const MAX_ADVANCE_SECONDS: u64 = 366 * 86_400;

pub(crate) fn router(handle: SimHandle) -> Router {
    Router::new()
        .route("/sim/v1/users", get(users))
        .route("/sim/v1/users/{username}", get(user))
        .route("/sim/v1/journal", get(journal))
        .route("/sim/v1/stats", get(stats))
        .route("/sim/v1/faults", get(faults).post(inject).delete(clear_all))
        .route("/sim/v1/faults/{id}", delete(clear))
        .route("/sim/v1/down", put(go_down).delete(come_up))
        .route("/sim/v1/behavior", get(behavior).put(set_behavior))
        .route("/sim/v1/tokens/revoke", post(revoke))
        .route("/sim/v1/clock/advance", post(advance))
        .route("/sim/v1/land", post(land))
        .route("/sim/v1/seed", post(seed))
        .layer(DefaultBodyLimit::max(MAX_CONTROL_BODY))
        .with_state(handle)
}

async fn users(State(sim): State<SimHandle>) -> Response {
    Json(sim.users()).into_response()
}

async fn user(State(sim): State<SimHandle>, Path(username): Path<String>) -> Response {
    match sim.user(&username) {
        Some(user) => Json(user).into_response(),
        None => problem(StatusCode::NOT_FOUND, "no such user"),
    }
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    from: u64,
}

async fn journal(State(sim): State<SimHandle>, Query(query): Query<Since>) -> Response {
    Json(sim.journal_since(query.from)).into_response()
}

async fn stats(State(sim): State<SimHandle>) -> Response {
    Json(sim.stats()).into_response()
}

async fn faults(State(sim): State<SimHandle>) -> Response {
    let faults = sim.faults();
    Json(
        faults
            .iter()
            .map(|(id, fault)| json!({ "id": id, "fault": fault }))
            .collect::<Vec<_>>(),
    )
    .into_response()
}

async fn inject(State(sim): State<SimHandle>, Json(fault): Json<Fault>) -> Response {
    match sim.inject(fault) {
        Ok(id) => Json(json!({ "id": id })).into_response(),
        Err(error) => refused(&error),
    }
}

async fn clear_all(State(sim): State<SimHandle>) -> StatusCode {
    sim.clear_faults();
    StatusCode::NO_CONTENT
}

async fn clear(State(sim): State<SimHandle>, Path(id): Path<u64>) -> Response {
    if sim.clear(FaultId(id)) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        problem(StatusCode::NOT_FOUND, "no such fault")
    }
}

/// Going down cuts the very connection this arrived on when it is the main one; the control one stays.
async fn go_down(State(sim): State<SimHandle>, Json(mode): Json<Down>) -> StatusCode {
    sim.set_down(Some(mode)).await;
    StatusCode::NO_CONTENT
}

async fn come_up(State(sim): State<SimHandle>) -> StatusCode {
    sim.set_down(None).await;
    StatusCode::NO_CONTENT
}

async fn behavior(State(sim): State<SimHandle>) -> Response {
    Json(sim.behavior()).into_response()
}

async fn set_behavior(State(sim): State<SimHandle>, Json(behavior): Json<Behavior>) -> StatusCode {
    sim.set_behavior(behavior);
    StatusCode::NO_CONTENT
}

async fn revoke(State(sim): State<SimHandle>) -> StatusCode {
    sim.revoke_tokens();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

async fn advance(State(sim): State<SimHandle>, Json(by): Json<Advance>) -> Response {
    sim.advance(Duration::from_secs(by.seconds.min(MAX_ADVANCE_SECONDS)));
    Json(json!({ "now": sim.now_ms(), "pending": sim.pending() })).into_response()
}

async fn land(State(sim): State<SimHandle>) -> Response {
    Json(json!({ "landed": sim.land_now() })).into_response()
}

async fn seed(State(sim): State<SimHandle>, Json(seed): Json<Seed>) -> Response {
    match sim.load(&seed) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&error),
    }
}

fn refused(error: &SimError) -> Response {
    problem(StatusCode::CONFLICT, &error.to_string())
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
