//! What exists in Fluent becomes an event.

use std::time::Duration;

use rollcall_domain::{Catalog, CatalogChanged, DesiredStatus::Active, EventData, Gains, Hold, RoleName};
use rollcall_eventlog::Stream;

use crate::support::{ROLES, World};

impl World {
    fn catalog_events(&self) -> Vec<CatalogChanged> {
        let changed = self
            .events(Stream::Events)
            .into_iter()
            .map(|event| match event.data {
                EventData::CatalogChanged(changed) => changed,
                other => panic!("{}", other.kind()),
            });
        changed.collect()
    }

    fn take_in(&self) -> Catalog {
        let mut catalog = Catalog::default();
        self.catalog_events()
            .iter()
            .for_each(|event| catalog.apply(&event.difference));
        self.source.set_catalog(catalog.clone());
        catalog
    }
}

#[tokio::test]
async fn the_catalog_is_read_at_the_start_and_again_when_a_role_is_unknown() {
    let world = World::new().await;
    world.fluent.add_retailer("CHI").unwrap();
    world.fluent.add_location("CHIC-01", "CHI").unwrap();
    let reconciler = world.start().await;
    world.until("read", || world.catalog_events().len() == 1).await;
    let catalog = world.take_in();
    assert!(
        ROLES
            .iter()
            .all(|role| catalog.roles.contains(&RoleName((*role).to_owned())))
    );
    assert_eq!((catalog.retailers.len(), catalog.locations.len()), (1, 1));
    world.converge(&reconciler).await;

    world.fluent.add_role("NEW");
    let readings = reconciler.metrics().counters().catalog_readings;
    world.source.want_as("ida", Active, &["PICK"], |desired| {
        desired.gains = Gains::Withheld;
        desired.holds = vec![Hold::UnknownRole {
            app_role: rollcall_domain::AppRole("Account_0_NEW".to_owned()),
            role: RoleName("NEW".to_owned()),
            near: None,
        }];
    });
    world
        .until("looked at", || reconciler.metrics().counters().held > 0)
        .await;
    assert_eq!(
        reconciler.metrics().counters().catalog_readings,
        readings,
        "at most every ten seconds"
    );
    world.clock.advance(Duration::from_secs(10));
    world
        .until("read again", || world.catalog_events().len() == 2)
        .await;
    assert!(world.take_in().roles.contains(&RoleName("NEW".to_owned())));
    assert_eq!(
        world.catalog_events()[1].difference.roles_added.len(),
        1,
        "differences only"
    );
}

#[tokio::test]
async fn a_loss_is_read_twice_before_it_is_said_and_said_once() {
    let world = World::new().await;
    let mut known = Catalog::default();
    known
        .roles
        .extend(ROLES.iter().map(|role| RoleName((*role).to_owned())));
    known
        .roles
        .extend(["ADMIN", "GONE"].map(|role| RoleName(role.to_owned())));
    world.source.set_catalog(known);
    let reconciler = world.start().await;
    world.until("said", || world.catalog_events().len() == 1).await;
    assert_eq!(world.catalog_events()[0].difference.roles_removed.len(), 1);
    assert_eq!(reconciler.metrics().counters().catalog_readings, 2);
    // The fold has not taken it in yet: nothing is said twice.
    reconciler.want_catalog();
    world
        .until("read again", || {
            world.clock.advance(Duration::from_secs(1));
            reconciler.metrics().counters().catalog_readings >= 4
        })
        .await;
    assert_eq!(world.catalog_events().len(), 1);
}

#[tokio::test]
async fn a_catalog_larger_than_a_record_becomes_parts_of_one_request() {
    let world = World::new().await;
    world.fluent.add_retailer("CHI").unwrap();
    for number in 0..6_000 {
        let reference = format!("{}-{number}", "L".repeat(200));
        world.fluent.add_location(&reference, "CHI").unwrap();
    }
    let _reconciler = world.start().await;
    world
        .until("read", || {
            let events = world.events(Stream::Events);
            events
                .last()
                .and_then(|event| event.part)
                .is_some_and(|part| part.index == part.count)
        })
        .await;
    let events = world.events(Stream::Events);
    assert!(
        events
            .iter()
            .all(|event| event.request_id == events[0].request_id && event.part.is_some())
    );
    assert_eq!(world.take_in().locations.len(), 6_000);
}
