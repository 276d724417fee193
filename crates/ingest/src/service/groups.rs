//! `/Groups`: create, read, replace, patch, delete. Members are changed without being loaded.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use rollcall_domain::{EventData, GroupDeleted, GroupId, UserId};
use rollcall_projector::GroupResource;
use rollcall_scim::patch::{MemberTarget, NetMembers, apply_noting};
use rollcall_scim::tolerance::{Quirk, Tolerated};
use rollcall_scim::{
    Dialect, MemberKind, Precondition, ResourceKind, Selection, parse_patch, parse_resource,
    patch_removes_members,
};

use super::represent::{group_resource, group_version, group_wanted, writable_group};
use super::{Call, Service, not_modified, resource_id, shown};
use crate::connection::RepeatedCreate;
use crate::decide::{
    GroupWanted, MemberChange, MemberRef, change_group, create_group, group_within_bounds, is_repeated_group,
    member_set, nesting_within_bounds,
};
use crate::http::answer::{Answer, Made};
use crate::http::failure::Failure;
use crate::seat::Seat;
use crate::writer::group_name_taken;

/// Largest list of members that the answer to a write shows unasked: clients rarely read it there, and a
/// large group should not be sent back for every change of it.
const MEMBERS_SHOWN_UNASKED_MAX: u64 = 100;

impl Service {
    pub(super) async fn create_group(&self, call: Call<'_>) -> Result<Answer, Failure> {
        let selection = self.selection(call, ResourceKind::Group)?;
        let parsed = parse_resource(ResourceKind::Group, call.seat.connection.dialect, call.body)?;
        self.note(&parsed.notes, parsed.tolerated);
        let wanted = group_wanted(&parsed.resource);
        group_within_bounds(None, &wanted)?;
        let listed = parsed.members.unwrap_or_default();
        let seat = call.seat;
        let new = self.writer.ids.group();
        let mut id = new;
        let mut tolerated = Tolerated::NONE;
        let mut status = StatusCode::CREATED;
        let decide = || {
            (id, tolerated, status) = (new, Tolerated::NONE, StatusCode::CREATED);
            if let Some(there) = seat.directory.group_by_name(seat.name(), &wanted.display_name) {
                if seat.connection.repeated_create != RepeatedCreate::Answer {
                    return Err(group_name_taken());
                }
                let members = resolve_all(seat, &listed, &mut tolerated).map_err(|_| group_name_taken())?;
                let group = seat.directory.group(seat.name(), there, true);
                if !group.is_some_and(|group| is_repeated_group(&group, &wanted, members)) {
                    return Err(group_name_taken());
                }
                tolerated.join(Quirk::RepeatedCreate.tolerate(seat.connection.dialect)?);
                (id, status) = (there, StatusCode::OK);
                return Ok(None);
            }
            let members = resolve_all(seat, &listed, &mut tolerated)?;
            nest(seat, None, &member_set(members.iter().copied()).groups)?;
            Ok(Some(EventData::GroupCreated(create_group(
                id,
                wanted.clone(),
                members,
            ))))
        };
        self.writer.carry_out(seat, new.0, false, decide).await?;
        self.writer.metrics.tolerated(tolerated);
        if status == StatusCode::CREATED {
            self.watch(seat, |traps, now| traps.group_made(id, !listed.is_empty(), now));
        }
        let answer = self.show_group(status, call, id, &selection)?;
        Ok(Answer {
            location: Some(self.links.group(id)),
            made: match answer.status {
                StatusCode::CREATED => Made::New,
                _ => Made::Nothing, // it was there
            },
            ..answer
        })
    }

    pub(super) async fn read_group(&self, call: Call<'_>, id: GroupId) -> Result<Answer, Failure> {
        let selection = self.selection(call, ResourceKind::Group)?;
        call.fresh().await?;
        let group = live(call.seat, id, selection.wants("members"))?;
        must_match(call.if_match().as_ref(), &group)?;
        let version = group_version(&group);
        if call.has_version(version) {
            return Ok(not_modified(version));
        }
        Ok(shown(
            StatusCode::OK,
            &group_resource(&self.links, &group),
            &selection,
            version,
        ))
    }

    /// A PUT that does not name `members` leaves them as they are, which RFC 7644 section 3.5.1 allows:
    /// clients leave the list out to spare themselves a large body, and losing everybody's access by that
    /// would be grave. The strict dialect clears them.
    pub(super) async fn replace_group(&self, call: Call<'_>, id: GroupId) -> Result<Answer, Failure> {
        let dialect = call.seat.connection.dialect;
        let parsed = parse_resource(ResourceKind::Group, dialect, call.body)?;
        self.note(&parsed.notes, parsed.tolerated);
        let wanted = group_wanted(&parsed.resource);
        let members = match parsed.members {
            Some(list) => Some(NetMembers::Replace(list)),
            None if dialect == Dialect::Strict => Some(NetMembers::Replace(Vec::new())),
            None => None,
        };
        self.change_group(call, id, (members, Vec::new()), |_| Ok(wanted.clone()))
            .await
    }

    pub(super) async fn patch_group(&self, call: Call<'_>, id: GroupId) -> Result<Answer, Failure> {
        let outcome = self.patch_whole_group(call, id).await;
        if let Err(failure) = &outcome {
            self.remove_all_the_same(call, id, failure).await;
        }
        outcome
    }

    async fn patch_whole_group(&self, call: Call<'_>, id: GroupId) -> Result<Answer, Failure> {
        let patch = parse_patch(ResourceKind::Group, call.seat.connection.dialect, call.body)?;
        self.note(&patch.notes, patch.tolerated);
        let targets = patch.members.targets();
        let members = (!patch.members.is_empty()).then(|| patch.members.net());
        let operations = patch.operations;
        let want = |group: &GroupResource| {
            let changed = apply_noting(&writable_group(group), &operations)?;
            self.note(&changed.notes, changed.tolerated);
            Ok(group_wanted(&changed.resource))
        };
        self.change_group(call, id, (members, targets), want).await
    }

    /// Nobody stays in a group because the rest of a PATCH is refused, such as for a member that is nobody yet: who is
    /// to go goes, though the answer is the refusal. A list that others are to be replaced by is not looked at: at
    /// fault, it may leave out everybody.
    pub(super) async fn remove_all_the_same(&self, call: Call<'_>, id: GroupId, failure: &Failure) {
        let dialect = call.seat.connection.dialect;
        let conditional = call.if_match().is_some() || call.if_none_match().is_some();
        if *call.method != Method::PATCH
            || dialect != Dialect::Tolerant
            || conditional
            || !failure.is_for_what_it_says()
        {
            return;
        }
        let remove = patch_removes_members(call.body);
        if remove.is_empty() {
            return;
        }
        let add = Vec::new();
        let members = Some(NetMembers::Difference { add, remove });
        let want = |group: &GroupResource| Ok(group_wanted(&writable_group(group)));
        // The client sends all of it again, and then it may pass.
        if let Err(failure) = self.write_group(call, id, &(members, Vec::new()), want).await {
            tracing::warn!(group = %id, status = failure.status.as_u16(), "members of a refused request stay");
            return;
        }
        if let Ok(tolerated) = Quirk::RemovalAtFault.tolerate(dialect) {
            self.writer.metrics.tolerated(tolerated);
        }
        let status = failure.status.as_u16();
        tracing::warn!(group = %id, status, "a refused request removes members; the rest of it is not done");
    }

    pub(super) async fn delete_group(&self, call: Call<'_>, id: GroupId) -> Result<Answer, Failure> {
        let (if_match, if_none_match) = (call.if_match(), call.if_none_match());
        let decide = || {
            let group = live(call.seat, id, false)?;
            must_match(if_match.as_ref(), &group)?;
            must_not_match(if_none_match.as_ref(), &group)?;
            let base = if_match.is_some().then_some(group.revision);
            Ok(Some(EventData::GroupDeleted(GroupDeleted { group: id, base })))
        };
        self.writer
            .carry_out(call.seat, id.0, if_match.is_some(), decide)
            .await?;
        self.watch(call.seat, |traps, _| traps.group_settled(id));
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// Makes a group what `want` makes of it, with these members, and answers with what it is then. Of each list of
    /// targets somebody must be a member.
    async fn change_group(
        &self,
        call: Call<'_>,
        id: GroupId,
        members: (Option<NetMembers>, Vec<Vec<MemberTarget>>),
        want: impl Fn(&GroupResource) -> Result<GroupWanted, Failure> + Sync,
    ) -> Result<Answer, Failure> {
        let selection = self.selection(call, ResourceKind::Group)?;
        self.write_group(call, id, &members, want).await?;
        self.show_group(StatusCode::OK, call, id, &selection)
    }

    async fn write_group(
        &self,
        call: Call<'_>,
        id: GroupId,
        (members, targets): &(Option<NetMembers>, Vec<Vec<MemberTarget>>),
        want: impl Fn(&GroupResource) -> Result<GroupWanted, Failure> + Sync,
    ) -> Result<(), Failure> {
        let (if_match, if_none_match) = (call.if_match(), call.if_none_match());
        let seat = call.seat;
        let mut tolerated = Tolerated::NONE;
        let decide = || {
            tolerated = Tolerated::NONE;
            let with_members = matches!(members, Some(NetMembers::Replace(_)));
            let mut group = live(seat, id, with_members)?;
            must_match(if_match.as_ref(), &group)?;
            must_not_match(if_none_match.as_ref(), &group)?;
            let wanted = want(&group)?;
            group_within_bounds(Some(&group), &wanted)?;
            for target in targets {
                must_be_there(seat, id, target)?;
            }
            let members = member_change(seat, &mut group, members.as_ref(), &mut tolerated)?;
            let Some(mut change) = change_group(&group, wanted, members) else {
                return Ok(None);
            };
            if let Some(name) = &change.display_name {
                let named = seat.directory.group_by_name(seat.name(), name);
                if named.is_some_and(|other| other != id) {
                    return Err(group_name_taken());
                }
            }
            nest(seat, Some(id), &change.added.groups)?;
            if if_match.is_some() {
                change.base = Some(group.revision);
                change.member_base = Some(group.member_revision);
            }
            Ok(Some(EventData::GroupChanged(change)))
        };
        self.writer
            .carry_out(seat, id.0, if_match.is_some(), decide)
            .await?;
        self.writer.metrics.tolerated(tolerated);
        let filled = match members {
            Some(NetMembers::Replace(list)) => !list.is_empty(),
            Some(NetMembers::Difference { add, .. }) => !add.is_empty(),
            None => false,
        };
        if filled {
            self.watch(seat, |traps, _| traps.group_settled(id));
        }
        Ok(())
    }

    fn show_group(
        &self,
        status: StatusCode,
        call: Call<'_>,
        id: GroupId,
        selection: &Selection,
    ) -> Result<Answer, Failure> {
        let seat = call.seat;
        let mut group = live(seat, id, false)?;
        let strict = seat.connection.dialect == Dialect::Strict;
        let asked = matches!(selection, Selection::Only(_));
        let is_small = group.member_count <= MEMBERS_SHOWN_UNASKED_MAX;
        if selection.wants("members") && (strict || asked || is_small) {
            // RFC 7644 section 3.5.2: the entire resource, or 204 where no attributes are asked for. What answers a
            // PUT or a POST (sections 3.5.1 and 3.3) is no larger than what was sent.
            if *call.method == Method::PATCH && !asked && !is_small {
                return Ok(Answer {
                    etag: Some(group_version(&group).to_string()),
                    ..Answer::empty(StatusCode::NO_CONTENT)
                });
            }
            group = live(seat, id, true)?;
        }
        Ok(shown(
            status,
            &group_resource(&self.links, &group),
            selection,
            group_version(&group),
        ))
    }
}

fn live(seat: &Seat, id: GroupId, with_members: bool) -> Result<GroupResource, Failure> {
    let group = seat.directory.group(seat.name(), id, with_members);
    group.ok_or_else(Failure::no_such_resource)
}

fn must_match(if_match: Option<&Precondition>, group: &GroupResource) -> Result<(), Failure> {
    match if_match {
        Some(precondition) if !precondition.matches(group_version(group)) => Err(Failure::precondition()),
        _ => Ok(()),
    }
}

/// `If-None-Match` of a write (RFC 9110 section 13.1.2): `*` is anything that is there.
fn must_not_match(if_none_match: Option<&Precondition>, group: &GroupResource) -> Result<(), Failure> {
    match if_none_match {
        Some(precondition) if precondition.matches(group_version(group)) => Err(Failure::precondition()),
        _ => Ok(()),
    }
}

fn member_change(
    seat: &Seat,
    group: &mut GroupResource,
    members: Option<&NetMembers>,
    tolerated: &mut Tolerated,
) -> Result<MemberChange, Failure> {
    Ok(match members {
        None => MemberChange::Keep,
        Some(NetMembers::Replace(list)) => MemberChange::Replace {
            wanted: resolve_all(seat, list, tolerated)?
                .into_iter()
                .collect::<BTreeSet<_>>(),
            current: group.members.take().unwrap_or_default(),
            base: group.member_revision,
        },
        Some(NetMembers::Difference { add, remove }) => {
            let added = resolve_all(seat, add, tolerated)?;
            // Who is not there cannot be a member: nothing to remove, and no error.
            let removed: Vec<MemberRef> = remove.iter().filter_map(|member| resolve(seat, member)).collect();
            let there = |member: &MemberRef| is_member(seat, group.id, *member);
            if added.iter().all(there) && !removed.iter().any(there) {
                MemberChange::Keep
            } else {
                MemberChange::Difference { added, removed }
            }
        }
    })
}

fn is_member(seat: &Seat, group: GroupId, member: MemberRef) -> bool {
    match member {
        MemberRef::User(user) => seat.directory.group_has_user(group, user),
        MemberRef::Group(nested) => seat.directory.group_has_group(group, nested),
    }
}

const fn kind_of(member: MemberRef) -> MemberKind {
    match member {
        MemberRef::User(_) => MemberKind::User,
        MemberRef::Group(_) => MemberKind::Group,
    }
}

/// One of the targets must be a member, and all that are must be what they are said to be: nothing of a member can
/// be changed (RFC 7643 section 8.7.1).
fn must_be_there(seat: &Seat, group: GroupId, targets: &[MemberTarget]) -> Result<(), Failure> {
    let mut met = false;
    for target in targets {
        let Some(member) = resolve(seat, &target.member) else {
            continue;
        };
        if !target.added && !is_member(seat, group, member) {
            continue;
        }
        if target.member.kind.is_some_and(|kind| kind != kind_of(member)) {
            return Err(Failure::bad(
                "mutability",
                "members.type and members.$ref are immutable",
            ));
        }
        met = true;
    }
    if met {
        Ok(())
    } else {
        Err(Failure::bad("noTarget", "nothing matches the filter on members"))
    }
}

/// Refuses groups that are not in `group` yet and would be nested too deep there.
fn nest(seat: &Seat, group: Option<GroupId>, added: &[GroupId]) -> Result<(), Failure> {
    let directory = &seat.directory;
    let is_new = |nested: &GroupId| !group.is_some_and(|group| directory.group_has_group(group, *nested));
    let (parents, children) = (
        |group| directory.groups_of_group(group),
        |group| directory.groups_in_group(group),
    );
    let added = added.iter().copied().filter(is_new);
    Ok(nesting_within_bounds(group, added, parents, children)?)
}

/// Every listed member as a user or a group of the connection.
fn resolve_all(
    seat: &Seat,
    listed: &[rollcall_scim::MemberRef],
    tolerated: &mut Tolerated,
) -> Result<Vec<MemberRef>, Failure> {
    let mut members = Vec::with_capacity(listed.len());
    for (index, member) in listed.iter().enumerate() {
        let found = resolve(seat, member).ok_or_else(|| {
            let detail = format!("members[{index}].value names no user or group of this connection");
            Failure {
                nobody: true,
                ..Failure::bad("invalidValue", detail)
            }
        })?;
        if member.kind.is_some_and(|kind| kind != kind_of(found)) {
            tolerated.join(Quirk::MemberKind.tolerate_at(seat.connection.dialect, "members")?);
        }
        members.push(found);
    }
    Ok(members)
}

/// The user or group that a member names. What the client says it is only decides where to look first.
fn resolve(seat: &Seat, member: &rollcall_scim::MemberRef) -> Option<MemberRef> {
    let id = resource_id(&member.value).ok()?;
    let user = || {
        let there = seat.directory.has_user(seat.name(), UserId(id));
        there.then_some(MemberRef::User(UserId(id)))
    };
    let group = || {
        let there = seat.directory.has_group(seat.name(), GroupId(id));
        there.then_some(MemberRef::Group(GroupId(id)))
    };
    match member.kind {
        Some(MemberKind::Group) => group().or_else(user),
        Some(MemberKind::User) | None => user().or_else(group),
    }
}
