//! Dying at every point of every kind of step, with and without a change before the restart.

use std::sync::Arc;

use rollcall_domain::DesiredStatus::{self, Active};
use rollcall_fluent_sim::Behavior;
use rollcall_reconciler::CrashPoint;

use crate::support::{Death, LEFT, Options, POINTS, World};

/// A life up to the step that is looked at, and that step.
struct Story {
    name: &'static str,
    existing: Option<&'static [&'static str]>,
    before: &'static [(DesiredStatus, &'static [&'static str])],
    step: (DesiredStatus, &'static [&'static str]),
}

const STORIES: [Story; 6] = [
    Story {
        name: "join",
        existing: None,
        before: &[],
        step: (Active, &["PICK", "STORE"]),
    },
    Story {
        name: "adopt",
        existing: Some(&["VIP", "PICK"]),
        before: &[],
        step: (Active, &["PICK", "STORE"]),
    },
    Story {
        name: "move",
        existing: Some(&["VIP"]),
        before: &[(Active, &["PICK"])],
        step: (Active, &["STORE", "LEAD"]),
    },
    Story {
        name: "leave",
        existing: Some(&["VIP"]),
        before: &[(Active, &["PICK"])],
        step: (LEFT, &[]),
    },
    Story {
        name: "return",
        existing: Some(&["VIP"]),
        before: &[(Active, &["PICK"]), (LEFT, &[])],
        step: (Active, &["PICK", "STORE"]),
    },
    Story {
        name: "gain",
        existing: None,
        before: &[(Active, &["PICK"])],
        step: (Active, &["PICK", "LEAD"]),
    },
];

/// What is desired changes between the death and the restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    Leaves,
    LosesAGroup,
    IsRenamed,
}

async fn tell(story: &Story, point: CrashPoint, meanwhile: Meanwhile) -> bool {
    let world = World::with(Behavior {
        fresh_status: "CREATED".into(),
        ..Behavior::default()
    })
    .await;
    if let Some(roles) = story.existing {
        world.seed_user("ida", "ACTIVE", roles);
    }
    let reconciler = world.start().await;
    for (status, roles) in story.before {
        world.source.want("ida", *status, roles);
        world.converge(&reconciler).await;
    }
    reconciler.stop().await;

    let death = Death::at(point);
    let dying = world
        .start_with(Options {
            crash: Some(Arc::clone(&death.hook)),
            ..Options::default()
        })
        .await;
    world.source.want("ida", story.step.0, story.step.1);
    world
        .until(
            &format!("dead or done: {} {point:?} {meanwhile:?}", story.name),
            || {
                death.came() || {
                    let status = dying.status();
                    status.converged
                        && dying.ledger(world.source.account("ida")).open.is_empty()
                        && world.is_served(&dying)
                }
            },
        )
        .await;
    let died = death.came();
    drop(dying);

    let (mut status, mut roles) = story.step;
    match meanwhile {
        Meanwhile::Nothing => {}
        Meanwhile::Leaves => (status, roles) = (LEFT, &[]),
        Meanwhile::LosesAGroup => (status, roles) = (Active, &["STORE"]),
        Meanwhile::IsRenamed => (status, roles) = (LEFT, &[]),
    }
    if meanwhile == Meanwhile::IsRenamed {
        world.source.rename("ida", "ida.berg", &["STORE"]);
    } else {
        world.source.want("ida", status, roles);
    }
    let next = world.start().await;
    world.converge(&next).await;
    check(&world, story, point, meanwhile, status, roles, died);
    if meanwhile == Meanwhile::IsRenamed {
        world.expect("ida.berg", "ACTIVE", &["STORE"]);
    }
    // And once more: nothing is left to do, and the ledger that a fresh start reads is the same.
    let mutations = world.fluent.journal_next();
    let entry = next.ledger(world.source.account("ida"));
    next.stop().await;
    let last = world.start().await;
    world.converge(&last).await;
    assert_eq!(
        world.fluent.journal_next(),
        mutations,
        "{} {point:?} {meanwhile:?}",
        story.name
    );
    assert_eq!(last.ledger(world.source.account("ida")), entry);
    died
}

impl World {
    /// The newest desired user of ida was looked at and recorded, or needed nothing.
    fn is_served(&self, reconciler: &rollcall_reconciler::Reconciler) -> bool {
        reconciler.ledger(self.source.account("ida")).serves == self.source.sequence_of("ida")
    }
}

fn check(
    world: &World,
    story: &Story,
    point: CrashPoint,
    meanwhile: Meanwhile,
    status: DesiredStatus,
    roles: &[&str],
    died: bool,
) {
    let what = format!("{} {point:?} {meanwhile:?} died {died}", story.name);
    let foreign = story.existing.is_some();
    let untouched = died && point == CrashPoint::BeforeIntent && story.before.is_empty() && status == LEFT;
    if untouched {
        // It never was ours, and is not wanted any more.
        let holds = world.holds("ida").map(|(status, _)| status);
        assert_eq!(holds, foreign.then(|| "ACTIVE".to_owned()), "{what}");
        return;
    }
    let Some((is, held)) = world.holds("ida") else {
        assert!(
            status == LEFT && died && story.before.is_empty(),
            "{what}: there is no user"
        );
        return;
    };
    let mut expected: Vec<String> = roles.iter().map(ToString::to_string).collect();
    let never_adopted = died && point == CrashPoint::BeforeIntent && story.before.is_empty();
    let theirs = story
        .existing
        .unwrap_or_default()
        .iter()
        .filter(|role| **role == "VIP" || never_adopted);
    expected.extend(theirs.map(ToString::to_string));
    expected.sort();
    expected.dedup();
    assert_eq!(is, if status == LEFT { "INACTIVE" } else { "ACTIVE" }, "{what}");
    assert_eq!(held, expected, "{what}");
}

async fn every_point(meanwhile: Meanwhile) {
    let mut deaths = 0;
    for story in &STORIES {
        for point in POINTS {
            deaths += usize::from(tell(story, point, meanwhile).await);
        }
    }
    assert!(
        deaths >= 36,
        "only {deaths} of {} points were met",
        STORIES.len() * POINTS.len()
    );
}

#[tokio::test]
async fn dying_at_any_point_converges() {
    every_point(Meanwhile::Nothing).await;
}

#[tokio::test]
async fn dying_at_any_point_converges_when_the_user_left_meanwhile() {
    every_point(Meanwhile::Leaves).await;
}

#[tokio::test]
async fn dying_at_any_point_converges_when_a_group_was_lost_meanwhile() {
    every_point(Meanwhile::LosesAGroup).await;
}

#[tokio::test]
async fn dying_at_any_point_converges_when_the_user_was_renamed_meanwhile() {
    every_point(Meanwhile::IsRenamed).await;
}
