//! The places for requests in flight, shared fairly.
//!
//! Places are handed out by a moving threshold: a tenant may hold only so many as are free for others. A tenant
//! alone then leaves half of them free, two busy ones a third, and so on: whoever comes next finds a place, and
//! nothing has to be reserved by name. Requests that change something may go further, so that a tenant's own lists
//! do not keep its leavers out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

/// How many times as many places as are free a tenant may hold: for reads and creations, and for changes.
/// Several tenants: each leaves half (a quarter, with its changes) to the others. One tenant: an eighth is left to its
/// changes.
const SHARED: [usize; 2] = [1, 3];
const ALONE: [usize; 2] = [7, usize::MAX];

/// All places.
#[derive(Debug)]
pub(crate) struct Room {
    places: usize,
    factors: [usize; 2],
    taken: Mutex<usize>,
}

/// How many places a tenant holds. Guarded by the room's lock; atomic only to be shared.
#[derive(Debug, Default)]
pub(crate) struct Share(AtomicUsize);

impl Share {
    /// Places held now.
    pub(super) fn held(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// A place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    share: Arc<Share>,
}

impl Room {
    /// A room of so many places for so many tenants.
    pub(crate) fn new(places: usize, tenants: usize) -> Self {
        Self {
            places,
            factors: if tenants > 1 { SHARED } else { ALONE },
            taken: Mutex::new(0),
        }
    }

    /// A place for a request of the tenant that holds this share; never waits.
    pub(super) fn enter(self: &Arc<Self>, share: &Arc<Share>, changes: bool) -> Option<Place> {
        let mut taken = self.taken.lock();
        let held = share.held();
        let free = self.places.saturating_sub(*taken);
        let [reads, changes_factor] = self.factors;
        let factor = if changes { changes_factor } else { reads };
        if free == 0 || held >= free.saturating_mul(factor) {
            return None;
        }
        *taken += 1;
        share.0.store(held + 1, Relaxed);
        Some(Place {
            room: Arc::clone(self),
            share: Arc::clone(share),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock();
        *taken = taken.saturating_sub(1);
        self.share.0.store(self.share.held().saturating_sub(1), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn fill(room: &Arc<Room>, share: &Arc<Share>, changes: bool) -> Vec<Place> {
        std::iter::from_fn(|| room.enter(share, changes)).collect()
    }

    #[test]
    fn however_much_one_tenant_asks_for_the_others_find_places() {
        let room = Arc::new(Room::new(1024, 3));
        let shares: Vec<Arc<Share>> = (0..3).map(|_| Arc::default()).collect();
        let first = fill(&room, &shares[0], false);
        assert_eq!(first.len(), 512);
        let second = fill(&room, &shares[1], false);
        assert_eq!(second.len(), 256);
        let third = fill(&room, &shares[2], false);
        assert_eq!(third.len(), 128);
        drop(first);
        assert_eq!(shares[0].held(), 0);
        assert!(
            fill(&room, &shares[2], false).len() > 128,
            "what is given back is shared again"
        );
        drop((second, third));
        assert_eq!(*room.taken.lock(), 0);
    }

    #[test]
    fn a_tenants_lists_leave_places_to_its_changes() {
        for tenants in [1, 3] {
            let room = Arc::new(Room::new(1024, tenants));
            let share = Arc::default();
            let reads = fill(&room, &share, false);
            let changes = fill(&room, &share, true);
            assert!(changes.len() >= 128, "{} of {tenants}", changes.len());
            assert_eq!(reads.len() + changes.len() == 1024, tenants == 1);
        }
    }

    #[test]
    fn the_smallest_room_has_one_place() {
        for tenants in [1, 3] {
            let room = Arc::new(Room::new(1, tenants));
            let share = Arc::default();
            let place = room.enter(&share, false).unwrap();
            assert!(room.enter(&share, true).is_none());
            drop(place);
            assert!(room.enter(&share, true).is_some());
        }
    }
}
