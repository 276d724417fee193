//! The catalog in force, what vanished from it, and the losses that wait for an approval.
//!
//! What vanishes stays as a tombstone, so that an app role that no longer resolves still says what is to be
//! retained.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_domain::{
    Catalog, CatalogDifference, ContextType, Decision, EventId, Place, Revision, RoleName, Sequence,
};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::state::{ByCause, TenantState};
use crate::{Rejection, Verdict};

/// An entry of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Entry {
    Role(RoleName),
    Retailer(String),
    Location(String),
}

/// A loss that waits for an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Withheld {
    pub(crate) sequence: Sequence,
    pub(crate) entries: BTreeSet<Entry>,
}

/// What vanished. `names` are refs (or the account's own name) and the ids that they led to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Vanished {
    pub(crate) roles: BTreeSet<RoleName>,
    pub(crate) retailers: BTreeMap<String, Place>,
    pub(crate) locations: BTreeMap<String, Place>,
    pub(crate) retailer_names: BTreeMap<String, BTreeSet<String>>,
    pub(crate) location_names: BTreeMap<String, BTreeSet<String>>,
    pub(crate) account_names: BTreeSet<String>,
}

/// Everything known of Fluent's roles and places.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CatalogBook {
    /// In force.
    pub(crate) catalog: Catalog,
    pub(crate) vanished: Vanished,
    /// In force, but not in the last reading: withheld, or kept by a rejection.
    pub(crate) gone: BTreeSet<Entry>,
    pub(crate) withheld: ByCause<Withheld>,
    #[serde(skip)]
    retailer_refs: FxHashMap<String, SmallVec<[String; 1]>>,
    #[serde(skip)]
    location_refs: FxHashMap<String, SmallVec<[String; 1]>>,
}

impl CatalogBook {
    /// Ids of the live places with this ref or this id, each once.
    pub(crate) fn live(&self, kind: ContextType, identifier: &str) -> SmallVec<[&str; 2]> {
        let (places, refs) = match kind {
            ContextType::Retailer => (&self.catalog.retailers, &self.retailer_refs),
            ContextType::Agent => (&self.catalog.locations, &self.location_refs),
            ContextType::Account => return SmallVec::new(),
        };
        let mut ids: SmallVec<[&str; 2]> = refs
            .get(identifier)
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        if let Some((id, _)) = places.get_key_value(identifier)
            && !ids.contains(&id.as_str())
        {
            ids.push(id);
        }
        ids.sort_unstable();
        ids
    }

    /// Ids of the places that ever had this ref or this id and no longer do, each once.
    pub(crate) fn ghosts(&self, kind: ContextType, identifier: &str) -> SmallVec<[&str; 2]> {
        let (places, names) = match kind {
            ContextType::Retailer => (&self.vanished.retailers, &self.vanished.retailer_names),
            ContextType::Agent => (&self.vanished.locations, &self.vanished.location_names),
            ContextType::Account => return SmallVec::new(),
        };
        let mut ids: SmallVec<[&str; 2]> = names
            .get(identifier)
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        if let Some((id, _)) = places.get_key_value(identifier)
            && !ids.contains(&id.as_str())
        {
            ids.push(id);
        }
        ids
    }

    /// A place, live or vanished.
    pub(crate) fn place(&self, kind: ContextType, id: &str) -> Option<&Place> {
        match kind {
            ContextType::Retailer => self
                .catalog
                .retailers
                .get(id)
                .or_else(|| self.vanished.retailers.get(id)),
            ContextType::Agent => self
                .catalog
                .locations
                .get(id)
                .or_else(|| self.vanished.locations.get(id)),
            ContextType::Account => None,
        }
    }

    /// The catalog as the last reading had it.
    pub(crate) fn reported(&self) -> Catalog {
        let mut catalog = self.catalog.clone();
        catalog.apply(&difference_of(&self.gone));
        catalog
    }

    pub(super) fn account_name_was(&mut self, name: String) {
        self.vanished.account_names.insert(name);
    }

    /// Adds and changes entries; a ref that a place no longer has is remembered.
    fn gain(&mut self, difference: &CatalogDifference) {
        for role in &difference.roles_added {
            self.vanished.roles.remove(role);
            self.came(&Entry::Role(role.clone()));
        }
        for id in difference.retailers_set.keys() {
            self.came(&Entry::Retailer(id.clone()));
        }
        for id in difference.locations_set.keys() {
            self.came(&Entry::Location(id.clone()));
        }
        let (book, vanished) = (&self.catalog, &mut self.vanished);
        let retailers = (&mut vanished.retailers, &mut vanished.retailer_names);
        gain_places(&book.retailers, retailers, &difference.retailers_set);
        let locations = (&mut vanished.locations, &mut vanished.location_names);
        gain_places(&book.locations, locations, &difference.locations_set);
        self.catalog.apply(&difference.without_losses());
    }

    /// An entry is in a reading again.
    fn came(&mut self, entry: &Entry) {
        self.gone.remove(entry);
        self.withheld.retain(|_, withheld| {
            withheld.entries.remove(entry);
            !withheld.entries.is_empty()
        });
    }

    fn lose(&mut self, entries: impl IntoIterator<Item = Entry>) {
        let (book, vanished) = (&mut self.catalog, &mut self.vanished);
        for entry in entries {
            self.gone.remove(&entry);
            match entry {
                Entry::Role(role) => {
                    if book.roles.remove(&role) {
                        vanished.roles.insert(role);
                    }
                }
                Entry::Retailer(id) => {
                    let gone = (&mut vanished.retailers, &mut vanished.retailer_names);
                    lose_place(&mut book.retailers, gone, id);
                }
                Entry::Location(id) => {
                    let gone = (&mut vanished.locations, &mut vanished.location_names);
                    lose_place(&mut book.locations, gone, id);
                }
            }
        }
    }

    /// Builds the look-up by ref.
    pub(crate) fn reindex(&mut self) {
        let index = |places: &BTreeMap<String, Place>| {
            let mut refs: FxHashMap<String, SmallVec<[String; 1]>> = FxHashMap::default();
            for (id, place) in places {
                refs.entry(place.reference.clone()).or_default().push(id.clone());
            }
            refs
        };
        self.retailer_refs = index(&self.catalog.retailers);
        self.location_refs = index(&self.catalog.locations);
    }

    /// The entries of a difference that are lost and are not known to be so already.
    fn losses(&self, difference: &CatalogDifference) -> BTreeSet<Entry> {
        let roles = difference
            .roles_removed
            .iter()
            .filter(|role| self.catalog.roles.contains(*role));
        let retailers = difference
            .retailers_removed
            .iter()
            .filter(|id| self.catalog.retailers.contains_key(*id));
        let locations = difference
            .locations_removed
            .iter()
            .filter(|id| self.catalog.locations.contains_key(*id));
        let entries = roles
            .cloned()
            .map(Entry::Role)
            .chain(retailers.cloned().map(Entry::Retailer))
            .chain(locations.cloned().map(Entry::Location));
        entries.filter(|entry| !self.gone.contains(entry)).collect()
    }
}

/// What vanished of one kind of place, and the refs that led to it.
type VanishedPlaces<'a> = (
    &'a mut BTreeMap<String, Place>,
    &'a mut BTreeMap<String, BTreeSet<String>>,
);

/// Places that are there again; a ref that one no longer has is remembered.
fn gain_places(
    places: &BTreeMap<String, Place>,
    (vanished, names): VanishedPlaces<'_>,
    set: &BTreeMap<String, Place>,
) {
    for (id, place) in set {
        vanished.remove(id);
        if let Some(old) = places.get(id).filter(|old| old.reference != place.reference) {
            names.entry(old.reference.clone()).or_default().insert(id.clone());
        }
    }
}

fn lose_place(places: &mut BTreeMap<String, Place>, (vanished, names): VanishedPlaces<'_>, id: String) {
    if let Some(place) = places.remove(&id) {
        names
            .entry(place.reference.clone())
            .or_default()
            .insert(id.clone());
        vanished.insert(id, place);
    }
}

fn difference_of(entries: &BTreeSet<Entry>) -> CatalogDifference {
    let mut difference = CatalogDifference::default();
    for entry in entries {
        match entry {
            Entry::Role(role) => difference.roles_removed.insert(role.clone()),
            Entry::Retailer(id) => difference.retailers_removed.insert(id.clone()),
            Entry::Location(id) => difference.locations_removed.insert(id.clone()),
        };
    }
    difference
}

impl TenantState {
    pub(super) fn catalog_changed(&mut self, id: EventId, difference: &CatalogDifference) -> Verdict {
        let losses = self.catalog.losses(difference);
        let withhold = self.catalog.catalog.needs_approval(losses.len());
        self.catalog.gain(difference);
        if withhold {
            self.catalog.gone.extend(losses.iter().cloned());
            self.catalog.withheld.insert(
                id,
                Withheld {
                    sequence: self.sequence,
                    entries: losses,
                },
            );
        } else {
            self.catalog.lose(losses);
        }
        self.catalog_moved(id);
        Verdict::Accepted {
            revision: Revision(0),
        }
    }

    pub(super) fn decide_catalog_loss(
        &mut self,
        id: EventId,
        cause: EventId,
        decision: Decision,
    ) -> Result<(), Rejection> {
        let withheld = self
            .catalog
            .withheld
            .remove(&cause)
            .ok_or(Rejection::NoSuchHold)?;
        if decision == Decision::Approve {
            self.catalog.lose(withheld.entries);
        }
        self.catalog_moved(id);
        Ok(())
    }

    /// Reads everything again against the catalog. A ref that moves to another place, another owner of a
    /// location or the end of an ambiguity leads elsewhere than before; whatever would be lost by that is kept
    /// (DESIGN 7.6, ADR 0007). What only adds costs no look at anybody.
    fn catalog_moved(&mut self, cause: EventId) {
        self.release_all_desired();
        self.catalog.reindex();
        self.touched.catalog = true;
        let meanings = self.read_roles();
        if self.roles.may_take(&meanings, self.rules.conditional) {
            let everybody = self.accounts.iter().map(|(ix, _)| ix).collect();
            self.lossless(cause, everybody, |state| state.put_meanings(meanings));
        } else {
            self.put_meanings(meanings);
            self.mark_everybody();
        }
    }
}
