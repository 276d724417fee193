//! Each operation once, as the reconciler uses it.

use std::collections::BTreeSet;

use rollcall_domain::{ContextType, FluentStatus, FluentUserId, Grant, RoleName};
use rollcall_fluent::{NewUser, UserUpdate};
use rollcall_fluent_sim::{Behavior, SeedUser};

use super::{World, new_user, store, viewer};

#[tokio::test]
async fn me_is_the_api_user() {
    let world = World::new().await;
    let me = world.client.me().await.unwrap();
    assert_eq!(me.username, "rollcall-api");
    assert_eq!(
        me.grants,
        BTreeSet::from([Grant::new("ADMIN", ContextType::Account, "0")])
    );
}

#[tokio::test]
async fn a_schema_without_removal_is_noticed() {
    let world = World::new().await;
    assert!(world.client.check_schema().await.unwrap().is_complete());
    world.handle.set_behavior(Behavior {
        removal_exists: false,
        ..Behavior::default()
    });
    let check = world.client.check_schema().await.unwrap();
    assert!(!check.can_remove_roles() && check.missing == ["removeUserRolesFromUser"]);
}

#[tokio::test]
async fn a_user_lives_through_create_update_and_removal() {
    let world = World::new().await;
    let client = &world.client;
    assert_eq!(client.user_by_username("ida").await.unwrap(), None);
    let created = client
        .create_user(NewUser {
            grants: vec![store()],
            ..new_user("ida")
        })
        .await
        .unwrap();
    assert_eq!(
        (created.status.clone(), created.grants.len()),
        (FluentStatus::Active, 1)
    );
    assert_eq!(
        client.user_by_username("ida").await.unwrap().as_ref(),
        Some(&created)
    );
    assert_eq!(
        client.user_by_id(&created.id).await.unwrap().as_ref(),
        Some(&created)
    );
    assert_eq!(
        client.user_by_id(&FluentUserId("999".into())).await.unwrap(),
        None
    );

    let update = UserUpdate {
        last_name: Some("Moved".into()),
        add: vec![viewer(), Grant::new("STORE", ContextType::Retailer, "3")],
        ..UserUpdate::default()
    };
    let updated = client.update_user(&created.id, update).await.unwrap();
    assert_eq!(
        (updated.first_name.as_str(), updated.last_name.as_str()),
        ("Ida", "Moved")
    );
    assert_eq!(updated.grants.len(), 3);

    client
        .remove_roles(&created.id, &[store(), viewer()])
        .await
        .unwrap();
    client.remove_roles(&created.id, &[]).await.unwrap();
    let left = client.user_by_id(&created.id).await.unwrap().unwrap();
    assert_eq!(
        left.grants,
        BTreeSet::from([Grant::new("STORE", ContextType::Retailer, "3")])
    );

    let gone = UserUpdate {
        status: Some(FluentStatus::Inactive),
        ..UserUpdate::default()
    };
    assert_eq!(
        client.update_user(&created.id, gone).await.unwrap().status,
        FluentStatus::Inactive
    );
    assert_eq!(world.handle.journal().len(), 4, "no grants, no request");
}

#[tokio::test]
async fn a_name_with_wildcards_and_quotes_is_taken_exactly() {
    let world = World::new().await;
    world.client.create_user(new_user("a_b%\"{c")).await.unwrap();
    assert!(world.client.user_by_username("a_b%\"{c").await.unwrap().is_some());
    assert!(world.client.user_by_username("%").await.unwrap().is_none());
}

#[tokio::test]
async fn a_fresh_user_may_not_be_active_yet() {
    let world = World::new().await;
    world.handle.set_behavior(Behavior {
        fresh_status: "CREATED".into(),
        ..Behavior::default()
    });
    let created = world.client.create_user(new_user("ida")).await.unwrap();
    assert_eq!(created.status, FluentStatus::Other("CREATED".into()));
}

#[tokio::test]
async fn the_catalog_is_read_whole() {
    let world = World::new().await;
    for number in 0..1_234 {
        world
            .handle
            .add_location(&format!("L{number}"), "BRAND_A")
            .unwrap();
    }
    let catalog = world.client.read_catalog().await.unwrap();
    assert!(catalog.roles.contains(&RoleName("REPORT_VIEWER".into())));
    assert_eq!(catalog.retailers.len(), 2);
    assert!(catalog.retailers["3"].active && !catalog.retailers["4"].active);
    assert_eq!(catalog.locations.len(), 1_235);
    let store = &catalog.locations["7001"];
    assert_eq!(
        (store.reference.as_str(), store.retailer.as_deref()),
        ("CHIC-01", Some("3"))
    );
}

#[tokio::test]
async fn nothing_personal_or_secret_is_shown_by_debug() {
    let world = World::new().await;
    world.client.me().await.unwrap();
    let shown = format!("{:?} {:?}", world.client, new_user("ida@example.com"));
    for secret in [
        "sim-password",
        "sim-client-secret",
        "sim-1-",
        "ida@example.com",
        "Ida",
    ] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn a_user_of_another_hand_is_read_as_it_is() {
    let world = World::new().await;
    let user: SeedUser = serde_json::from_value(serde_json::json!({
        "username": "by-hand", "status": "CREATED",
        "roles": [{ "role": "STORE", "contextType": "MOON", "contextId": "1" }],
    }))
    .unwrap();
    world.handle.put_user(&user).unwrap();
    let read = world.client.user_by_username("by-hand").await.unwrap().unwrap();
    assert!(read.grants.is_empty() && read.first_name.is_empty());
}
