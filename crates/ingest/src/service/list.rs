//! Lists: a page by itself, from an index, or by looking at every resource.

use rollcall_domain::{GroupId, UserId};
use rollcall_projector::Page;
use rollcall_scim::schema::ResourceKind;
use rollcall_scim::{Filter, IndexKey, ListQuery, MembersUse, Resource, Selection, list_response};
use serde_json::Value;

use super::represent::{Links, group_resource, members_value, user_resource};
use super::{Service, resource_id};
use crate::decide::{MemberRef, member_set};
use crate::http::answer::Answer;
use crate::http::failure::Failure;
use crate::seat::Seat;
use crate::writer::unsettled;

/// Most resources that are looked at for a filter that no index answers: some 100 ms of one core. A
/// connection with more is asked to filter by an indexed attribute.
pub(crate) const SCAN_MAX: u64 = 20_000;
/// Resources looked at in one go; then other requests get their turn.
const SCAN_STEP: usize = 100;
/// Most members on one page of groups; a page ends early before it holds more, except for its first group.
/// The client goes on from there, as RFC 7644 section 3.4.2.4 lets a page be smaller than asked for.
const MEMBERS_PER_PAGE_MAX: u64 = 50_000;

/// Users or groups, as far as lists need to know.
trait Listed {
    type Id: Copy + Send;
    fn page(&self, start: u64, count: usize) -> Page<Self::Id>;
    /// The ids behind an index key; `None` when there is no such index.
    fn find(&self, key: &IndexKey) -> Option<Vec<Self::Id>>;
    /// As much of a resource as the filter needs.
    fn candidate(&self, id: Self::Id, filter: &Filter) -> Result<Option<Resource>, Failure>;
    /// The resource as it is shown, unless more than `members` of it would have to be.
    fn shown(&self, id: Self::Id, selection: &Selection, members: u64) -> Result<Shown, Failure>;
}

enum Shown {
    /// The resource and how many members it shows.
    Resource(Value, u64),
    /// It is gone by now.
    Gone,
    /// It would show too many members for this page.
    TooLarge,
}

impl Service {
    pub(super) async fn list(
        &self,
        seat: &Seat,
        kind: ResourceKind,
        query: ListQuery,
    ) -> Result<Answer, Failure> {
        let selection = Selection::parse(
            kind,
            query.attributes.as_deref(),
            query.excluded_attributes.as_deref(),
        )?;
        let filter = query
            .filter
            .as_deref()
            .map(|text| Filter::parse(kind, text))
            .transpose()?;
        seat.directory
            .read_barrier()
            .await
            .map_err(|error| unsettled(&error))?;
        let links = &self.links;
        match kind {
            ResourceKind::User => page(&Users { seat, links }, &query, filter.as_ref(), &selection).await,
            ResourceKind::Group => page(&Groups { seat, links }, &query, filter.as_ref(), &selection).await,
        }
    }
}

async fn page<L: Listed + Sync>(
    listed: &L,
    query: &ListQuery,
    filter: Option<&Filter>,
    selection: &Selection,
) -> Result<Answer, Failure> {
    let (total, ids) = match filter {
        None => {
            let start = u64::try_from(query.start_index).unwrap_or(u64::MAX);
            let page = listed.page(start, query.count);
            (usize::try_from(page.total).unwrap_or(usize::MAX), page.ids)
        }
        Some(filter) => {
            let found = matching(listed, filter).await?;
            let skip = query.start_index.saturating_sub(1);
            (
                found.len(),
                found.into_iter().skip(skip).take(query.count).collect(),
            )
        }
    };
    let mut resources = Vec::with_capacity(ids.len());
    let mut members = 0u64;
    for id in ids {
        let first = resources.is_empty();
        let room = if first {
            u64::MAX
        } else {
            MEMBERS_PER_PAGE_MAX.saturating_sub(members)
        };
        match listed.shown(id, selection, room)? {
            Shown::Resource(resource, more) => {
                members = members.saturating_add(more);
                resources.push(resource);
            }
            Shown::Gone => {}
            Shown::TooLarge => break,
        }
    }
    let list = list_response(total, query.start_index, resources);
    Ok(Answer::json(serde_json::to_vec(&list).unwrap_or_default()))
}

/// All resources that a filter finds, in a stable order.
async fn matching<L: Listed + Sync>(listed: &L, filter: &Filter) -> Result<Vec<L::Id>, Failure> {
    if let Some(found) = filter.lookup().and_then(|lookup| listed.find(&lookup.key)) {
        return keep_matching(listed, filter, found);
    }
    let mut matching = Vec::new();
    let mut start = 1u64;
    loop {
        let page = listed.page(start, SCAN_STEP);
        if page.total > SCAN_MAX {
            let detail = format!(
                "this filter would look at more than {SCAN_MAX} resources; filter by an id or a name"
            );
            return Err(Failure::bad("tooMany", detail));
        }
        let Ok(step @ 1..) = u64::try_from(page.ids.len()) else {
            return Ok(matching);
        };
        matching.extend(keep_matching(listed, filter, page.ids)?);
        start = start.saturating_add(step);
        tokio::task::yield_now().await;
    }
}

fn keep_matching<L: Listed>(listed: &L, filter: &Filter, ids: Vec<L::Id>) -> Result<Vec<L::Id>, Failure> {
    let mut matching = Vec::new();
    for id in ids {
        if listed
            .candidate(id, filter)?
            .is_some_and(|resource| filter.matches(resource.attributes()))
        {
            matching.push(id);
        }
    }
    Ok(matching)
}

struct Users<'a> {
    seat: &'a Seat,
    links: &'a Links,
}

impl Users<'_> {
    fn load(&self, id: UserId) -> Result<Option<Resource>, Failure> {
        let user = self
            .seat
            .directory
            .user(self.seat.name(), id)
            .map_err(|error| unsettled(&error))?;
        Ok(user.map(|user| user_resource(self.links, &user)))
    }
}

impl Listed for Users<'_> {
    type Id = UserId;

    fn page(&self, start: u64, count: usize) -> Page<UserId> {
        self.seat.directory.users_page(self.seat.name(), start, count)
    }

    fn find(&self, key: &IndexKey) -> Option<Vec<UserId>> {
        let directory = &self.seat.directory;
        match key {
            IndexKey::Id(id) => Some(resource_id(id).ok().map(UserId).into_iter().collect()),
            IndexKey::UserName(name) => Some(
                directory
                    .user_by_name(self.seat.name(), name)
                    .into_iter()
                    .collect(),
            ),
            IndexKey::ExternalId(id) => {
                Some(directory.users_by_external(self.seat.name(), directory.key().external_key(id)))
            }
            IndexKey::DisplayName(_) | IndexKey::Member(_) => None,
        }
    }

    fn candidate(&self, id: UserId, _: &Filter) -> Result<Option<Resource>, Failure> {
        self.load(id)
    }

    fn shown(&self, id: UserId, selection: &Selection, _: u64) -> Result<Shown, Failure> {
        let user = self.load(id)?;
        Ok(user.map_or(Shown::Gone, |user| Shown::Resource(user.to_json(selection), 0)))
    }
}

struct Groups<'a> {
    seat: &'a Seat,
    links: &'a Links,
}

impl Listed for Groups<'_> {
    type Id = GroupId;

    fn page(&self, start: u64, count: usize) -> Page<GroupId> {
        self.seat.directory.groups_page(self.seat.name(), start, count)
    }

    fn find(&self, key: &IndexKey) -> Option<Vec<GroupId>> {
        let directory = &self.seat.directory;
        match key {
            IndexKey::Id(id) => Some(resource_id(id).ok().map(GroupId).into_iter().collect()),
            IndexKey::DisplayName(name) => Some(
                directory
                    .group_by_name(self.seat.name(), name)
                    .into_iter()
                    .collect(),
            ),
            IndexKey::ExternalId(id) => Some(directory.groups_by_external(self.seat.name(), id)),
            IndexKey::Member(id) => Some(match resource_id(id) {
                Ok(id) => {
                    let mut groups = directory.groups_of_user(UserId(id));
                    groups.extend(directory.groups_of_group(GroupId(id)));
                    groups
                }
                Err(_) => Vec::new(),
            }),
            IndexKey::UserName(_) => None,
        }
    }

    fn candidate(&self, id: GroupId, filter: &Filter) -> Result<Option<Resource>, Failure> {
        let needed = filter.members_use();
        let group = self
            .seat
            .directory
            .group(self.seat.name(), id, needed == MembersUse::All);
        let Some(group) = group else {
            return Ok(None);
        };
        let resource = group_resource(self.links, &group);
        let MembersUse::Ids(ids) = needed else {
            return Ok(Some(resource));
        };
        let directory = &self.seat.directory;
        let ids = ids.iter().filter_map(|member| resource_id(member).ok());
        let members = ids.filter_map(|member| {
            let (user, group) = (UserId(member), GroupId(member));
            let user = directory
                .group_has_user(id, user)
                .then_some(MemberRef::User(user));
            user.or_else(|| {
                directory
                    .group_has_group(id, group)
                    .then_some(MemberRef::Group(group))
            })
        });
        let members = member_set(members);
        Ok(Some(
            resource.with("members", members_value(self.links, &members)),
        ))
    }

    fn shown(&self, id: GroupId, selection: &Selection, members: u64) -> Result<Shown, Failure> {
        let with_members = selection.wants("members");
        let directory = &self.seat.directory;
        let Some(mut group) = directory.group(self.seat.name(), id, false) else {
            return Ok(Shown::Gone);
        };
        if with_members {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use serde_json::{Map, json};

    /// As many resources as it says, each with `members` members.
    struct Many {
        total: u64,
        members: u64,
    }

    impl Listed for Many {
        type Id = u64;

        fn page(&self, start: u64, count: usize) -> Page<u64> {
            Page {
                total: self.total,
                ids: (start..=self.total).take(count).collect(),
            }
        }
        fn find(&self, _: &IndexKey) -> Option<Vec<u64>> {
            None
        }
        fn candidate(&self, id: u64, _: &Filter) -> Result<Option<Resource>, Failure> {
            let Value::Object(attributes) = json!({"displayName": format!("group {id}")}) else {
                return Ok(Some(Resource::from_stored(ResourceKind::Group, Map::new())));
            };
            Ok(Some(Resource::from_stored(ResourceKind::Group, attributes)))
        }
        fn shown(&self, id: u64, _: &Selection, members: u64) -> Result<Shown, Failure> {
            let fits = self.members <= members;
            Ok(if fits {
                Shown::Resource(json!(id), self.members)
            } else {
                Shown::TooLarge
            })
        }
    }

    async fn list(many: Many, filter: Option<&str>) -> Result<Value, Failure> {
        let filter = filter.map(|text| Filter::parse(ResourceKind::Group, text).unwrap());
        let answer = page(&many, &ListQuery::default(), filter.as_ref(), &Selection::All).await?;
        Ok(serde_json::from_slice(&answer.json).unwrap())
    }

    #[tokio::test]
    async fn a_filter_without_index_looks_at_every_page_and_at_no_more_than_its_bound() {
        let all = list(
            Many {
                total: SCAN_MAX,
                members: 0,
            },
            Some("displayName ew \"99\""),
        )
        .await
        .unwrap();
        assert_eq!(
            (&all["totalResults"], &all["Resources"][0]),
            (&json!(SCAN_MAX / 100), &json!(99))
        );
        let refused = list(
            Many {
                total: SCAN_MAX + 1,
                members: 0,
            },
            Some("displayName pr"),
        )
        .await
        .unwrap_err();
        assert_eq!(refused.scim_type, Some("tooMany"));
    }

    #[tokio::test]
    async fn a_page_ends_before_it_holds_too_many_members_but_never_before_its_first_group() {
        let half = list(
            Many {
                total: 9,
                members: MEMBERS_PER_PAGE_MAX / 2,
            },
            None,
        )
        .await
        .unwrap();
        assert_eq!(
            (&half["totalResults"], &half["itemsPerPage"]),
            (&json!(9), &json!(2))
        );
        let huge = list(
            Many {
                total: 9,
                members: MEMBERS_PER_PAGE_MAX * 3,
            },
            None,
        )
        .await
        .unwrap();
        assert_eq!(huge["Resources"], json!([1]));
    }
}
