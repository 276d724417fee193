//! The Chicago story: what happens, chapter by chapter, and what Fluent must hold after it.

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::idp::Person;
use super::world::World;

/// Seasonal associates hired at the start.
const SEASONAL: usize = 300;
/// Hires of the surge in which a worker is terminated.
const SURGE: usize = 200;
/// Requests that an IdP has under way at once; Entra and Okta use a handful.
const IDP_REQUESTS: usize = 8;
/// Members that Entra puts into one PATCH.
const MEMBERS_A_PATCH: usize = 100;

/// The warehouse of the story: its `ref`, and its platform id in the seed.
const CHIC: (&str, &str) = ("CHIC-01", "101");
/// The retailer of the story.
const MIDWEST: (&str, &str) = ("MIDWEST", "1");

const ASSOCIATE: &str = "Fulfillment_Associate";
const CLERK: &str = "Inventory_Clerk";
const VIEWER: &str = "Report_Viewer";
const LEAD: &str = "Shift_Lead";

/// The rules at the start: one corporate position means several Fluent roles.
const RULES: &str = r#"{"rules": [
  {"condition": {"type": "HAS_APP_ROLE", "appRole": "Regional_Supervisor"},
   "action": {"type": "MAPPING_ROLE_ASSIGNMENT", "sourceAppRole": "Regional_Supervisor",
              "targetRoles": ["Shift_Lead", "Inventory_Clerk", "Report_Viewer"]}}]}"#;

/// The same with the rule that a held user waits for.
const RULES_WITH_DOCK_MARSHAL: &str = r#"{"rules": [
  {"condition": {"type": "HAS_APP_ROLE", "appRole": "Regional_Supervisor"},
   "action": {"type": "MAPPING_ROLE_ASSIGNMENT", "sourceAppRole": "Regional_Supervisor",
              "targetRoles": ["Shift_Lead", "Inventory_Clerk", "Report_Viewer"]}},
  {"condition": {"type": "HAS_APP_ROLE", "appRole": "Dock_Marshal"},
   "action": {"type": "MAPPING_ROLE_ASSIGNMENT", "sourceAppRole": "Dock_Marshal",
              "targetRoles": ["Shift_Lead"]}}]}"#;

fn at_chicago(role: &str) -> String {
    format!("Agent_{}_{role}", CHIC.0)
}

/// What later chapters need of earlier ones.
struct Season {
    group: String,
    people: Vec<(Person, String)>,
}

/// Tells the story; the world notes the times and the expectation.
pub(crate) async fn tell(world: &mut World) -> anyhow::Result<()> {
    rules_come_into_force(world).await?;
    let mut season = season_begins(world).await?;
    twin_role_survives(world, &season).await?;
    let supervisor = supervisor_expands(world).await?;
    supervisor_is_out(world, &supervisor).await?;
    group_gains_role(world, &season).await?;
    unknown_role_holds_and_heals(world).await?;
    hand_made_role_survives(world, &season).await?;
    terminated_in_the_surge(world, &mut season).await
}

async fn rules_come_into_force(world: &mut World) -> anyhow::Result<()> {
    let began = Instant::now();
    world.activate_rules(RULES).await?;
    world.tell(
        "The rule set is activated",
        "Regional_Supervisor now means Shift_Lead, Inventory_Clerk and Report_Viewer.",
        began.elapsed(),
    );
    Ok(())
}

async fn hire(world: &World, people: Vec<Person>) -> anyhow::Result<Vec<(Person, String)>> {
    let entra = world.entra();
    stream::iter(people)
        .map(|person| async move {
            let id = entra.entra_hires(&person).await?;
            anyhow::Ok((person, id))
        })
        .buffered(IDP_REQUESTS)
        .try_collect()
        .await
}

async fn put_into_group(world: &World, group: &str, people: &[(Person, String)]) -> anyhow::Result<()> {
    for some in people.chunks(MEMBERS_A_PATCH) {
        let ids: Vec<String> = some.iter().map(|(_, id)| id.clone()).collect();
        world.entra().entra_patches_members(group, "Add", &ids).await?;
    }
    Ok(())
}

async fn season_begins(world: &mut World) -> anyhow::Result<Season> {
    let began = Instant::now();
    let group = world
        .entra()
        .entra_makes_group("CHIC-01 Seasonal Associates", &[&at_chicago(ASSOCIATE)])
        .await?;
    let twin = at_chicago(ASSOCIATE);
    let people = (1..=SEASONAL)
        .map(|number| {
            let roles: &[&str] = if number == 1 { &[&twin] } else { &[] };
            Person::new("Seasonal", &format!("Associate{number:03}"), roles)
        })
        .collect();
    let people = hire(world, people).await?;
    put_into_group(world, &group, &people).await?;
    let told = began.elapsed();
    for (person, _) in &people {
        world
            .expectation
            .holds(&person.user_name, ASSOCIATE, "AGENT", CHIC.1);
    }
    world.until_as_expected().await?;
    world.tell(
        "300 seasonal associates are hired into a group at CHIC-01",
        &format!(
            "Entra sent them in {}; every one is usable in Fluent with Fulfillment_Associate at CHIC-01.",
            seconds(told)
        ),
        began.elapsed(),
    );
    Ok(Season { group, people })
}

async fn twin_role_survives(world: &mut World, season: &Season) -> anyhow::Result<()> {
    let began = Instant::now();
    let [(first, first_id), (second, second_id), ..] = season.people.as_slice() else {
        anyhow::bail!("the season has no people")
    };
    world
        .entra()
        .entra_patches_members(&season.group, "Remove", &[first_id.clone(), second_id.clone()])
        .await?;
    world.expectation.is_out(&second.user_name); // left without any role
    world.until_as_expected().await?;
    world.tell(
        "Two leave the group; one has the same role personally",
        &format!(
            "{} keeps Fulfillment_Associate (it is also a personal role); {} had it from the group only and is out.",
            first.user_name, second.user_name
        ),
        began.elapsed(),
    );
    world.explain(&first.user_name).await?;
    Ok(())
}

async fn supervisor_expands(world: &mut World) -> anyhow::Result<(Person, String)> {
    let began = Instant::now();
    let person = Person::new(
        "Rita",
        "Regional",
        &[&format!("Retailer_{}_Regional_Supervisor", MIDWEST.0)],
    );
    let id = world.okta().okta_hires(&person).await?;
    for role in [LEAD, CLERK, VIEWER] {
        world
            .expectation
            .holds(&person.user_name, role, "RETAILER", MIDWEST.1);
    }
    world.until_as_expected().await?;
    world.tell(
        "A regional supervisor's single tag expands",
        "Okta sent one app role, Retailer_MIDWEST_Regional_Supervisor; Fluent holds three roles at the retailer.",
        began.elapsed(),
    );
    world.explain(&person.user_name).await?;
    Ok((person, id))
}

async fn supervisor_is_out(world: &mut World, (person, id): &(Person, String)) -> anyhow::Result<()> {
    let began = Instant::now();
    world.okta().okta_disables(id).await?;
    world.until_inactive(&person.user_name).await?;
    let out_after = began.elapsed();
    world.expectation.is_out(&person.user_name);
    world.until_as_expected().await?;
    world.tell(
        "Okta deactivates the supervisor",
        &format!(
            "INACTIVE in Fluent after {}, and without what Rollcall granted.",
            millis(out_after)
        ),
        began.elapsed(),
    );
    Ok(())
}

async fn group_gains_role(world: &mut World, season: &Season) -> anyhow::Result<()> {
    let began = Instant::now();
    world
        .entra()
        .group_gains_role(&season.group, &at_chicago(CLERK))
        .await?;
    for (person, _) in season.people.iter().skip(2) {
        world.expectation.holds(&person.user_name, CLERK, "AGENT", CHIC.1);
    }
    world.until_as_expected().await?;
    world.tell(
        "The group gains a role",
        "One PATCH of the group; all 298 members have Inventory_Clerk at CHIC-01.",
        began.elapsed(),
    );
    Ok(())
}

async fn unknown_role_holds_and_heals(world: &mut World) -> anyhow::Result<()> {
    let began = Instant::now();
    let person = Person::new(
        "Dora",
        "Dock",
        &[&at_chicago(ASSOCIATE), &at_chicago("Dock_Marshal")],
    );
    world.entra().entra_hires(&person).await?;
    let reason = world.until_held(&person.user_name).await?;
    world.until_as_expected().await?; // she must not be there
    world.tell(
        "An unknown role holds one user",
        &format!("{}: {reason}", person.user_name),
        began.elapsed(),
    );

    let began = Instant::now();
    world.activate_rules(RULES_WITH_DOCK_MARSHAL).await?;
    world
        .expectation
        .holds(&person.user_name, ASSOCIATE, "AGENT", CHIC.1);
    world.expectation.holds(&person.user_name, LEAD, "AGENT", CHIC.1);
    world.until_as_expected().await?;
    world.tell(
        "The rule arrives and the hold heals by itself",
        "Dock_Marshal now means Shift_Lead; nobody touched the user.",
        began.elapsed(),
    );
    Ok(())
}

async fn hand_made_role_survives(world: &mut World, season: &Season) -> anyhow::Result<()> {
    let began = Instant::now();
    let Some((person, id)) = season.people.get(6) else {
        anyhow::bail!("the season has no people")
    };
    world
        .grant_by_hand(&person.user_name, VIEWER, "RETAILER", MIDWEST.1)
        .await?;
    world
        .expectation
        .holds(&person.user_name, VIEWER, "RETAILER", MIDWEST.1);
    // The person changes, so that Rollcall looks at it: it leaves the group and comes back.
    for operation in ["Remove", "Add"] {
        world
            .entra()
            .entra_patches_members(&season.group, operation, std::slice::from_ref(id))
            .await?;
    }
    world.until_settled().await?;
    world.until_as_expected().await?;
    world.tell(
        "Somebody adds a role by hand in Fluent",
        &format!(
            "{} left the group and came back; Report_Viewer, which is not ours, is still there.",
            person.user_name
        ),
        began.elapsed(),
    );
    Ok(())
}

async fn terminated_in_the_surge(world: &mut World, season: &mut Season) -> anyhow::Result<()> {
    let began = Instant::now();
    let Some((worker, worker_id)) = season.people.get(41).cloned() else {
        anyhow::bail!("the season has no people")
    };
    let surge = (1..=SURGE)
        .map(|number| Person::new("Surge", &format!("Hire{number:03}"), &[]))
        .collect();
    let hired = hire(world, surge).await?;
    put_into_group(world, &season.group, &hired).await?;
    for (person, _) in &hired {
        world
            .expectation
            .holds(&person.user_name, ASSOCIATE, "AGENT", CHIC.1);
        world.expectation.holds(&person.user_name, CLERK, "AGENT", CHIC.1);
    }
    let sent = Instant::now();
    world.entra().entra_disables(&worker_id).await?;
    world.until_inactive(&worker.user_name).await?;
    let out_after = sent.elapsed();
    let still_waiting = world.missing_in_fluent(&hired).await?;
    world.expectation.is_out(&worker.user_name);
    world.until_as_expected().await?;
    let behind = world.created_after_the_leaver(&worker.user_name).await?;
    world.tell(
        "A worker is terminated in the middle of a surge of 200 hires",
        &format!(
            "{} is INACTIVE in Fluent {} after Entra said so; {still_waiting} of the 200 were still waiting, {behind} \
             were created after.",
            worker.user_name,
            millis(out_after)
        ),
        began.elapsed(),
    );
    if behind == 0 {
        anyhow::bail!("the leaver did not overtake the surge: every hire was in Fluent before it");
    }
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn millis(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1000.0)
}
