//! Requests that were too large for one event: their parts wait here, and are applied together when the last
//! one has come, all or none.
//!
//! What may come in parts: a group with its members (the first part is the `group.created` or `group.changed`
//! with the attributes, the others are `group.changed` of the same group with members only) and a
//! `catalog.changed`.

use std::collections::BTreeMap;

use rollcall_domain::{Event, EventData, GroupChanged, Part, Sequence};
use serde::{Deserialize, Serialize};

use super::input::{Data, Input};
use super::state::TenantState;
use crate::limits::{PARTS_BYTES_MAX, PARTS_REQUESTS_MAX};
use crate::{Rejection, Verdict};

/// The parts of one request that have come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) count: u16,
    /// When the first one came: the oldest request gives way when there are too many.
    pub(crate) since: Sequence,
    pub(crate) parts: BTreeMap<u16, EventData>,
    /// Roughly, in memory.
    pub(crate) bytes: usize,
}

/// What a request is known by: the connection (or nothing) and its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct RequestKey {
    pub(crate) connection: Option<String>,
    pub(crate) request: String,
}

/// All requests that wait for parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Parts {
    pub(crate) requests: BTreeMap<RequestKey, Request>,
}

impl Parts {
    fn make_room(&mut self) {
        loop {
            let bytes: usize = self.requests.values().map(|request| request.bytes).sum();
            if self.requests.len() <= PARTS_REQUESTS_MAX && bytes <= PARTS_BYTES_MAX {
                return;
            }
            let Some(oldest) = self
                .requests
                .iter()
                .min_by_key(|(_, r)| r.since)
                .map(|(key, _)| key.clone())
            else {
                return;
            };
            self.requests.remove(&oldest);
        }
    }
}

impl TenantState {
    pub(super) fn apply_part(&mut self, input: &Input<'_>, part: Part) -> Verdict {
        let unfit = Verdict::Rejected {
            rejection: Rejection::PartsUnfit,
        };
        let (Some(request), Data::Other(data)) = (&input.request_id, &input.data) else {
            return unfit;
        };
        let key = RequestKey {
            connection: input.connection.map(str::to_owned),
            request: request.clone().into_owned(),
        };
        self.touched.parts = true;
        let since = self.sequence;
        let waiting = self.parts.requests.entry(key.clone()).or_insert_with(|| Request {
            count: part.count,
            since,
            parts: BTreeMap::new(),
            bytes: 0,
        });
        if waiting.count != part.count {
            return unfit;
        }
        if !waiting.parts.contains_key(&part.index) {
            waiting.bytes += size_of(data);
            waiting.parts.insert(part.index, data.clone().into_owned());
        }
        if waiting.parts.len() < usize::from(part.count) {
            self.parts.make_room();
            return Verdict::Buffered;
        }
        let Some(request) = self.parts.requests.remove(&key) else {
            return unfit;
        };
        match merge(request.parts.into_values()) {
            Some(whole) => self.decide_other(input, &whole),
            None => unfit,
        }
    }
}

fn size_of(data: &EventData) -> usize {
    match data {
        EventData::GroupCreated(d) => 512 + 16 * d.members.len(),
        EventData::GroupChanged(d) => 512 + 16 * (d.added.len() + d.removed.len()),
        EventData::CatalogChanged(_) => rollcall_domain::EVENT_BYTES_MAX,
        _ => 512,
    }
}

/// One event of all parts; `None` when they do not fit together.
fn merge(mut parts: impl Iterator<Item = EventData>) -> Option<EventData> {
    let mut whole = parts.next()?;
    for part in parts {
        match (&mut whole, part) {
            (EventData::GroupCreated(whole), EventData::GroupChanged(part))
                if whole.group == part.group && members_only(&part) && part.removed.is_empty() =>
            {
                whole.members.users.extend(part.added.users);
                whole.members.groups.extend(part.added.groups);
            }
            (EventData::GroupChanged(whole), EventData::GroupChanged(part))
                if whole.group == part.group && members_only(&part) =>
            {
                whole.added.users.extend(part.added.users);
                whole.added.groups.extend(part.added.groups);
                whole.removed.users.extend(part.removed.users);
                whole.removed.groups.extend(part.removed.groups);
            }
            (EventData::CatalogChanged(whole), EventData::CatalogChanged(part)) => {
                let (whole, part) = (&mut whole.difference, part.difference);
                whole.roles_added.extend(part.roles_added);
                whole.roles_removed.extend(part.roles_removed);
                whole.retailers_set.extend(part.retailers_set);
                whole.retailers_removed.extend(part.retailers_removed);
                whole.locations_set.extend(part.locations_set);
                whole.locations_removed.extend(part.locations_removed);
            }
            _ => return None,
        }
    }
    match whole {
        EventData::GroupCreated(_) | EventData::GroupChanged(_) | EventData::CatalogChanged(_) => Some(whole),
        _ => None,
    }
}

fn members_only(part: &GroupChanged) -> bool {
    part.base.is_none()
        && part.member_base.is_none()
        && part.display_name.is_none()
        && part.external_id.is_kept()
        && part.roles.is_none()
}

/// What the store keeps of a waiting part: the event as it stood in the log, with nothing but its data filled
/// in.
pub(crate) fn part_event(data: EventData, tenant: rollcall_domain::TenantId) -> Event {
    Event {
        id: rollcall_domain::EventId(uuid::Uuid::nil()),
        source: rollcall_domain::Source::Rollcall("parts".to_owned()),
        time: rollcall_domain::Timestamp::default(),
        tenant,
        actor: String::new(),
        request_id: None,
        part: None,
        data,
    }
}
