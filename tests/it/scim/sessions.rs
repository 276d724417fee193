//! A day in each dialect, from the connection test to the last leaver, against the whole engine: whatever the dialect,
//! Fluent ends the same. Every request is recorded in `tests/it/golden/sessions/`.

use std::collections::BTreeSet;

use rollcall_tests::golden;

use super::client::Client;
use super::dialect::{
    Dialect, ENTRA_DEFAULT, ENTRA_FLAGGED, ENTRA_VALIDATOR, OKTA_CATALOGUE, OKTA_WIZARD, Person, wish,
};
use crate::engine::harness::{Settings, World, until};
use crate::engine::idp::named;

/// Role, context type and platform id.
type Grant = (&'static str, &'static str, &'static str);

/// What Fluent holds at the end, worked out by hand: name, status, grants. Dag never had a role that means anything, so
/// he is not there.
const AT_THE_END: [(&str, &str, &[Grant]); 4] = [
    (
        "ida",
        "ACTIVE",
        &[("Lead", "AGENT", "102"), ("Viewer", "RETAILER", "1")],
    ),
    ("bo", "INACTIVE", &[]),
    (
        "cleo",
        "ACTIVE",
        &[("Clerk", "AGENT", "101"), ("Associate", "AGENT", "101")],
    ),
    ("eva", "INACTIVE", &[]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_entra_in_the_default_style_ends_in_the_right_fluent() {
    a_day(ENTRA_DEFAULT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_entra_in_the_flagged_style_ends_in_the_right_fluent() {
    a_day(ENTRA_FLAGGED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_entra_in_the_validators_style_ends_in_the_right_fluent() {
    a_day(ENTRA_VALIDATOR).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_an_okta_catalogue_app_ends_in_the_right_fluent() {
    a_day(OKTA_CATALOGUE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_an_okta_wizard_app_ends_in_the_right_fluent() {
    a_day(OKTA_WIZARD).await;
}

async fn a_day(dialect: Dialect) {
    let world = World::running(Settings::default()).await;
    let mut idp = Client::new(&world, dialect);
    connect(&mut idp).await;
    let morning = morning(&mut idp).await;
    until("who was hired in the morning can work", async || {
        ["ida", "bo", "cleo", "eva"]
            .iter()
            .all(|name| world.is_usable(&named(name)))
    })
    .await;
    afternoon(&mut idp, &morning).await;
    world.settled().await;
    until("Fluent is as it must be", async || state(&world) == expected()).await;
    world.settled().await;
    assert_eq!(state(&world), expected(), "{}", dialect.name);
    golden(
        &format!("tests/it/golden/sessions/{}.txt", dialect.name),
        &idp.record(),
    );
}

/// Name, status and grants.
type Line = (String, String, BTreeSet<(String, String, String)>);

fn expected() -> Vec<Line> {
    let mut lines: Vec<Line> = AT_THE_END
        .iter()
        .map(|(name, status, grants)| {
            let grants = grants
                .iter()
                .map(|(role, kind, id)| (role.to_string(), kind.to_string(), id.to_string()));
            (named(name), (*status).to_owned(), grants.collect())
        })
        .collect();
    lines.sort();
    lines
}

fn state(world: &World) -> Vec<Line> {
    let ours = |name: &str| {
        ["ida", "bo", "cleo", "dag", "eva"]
            .iter()
            .any(|one| named(one) == name)
    };
    let users = world
        .fluent
        .users()
        .into_iter()
        .filter(|user| ours(&user.username));
    let mut lines: Vec<Line> = users
        .map(|user| {
            let grants = user.grants.into_iter();
            let grants = grants
                .map(|grant| (grant.role, grant.context_type, grant.context_id))
                .collect();
            (user.username, user.status, grants)
        })
        .collect();
    lines.sort();
    lines
}

/// What each provider does when its connection is tested.
async fn connect(idp: &mut Client) {
    if idp.dialect.is_okta() {
        idp.get("/Users?startIndex=1&count=2").await.expect(200);
        idp.get("/Groups?startIndex=1&count=100").await.expect(200);
    } else {
        let nobody = "5e0d5fd0-7ee2-4f52-9a4c-2cd3c9f5a5a5";
        for (kind, name) in [("/Users", "userName"), ("/Groups", "displayName")] {
            let found = idp
                .filter(kind, &format!("{name} eq \"{nobody}\""), "")
                .await
                .expect(200);
            assert_eq!(found.total(), 0);
        }
    }
}

/// Ids by name.
struct Staff {
    ida: String,
    bo: String,
    cleo: String,
    eva: String,
    viewers: String,
    floor: String,
}

async fn hire(idp: &mut Client, name: &str, roles: &[&str]) -> String {
    let look = format!("userName eq \"{}\"", named(name));
    assert_eq!(idp.filter("/Users", &look, "").await.expect(200).total(), 0);
    let id = idp.hire(&Person::with(name, roles)).await;
    idp.call(&id, name);
    id
}

async fn group(idp: &mut Client, name: &str, role: &str) -> String {
    let look = format!("displayName eq \"{role}\"");
    let found = idp
        .filter("/Groups", &look, "&excludedAttributes=members")
        .await
        .expect(200);
    assert_eq!(found.total(), 0);
    let body = idp.dialect.group(role);
    let id = idp.post("/Groups", &body).await.expect(201).id();
    idp.call(&id, name);
    id
}

/// People are hired, with a role of their own and by groups.
async fn morning(idp: &mut Client) -> Staff {
    let ida = hire(idp, "ida", &["Agent_CHIC-01_Associate"]).await;
    let bo = hire(idp, "bo", &["Agent_CHIC-01_Lead"]).await;
    let cleo = hire(idp, "cleo", &["Agent_CHIC-01_Clerk"]).await;
    hire(idp, "dag", &["User"]).await;
    let eva = hire(idp, "eva", &[]).await;
    let viewers = group(idp, "viewers", "Retailer_MIDWEST_Viewer").await;
    let floor = group(idp, "floor", "Agent_CHIC-01_Associate").await;
    let (all, few) = ([ida.as_str(), bo.as_str()], [cleo.as_str(), eva.as_str()]);
    members(idp, &viewers, &all, &[]).await;
    members(idp, &floor, &few, &[]).await;
    Staff {
        ida,
        bo,
        cleo,
        eva,
        viewers,
        floor,
    }
}

async fn members(idp: &mut Client, group: &str, add: &[&str], remove: &[&str]) {
    let path = format!("/Groups/{group}");
    idp.change(&path, |dialect, now| dialect.change_members(now, add, remove))
        .await;
}

async fn active(idp: &mut Client, user: &str, active: bool) {
    let path = format!("/Users/{user}");
    idp.change(&path, |dialect, now| dialect.change_active(now, active))
        .await;
}

/// Ida moves to Milwaukee and marries; Bo leaves, and the viewers' group with him; Cleo leaves and is hired again; Eva
/// leaves the floor, and with it the last role she had.
async fn afternoon(idp: &mut Client, staff: &Staff) {
    let path = format!("/Users/{}", staff.ida);
    let roles = ["Agent_MILW-01_Lead".to_owned()];
    idp.change(&path, |dialect, now| dialect.change_roles(now, &roles))
        .await;
    let wishes = [
        wish("name.familyName", "Xylander-Ost"),
        wish("displayName", "Quirin Xylander-Ost"),
    ];
    idp.change(&path, |dialect, now| dialect.change_profile(now, &wishes))
        .await;
    members(idp, &staff.viewers, &[], &[&staff.bo]).await;
    active(idp, &staff.bo, false).await;
    active(idp, &staff.cleo, false).await;
    members(idp, &staff.floor, &[], &[&staff.eva]).await;
    if idp.dialect.is_okta() {
        // Okta assigns again with another POST.
        let again = Person::with("cleo", &["Agent_CHIC-01_Clerk"]);
        assert_eq!(idp.hire(&again).await, staff.cleo);
    } else {
        active(idp, &staff.cleo, true).await;
    }
}
