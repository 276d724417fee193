//! OAuth 2.0 client credentials over real HTTP: RFC 6749 sections 2.3, 4.4 and 5, RFC 7523, RFC 8414.

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use rollcall_domain::{ConnectionName, TenantId, TenantKey, Timestamp};
use rollcall_ingest::{
    ACCESS_TOKEN_LIFETIME, Client, ClientProof, CredentialKind, DoorConfig, OauthConfig, SigningKeys,
    TokenHash, public_keys,
};
use serde_json::{Value, json};

use crate::world::{ENTRA, OKTA, Reply, World};

/// The world's clock begins here.
const NOW: i64 = 1_772_000_000;
const SECRET: &str = "client-secret-0123456789 +%";
const TOKEN_URL: &str = "https://rollcall.example/oauth/token";
const RSA: &str = include_str!("../../src/oauth/testdata/rsa.pub.pem");
/// Signed by the key of [`RSA`], whose private half was thrown away.
const RSA_ASSERTION: &str = include_str!("../../src/oauth/testdata/rsa-assertion.txt");

fn client(id: &str, connection: &str, proof: ClientProof) -> Client {
    Client {
        tenant: TenantId::new("acme").unwrap(),
        connection: ConnectionName::new(connection).unwrap(),
        id: id.parse().unwrap(),
        proof,
        expires: None,
    }
}

fn secret(id: &str, text: &str) -> Client {
    client(
        id,
        "entra",
        ClientProof::Secret(TokenHash::of(&text.to_owned().into()).unwrap()),
    )
}

fn keys(id: &str, text: &str) -> Client {
    client(id, "entra", ClientProof::Keys(public_keys(text).unwrap()))
}

async fn world(clients: Vec<Client>) -> World {
    let (tenant, key) = (TenantId::new("acme").unwrap(), TenantKey::new([7; 32]));
    let config = DoorConfig {
        oauth: OauthConfig {
            clients,
            lifetime: ACCESS_TOKEN_LIFETIME,
            keys: SigningKeys::of([(&tenant, &key)]),
        },
        auth_failures_max: 1000,
        ..DoorConfig::new("https://rollcall.example")
    };
    World::with(config, Router::new()).await
}

fn encoded(text: &str) -> String {
    crate::world::query(text)
}

async fn send(world: &World, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", world.address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Full::new(Bytes::from(body.to_owned()));
    world.request(request.body(body).unwrap()).await
}

async fn ask(world: &World, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
    all.extend(headers);
    send(world, Method::POST, "/oauth/token", &all, body).await
}

async fn by_secret(world: &World, id: &str, secret: &str) -> Reply {
    let body = format!(
        "grant_type=client_credentials&client_id={id}&client_secret={}",
        encoded(secret)
    );
    ask(world, &[], &body).await
}

async fn by_assertion(world: &World, assertion: &str) -> Reply {
    let kind = encoded("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let body = format!(
        "grant_type=client_credentials&client_assertion_type={kind}&client_assertion={}",
        encoded(assertion)
    );
    ask(world, &[], &body).await
}

fn token(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["access_token"].as_str().unwrap().to_owned()
}

#[track_caller]
fn refused(reply: &Reply, status: u16, error: &str) {
    assert_eq!(reply.status, status, "{}", reply.text);
    assert_eq!(reply.body["error"], error, "{}", reply.text);
    assert!(reply.body["error_description"].is_string());
    assert_eq!(reply.header("cache-control"), "no-store");
    assert!(!reply.text.contains(SECRET));
}

/// A key pair and its public half as a JWK.
struct Signer {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
        Self {
            pair: pair.unwrap(),
            random,
        }
    }

    fn jwk(&self) -> String {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "kid": "k1", "x": text(x), "y": text(y)}).to_string()
    }

    fn sign(&self, claims: &Value) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":"k1"}"#);
        let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.pair.sign(&self.random, message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn claims(jti: &str) -> Value {
    json!({"iss": "gallery-ec", "sub": "gallery-ec", "aud": TOKEN_URL, "iat": NOW, "exp": NOW + 300, "jti": jti})
}

#[tokio::test]
async fn a_client_finds_the_endpoint_proves_itself_and_works_under_its_own_name() {
    let world = world(vec![secret("gallery", SECRET)]).await;
    let metadata = send(
        &world,
        Method::GET,
        "/.well-known/oauth-authorization-server",
        &[],
        "",
    )
    .await;
    assert_eq!(metadata.body["issuer"], "https://rollcall.example");
    assert_eq!(metadata.body["token_endpoint"], TOKEN_URL);
    assert_eq!(
        metadata.body["grant_types_supported"],
        json!(["client_credentials"])
    );
    assert_eq!(
        metadata.body["token_endpoint_auth_signing_alg_values_supported"],
        json!(["RS256", "ES256"])
    );

    let header = format!(
        "Basic {}",
        STANDARD.encode(format!("gallery:{}", encoded(SECRET)))
    );
    let basic = ask(
        &world,
        &[("authorization", &header)],
        "grant_type=client_credentials&scope=scim",
    )
    .await;
    let first = token(&basic);
    assert_eq!(basic.body["token_type"], "Bearer");
    assert_eq!(basic.body["expires_in"], 3600);
    assert_eq!(basic.header("cache-control"), "no-store");
    assert_eq!(basic.header("pragma"), "no-cache");
    let second = token(&by_secret(&world, "gallery", SECRET).await);

    let ida = world.user(&first, "ida").await;
    world.get(&second, &format!("/Users/{ida}")).await.expect(200);
    world.get(ENTRA, &format!("/Users/{ida}")).await.expect(200);
    assert_eq!(world.events()[0].actor, "connection/entra/gallery");
    assert_eq!(world.metrics.snapshot().access_tokens, 2);
    let reports = world
        .door
        .credentials()
        .report(Timestamp::from_millis(NOW * 1000));
    let shown = reports.iter().find(|report| report.name == "gallery").unwrap();
    assert_eq!(shown.kind, CredentialKind::Client);
    assert!(shown.last_used.is_some());
}

#[tokio::test]
async fn a_connection_with_clients_says_so_and_no_other_does() {
    let world = world(vec![secret("gallery", SECRET)]).await;
    for (token, expected) in [
        (ENTRA, &["oauthbearertoken", "oauth2"][..]),
        (OKTA, &["oauthbearertoken"]),
    ] {
        let config = world.get(token, "/ServiceProviderConfig").await.expect(200);
        let schemes = config.body["authenticationSchemes"].as_array().unwrap();
        let kinds: Vec<&str> = schemes
            .iter()
            .map(|scheme| scheme["type"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, expected);
        let primary = schemes.iter().filter(|scheme| scheme["primary"] == true);
        assert_eq!(primary.count(), 1);
    }
}

#[tokio::test]
async fn an_assertion_signed_with_rs256_or_es256_proves_a_client_once() {
    let signer = Signer::new();
    let world = world(vec![keys("gallery-rsa", RSA), keys("gallery-ec", &signer.jwk())]).await;
    let rsa = token(&by_assertion(&world, RSA_ASSERTION.trim()).await);
    world.get(&rsa, "/Users").await.expect(200);
    refused(
        &by_assertion(&world, RSA_ASSERTION.trim()).await,
        401,
        "invalid_client",
    );

    let ec = token(&by_assertion(&world, &signer.sign(&claims("1"))).await);
    world.user(&ec, "ida").await;
    assert_eq!(world.events()[0].actor, "connection/entra/gallery-ec");
    refused(
        &by_assertion(&world, &signer.sign(&claims("1"))).await,
        401,
        "invalid_client",
    );
    token(&by_assertion(&world, &signer.sign(&claims("2"))).await);
}

#[tokio::test]
async fn an_assertion_of_another_key_time_or_server_proves_nothing() {
    let (signer, other) = (Signer::new(), Signer::new());
    let world = world(vec![keys("gallery-ec", &signer.jwk()), secret("gallery", SECRET)]).await;
    let with = |name: &str, value: Value| {
        let mut claims = claims("1");
        claims[name] = value;
        signer.sign(&claims)
    };
    let good = signer.sign(&claims("1"));
    let cut = good.rsplit_once('.').unwrap().0;
    for bad in [
        other.sign(&claims("1")),
        with("exp", json!(NOW - 61)),
        with("exp", json!(NOW + 90_000)),
        with("aud", json!("https://other.example/oauth/token")),
        with("sub", json!("nobody")),
        with("sub", json!("gallery")),
        with("iss", json!("other")),
        with("jti", json!(null)),
        format!("{cut}."),
        format!("{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#)),
        "nonsense".to_owned(),
    ] {
        refused(&by_assertion(&world, &bad).await, 401, "invalid_client");
    }
    // Nothing of that was remembered as used.
    token(&by_assertion(&world, &good).await);
}

#[tokio::test]
async fn wrong_and_unknown_clients_get_the_same_answer() {
    let world = world(vec![secret("gallery", SECRET), keys("gallery-rsa", RSA)]).await;
    let wrong = by_secret(&world, "gallery", "another-secret-0123").await;
    let unknown = by_secret(&world, "nobody", "another-secret-0123").await;
    let keyed = by_secret(&world, "gallery-rsa", "another-secret-0123").await;
    for reply in [&wrong, &unknown, &keyed] {
        refused(reply, 401, "invalid_client");
        assert_eq!(reply.text, wrong.text);
        assert_eq!(reply.header("www-authenticate"), "");
    }
    let header = format!("Basic {}", STANDARD.encode("gallery:another"));
    let basic = ask(
        &world,
        &[("authorization", &header)],
        "grant_type=client_credentials",
    )
    .await;
    refused(&basic, 401, "invalid_client");
    assert_eq!(basic.header("www-authenticate"), r#"Basic realm="rollcall""#);
    assert_eq!(world.metrics.snapshot().auth_failures, [0, 0, 0, 4, 0]);
}

#[tokio::test]
async fn a_request_that_is_none_gets_the_error_of_the_standard() {
    let world = world(vec![secret("gallery", SECRET)]).await;
    let id = format!("client_id=gallery&client_secret={}", encoded(SECRET));
    refused(&ask(&world, &[], &id).await, 400, "invalid_request");
    let grant = format!("{id}&grant_type=password");
    refused(&ask(&world, &[], &grant).await, 400, "unsupported_grant_type");
    let scope = format!("{id}&grant_type=client_credentials&scope=admin");
    refused(&ask(&world, &[], &scope).await, 400, "invalid_scope");
    let json = send(
        &world,
        Method::POST,
        "/oauth/token",
        &[("content-type", "application/json")],
        "{}",
    )
    .await;
    refused(&json, 400, "invalid_request");
    let get = send(&world, Method::GET, "/oauth/token", &[], "").await;
    refused(&get, 405, "invalid_request");
    assert_eq!(get.header("allow"), "POST");
    let large = ask(&world, &[], &"x".repeat(20_000)).await;
    refused(&large, 413, "invalid_request");
}

#[tokio::test]
async fn an_access_token_is_taken_by_every_process_until_its_client_changes() {
    let first = world(vec![secret("gallery", SECRET)]).await;
    let access = token(&by_secret(&first, "gallery", SECRET).await);
    let second = world(vec![secret("gallery", SECRET)]).await;
    second.get(&access, "/Users").await.expect(200);
    let changed = world(vec![secret("gallery", "another-secret-0123")]).await;
    changed.get(&access, "/Users").await.expect_error(401, "");
    let mut ended = secret("gallery", SECRET);
    ended.expires = Some(Timestamp::from_millis(NOW * 1000));
    let ended = world(vec![ended]).await;
    ended.get(&access, "/Users").await.expect_error(401, "");
    refused(&by_secret(&ended, "gallery", SECRET).await, 401, "invalid_client");
    let gone = world(vec![secret("other", SECRET)]).await;
    gone.get(&access, "/Users").await.expect_error(401, "");
    let forged = format!("{}A", access.strip_suffix(|_| true).unwrap());
    if forged != access {
        first.get(&forged, "/Users").await.expect_error(401, "");
    }
}

#[tokio::test]
async fn who_fails_too_often_at_the_token_endpoint_is_asked_to_wait() {
    let (tenant, key) = (TenantId::new("acme").unwrap(), TenantKey::new([7; 32]));
    let config = DoorConfig {
        oauth: OauthConfig {
            clients: vec![secret("gallery", SECRET)],
            lifetime: ACCESS_TOKEN_LIFETIME,
            keys: SigningKeys::of([(&tenant, &key)]),
        },
        auth_failures_max: 2,
        ..DoorConfig::new("https://rollcall.example")
    };
    let world = World::with(config, Router::new()).await;
    for _ in 0..2 {
        refused(
            &by_secret(&world, "gallery", "wrong").await,
            401,
            "invalid_client",
        );
    }
    let limited = by_secret(&world, "gallery", "wrong").await;
    refused(&limited, 429, "temporarily_unavailable");
    assert!(limited.header("retry-after").parse::<u32>().unwrap() >= 1);
    token(&by_secret(&world, "gallery", SECRET).await);
}

#[tokio::test]
async fn without_clients_there_is_no_such_service() {
    let world = World::new().await;
    for path in ["/oauth/token", "/.well-known/oauth-authorization-server"] {
        assert_eq!(send(&world, Method::GET, path, &[], "").await.status, 404);
    }
}
