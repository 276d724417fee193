//! A directory written as plainly as it can be: lists that are searched from end to end. It takes in events
//! only when it is waited for, so its view lags by itself; it can be stopped altogether.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use rollcall_domain::{
    ConnectionName, Event, EventData, EventId, ExternalKey, GroupChanged, GroupCreated, GroupId, MemberSet,
    PersonalChange, Revision, Sequence, TenantKey, Timestamp, UserChanged, UserCreated, UserId, fold_case,
    open,
};
use rollcall_eventlog::{BatchLimits, MemoryLog, Partition, Position, ReadLog as _, Stream};
use rollcall_ingest::Directory;
use rollcall_projector::{
    GroupRef, GroupResource, Page, ProjectorError, Rejection, Settled, UserFacts, UserResource, Verdict,
};
use serde_json::Map;

#[derive(Debug)]
pub struct NaiveDirectory {
    key: TenantKey,
    log: Arc<MemoryLog>,
    state: Mutex<State>,
    stopped: AtomicBool,
    /// How often a group was asked for with its members.
    pub member_loads: AtomicUsize,
    /// A name whose look-up panics.
    pub cursed: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct State {
    position: Option<Position>,
    verdicts: Vec<(EventId, Verdict)>,
    users: Vec<UserResource>,
    groups: Vec<(GroupResource, MemberSet)>,
    users_ever: Vec<UserId>,
    groups_ever: Vec<GroupId>,
    parts: Vec<Event>,
}

impl NaiveDirectory {
    pub fn new(key: TenantKey, log: Arc<MemoryLog>) -> Self {
        Self {
            key,
            log,
            state: Mutex::default(),
            stopped: AtomicBool::new(false),
            member_loads: AtomicUsize::new(0),
            cursed: Mutex::new(None),
        }
    }

    /// From now on no event is taken in, until `stop(false)`.
    pub fn stop(&self, stopped: bool) {
        self.stopped.store(stopped, SeqCst);
    }

    fn catch_up(&self) {
        if self.stopped.load(SeqCst) {
            return;
        }
        let mut state = self.state.lock();
        let mut reader = self
            .log
            .reader(Stream::Events, Partition::ONLY, state.position)
            .unwrap();
        loop {
            let batch = reader.next_batch_blocking(BatchLimits::REPLAY).unwrap();
            if batch.is_empty() {
                return;
            }
            for record in batch.iter() {
                let event = Event::decode(record.value).unwrap();
                let verdict = state.take(event.clone());
                state.verdicts.push((event.id, verdict));
                state.position = Some(record.position);
            }
        }
    }

    fn position(&self) -> Option<Position> {
        self.state.lock().position
    }
}

impl State {
    fn take(&mut self, event: Event) -> Verdict {
        let Some(part) = event.part else {
            return self.apply(&event, vec![event.data.clone()]);
        };
        self.parts.push(event.clone());
        if part.index < part.count {
            return Verdict::Buffered;
        }
        let (mine, others) = std::mem::take(&mut self.parts)
            .into_iter()
            .partition(|p| p.request_id == event.request_id);
        self.parts = others;
        let mine: Vec<Event> = mine;
        assert_eq!(mine.len(), usize::from(part.count), "parts are missing");
        self.apply(&event, mine.into_iter().map(|p| p.data).collect())
    }

    /// All of it, or nothing when the first part is refused.
    fn apply(&mut self, event: &Event, parts: Vec<EventData>) -> Verdict {
        let of = event.source.connection().unwrap().clone();
        let mut verdict = Verdict::Buffered;
        for data in parts {
            let revision = match data {
                EventData::UserCreated(data) => self.create_user(of.clone(), data, event.time),
                EventData::UserChanged(data) => self.change_user(&of, data, event.time),
                EventData::UserDeleted(data) => self.delete_user(&of, data.user, data.base),
                EventData::GroupCreated(data) => self.create_group(of.clone(), data, event.time),
                EventData::GroupChanged(data) => self.change_group(&of, data, event.time),
                EventData::GroupDeleted(data) => self.delete_group(&of, data.group, data.base),
                _ => Err(Rejection::WrongStream),
            };
            verdict = match revision {
                Ok(revision) => Verdict::Accepted { revision },
                Err(rejection) => return Verdict::Rejected { rejection },
            };
        }
        verdict
    }

    fn create_user(
        &mut self,
        of: ConnectionName,
        data: UserCreated,
        time: Timestamp,
    ) -> Result<Revision, Rejection> {
        if self
            .users
            .iter()
            .any(|u| u.connection == of && u.name_key == data.name_key)
        {
            return Err(Rejection::UserNameTaken);
        }
        let mut attributes = Map::new();
        open::<PersonalChange>(&data.personal)
            .unwrap()
            .apply(&mut attributes);
        self.users_ever.push(data.user);
        self.users.push(UserResource {
            id: data.user,
            connection: of,
            attributes,
            active: data.active,
            roles: data.roles,
            groups: Vec::new(),
            name_key: data.name_key,
            external_key: data.external_key,
            revision: Revision::FIRST,
            created: time,
            changed: time,
        });
        Ok(Revision::FIRST)
    }

    fn change_user(
        &mut self,
        of: &ConnectionName,
        data: UserChanged,
        time: Timestamp,
    ) -> Result<Revision, Rejection> {
        let taken =
            |u: &UserResource| u.connection == *of && Some(u.name_key) == data.name_key && u.id != data.user;
        let taken = self.users.iter().any(taken);
        let user = self
            .users
            .iter_mut()
            .find(|u| u.connection == *of && u.id == data.user);
        let user = user.ok_or(Rejection::Missing)?;
        if user.revision != data.base {
            return Err(Rejection::RevisionMoved { now: user.revision });
        }
        if taken {
            return Err(Rejection::UserNameTaken);
        }
        user.name_key = data.name_key.unwrap_or(user.name_key);
        data.external_key.apply(&mut user.external_key);
        user.active = data.active.unwrap_or(user.active);
        if let Some(roles) = data.roles {
            user.roles = roles;
        }
        if let Some(sealed) = data.personal {
            open::<PersonalChange>(&sealed)
                .unwrap()
                .apply(&mut user.attributes);
        }
        user.revision = user.revision.next();
        user.changed = time;
        Ok(user.revision)
    }

    fn delete_user(
        &mut self,
        of: &ConnectionName,
        id: UserId,
        base: Option<Revision>,
    ) -> Result<Revision, Rejection> {
        let at = self
            .users
            .iter()
            .position(|u| u.connection == *of && u.id == id)
            .ok_or(Rejection::Missing)?;
        let now = self.users[at].revision;
        if base.is_some_and(|base| base != now) {
            return Err(Rejection::RevisionMoved { now });
        }
        self.users.remove(at);
        for (_, members) in &mut self.groups {
            members.users.retain(|u| *u != id);
        }
        Ok(now.next())
    }

    fn named(&self, of: &ConnectionName, name: &str) -> Option<GroupId> {
        let same = |g: &GroupResource| g.connection == *of && fold_case(&g.display_name) == fold_case(name);
        self.groups.iter().find(|(g, _)| same(g)).map(|(g, _)| g.id)
    }

    fn create_group(
        &mut self,
        of: ConnectionName,
        data: GroupCreated,
        time: Timestamp,
    ) -> Result<Revision, Rejection> {
        if self.named(&of, &data.display_name).is_some() {
            return Err(Rejection::GroupNameTaken);
        }
        let group = GroupResource {
            id: data.group,
            connection: of,
            display_name: data.display_name,
            external_id: data.external_id,
            roles: data.roles,
            members: None,
            member_count: 0,
            revision: Revision::FIRST,
            member_revision: Revision::FIRST,
            created: time,
            changed: time,
        };
        self.groups_ever.push(data.group);
        self.groups.push((group, data.members));
        Ok(Revision::FIRST)
    }

    fn change_group(
        &mut self,
        of: &ConnectionName,
        data: GroupChanged,
        time: Timestamp,
    ) -> Result<Revision, Rejection> {
        let named = data.display_name.as_deref().and_then(|name| self.named(of, name));
        let group = self
            .groups
            .iter_mut()
            .find(|(g, _)| g.connection == *of && g.id == data.group);
        let (group, members) = group.ok_or(Rejection::Missing)?;
        if data.base.is_some_and(|base| base != group.revision) {
            return Err(Rejection::RevisionMoved { now: group.revision });
        }
        if data.member_base.is_some_and(|base| base != group.member_revision) {
            return Err(Rejection::MemberRevisionMoved {
                now: group.member_revision,
            });
        }
        if named.is_some_and(|other| other != data.group) {
            return Err(Rejection::GroupNameTaken);
        }
        let attributes = data.display_name.is_some() || !data.external_id.is_kept() || data.roles.is_some();
        if attributes || data.base.is_some() {
            group.revision = group.revision.next();
        }
        if data.member_base.is_some() || !data.removed.is_empty() || !data.added.is_empty() {
            group.member_revision = group.member_revision.next();
        }
        group.display_name = data.display_name.unwrap_or_else(|| group.display_name.clone());
        data.external_id.apply(&mut group.external_id);
        if let Some(roles) = data.roles {
            group.roles = roles;
        }
        members.users.retain(|u| !data.removed.users.contains(u));
        members.groups.retain(|g| !data.removed.groups.contains(g));
        for user in data.added.users {
            if !members.users.contains(&user) {
                members.users.push(user);
            }
        }
        for nested in data.added.groups {
            if !members.groups.contains(&nested) {
                members.groups.push(nested);
            }
        }
        group.changed = time;
        Ok(group.revision)
    }

    fn delete_group(
        &mut self,
        of: &ConnectionName,
        id: GroupId,
        base: Option<Revision>,
    ) -> Result<Revision, Rejection> {
        let at = self
            .groups
            .iter()
            .position(|(g, _)| g.connection == *of && g.id == id)
            .ok_or(Rejection::Missing)?;
        let now = self.groups[at].0.revision;
        if base.is_some_and(|base| base != now) {
            return Err(Rejection::RevisionMoved { now });
        }
        self.groups.remove(at);
        Ok(now.next())
    }

    fn group_refs(&self, user: UserId) -> Vec<GroupRef> {
        let of_user = self
            .groups
            .iter()
            .filter(|(_, members)| members.users.contains(&user));
        let mut refs: Vec<GroupRef> = of_user
            .map(|(group, _)| GroupRef {
                id: group.id,
                display_name: group.display_name.clone(),
            })
            .collect();
        refs.sort();
        refs
    }
}

fn page<T: Copy>(all: &[T], start: u64, count: usize) -> Page<T> {
    let skip = usize::try_from(start.max(1) - 1).unwrap();
    Page {
        total: all.len() as u64,
        ids: all.iter().copied().skip(skip).take(count).collect(),
    }
}

/// Who came after (or before) `anchor`, of all that were ever there.
fn beside<T: Copy + PartialEq>(
    ever: &[T],
    live: &[T],
    anchor: Option<T>,
    back: bool,
    count: usize,
) -> Option<Page<T>> {
    let at = match anchor {
        Some(id) => Some(ever.iter().position(|other| *other == id)?),
        None => None,
    };
    let mut ids: Vec<T> = match (at, back) {
        (Some(at), false) => ever[at + 1..].to_vec(),
        (Some(at), true) => ever[..at].to_vec(),
        (None, _) => ever.to_vec(),
    };
    if back {
        ids.reverse();
    }
    ids.retain(|id| live.contains(id));
    ids.truncate(count);
    Some(Page {
        total: live.len() as u64,
        ids,
    })
}

impl Directory for NaiveDirectory {
    fn key(&self) -> &TenantKey {
        &self.key
    }

    fn settled(&self, position: Position, event: EventId) -> BoxFuture<'_, Result<Settled, ProjectorError>> {
        self.catch_up();
        if self.position() < Some(position) {
            let waited = Duration::ZERO;
            return futures::future::ready(Err(ProjectorError::NotSettled { position, waited })).boxed();
        }
        let state = self.state.lock();
        let found = state.verdicts.iter().position(|(id, _)| *id == event).unwrap();
        let settled = Settled {
            sequence: Sequence(found as u64 + 1),
            verdict: state.verdicts[found].1,
        };
        futures::future::ready(Ok(settled)).boxed()
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ProjectorError>> {
        self.catch_up();
        async move {
            let end = self.log.end(Stream::Events, Partition::ONLY).await?;
            match end {
                Some(position) if self.position() < end => Err(ProjectorError::NotSettled {
                    position,
                    waited: Duration::ZERO,
                }),
                _ => Ok(()),
            }
        }
        .boxed()
    }

    fn user(&self, of: &ConnectionName, user: UserId) -> Result<Option<UserResource>, ProjectorError> {
        let state = self.state.lock();
        let found = state.users.iter().find(|u| u.connection == *of && u.id == user);
        Ok(found.map(|u| UserResource {
            groups: state.group_refs(user),
            ..u.clone()
        }))
    }

    fn user_facts(&self, of: &ConnectionName, user: UserId) -> Option<UserFacts> {
        let found = self.user(of, user).unwrap()?;
        Some(UserFacts {
            active: found.active,
            created: found.created,
            changed: found.changed,
        })
    }

    fn has_user(&self, of: &ConnectionName, user: UserId) -> bool {
        self.state
            .lock()
            .users
            .iter()
            .any(|u| u.id == user && u.connection == *of)
    }

    fn has_group(&self, of: &ConnectionName, group: GroupId) -> bool {
        self.state
            .lock()
            .groups
            .iter()
            .any(|(g, _)| g.id == group && g.connection == *of)
    }

    fn user_by_name(&self, of: &ConnectionName, user_name: &str) -> Option<UserId> {
        assert_ne!(self.cursed.lock().as_deref(), Some(user_name), "a bug");
        let key = self.key.name_key(user_name);
        let state = self.state.lock();
        state
            .users
            .iter()
            .find(|u| u.connection == *of && u.name_key == key)
            .map(|u| u.id)
    }

    fn users_by_external(&self, of: &ConnectionName, external: ExternalKey) -> Vec<UserId> {
        let state = self.state.lock();
        let same = |u: &&UserResource| u.connection == *of && u.external_key == Some(external);
        state.users.iter().filter(same).map(|u| u.id).collect()
    }

    fn users_by_mail(&self, _: &ConnectionName, _: &str) -> Result<Option<Vec<UserId>>, ProjectorError> {
        Ok(None)
    }

    fn users_page(&self, of: &ConnectionName, start: u64, count: usize) -> Page<UserId> {
        let state = self.state.lock();
        let all: Vec<UserId> = state
            .users
            .iter()
            .filter(|u| u.connection == *of)
            .map(|u| u.id)
            .collect();
        page(&all, start, count)
    }

    fn group(&self, of: &ConnectionName, group: GroupId, with_members: bool) -> Option<GroupResource> {
        self.member_loads.fetch_add(usize::from(with_members), SeqCst);
        let state = self.state.lock();
        let (found, members) = state
            .groups
            .iter()
            .find(|(g, _)| g.connection == *of && g.id == group)?;
        let mut sorted = members.clone();
        sorted.users.sort();
        sorted.groups.sort();
        Some(GroupResource {
            members: with_members.then_some(sorted),
            member_count: members.len() as u64,
            ..found.clone()
        })
    }

    fn group_by_name(&self, of: &ConnectionName, display_name: &str) -> Option<GroupId> {
        self.state.lock().named(of, display_name)
    }

    fn groups_by_external(&self, of: &ConnectionName, external_id: &str) -> Vec<GroupId> {
        let state = self.state.lock();
        let same = |g: &GroupResource| g.connection == *of && g.external_id.as_deref() == Some(external_id);
        state
            .groups
            .iter()
            .filter(|(g, _)| same(g))
            .map(|(g, _)| g.id)
            .collect()
    }

    fn groups_page(&self, of: &ConnectionName, start: u64, count: usize) -> Page<GroupId> {
        let state = self.state.lock();
        let all: Vec<GroupId> = state
            .groups
            .iter()
            .filter(|(g, _)| g.connection == *of)
            .map(|(g, _)| g.id)
            .collect();
        page(&all, start, count)
    }

    fn users_beside(
        &self,
        of: &ConnectionName,
        anchor: Option<UserId>,
        back: bool,
        count: usize,
    ) -> Option<Page<UserId>> {
        let all = self.users_page(of, 1, usize::MAX).ids;
        let state = self.state.lock();
        beside(&state.users_ever, &all, anchor, back, count)
    }

    fn groups_beside(
        &self,
        of: &ConnectionName,
        anchor: Option<GroupId>,
        back: bool,
        count: usize,
    ) -> Option<Page<GroupId>> {
        let all = self.groups_page(of, 1, usize::MAX).ids;
        let state = self.state.lock();
        beside(&state.groups_ever, &all, anchor, back, count)
    }

    fn group_has_user(&self, group: GroupId, user: UserId) -> bool {
        self.state
            .lock()
            .groups
            .iter()
            .any(|(g, members)| g.id == group && members.users.contains(&user))
    }

    fn group_has_group(&self, group: GroupId, member: GroupId) -> bool {
        self.state
            .lock()
            .groups
            .iter()
            .any(|(g, members)| g.id == group && members.groups.contains(&member))
    }

    fn groups_of_user(&self, user: UserId) -> Vec<GroupId> {
        self.state
            .lock()
            .group_refs(user)
            .into_iter()
            .map(|g| g.id)
            .collect()
    }

    fn groups_of_group(&self, group: GroupId) -> Vec<GroupId> {
        let state = self.state.lock();
        state
            .groups
            .iter()
            .filter(|(_, members)| members.groups.contains(&group))
            .map(|(g, _)| g.id)
            .collect()
    }

    fn groups_in_group(&self, group: GroupId) -> Vec<GroupId> {
        let state = self.state.lock();
        let found = state.groups.iter().find(|(g, _)| g.id == group);
        found
            .map(|(_, members)| members.groups.clone())
            .unwrap_or_default()
    }
}
