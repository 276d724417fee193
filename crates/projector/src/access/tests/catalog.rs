//! A catalog change takes nothing away (ADR 0007).

use super::*;

fn at_retailer(reference: &str, retailer: &str) -> Place {
    Place {
        reference: reference.to_owned(),
        active: true,
        retailer: Some(retailer.to_owned()),
    }
}

/// Locations that a reading of Fluent has anew or otherwise.
fn locations<const N: usize>(set: [(&str, Place); N]) -> CatalogDifference {
    CatalogDifference {
        locations_set: set.map(|(id, place)| (id.to_owned(), place)).into(),
        ..CatalogDifference::default()
    }
}

/// What is kept, as text, and the events that would have taken it.
fn kept(story: &Story, number: u8) -> (Vec<String>, Vec<EventId>) {
    let desired = story.desired(number);
    let causes = desired.holds.iter().filter_map(|hold| match hold {
        Hold::Guard { cause } => Some(*cause),
        _ => None,
    });
    let causes = causes.collect();
    (desired.retained.iter().map(ToString::to_string).collect(), causes)
}

#[test]
fn refs_that_two_locations_swap_take_nothing_away_until_it_is_approved() {
    let mut story = Story::chicago();
    let crowd = 1..=100u8;
    crowd
        .clone()
        .for_each(|n| story.user(n, &["Agent_CHIC-01_STORE"]));
    story.catalog(locations([
        ("17", at_retailer("CHIC-02", "1")),
        ("18", at_retailer("CHIC-01", "1")),
    ]));
    let cause = story.last();
    for number in crowd.clone() {
        assert_eq!(story.grants(number), ["STORE at AGENT:18"]);
        assert_eq!(
            kept(&story, number),
            (vec!["STORE at AGENT:17".to_owned()], vec![cause])
        );
    }
    let hold = HoldId::Guard { cause };
    assert!(story.decide(hold, Decision::Approve).is_accepted());
    for number in crowd {
        assert_eq!(story.grants(number), ["STORE at AGENT:18"]);
        assert_eq!(kept(&story, number), (vec![], vec![]));
    }
}

#[test]
fn the_loss_of_one_by_the_catalog_is_stopped_though_the_catch_is_off_and_is_not_counted() {
    let mut story = Story::chicago();
    let guard = |min, percent| Policy {
        guard: GuardPolicy { min, percent },
        ..Policy::default()
    };
    story.policy(guard(0, 0.0));
    story.user(1, &["Agent_CHIC-01_STORE"]);
    story.user(2, &["Agent_CHIC-02_VIEW"]);
    let swapped = [
        ("17", at_retailer("OLD", "1")),
        ("19", at_retailer("CHIC-01", "1")),
    ];
    story.catalog(locations(swapped));
    let cause = story.last();
    assert_eq!(
        kept(&story, 1),
        (vec!["STORE at AGENT:17".to_owned()], vec![cause])
    );
    assert_eq!(kept(&story, 2), (vec![], vec![]));
    story.policy(guard(1, 1.0));
    story.change(2, |change| change.roles = Some(vec![]));
    assert_eq!(
        kept(&story, 2),
        (vec![], vec![]),
        "the first that the window counts"
    );
    // The refs come back: what was kept is desired again, and what it meant meanwhile is kept instead.
    let back = [
        ("17", at_retailer("CHIC-01", "1")),
        ("19", at_retailer("NEW", "1")),
    ];
    story.catalog(locations(back));
    let cause = story.last();
    assert_eq!(story.grants(1), ["STORE at AGENT:17"]);
    assert_eq!(
        kept(&story, 1),
        (vec!["STORE at AGENT:19".to_owned()], vec![cause])
    );
}

#[test]
fn a_location_that_passes_to_another_retailer_takes_nothing_away_at_the_first() {
    let mut story = Story::chicago();
    story.rules(
        r#"{"rules":[{"condition":{"type":"HAS_APP_ROLE","appRole":"Lead"},"action":
            {"type":"MAPPING_ROLE_ASSIGNMENT","sourceAppRole":"Lead","targetRoles":["VIEW"],"alsoRetailer":true}}]}"#,
    );
    story.user(1, &["Agent_CHIC-01_Lead"]);
    let mut passed = locations([("17", at_retailer("CHIC-01", "2"))]);
    let second = Place {
        retailer: None,
        ..at_retailer("BOST", "")
    };
    passed.retailers_set = [("2".to_owned(), second)].into();
    story.catalog(passed);
    let cause = story.last();
    assert_eq!(story.grants(1), ["VIEW at RETAILER:2", "VIEW at AGENT:17"]);
    assert_eq!(
        kept(&story, 1),
        (vec!["VIEW at RETAILER:1".to_owned()], vec![cause])
    );
    let hold = HoldId::Guard { cause };
    assert!(story.decide(hold, Decision::Reject).is_accepted());
    assert_eq!(kept(&story, 1), (vec!["VIEW at RETAILER:1".to_owned()], vec![]));
}

#[test]
fn of_two_meanings_the_one_that_vanishes_is_kept() {
    let mut story = Story::chicago();
    story.user(1, &["Agent_CHIC-01_STORE"]);
    story.catalog(locations([("19", at_retailer("CHIC-01", "1"))]));
    let both = vec!["STORE at AGENT:17".to_owned(), "STORE at AGENT:19".to_owned()];
    assert_eq!(kept(&story, 1), (both, vec![]), "ambiguous, so all is kept");
    story.catalog(CatalogDifference {
        locations_removed: ["17".to_owned()].into(),
        ..CatalogDifference::default()
    });
    let cause = story.last();
    assert_eq!(story.grants(1), ["STORE at AGENT:19"]);
    assert_eq!(
        kept(&story, 1),
        (vec!["STORE at AGENT:17".to_owned()], vec![cause])
    );
}

#[test]
fn an_approved_loss_of_many_entries_takes_nothing_from_anybody_either() {
    let mut story = Story::chicago();
    story.catalog(locations([("19", at_retailer("CHIC-01", "1"))]));
    story.user(1, &["Agent_CHIC-01_STORE"]);
    story.catalog(CatalogDifference {
        roles_removed: (0..10).map(|n| RoleName(format!("filler-{n}"))).collect(),
        locations_removed: ["17".to_owned()].into(),
        ..CatalogDifference::default()
    });
    let hold = HoldId::CatalogLoss { cause: story.last() };
    assert!(story.decide(hold, Decision::Approve).is_accepted());
    let cause = story.last();
    assert_eq!(story.grants(1), ["STORE at AGENT:19"]);
    assert_eq!(
        kept(&story, 1),
        (vec!["STORE at AGENT:17".to_owned()], vec![cause])
    );
}

#[test]
fn what_only_adds_to_the_catalog_looks_at_nobody() {
    let mut story = Story::chicago();
    story.user(1, &["Agent_CHIC-01_STORE"]);
    while story.state.next_dirty(crate::Lane::Rest).is_some() {}
    story.catalog(locations([("19", at_retailer("CHIC-03", "1"))]));
    assert!(
        story.state.next_dirty(crate::Lane::Rest).is_none(),
        "everybody waits, unexpanded"
    );
    assert_eq!(story.state.dirty.everybody, Some(crate::fold::AccountIx(0)));
}
