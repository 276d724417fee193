//! Every kind of step, once and again.

use rollcall_domain::{DesiredStatus::Active, DesiredStatus::Keep, Gains, Hold};
use rollcall_fluent_sim::{Behavior, ExistingRole, RemovalOfAbsent};

use crate::support::{LEFT, World};

#[tokio::test]
async fn a_joiner_becomes_usable_with_its_grants() {
    let world = World::new().await;
    let reconciler = world.start().await;
    world.source.want("ida", Active, &["PICK", "STORE"]);
    world.converge(&reconciler).await;
    world.expect("ida", "ACTIVE", &["PICK", "STORE"]);
    assert_eq!(world.owned(&reconciler, "ida"), ["PICK", "STORE"]);
    assert_eq!(world.journal_of("ida").len(), 1, "one mutation makes a joiner");
    assert_eq!(
        world.kinds(),
        ["rollcall.outcome.intended.v1", "rollcall.outcome.applied.v1"]
    );
}

#[tokio::test]
async fn a_fresh_user_that_fluent_leaves_unusable_is_made_usable() {
    let world = World::with(Behavior {
        fresh_status: "CREATED".into(),
        ..Behavior::default()
    })
    .await;
    let reconciler = world.start().await;
    world.source.want("ida", Active, &["PICK"]);
    world.converge(&reconciler).await;
    world.expect("ida", "ACTIVE", &["PICK"]);
    assert_eq!(world.kinds().len(), 2, "one intent covers both requests");
}

#[tokio::test]
async fn a_whole_life_goes_through_every_step_and_a_second_look_does_nothing() {
    for behavior in [
        Behavior::default(),
        Behavior {
            existing_role: ExistingRole::Replace,
            ..Behavior::default()
        },
        Behavior {
            removal_of_absent: RemovalOfAbsent::NotFound,
            ..Behavior::default()
        },
        Behavior {
            inactive_drops_roles: true,
            ..Behavior::default()
        },
        Behavior {
            error_status: 400,
            ..Behavior::default()
        },
    ] {
        let world = World::with(behavior.clone()).await;
        let reconciler = world.start().await;
        let life: [(_, &[&str], &str, &[&str]); 6] = [
            (Active, &["PICK"], "ACTIVE", &["PICK"]),
            (
                Active,
                &["PICK", "PICK+", "STORE"],
                "ACTIVE",
                &["PICK", "PICK+", "STORE"],
            ),
            (Active, &["LEAD"], "ACTIVE", &["LEAD"]),
            (LEFT, &[], "INACTIVE", &[]),
            (Active, &["LEAD", "STORE"], "ACTIVE", &["LEAD", "STORE"]),
            (Keep, &[], "ACTIVE", &[]),
        ];
        for (status, roles, is, holds) in life {
            world.source.want("ida", status, roles);
            world.converge(&reconciler).await;
            world.expect("ida", is, holds);
            let (mutations, outcomes) = (world.fluent.journal_next(), world.kinds().len());
            reconciler.look_at(world.source.account("ida"));
            world.converge(&reconciler).await;
            assert_eq!(
                world.fluent.journal_next(),
                mutations,
                "a second look wrote to Fluent: {behavior:?}"
            );
            assert_eq!(world.kinds().len(), outcomes, "a second look was put on record");
        }
        // A restart rebuilds the same ledger, and a resync finds nothing.
        let before = reconciler.ledger(world.source.account("ida"));
        reconciler.stop().await;
        let mutations = world.fluent.journal_next();
        let again = world.start().await;
        world.converge(&again).await;
        assert_eq!(again.ledger(world.source.account("ida")), before);
        assert_eq!(world.fluent.journal_next(), mutations);
    }
}

#[tokio::test]
async fn a_changed_profile_is_written_and_not_while_inactive() {
    let world = World::new().await;
    world.seed_user("ida", "ACTIVE", &[]);
    let reconciler = world.start().await;
    let renamed = |name: &'static str| {
        move |desired: &mut rollcall_domain::DesiredUser| {
            desired.profile = Some(rollcall_domain::seal(&rollcall_domain::Profile {
                username: "ida".to_owned(),
                first_name: name.to_owned(),
                last_name: "Berg".to_owned(),
                primary_email: Some("ida@store.example".to_owned()),
            }));
        }
    };
    world.source.want_as("ida", Active, &["PICK"], renamed("Ada"));
    world.converge(&reconciler).await;
    let name = || world.fluent.user("ida").unwrap().profile["firstName"].clone();
    assert_eq!(name(), "Ada");
    world.source.want_as("ida", LEFT, &[], renamed("Eve"));
    world.converge(&reconciler).await;
    assert_eq!(name(), "Ada");
    world.source.want_as("ida", Active, &["PICK"], renamed("Eve"));
    world.converge(&reconciler).await;
    assert_eq!(name(), "Eve");
}

#[tokio::test]
async fn a_held_user_is_not_created_and_the_hold_is_on_record_once() {
    let world = World::new().await;
    let reconciler = world.start().await;
    let hold = |desired: &mut rollcall_domain::DesiredUser| {
        desired.gains = Gains::Withheld;
        desired.holds = vec![Hold::NoEmail];
    };
    world.source.want_as("ida", Active, &["PICK"], hold);
    world.converge(&reconciler).await;
    assert_eq!(world.holds("ida"), None);
    world.source.want_as("ida", Active, &["PICK"], hold);
    world.converge(&reconciler).await;
    assert_eq!(world.kinds(), ["rollcall.outcome.held.v1"]);
    world.source.want("ida", Active, &["PICK"]);
    world.converge(&reconciler).await;
    world.expect("ida", "ACTIVE", &["PICK"]);
    assert_eq!(
        reconciler.ledger(world.source.account("ida")).held,
        0,
        "the hold is lifted on record"
    );
}

#[tokio::test]
async fn a_user_that_came_and_went_is_not_created() {
    let world = World::new().await;
    world.source.want("ida", LEFT, &[]);
    let reconciler = world.start().await;
    world.converge(&reconciler).await;
    assert_eq!((world.holds("ida"), world.kinds().len()), (None, 0));
}
