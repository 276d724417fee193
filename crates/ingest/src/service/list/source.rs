//! Users and groups, as far as lists need to know.

use rollcall_domain::{GroupId, UserId};
use rollcall_projector::Page;
use rollcall_scim::{Filter, IndexKey, MembersUse, Resource, Selection};
use serde_json::Value;

use super::super::represent::{Links, group_resource, members_value, user_facts, user_resource};
use super::super::resource_id;
use crate::decide::{MemberRef, member_set};
use crate::http::failure::Failure;
use crate::seat::Seat;
use crate::writer::unsettled;

/// A user or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    User(UserId),
    Group(GroupId),
}

/// The resources of one kind.
pub(super) trait Source: Sync {
    /// Whether the id is of this kind.
    fn has(&self, id: Id) -> bool;
    /// Resources in a stable order; `start` counts from 1.
    fn page(&self, start: u64, count: usize) -> Page<Id>;
    /// Resources after an anchor (or, going back, before it), nearest first; `None` when it was never here.
    fn beside(&self, anchor: Option<Id>, back: bool, count: usize) -> Option<Page<Id>>;
    /// The ids behind an index key; `None` when there is no such index.
    fn find(&self, key: &IndexKey) -> Result<Option<Vec<Id>>, Failure>;
    /// What is known of a resource without reading it, if that is less than all: the attributes of
    /// [`is_fact`](super::super::represent::is_fact).
    fn facts(&self, id: Id) -> Option<Resource>;
    /// As much of a resource as the filter and an order need.
    fn candidate(&self, id: Id, filter: Option<&Filter>) -> Result<Option<Resource>, Failure>;
    /// The resource as it is shown, unless more than `members` of it would have to be.
    fn shown(&self, id: Id, selection: &Selection, members: u64) -> Result<Shown, Failure>;
}

pub(super) enum Shown {
    /// The resource and how many members it shows.
    Resource(Value, u64),
    /// It is gone by now.
    Gone,
    /// It would show too many members for this page.
    TooLarge,
}

fn ids_of<T>(page: Page<T>, id: impl Fn(T) -> Id) -> Page<Id> {
    Page {
        total: page.total,
        ids: page.ids.into_iter().map(id).collect(),
    }
}

/// With `schemas`, which a filter may ask for.
fn with_schemas(resource: Resource) -> Resource {
    let schemas = resource.schemas().into();
    resource.with("schemas", schemas)
}

pub(super) struct Users<'a> {
    pub(super) seat: &'a Seat,
    pub(super) links: &'a Links,
}

impl Users<'_> {
    fn load(&self, id: Id) -> Result<Option<Resource>, Failure> {
        let Id::User(id) = id else {
            return Ok(None);
        };
        let user = self
            .seat
            .directory
            .user(self.seat.name(), id)
            .map_err(|error| unsettled(&error))?;
        Ok(user.map(|user| user_resource(self.links, &user)))
    }

    fn found(&self, key: &IndexKey) -> Result<Option<Vec<UserId>>, Failure> {
        let (directory, of) = (&self.seat.directory, self.seat.name());
        Ok(match key {
            IndexKey::Email(address) => {
                let found = directory.users_by_mail(of, address);
                found.map_err(|error| unsettled(&error))?
            }
            IndexKey::Id(id) => Some(resource_id(id).ok().map(UserId).into_iter().collect()),
            IndexKey::UserName(name) => Some(directory.user_by_name(of, name).into_iter().collect()),
            IndexKey::ExternalId(id) => {
                Some(directory.users_by_external(of, directory.key().external_key(id)))
            }
            IndexKey::Group(id) => {
                let group = resource_id(id).ok().map(GroupId);
                let group = group.and_then(|group| directory.group(of, group, true));
                Some(group.and_then(|group| group.members).unwrap_or_default().users)
            }
            IndexKey::DisplayName(_) => None,
            IndexKey::Member(_) => Some(Vec::new()), // no user has members
        })
    }
}

impl Source for Users<'_> {
    fn has(&self, id: Id) -> bool {
        matches!(id, Id::User(_))
    }

    fn page(&self, start: u64, count: usize) -> Page<Id> {
        let page = self.seat.directory.users_page(self.seat.name(), start, count);
        ids_of(page, Id::User)
    }

    fn beside(&self, anchor: Option<Id>, back: bool, count: usize) -> Option<Page<Id>> {
        let anchor = match anchor {
            Some(Id::User(id)) => Some(id),
            Some(Id::Group(_)) => return None,
            None => None,
        };
        let directory = &self.seat.directory;
        let page = directory.users_beside(self.seat.name(), anchor, back, count)?;
        Some(ids_of(page, Id::User))
    }

    fn find(&self, key: &IndexKey) -> Result<Option<Vec<Id>>, Failure> {
        let found = self.found(key)?;
        Ok(found.map(|found| found.into_iter().map(Id::User).collect()))
    }

    fn facts(&self, id: Id) -> Option<Resource> {
        let Id::User(id) = id else {
            return None;
        };
        let facts = self.seat.directory.user_facts(self.seat.name(), id)?;
        Some(user_facts(id, facts))
    }

    fn candidate(&self, id: Id, _: Option<&Filter>) -> Result<Option<Resource>, Failure> {
        Ok(self.load(id)?.map(with_schemas))
    }

    fn shown(&self, id: Id, selection: &Selection, _: u64) -> Result<Shown, Failure> {
        let user = self.load(id)?;
        Ok(user.map_or(Shown::Gone, |user| Shown::Resource(user.to_json(selection), 0)))
    }
}

pub(super) struct Groups<'a> {
    pub(super) seat: &'a Seat,
    pub(super) links: &'a Links,
}

impl Groups<'_> {
    fn found(&self, key: &IndexKey) -> Vec<GroupId> {
        let (directory, of) = (&self.seat.directory, self.seat.name());
        match key {
            IndexKey::Id(id) => resource_id(id).ok().map(GroupId).into_iter().collect(),
            IndexKey::DisplayName(name) => directory.group_by_name(of, name).into_iter().collect(),
            IndexKey::ExternalId(id) => directory.groups_by_external(of, id),
            IndexKey::Member(id) => match resource_id(id) {
                Ok(id) => {
                    let mut groups = directory.groups_of_user(UserId(id));
                    groups.extend(directory.groups_of_group(GroupId(id)));
                    groups
                }
                Err(_) => Vec::new(),
            },
            IndexKey::UserName(_) | IndexKey::Group(_) | IndexKey::Email(_) => Vec::new(), // no group has these
        }
    }

    /// Those of `ids` that are members.
    fn members_among(&self, group: GroupId, ids: &[String]) -> Value {
        let directory = &self.seat.directory;
        let ids = ids.iter().filter_map(|member| resource_id(member).ok());
        let members = ids.filter_map(|member| {
            let (user, nested) = (UserId(member), GroupId(member));
            if directory.group_has_user(group, user) {
                Some(MemberRef::User(user))
            } else {
                let is_nested = directory.group_has_group(group, nested);
                is_nested.then_some(MemberRef::Group(nested))
            }
        });
        members_value(self.links, &member_set(members))
    }
}

impl Source for Groups<'_> {
    fn has(&self, id: Id) -> bool {
        matches!(id, Id::Group(_))
    }

    fn page(&self, start: u64, count: usize) -> Page<Id> {
        let page = self.seat.directory.groups_page(self.seat.name(), start, count);
        ids_of(page, Id::Group)
    }

    fn beside(&self, anchor: Option<Id>, back: bool, count: usize) -> Option<Page<Id>> {
        let anchor = match anchor {
            Some(Id::Group(id)) => Some(id),
            Some(Id::User(_)) => return None,
            None => None,
        };
        let directory = &self.seat.directory;
        let page = directory.groups_beside(self.seat.name(), anchor, back, count)?;
        Some(ids_of(page, Id::Group))
    }

    fn find(&self, key: &IndexKey) -> Result<Option<Vec<Id>>, Failure> {
        Ok(Some(self.found(key).into_iter().map(Id::Group).collect()))
    }

    fn facts(&self, _: Id) -> Option<Resource> {
        None // all that is known of a group is in memory
    }

    fn candidate(&self, id: Id, filter: Option<&Filter>) -> Result<Option<Resource>, Failure> {
        let Id::Group(id) = id else {
            return Ok(None);
        };
        let needed = filter.map_or(MembersUse::None, Filter::members_use);
        let directory = &self.seat.directory;
        let group = directory.group(self.seat.name(), id, needed == MembersUse::All);
        let Some(group) = group else {
            return Ok(None);
        };
        let resource = with_schemas(group_resource(self.links, &group));
        let MembersUse::Ids(ids) = needed else {
            return Ok(Some(resource));
        };
        Ok(Some(resource.with("members", self.members_among(id, &ids))))
    }

    fn shown(&self, id: Id, selection: &Selection, members: u64) -> Result<Shown, Failure> {
        let Id::Group(id) = id else {
            return Ok(Shown::Gone);
        };
        let directory = &self.seat.directory;
        let Some(mut group) = directory.group(self.seat.name(), id, false) else {
            return Ok(Shown::Gone);
        };
        if selection.wants("members") {
            if group.member_count > members {
                return Ok(Shown::TooLarge);
            }
            match directory.group(self.seat.name(), id, true) {
                Some(whole) => group = whole,
                None => return Ok(Shown::Gone),
            }
        }
        let count = group.members.as_ref().map_or(0, |members| members.len() as u64);
        Ok(Shown::Resource(
            group_resource(self.links, &group).to_json(selection),
            count,
        ))
    }
}
