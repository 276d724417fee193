//! The catalog: roles, retailers and locations that exist in Fluent, and the difference between two readings.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::RoleName;

/// One complete reading of what exists in Fluent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Catalog {
    /// Role names.
    pub roles: BTreeSet<RoleName>,
    /// Retailers by platform id.
    pub retailers: BTreeMap<String, Place>,
    /// Locations by platform id.
    pub locations: BTreeMap<String, Place>,
}

/// A retailer or a location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The business `ref`, such as `CHIC-01`; what people write. No limit is enforced (fluent.md 3.8).
    #[serde(rename = "ref")]
    pub reference: String,
    /// False when Fluent says INACTIVE: resolves as usual, with a note.
    pub active: bool,
    /// The platform id of the owning retailer; none for a retailer itself or where Fluent names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retailer: Option<String>,
}

/// What one reading has and the other has not: all that a `catalog.changed` event carries.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CatalogDifference {
    /// Roles that are new.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub roles_added: BTreeSet<RoleName>,
    /// Roles that are gone.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub roles_removed: BTreeSet<RoleName>,
    /// Retailers that are new or changed, by platform id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub retailers_set: BTreeMap<String, Place>,
    /// Platform ids of retailers that are gone.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub retailers_removed: BTreeSet<String>,
    /// Locations that are new or changed, by platform id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub locations_set: BTreeMap<String, Place>,
    /// Platform ids of locations that are gone.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub locations_removed: BTreeSet<String>,
}

/// A loss of more entries than this waits for an approval, whatever the size of the catalog (DESIGN 5).
pub const LOSS_ENTRIES_MAX: usize = 10;
/// A loss of more than this share of the catalog waits for an approval, in percent (DESIGN 5).
pub const LOSS_PERCENT_MAX: usize = 1;

impl Catalog {
    /// Entries of all three kinds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.roles.len() + self.retailers.len() + self.locations.len()
    }

    /// True when nothing is known yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What must be applied to `self` to get `reading`.
    #[must_use]
    pub fn difference(&self, reading: &Self) -> CatalogDifference {
        let (retailers_set, retailers_removed) = places(&self.retailers, &reading.retailers);
        let (locations_set, locations_removed) = places(&self.locations, &reading.locations);
        CatalogDifference {
            roles_added: reading.roles.difference(&self.roles).cloned().collect(),
            roles_removed: self.roles.difference(&reading.roles).cloned().collect(),
            retailers_set,
            retailers_removed,
            locations_set,
            locations_removed,
        }
    }

    /// Applies a difference; what is already so stays so.
    pub fn apply(&mut self, difference: &CatalogDifference) {
        self.roles.extend(difference.roles_added.iter().cloned());
        self.roles.retain(|role| !difference.roles_removed.contains(role));
        self.retailers.extend(
            difference
                .retailers_set
                .iter()
                .map(|(id, place)| (id.clone(), place.clone())),
        );
        self.retailers
            .retain(|id, _| !difference.retailers_removed.contains(id));
        self.locations.extend(
            difference
                .locations_set
                .iter()
                .map(|(id, place)| (id.clone(), place.clone())),
        );
        self.locations
            .retain(|id, _| !difference.locations_removed.contains(id));
    }

    /// True when `losses` entries are too many to be believed without an approval: more than 1 % or 10 entries.
    #[must_use]
    pub fn needs_approval(&self, losses: usize) -> bool {
        losses > LOSS_ENTRIES_MAX || losses * 100 > self.len() * LOSS_PERCENT_MAX
    }
}

type Places = BTreeMap<String, Place>;

fn places(old: &Places, new: &Places) -> (Places, BTreeSet<String>) {
    let set = new.iter().filter(|(id, place)| old.get(*id) != Some(place));
    let removed = old.keys().filter(|id| !new.contains_key(*id));
    (
        set.map(|(id, place)| (id.clone(), place.clone())).collect(),
        removed.cloned().collect(),
    )
}

impl CatalogDifference {
    /// True when the two readings were equal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// How many entries are gone.
    #[must_use]
    pub fn losses(&self) -> usize {
        self.roles_removed.len() + self.retailers_removed.len() + self.locations_removed.len()
    }

    /// The same difference without what is gone.
    #[must_use]
    pub fn without_losses(&self) -> Self {
        Self {
            roles_removed: BTreeSet::new(),
            retailers_removed: BTreeSet::new(),
            locations_removed: BTreeSet::new(),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn catalogs() -> impl Strategy<Value = Catalog> {
        let place = ("[A-C]{1,2}", any::<bool>()).prop_map(|(reference, active)| Place {
            reference,
            active,
            retailer: None,
        });
        let places = prop::collection::btree_map("[1-5]", place, 0..4);
        (
            prop::collection::btree_set("[a-d]".prop_map(RoleName), 0..4),
            places.clone(),
            places,
        )
            .prop_map(|(roles, retailers, locations)| Catalog {
                roles,
                retailers,
                locations,
            })
    }

    proptest! {
        #[test]
        fn applying_the_difference_gives_the_reading(mut old in catalogs(), new in catalogs()) {
            let difference = old.difference(&new);
            prop_assert_eq!(difference.is_empty(), old == new);
            old.apply(&difference);
            prop_assert_eq!(&old, &new);
            old.apply(&difference);
            prop_assert_eq!(&old, &new, "twice equals once");
        }
    }

    #[test]
    fn a_loss_of_more_than_one_percent_or_ten_entries_needs_an_approval() {
        let catalog = |n: usize| Catalog {
            roles: (0..n).map(|i| RoleName(format!("r{i}"))).collect(),
            ..Catalog::default()
        };
        assert!(catalog(10).needs_approval(1), "one of ten is ten percent");
        assert!(!catalog(1000).needs_approval(10));
        assert!(catalog(10_000).needs_approval(11));
        assert!(!catalog(10).needs_approval(0));
    }
}
