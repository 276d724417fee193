//! Who may speak, and what is told to nobody. Every test of this folder also looks through all log lines, written at
//! debug level, for names, addresses and secrets.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::Method;
use serde_json::{Value, json};

use super::harness::{Settings, World, assert_tells_nothing, until};
use super::idp::{Dialect::*, Reply, named, patch_body};

/// An error of SCIM that tells nothing about anybody.
#[track_caller]
fn error(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(
        reply.body["schemas"],
        json!(["urn:ietf:params:scim:api:messages:2.0:Error"]),
        "{reply:?}"
    );
    assert_eq!(reply.body["status"], status.to_string(), "{reply:?}");
    assert_tells_nothing(&reply.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_token_nobody_is_told_anything() {
    let settings = Settings {
        server: "auth_failures_max = 1000".to_owned(), // strangers are not asked to wait here
        ..Settings::default()
    };
    let mut world = World::running(settings).await;
    let ida = world.hire(Entra, "ida", &["Agent_CHIC-01_Lead"]).await;
    let paths = [
        "/Users",
        &format!("/Users/{ida}"),
        "/Users/nobody",
        "/Groups",
        "/Schemas",
        "/nowhere",
    ];
    for token in [
        "",
        "wrong",
        "entra-token-5d0fc0c1b7a94e1",
        "entra-token-5d0fc0c1b7a94e1ff",
        "okta-token",
    ] {
        let stranger = world.entra.with_token(token);
        for path in paths {
            let get = stranger.once(&Method::GET, path, None).await.unwrap();
            error(&get, 401);
        }
        let body = world.entra.user(&named("eve"), "eve", &[]);
        error(
            &stranger.once(&Method::POST, "/Users", Some(&body)).await.unwrap(),
            401,
        );
        error(
            &stranger
                .once(&Method::DELETE, &format!("/Users/{ida}"), None)
                .await
                .unwrap(),
            401,
        );
    }
    // The other connection is nobody here, either.
    error(&world.okta.get(&format!("/Users/{ida}")).await, 404);
    error(
        &world
            .okta
            .send(Method::DELETE, &format!("/Users/{ida}"), None)
            .await,
        404,
    );
    assert!(world.okta.all_users().await.is_empty());
    assert!(world.okta.find(&named("ida")).await.is_none());
    world.converged().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_refused_without_repeating_it_and_the_process_stays_up() {
    let mut world = World::running(Settings::default()).await;
    let ida = world.hire(Entra, "ida", &["Agent_CHIC-01_Lead"]).await;
    let name = named("ida");
    let entra = world.entra.clone();
    let user = |change: fn(&mut Value)| {
        let mut body = entra.user(&named("new"), "idp-id-new", &[]);
        change(&mut body);
        body.to_string()
    };
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let bodies = [
        format!("{{\"userName\": \"{name}\", "),
        format!("\"{name}\""),
        user(|body| body["userName"] = json!({"is": named("new")})),
        user(|body| body["userName"] = json!("")),
        user(|body| body["name"] = json!([7])),
        user(|body| body["active"] = json!("perhaps")),
        user(|body| body["roles"] = json!([[]])),
        user(|body| body["schemas"] = json!(["urn:unknown:people.example"])),
        user(|body| body["schemas"] = json!(7)),
        format!("{{\"userName\": {deep}}}"),
        String::new(),
    ];
    for body in bodies {
        let reply = world
            .entra
            .once_raw(&Method::POST, "/Users", Some(body.clone()))
            .await
            .unwrap();
        let shown: String = body.chars().take(80).collect();
        assert_eq!(reply.status, 400, "{shown}: {reply:?}");
        error(&reply, 400);
    }
    let taken = world
        .entra
        .once(
            &Method::POST,
            "/Users",
            Some(&world.entra.user(&name, "other", &[])),
        )
        .await;
    error(&taken.unwrap(), 409);
    let path = format!("/Users/{ida}");
    for operation in [
        json!({"op": "shout", "path": "active", "value": name}),
        json!({"op": "replace", "path": format!("emails[value eq \"{name}\""), "value": name}),
        json!({"op": "replace", "path": "active", "value": name}),
        json!({"op": "remove"}),
        json!(name),
    ] {
        let body = patch_body(vec![operation]);
        error(&world.entra.send(Method::PATCH, &path, Some(body)).await, 400);
    }
    for filter in [
        "userName eq",
        "userName like \"x\"",
        "((((",
        "emails[type eq \"people.example\"",
    ] {
        let filter = super::idp::query(filter);
        error(&world.entra.get(&format!("/Users?filter={filter}")).await, 400);
    }
    let large = format!("{{\"userName\": \"{}\"}}", "x".repeat(9 << 20));
    let large = world.entra.once_raw(&Method::POST, "/Users", Some(large)).await;
    assert!(large.is_none_or(|reply| reply.status == 413), "too large");
    let group = world.make_group(Entra, "Floor", &["Agent_CHIC-01_Clerk"]).await;
    let stranger =
        json!({"op": "Add", "path": "members", "value": [{"value": "0198c0de-0000-7000-8000-000000000000"}]});
    let body = patch_body(vec![stranger]);
    let reply = world
        .entra
        .send(Method::PATCH, &format!("/Groups/{group}"), Some(body))
        .await;
    assert!(reply.status < 500, "an unknown member: {reply:?}");
    assert_tells_nothing(&reply.text);
    assert!(world.is_running());
    world.converged().await;
    assert_eq!(world.metric("rollcall_panics_total", &[]).await, Some(0.0));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fluent_says_of_people_is_not_repeated_either() {
    use rollcall_fluent_sim::{Fault, FaultKind};

    let mut world = World::running(Settings::default()).await;
    world.hire(Entra, "first", &["Agent_CHIC-01_Lead"]).await;
    world.converged().await;
    for fault in [
        Fault::new(FaultKind::Code {
            code: "S0002E".to_owned(),
        })
        .only("user")
        .times(3),
        Fault::new(FaultKind::LoseResponse).times(2),
        Fault::new(FaultKind::Status {
            status: 500,
            retry_after: None,
        })
        .times(3),
    ] {
        world.fluent.inject(fault).unwrap();
    }
    world.hire(Entra, "ida", &["Agent_CHIC-01_Lead"]).await;
    world.hire(Okta, "bo", &["Agent_CHIC-01_Clerk"]).await;
    world.as_expected().await;
    // What is refused for good is tried again when its user changes.
    let refused = FaultKind::Code {
        code: "C0123E".to_owned(),
    };
    world
        .fluent
        .inject(Fault::new(refused).only("createUser").times(1))
        .unwrap();
    let dee = world.hire(Okta, "dee", &["Agent_CHIC-01_Lead"]).await;
    until("it is refused", async || {
        world.metric("rollcall_fluent_failures_total", &["C0123E"]).await == Some(1.0)
    })
    .await;
    world.set_roles(Okta, &dee, &["Agent_CHIC-01_Clerk"]).await;
    world.fluent.revoke_tokens();
    world.hire(Okta, "cy", &["Agent_CHIC-01_Clerk"]).await;
    world.as_expected().await;
    for page in ["/metrics", "/readyz", "/livez"] {
        assert_tells_nothing(&world.entra.page(page).await.unwrap().1);
    }
    let status = world.command(&["status"]).await;
    assert_tells_nothing(&format!("{}{}", status.out, status.err));
    assert!(world.lines.len() > 50, "the lines are read at debug level");
    until("something was written about the faults", async || {
        world
            .lines
            .all()
            .iter()
            .any(|line| line.contains("S0002E") || line.contains("500"))
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_data_folder_is_the_owners_alone() {
    let mut world = World::running(Settings::default()).await;
    world.hire(Entra, "ida", &["Agent_CHIC-01_Lead"]).await;
    let mode = |name: &str| {
        let path = world.data().join(name);
        std::fs::symlink_metadata(&path)
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
            .permissions()
            .mode()
    };
    for name in ["", "keys.json", "admin.sock"] {
        assert_eq!(mode(name) & 0o077, 0, "{name:?} may be used by others");
    }
    world.stop().await;
    let text = std::fs::read_to_string(world.data().join("keys.json")).unwrap();
    let keys: Value = serde_json::from_str(&text).unwrap();
    let key = keys["tenants"]["acme"].as_str().unwrap();
    assert!(
        !world.lines.all().iter().any(|line| line.contains(key)),
        "the tenant's key is told"
    );
}
