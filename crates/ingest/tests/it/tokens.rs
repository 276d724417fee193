//! Tokens of the token file: rotation without a gap, expiry, revocation, and whose act an event was.

use rollcall_domain::{ConnectionName, TenantId, Timestamp};
use rollcall_ingest::{CredentialKind, CredentialState, NEW_TOKEN_BYTES, NewToken, StoredToken, TokenName};
use secrecy::ExposeSecret as _;

use crate::world::{ENTRA, World};

/// The world's clock begins here.
const BEGIN: Timestamp = Timestamp::from_millis(1_772_000_000_000);
const HOUR: i64 = 3_600_000;

/// A token of `acme`'s connection, and its text.
fn made(number: u8, connection: &str, name: &str, expires: Option<Timestamp>) -> (StoredToken, String) {
    let new = NewToken::from_random(&[number; NEW_TOKEN_BYTES]);
    let stored = StoredToken {
        id: new.id,
        tenant: TenantId::new("acme").unwrap(),
        connection: ConnectionName::new(connection).unwrap(),
        name: TokenName::new(name).unwrap(),
        hash: new.hash,
        created: BEGIN,
        expires,
        revoked: None,
    };
    (stored, new.text.expose_secret().to_owned())
}

#[tokio::test]
async fn a_token_is_exchanged_for_the_next_one_without_a_gap_and_events_name_each() {
    let world = World::new().await;
    let credentials = world.door.credentials();
    let (mut first, first_text) = made(1, "entra", "2026-10", None);
    let (second, second_text) = made(2, "entra", "2026-11", None);
    world.get(&first_text, "/Users").await.expect_error(401, "");
    assert_eq!(credentials.replace_stored(&[first.clone(), second.clone()]), []);
    let ida = world.user(&first_text, "ida").await;
    world
        .get(&second_text, &format!("/Users/{ida}"))
        .await
        .expect(200);
    world.get(ENTRA, &format!("/Users/{ida}")).await.expect(200);
    first.revoked = Some(BEGIN);
    assert_eq!(credentials.replace_stored(&[first, second]), []);
    world.get(&first_text, "/Users").await.expect_error(401, "");
    world.user(&second_text, "ola").await;
    world.user(ENTRA, "eva").await;
    let actors: Vec<String> = world.events().iter().map(|event| event.actor.clone()).collect();
    assert_eq!(
        actors,
        [
            "connection/entra/2026-10",
            "connection/entra/2026-11",
            "connection/entra"
        ]
    );
}

#[tokio::test]
async fn an_expired_token_is_refused_and_its_owner_is_told_why() {
    let world = World::new().await;
    let (ended, text) = made(1, "entra", "old", Some(BEGIN));
    world.door.credentials().replace_stored(&[ended]);
    let reply = world.get(&text, "/Users").await.expect_error(401, "");
    assert_eq!(reply.body["detail"], "the bearer token has expired");
    let stranger = world.get("wrong-token-0123456789", "/Users").await;
    assert_eq!(stranger.body["detail"], "a valid bearer token is needed");
}

#[tokio::test]
async fn operators_see_every_token_its_end_and_its_last_use() {
    let world = World::new().await;
    let credentials = world.door.credentials();
    let (soon, text) = made(1, "entra", "soon", Some(BEGIN.plus_millis(HOUR)));
    let (later, _) = made(2, "entra", "later", Some(BEGIN.plus_millis(10_000 * HOUR)));
    credentials.replace_stored(&[soon.clone(), later.clone()]);
    world.get(&text, "/Users").await.expect(200);
    credentials.replace_stored(&[soon.clone(), later]);
    let reports = credentials.report(BEGIN);
    let of = |name: &str, connection: &str| {
        let found = reports
            .iter()
            .find(|r| r.name == name && r.connection.as_str() == connection);
        found.unwrap().clone()
    };
    let shown = of("soon", "entra");
    assert_eq!(shown.state, CredentialState::ExpiresSoon);
    assert_eq!((shown.kind, shown.id), (CredentialKind::Stored, Some(soon.id)));
    assert!(shown.last_used.unwrap() >= BEGIN, "a reload forgets nothing");
    assert_eq!(of("later", "entra").state, CredentialState::Valid);
    assert_eq!(of("later", "entra").last_used, None);
    assert_eq!(of("", "strict").kind, CredentialKind::Configured);
    assert!(credentials.closed(&reports).is_empty());
}

#[tokio::test]
async fn what_has_no_effect_in_the_file_is_told_and_the_rest_has() {
    let world = World::new().await;
    let (good, text) = made(1, "entra", "good", None);
    let (nowhere, _) = made(2, "nowhere", "x", None);
    let troubles = world
        .door
        .credentials()
        .replace_stored(&[nowhere.clone(), good.clone(), good]);
    let told: Vec<String> = troubles.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            format!("token {}: its connection is not configured here", nowhere.id),
            "token 0101010101010101: it stands twice in the file".to_owned(),
        ]
    );
    world.get(&text, "/Users").await.expect(200);
}
