//! Pages of bytes back into a tenant's state. What follows from the pages (indexes, members, rosters) is
//! built anew.

use rollcall_domain::{
    AppRole, AssignedRole, Event, EventId, ExternalKey, Grant, GroupId, NameKey, Policy, Revision, RuleSet,
    Sequence, Timestamp, UserId,
};
use smallvec::SmallVec;
use uuid::Uuid;

use super::codec::{BadValue, Reader};
use super::key::Kind;
use crate::fold::{
    Account, AccountIx, AssignedIx, CatalogBook, Clock, ConnectionIx, Group, GroupIx, Kept, Link,
    PublishedAs, Remembered, Request, RequestKey, Since, TenantState, Trip, User, UserIx, Verdicts,
};
use crate::{Lane, Verdict};

/// Puts a state together, page by page in order of their keys.
#[derive(Debug, Default)]
pub(super) struct Loader {
    state: TenantState,
    rules: (Option<String>, RuleSet, Option<String>),
    verdicts: Vec<Remembered>,
    next_verdict: usize,
}

type Done = Result<(), BadValue>;

impl Loader {
    pub(super) fn page(&mut self, kind: Kind, bytes: &[u8]) -> Done {
        let mut r = Reader(bytes);
        match kind {
            Kind::Header => self.header(&mut r),
            Kind::Connections => self.connections(&mut r),
            Kind::Policy => {
                self.state.policy = json::<Policy>(bytes)?;
                Ok(())
            }
            Kind::Catalog => {
                self.state.catalog = json::<CatalogBook>(bytes)?;
                self.state.catalog.reindex();
                Ok(())
            }
            Kind::AppRoles => self.app_roles(&mut r),
            Kind::Assigned => self.assigned(&mut r),
            Kind::Rules => {
                self.rules = json(bytes)?;
                Ok(())
            }
            Kind::Groups => self.group(&mut r),
            Kind::Users => self.users(&mut r),
            Kind::Accounts => self.accounts(&mut r),
            Kind::Verdicts => self.verdicts(&mut r),
            Kind::Guard => self.guard(&mut r),
            Kind::Parts => self.parts(&mut r),
            Kind::Queue => self.queue(&mut r),
            Kind::Document => Ok(()),
        }
    }

    /// The state, with everything that follows from the pages.
    pub(super) fn finish(mut self) -> TenantState {
        let (version, set, from_file) = std::mem::take(&mut self.rules);
        self.state.put_rules(version, set);
        self.state.rules.from_file = from_file;
        self.state.verdicts = Verdicts::restore(self.verdicts, self.next_verdict);
        let state = &mut self.state;
        state.relink();
        state.touched.clear();
        state.roles.stored = (state.roles.assigned.len(), state.roles.app_roles.len());
        self.state
    }

    fn header(&mut self, r: &mut Reader<'_>) -> Done {
        let state = &mut self.state;
        state.sequence = Sequence(r.u64()?);
        state.event_time = Timestamp::from_millis(r.i64()?);
        let c = &mut state.counts;
        for count in [
            &mut c.users,
            &mut c.active,
            &mut c.groups,
            &mut c.rejected,
            &mut c.duplicates,
            &mut c.unreadable,
            &mut c.dropped_members,
            &mut c.ahead_of_time,
        ] {
            *count = r.u64()?;
        }
        state.guard.clock = Clock {
            now: r.i64()?,
            ahead: Some(r.i64()?).filter(|ahead| *ahead != i64::MIN),
        };
        state.policy_since = Sequence(r.u64()?);
        state.rules_since = Sequence(r.u64()?);
        self.next_verdict = r.u32()? as usize;
        Ok(())
    }

    fn connections(&mut self, r: &mut Reader<'_>) -> Done {
        while !r.0.is_empty() {
            self.state.connection_or_new(r.text()?).ok_or(BadValue)?;
        }
        Ok(())
    }

    fn app_roles(&mut self, r: &mut Reader<'_>) -> Done {
        while !r.0.is_empty() {
            self.state.app_role(&AppRole(r.text()?.to_owned()));
        }
        Ok(())
    }

    fn assigned(&mut self, r: &mut Reader<'_>) -> Done {
        while !r.0.is_empty() {
            let role: AssignedRole = json(r.text()?.as_bytes())?;
            self.state.assigned_roles([crate::fold::RoleRef::of(&role)]);
        }
        Ok(())
    }

    fn group(&mut self, r: &mut Reader<'_>) -> Done {
        let id = GroupId(Uuid::from_bytes(r.array()?));
        let deleted = r.bool()?;
        let connection = ConnectionIx(r.u32()?);
        let display_name: Box<str> = r.text()?.into();
        let external_id = r.option()?.map(Into::into);
        let (revision, member_revision) = (Revision(r.u32()?), Revision(r.u32()?));
        let (created, changed) = (Timestamp::from_millis(r.i64()?), Timestamp::from_millis(r.i64()?));
        let (named, identified) = (Since(r.u32()?), Since(r.u32()?));
        let roles = links(r, AssignedIx)?;
        let parents: Vec<Link<GroupIx>> = links(r, GroupIx)?;
        let name_role = if deleted {
            None
        } else {
            self.state.name_role(&display_name)
        };
        self.state.groups.push(Group {
            id,
            connection,
            display_name,
            external_id,
            named,
            identified,
            roles,
            name_role,
            revision,
            member_revision,
            created,
            changed,
            deleted,
            users: rustc_hash::FxHashSet::default(),
            children: std::collections::BTreeSet::new(),
            parents: parents.into_iter().map(|link| (link.to, link.since)).collect(),
            effective: std::sync::OnceLock::new(),
        });
        Ok(())
    }

    fn users(&mut self, r: &mut Reader<'_>) -> Done {
        while !r.0.is_empty() {
            let id = UserId(Uuid::from_bytes(r.array()?));
            let flags = r.u8()?;
            let external = if flags & 4 != 0 {
                Some(ExternalKey(r.array()?))
            } else {
                None
            };
            self.state.users.push(User {
                id,
                external,
                created: Timestamp::from_millis(r.i64()?),
                changed: Timestamp::from_millis(r.i64()?),
                account: AccountIx(r.u32()?),
                revision: Revision(r.u32()?),
                connection: r.u16()?,
                active: flags & 1 != 0,
                deleted: flags & 2 != 0,
                standing: Since(r.u32()?),
                roles: links(r, AssignedIx)?,
                groups: links(r, GroupIx)?,
            });
        }
        Ok(())
    }

    fn accounts(&mut self, r: &mut Reader<'_>) -> Done {
        while !r.0.is_empty() {
            let key = NameKey(r.array()?);
            let hash = r.u64()?;
            let flags = r.u8()?;
            let published = PublishedAs {
                hash,
                waits: Lane::ALL.get(usize::from(flags & 3)).copied(),
                unpublished: flags & 4 != 0,
                had_access: flags & 8 != 0,
            };
            let claimants = list(r, UserIx)?;
            let mut kept = Vec::new();
            for _ in 0..r.count_or_zero()? {
                let cause = EventId(Uuid::from_bytes(r.array()?));
                let rejected = r.bool()?;
                let grants: Vec<Grant> = json(r.text()?.as_bytes())?;
                let mut grants: Vec<_> = grants
                    .into_iter()
                    .map(|grant| self.state.roles.grants.index(grant))
                    .collect();
                grants.sort_unstable();
                kept.push(Kept {
                    cause,
                    grants,
                    rejected,
                });
            }
            let kept = (!kept.is_empty()).then(|| Box::new(kept));
            self.state.accounts.push(Account {
                key,
                claimants,
                kept,
                published,
            });
        }
        Ok(())
    }

    fn verdicts(&mut self, r: &mut Reader<'_>) -> Done {
        while !r.0.is_empty() {
            let id = EventId(Uuid::from_bytes(r.array()?));
            let sequence = Sequence(r.u64()?);
            let verdict = match r.u8()? {
                0 => Verdict::Accepted {
                    revision: Revision(r.u32()?),
                },
                1 => Verdict::Buffered,
                _ => Verdict::Rejected {
                    rejection: json(r.text()?.as_bytes())?,
                },
            };
            self.verdicts.push(Remembered {
                id,
                sequence,
                verdict,
            });
        }
        Ok(())
    }

    fn guard(&mut self, r: &mut Reader<'_>) -> Done {
        for _ in 0..r.count_or_zero()? {
            let (at, count) = (r.i64()?, r.u64()?);
            self.state.guard.lost(at, count);
        }
        for _ in 0..r.count_or_zero()? {
            let cause = EventId(Uuid::from_bytes(r.array()?));
            let (sequence, open) = (Sequence(r.u64()?), r.u64()?);
            let accounts: SmallVec<[AccountIx; 4]> = list(r, AccountIx)?;
            self.state.guard.trips.insert(
                cause,
                Trip {
                    sequence,
                    accounts: accounts.into_vec(),
                    open,
                },
            );
        }
        self.state.guard.rejected = list(r, AccountIx)?.into_iter().collect();
        Ok(())
    }

    fn parts(&mut self, r: &mut Reader<'_>) -> Done {
        for _ in 0..r.count_or_zero()? {
            let key = RequestKey {
                connection: r.option()?.map(str::to_owned),
                request: r.text()?.to_owned(),
            };
            let count = r.u16()?;
            let since = Sequence(r.u64()?);
            let bytes = usize::try_from(r.u64()?).map_err(|_| BadValue)?;
            let mut parts = std::collections::BTreeMap::new();
            for _ in 0..r.count_or_zero()? {
                let index = r.u16()?;
                let length = r.count()?;
                let event = Event::decode(r.raw(length)?).map_err(|_| BadValue)?;
                parts.insert(index, event.data);
            }
            self.state.parts.requests.insert(
                key,
                Request {
                    count,
                    since,
                    parts,
                    bytes,
                },
            );
        }
        Ok(())
    }

    fn queue(&mut self, r: &mut Reader<'_>) -> Done {
        let everybody = r.u32()?;
        self.state.dirty.everybody = (everybody != u32::MAX).then_some(AccountIx(everybody));
        let groups: SmallVec<[GroupIx; 4]> = list(r, GroupIx)?;
        self.state.dirty.groups = groups.into_iter().collect();
        Ok(())
    }
}

impl Reader<'_> {
    /// A count of entries that follow; none may follow.
    fn count_or_zero(&mut self) -> Result<usize, BadValue> {
        self.count()
    }
}

fn list<T>(r: &mut Reader<'_>, index: impl Fn(u32) -> T) -> Result<SmallVec<[T; 4]>, BadValue> {
    let count = r.count()?;
    (0..count).map(|_| r.u32().map(&index)).collect()
}

fn links<T, L: FromIterator<Link<T>>>(r: &mut Reader<'_>, index: impl Fn(u32) -> T) -> Result<L, BadValue> {
    let count = r.count()?;
    let mut link = || {
        let to = index(r.u32()?);
        let since = Since(r.u32()?);
        Ok(Link { to, since })
    };
    (0..count).map(|_| link()).collect()
}

fn json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, BadValue> {
    serde_json::from_slice(bytes).map_err(|_| BadValue)
}
