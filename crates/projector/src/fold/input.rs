//! An event as the fold takes it: texts borrowed from the record, the personal part unopened.

use std::borrow::Cow;

use rollcall_domain::{
    AssignedRole, Event, EventData, EventId, ExternalKey, NameKey, OpenError, Part, PersonalChange, Revision,
    Sealed, Set, Source, Timestamp, UserId, open,
};
use smallvec::SmallVec;

/// An event, borrowed.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    pub(crate) id: EventId,
    /// The connection that it came through, when it was one.
    pub(crate) connection: Option<&'a str>,
    pub(crate) sender: Sender,
    /// The operators' surface that it came through, when it was one.
    pub(crate) operator: Option<&'a str>,
    pub(crate) time: Timestamp,
    pub(crate) request_id: Option<Cow<'a, str>>,
    pub(crate) part: Option<Part>,
    pub(crate) data: Data<'a>,
}

/// Which kind of source an event came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Connection,
    Operator,
    Fluent,
    Rollcall,
}

impl From<&Source> for Sender {
    fn from(source: &Source) -> Self {
        match source {
            Source::Scim(_) | Source::Webhook(_) => Self::Connection,
            Source::Operator(_) => Self::Operator,
            Source::Fluent(_) => Self::Fluent,
            Source::Rollcall(_) => Self::Rollcall,
        }
    }
}

impl Sender {
    /// Whether it may say such a thing. Users and groups are asked for their connection where they are
    /// decided; kinds of other streams are refused for that.
    pub(super) fn may_send(self, data: &Data<'_>) -> bool {
        let Data::Other(data) = data else { return true };
        match &**data {
            EventData::RulesActivated(_) | EventData::PolicyActivated(_) | EventData::DecisionRecorded(_) => {
                self == Self::Operator
            }
            EventData::CatalogChanged(_) => self == Self::Fluent,
            EventData::TimerFired(_) => self == Self::Rollcall,
            _ => true,
        }
    }
}

/// What it says. The frequent kinds are borrowed member by member, the others are as they stand in the
/// domain.
#[derive(Debug)]
pub(crate) enum Data<'a> {
    UserCreated {
        user: UserId,
        name: NameKey,
        external: Option<ExternalKey>,
        active: bool,
        roles: Roles<'a>,
        personal: Personal<'a>,
    },
    UserChanged {
        user: UserId,
        base: Revision,
        name: Option<NameKey>,
        external: Set<ExternalKey>,
        active: Option<bool>,
        roles: Option<Roles<'a>>,
        personal: Personal<'a>,
    },
    UserDeleted {
        user: UserId,
        base: Option<Revision>,
    },
    /// Boxed or borrowed: groups, rules, policy, catalog, decisions, timers.
    Other(Cow<'a, EventData>),
}

impl<'a> Data<'a> {
    /// The personal part.
    pub(crate) const fn personal(&self) -> Personal<'a> {
        match self {
            Self::UserCreated { personal, .. } | Self::UserChanged { personal, .. } => *personal,
            Self::UserDeleted { .. } | Self::Other(_) => Personal::None,
        }
    }

    /// The user whose document may be changed by it.
    pub(crate) const fn user_with_document(&self) -> Option<UserId> {
        match self {
            Self::UserChanged { user, .. } | Self::UserDeleted { user, .. } => Some(*user),
            Self::UserCreated { .. } | Self::Other(_) => None,
        }
    }
}

/// Most users have one or two personal roles.
pub(crate) type Roles<'a> = SmallVec<[RoleRef<'a>; 2]>;

/// An assigned role, borrowed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RoleRef<'a> {
    pub(crate) value: Cow<'a, str>,
    pub(crate) display: Option<Cow<'a, str>>,
    pub(crate) kind: Option<Cow<'a, str>>,
    pub(crate) primary: bool,
    pub(crate) idp_id: Option<Cow<'a, str>>,
}

impl<'a> RoleRef<'a> {
    pub(crate) fn of(role: &'a AssignedRole) -> Self {
        Self {
            value: Cow::Borrowed(&role.value.0),
            display: role.display.as_deref().map(Cow::Borrowed),
            kind: role.kind.as_deref().map(Cow::Borrowed),
            primary: role.primary,
            idp_id: role.idp_id.as_deref().map(Cow::Borrowed),
        }
    }
}

/// The personal part, unopened.
#[derive(Clone, Copy)]
pub(crate) enum Personal<'a> {
    /// There is none.
    None,
    /// The JSON of a [`Sealed`].
    Raw(&'a str),
    /// A [`Sealed`].
    Sealed(&'a Sealed),
}

impl std::fmt::Debug for Personal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Personal(…)")
    }
}

impl Personal<'_> {
    /// Opens it: what it changes in the resource.
    pub(crate) fn open(&self) -> Result<PersonalChange, OpenError> {
        match self {
            Self::None => Ok(PersonalChange::default()),
            Self::Raw(json) => {
                let sealed: Sealed = serde_json::from_str(json).map_err(|_| OpenError::WrongForm)?;
                open(&sealed)
            }
            Self::Sealed(sealed) => open(sealed),
        }
    }
}

impl<'a> From<&'a Event> for Input<'a> {
    fn from(event: &'a Event) -> Self {
        let connection = match &event.source {
            Source::Scim(name) | Source::Webhook(name) => Some(name.as_str()),
            Source::Operator(_) | Source::Fluent(_) | Source::Rollcall(_) => None,
        };
        let operator = match &event.source {
            Source::Operator(surface) => Some(surface.as_str()),
            _ => None,
        };
        Self {
            id: event.id,
            connection,
            sender: Sender::from(&event.source),
            operator,
            time: event.time,
            request_id: event.request_id.as_deref().map(Cow::Borrowed),
            part: event.part,
            data: Data::from(&event.data),
        }
    }
}

impl<'a> From<&'a EventData> for Data<'a> {
    fn from(data: &'a EventData) -> Self {
        match data {
            EventData::UserCreated(d) => Self::UserCreated {
                user: d.user,
                name: d.name_key,
                external: d.external_key,
                active: d.active,
                roles: d.roles.iter().map(RoleRef::of).collect(),
                personal: Personal::Sealed(&d.personal),
            },
            EventData::UserChanged(d) => Self::UserChanged {
                user: d.user,
                base: d.base,
                name: d.name_key,
                external: d.external_key,
                active: d.active,
                roles: d
                    .roles
                    .as_ref()
                    .map(|roles| roles.iter().map(RoleRef::of).collect()),
                personal: d.personal.as_ref().map_or(Personal::None, Personal::Sealed),
            },
            EventData::UserDeleted(d) => Self::UserDeleted {
                user: d.user,
                base: d.base,
            },
            other => Self::Other(Cow::Borrowed(other)),
        }
    }
}
