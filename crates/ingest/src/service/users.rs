//! `/Users`: create, read, replace, patch, delete.

use std::sync::atomic::Ordering::Relaxed;

use http::{Method, StatusCode};
use rollcall_domain::{EventData, UserChanged, UserDeleted, UserId};
use rollcall_projector::UserResource;
use rollcall_scim::patch::apply_noting;
use rollcall_scim::tolerance::{Quirk, Tolerated};
use rollcall_scim::{
    Dialect, EntityTag, Precondition, ResourceKind, Selection, parse_patch, parse_resource,
    patch_deactivates, resource_deactivates,
};

use super::represent::{user_resource, user_version, user_wanted, writable_user};
use super::watch::any_app_role;
use super::{Call, Service, not_modified, shown};
use crate::connection::RepeatedCreate;
use crate::decide::{UserWanted, change_user, create_user, is_rehire, is_repeated, user_within_bounds};
use crate::http::answer::{Answer, Made};
use crate::http::failure::Failure;
use crate::seat::Seat;
use crate::traps::SentUser;
use crate::writer::{unsettled, user_name_taken};

impl Service {
    pub(super) async fn create_user(&self, call: Call<'_>) -> Result<Answer, Failure> {
        let selection = self.selection(call, ResourceKind::User)?;
        let parsed = parse_resource(ResourceKind::User, call.seat.connection.dialect, call.body)?;
        self.note(&parsed.notes, parsed.tolerated);
        let wanted = user_wanted(parsed.resource, true);
        user_within_bounds(None, &wanted)?;
        let sent = SentUser {
            active_named: parsed.says_active,
            any_app_role: any_app_role(&wanted.roles),
        };
        let (seat, key) = (call.seat, call.seat.directory.key());
        let new = self.writer.ids.user();
        let mut id = new;
        let mut tolerated = Tolerated::NONE;
        let mut status = StatusCode::CREATED;
        let decide = || {
            (tolerated, status) = (Tolerated::NONE, StatusCode::CREATED);
            let Some(there) = seat.directory.user_by_name(seat.name(), &wanted.user_name) else {
                id = new;
                return Ok(Some(EventData::UserCreated(create_user(key, new, &wanted))));
            };
            let Some(user) = find(seat, there)? else {
                return Err(user_name_taken());
            };
            id = user.id;
            // The same person hired again comes back as who they were.
            if is_rehire(key, &user, &wanted) {
                tolerated = Quirk::Rehire.tolerate(seat.connection.dialect)?;
                let change = change_user(key, &user, &wanted);
                let hired_again = |change| UserChanged {
                    rehire: true,
                    ..change
                };
                return Ok(change.map(hired_again).map(EventData::UserChanged));
            }
            let answers = seat.connection.repeated_create == RepeatedCreate::Answer;
            if answers && is_repeated(key, &user, &wanted) {
                tolerated = Quirk::RepeatedCreate.tolerate(seat.connection.dialect)?;
                status = StatusCode::OK;
                return Ok(None);
            }
            Err(user_name_taken())
        };
        self.writer.carry_out(call.seat, new.0, false, decide).await?;
        self.writer.metrics.tolerated(tolerated);
        self.watch(seat, |traps, now| traps.user(sent, now));
        let answer = self.show_user(status, call.seat, id, &selection)?;
        Ok(Answer {
            location: Some(self.links.user(id)),
            made: match status {
                StatusCode::CREATED if id == new => Made::New,
                StatusCode::CREATED => Made::HiredAgain,
                _ => Made::Nothing,
            },
            ..answer
        })
    }

    pub(super) async fn read_user(&self, call: Call<'_>, id: UserId) -> Result<Answer, Failure> {
        let selection = self.selection(call, ResourceKind::User)?;
        call.fresh().await?;
        let user = live(call.seat, id)?;
        must_match(call.if_match().as_ref(), &user)?;
        let version = user_version(&user);
        if call.has_version(version) {
            return Ok(not_modified(version));
        }
        Ok(shown(
            StatusCode::OK,
            &user_resource(&self.links, &user),
            &selection,
            version,
        ))
    }

    pub(super) async fn replace_user(&self, call: Call<'_>, id: UserId) -> Result<Answer, Failure> {
        match self.replace_whole_user(call, id).await {
            Err(failure) => self.refuse_unless_leaver(call, id, failure).await,
            done => done,
        }
    }

    /// A PUT that says nothing of `active` leaves the status as it is: nobody comes back to work because a field
    /// was left out.
    async fn replace_whole_user(&self, call: Call<'_>, id: UserId) -> Result<Answer, Failure> {
        let parsed = parse_resource(ResourceKind::User, call.seat.connection.dialect, call.body)?;
        self.note(&parsed.notes, parsed.tolerated);
        let wanted = user_wanted(parsed.resource, true);
        let want = |user: &UserResource| {
            let active = if parsed.says_active {
                wanted.active
            } else {
                user.active
            };
            Ok(UserWanted {
                active,
                ..wanted.clone()
            })
        };
        let sent = SentUser {
            active_named: parsed.says_active,
            any_app_role: any_app_role(&wanted.roles),
        };
        let answer = self.change_user(call, id, want).await?;
        self.watch(call.seat, |traps, now| traps.user(sent, now));
        Ok(answer)
    }

    pub(super) async fn patch_user(&self, call: Call<'_>, id: UserId) -> Result<Answer, Failure> {
        match self.patch_whole_user(call, id).await {
            Err(failure) => self.refuse_unless_leaver(call, id, failure).await,
            done => done,
        }
    }

    async fn patch_whole_user(&self, call: Call<'_>, id: UserId) -> Result<Answer, Failure> {
        let patch = parse_patch(ResourceKind::User, call.seat.connection.dialect, call.body)?;
        self.note(&patch.notes, patch.tolerated);
        let want = |user: &UserResource| {
            let changed = apply_noting(&writable_user(user), &patch.operations)?;
            self.note(&changed.notes, changed.tolerated);
            Ok(user_wanted(changed.resource, user.active))
        };
        let answer = self.change_user(call, id, want).await?;
        self.watch_user_patch(call.seat, &patch);
        Ok(answer)
    }

    /// What becomes of a PUT or PATCH that is refused: the one thing that it says clearly is done all the same, when
    /// that is that this user leaves. The rest of it is dropped, since a leaver waits for nothing.
    pub(super) async fn refuse_unless_leaver(
        &self,
        call: Call<'_>,
        id: UserId,
        failure: Failure,
    ) -> Result<Answer, Failure> {
        let dialect = call.seat.connection.dialect;
        let leaves = || match *call.method {
            Method::PUT => resource_deactivates(call.body),
            Method::PATCH => patch_deactivates(call.body),
            _ => false,
        };
        if dialect != Dialect::Tolerant || !failure.is_for_what_it_says() || !leaves() {
            return Err(failure);
        }
        // A query at fault asks for nothing in particular.
        let selection = self.selection(call, ResourceKind::User);
        let selection = selection.unwrap_or(Selection::All);
        let want = |user: &UserResource| Ok(inactive(user));
        let answer = self.change_and_show_user(call, id, want, &selection).await?;
        self.writer.metrics.left_out.fetch_add(1, Relaxed);
        let tolerated = Quirk::LeaverAtFault.tolerate(dialect)?;
        self.writer.metrics.tolerated(tolerated);
        self.watch(call.seat, |traps, _| traps.user_patched(true));
        let status = failure.status.as_u16();
        tracing::warn!(user = %id, status, "a request at fault deactivates a user; the rest of it was left out");
        Ok(answer)
    }

    pub(super) async fn delete_user(&self, call: Call<'_>, id: UserId) -> Result<Answer, Failure> {
        let (if_match, if_none_match) = (call.if_match(), call.if_none_match());
        let decide = || {
            if if_none_match.is_some() {
                must_not_match(if_none_match.as_ref(), &live(call.seat, id)?)?;
            }
            let base = match &if_match {
                Some(_) => {
                    let user = live(call.seat, id)?;
                    must_match(if_match.as_ref(), &user)?;
                    Some(user.revision)
                }
                None if call.seat.directory.has_user(call.seat.name(), id) => None,
                None => return Err(Failure::no_such_resource()),
            };
            Ok(Some(EventData::UserDeleted(UserDeleted { user: id, base })))
        };
        self.writer
            .carry_out(call.seat, id.0, if_match.is_some(), decide)
            .await?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// Makes a user what `want` makes of it, and answers with what it is then.
    async fn change_user(
        &self,
        call: Call<'_>,
        id: UserId,
        want: impl Fn(&UserResource) -> Result<UserWanted, Failure> + Sync,
    ) -> Result<Answer, Failure> {
        let selection = self.selection(call, ResourceKind::User)?;
        self.change_and_show_user(call, id, want, &selection).await
    }

    async fn change_and_show_user(
        &self,
        call: Call<'_>,
        id: UserId,
        want: impl Fn(&UserResource) -> Result<UserWanted, Failure> + Sync,
        selection: &Selection,
    ) -> Result<Answer, Failure> {
        let (if_match, if_none_match) = (call.if_match(), call.if_none_match());
        let (seat, key) = (call.seat, call.seat.directory.key());
        let decide = || {
            let user = live(seat, id)?;
            must_match(if_match.as_ref(), &user)?;
            must_not_match(if_none_match.as_ref(), &user)?;
            let wanted = want(&user)?;
            user_within_bounds(Some(&user), &wanted)?;
            let Some(change) = change_user(key, &user, &wanted) else {
                return Ok(None);
            };
            if change.name_key.is_some()
                && seat
                    .directory
                    .user_by_name(seat.name(), &wanted.user_name)
                    .is_some()
            {
                return Err(user_name_taken());
            }
            Ok(Some(EventData::UserChanged(change)))
        };
        self.writer
            .carry_out(seat, id.0, if_match.is_some(), decide)
            .await?;
        self.show_user(StatusCode::OK, seat, id, selection)
    }

    fn show_user(
        &self,
        status: StatusCode,
        seat: &Seat,
        id: UserId,
        selection: &Selection,
    ) -> Result<Answer, Failure> {
        let user = live(seat, id)?;
        Ok(shown(
            status,
            &user_resource(&self.links, &user),
            selection,
            user_version(&user),
        ))
    }
}

/// The same user, deactivated.
fn inactive(user: &UserResource) -> UserWanted {
    UserWanted {
        active: false,
        ..user_wanted(writable_user(user), false)
    }
}

/// A live user of the seat's connection.
fn find(seat: &Seat, id: UserId) -> Result<Option<UserResource>, Failure> {
    seat.directory
        .user(seat.name(), id)
        .map_err(|error| unsettled(&error))
}

fn live(seat: &Seat, id: UserId) -> Result<UserResource, Failure> {
    find(seat, id)?.ok_or_else(Failure::no_such_resource)
}

/// If-Match is about the user itself, not about the groups it is shown with: those are changed elsewhere.
fn must_match(if_match: Option<&Precondition>, user: &UserResource) -> Result<(), Failure> {
    let revision = |tag: &EntityTag| tag.0 & u64::from(u32::MAX) == u64::from(user.revision.0);
    match if_match {
        Some(Precondition::Tags(tags)) if !tags.iter().any(revision) => Err(Failure::precondition()),
        _ => Ok(()),
    }
}

/// `If-None-Match` of a write (RFC 9110 section 13.1.2): `*` is anything that is there.
fn must_not_match(if_none_match: Option<&Precondition>, user: &UserResource) -> Result<(), Failure> {
    match if_none_match {
        Some(precondition) if must_match(Some(precondition), user).is_ok() => Err(Failure::precondition()),
        _ => Ok(()),
    }
}
