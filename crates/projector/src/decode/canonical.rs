//! The frequent kinds of events in exactly the layout that [`rollcall_domain::Event::encode`] writes, read
//! without a general parser: members in their order, no blanks, no escapes. Anything else is `None` and left
//! to the general reader, so this one may only be faster, never more generous: whatever it takes, the other
//! takes too and reads the same (a test holds them together).

use std::borrow::Cow;

use memchr::memchr2;
use rollcall_domain::{
    ConnectionName, EVENT_PARTS_MAX, EventData, EventId, ExternalKey, GroupChanged, GroupId, MemberSet,
    NAME_MAX, NameKey, Part, Revision, Set, Timestamp, UserId,
};
use uuid::Uuid;

use super::Decoded;
use crate::fold::{Data, Input, Personal, RoleRef, Roles, Sender};

/// Reads a record of the expected layout.
pub(super) fn read(bytes: &[u8]) -> Option<Decoded<'_>> {
    let mut c = Cursor(bytes);
    c.skip(br#"{"specversion":"1.0","id":"#)?;
    let id = EventId(c.uuid()?);
    c.skip(br#","source":"#)?;
    let connection = connection(c.text()?)?;
    c.skip(br#","type":"#)?;
    let kind = c.text()?;
    c.skip(br#","time":"#)?;
    let time: Timestamp = c.text()?.parse().ok()?;
    c.skip(br#","subject":"#)?;
    c.text()?;
    c.skip(br#","tenant":"#)?;
    let tenant = name(c.text()?)?;
    c.skip(br#","actor":"#)?;
    c.text()?;
    let request_id = if c.try_skip(br#","requestid":"#) {
        Some(Cow::Borrowed(c.text()?))
    } else {
        None
    };
    let part = if c.try_skip(br#","part":"#) {
        let index = u16::try_from(c.number()?).ok()?;
        c.skip(br#","parts":"#)?;
        let count = u16::try_from(c.number()?).ok()?;
        (1 <= index && index <= count && count <= EVENT_PARTS_MAX).then_some(Some(Part { index, count }))?
    } else {
        None
    };
    c.skip(br#","data":{"#)?;
    let data = match kind {
        "rollcall.user.created.v1" => c.user_created()?,
        "rollcall.user.changed.v1" => c.user_changed()?,
        "rollcall.user.deleted.v1" => c.user_deleted()?,
        "rollcall.group.changed.v1" => c.members_changed()?,
        _ => return None,
    };
    c.skip(b"}}")?;
    let input = Input {
        id,
        connection: Some(connection),
        sender: Sender::Connection,
        operator: None,
        time,
        request_id,
        part,
        data,
    };
    c.0.is_empty().then_some(Decoded {
        tenant: Cow::Borrowed(tenant),
        input,
    })
}

/// The connection of a source; other sources do not send the frequent kinds.
fn connection(source: &str) -> Option<&str> {
    name(
        source
            .strip_prefix("scim/")
            .or_else(|| source.strip_prefix("webhook/"))?,
    )
}

/// A name that [`ConnectionName`] and a tenant's id take.
fn name(text: &str) -> Option<&str> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let first = *text.as_bytes().first()?;
    debug_assert_eq!(ConnectionName::new(text).is_ok(), {
        text.len() <= NAME_MAX && text.bytes().all(good) && first.is_ascii_alphanumeric()
    });
    (text.len() <= NAME_MAX && text.bytes().all(good) && first.is_ascii_alphanumeric()).then_some(text)
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn try_skip(&mut self, expected: &[u8]) -> bool {
        match self.0.strip_prefix(expected) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn skip(&mut self, expected: &[u8]) -> Option<()> {
        self.try_skip(expected).then_some(())
    }

    /// What stands between quotes, when nothing in it is escaped or needs to be.
    fn quoted(&mut self) -> Option<&'a [u8]> {
        self.skip(b"\"")?;
        let end = memchr2(b'"', b'\\', self.0)?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        self.skip(b"\"")?;
        let control = text.iter().fold(false, |any, byte| any | (*byte < 0x20));
        (!control).then_some(text)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.quoted()?).ok()
    }

    fn uuid(&mut self) -> Option<Uuid> {
        let text = self.quoted()?;
        (text.len() == 36).then_some(())?;
        Uuid::try_parse_ascii(text).ok()
    }

    /// A number without sign, leading zero or fraction.
    fn number(&mut self) -> Option<u32> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (text, rest) = self.0.split_at_checked(digits)?;
        if text.is_empty() || digits > 9 || (digits > 1 && text.first() == Some(&b'0')) {
            return None;
        }
        if matches!(rest.first(), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.0 = rest;
        Some(
            text.iter()
                .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')),
        )
    }

    fn boolean(&mut self) -> Option<bool> {
        if self.try_skip(b"true") {
            return Some(true);
        }
        self.skip(b"false")?;
        Some(false)
    }

    fn key(&mut self) -> Option<[u8; 16]> {
        let text: &[u8; 32] = self.quoted()?.try_into().ok()?;
        let (pairs, _) = text.as_chunks::<2>();
        let mut key = [0u8; 16];
        for (byte, [high, low]) in key.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(key)
    }

    fn user_created(&mut self) -> Option<Data<'a>> {
        self.skip(br#""user":"#)?;
        let user = UserId(self.uuid()?);
        self.skip(br#","nameKey":"#)?;
        let name = NameKey(self.key()?);
        let external = if self.try_skip(br#","externalKey":"#) {
            Some(ExternalKey(self.key()?))
        } else {
            None
        };
        self.skip(br#","active":"#)?;
        let active = self.boolean()?;
        let roles = if self.try_skip(br#","roles":"#) {
            self.roles()?
        } else {
            Roles::new()
        };
        self.skip(br#","personal":"#)?;
        let personal = self.personal()?;
        Some(Data::UserCreated {
            user,
            name,
            external,
            active,
            roles,
            personal,
        })
    }

    fn user_changed(&mut self) -> Option<Data<'a>> {
        self.skip(br#""user":"#)?;
        let user = UserId(self.uuid()?);
        self.skip(br#","base":"#)?;
        let base = Revision(self.number()?);
        let name = if self.try_skip(br#","nameKey":"#) {
            Some(NameKey(self.key()?))
        } else {
            None
        };
        let external = if !self.try_skip(br#","externalKey":"#) {
            Set::Keep
        } else if self.try_skip(b"null") {
            Set::Clear
        } else {
            Set::To(ExternalKey(self.key()?))
        };
        let active = if self.try_skip(br#","active":"#) {
            Some(self.boolean()?)
        } else {
            None
        };
        let roles = if self.try_skip(br#","roles":"#) {
            Some(self.roles()?)
        } else {
            None
        };
        let personal = if self.try_skip(br#","personal":"#) {
            self.personal()?
        } else {
            Personal::None
        };
        Some(Data::UserChanged {
            user,
            base,
            name,
            external,
            active,
            roles,
            personal,
        })
    }

    fn user_deleted(&mut self) -> Option<Data<'a>> {
        self.skip(br#""user":"#)?;
        let user = UserId(self.uuid()?);
        let base = if self.try_skip(br#","base":"#) {
            Some(Revision(self.number()?))
        } else {
            None
        };
        Some(Data::UserDeleted { user, base })
    }

    /// A change of members only.
    fn members_changed(&mut self) -> Option<Data<'a>> {
        self.skip(br#""group":"#)?;
        let group = GroupId(self.uuid()?);
        let removed = if self.try_skip(br#","removed":"#) {
            self.members()?
        } else {
            MemberSet::default()
        };
        let added = if self.try_skip(br#","added":"#) {
            self.members()?
        } else {
            MemberSet::default()
        };
        let change = GroupChanged {
            group,
            base: None,
            display_name: None,
            external_id: Set::Keep,
            roles: None,
            removed,
            added,
            member_base: None,
        };
        Some(Data::Other(Cow::Owned(EventData::GroupChanged(change))))
    }

    fn members(&mut self) -> Option<MemberSet> {
        let mut members = MemberSet::default();
        self.skip(b"{")?;
        if self.try_skip(br#""users":"#) {
            members.users = self.list(UserId)?;
            if self.try_skip(b"}") {
                return Some(members);
            }
            self.skip(b",")?;
        }
        self.skip(br#""groups":"#)?;
        members.groups = self.list(GroupId)?;
        self.skip(b"}")?;
        Some(members)
    }

    fn list<T>(&mut self, id: impl Fn(Uuid) -> T) -> Option<Vec<T>> {
        self.skip(b"[")?;
        let mut ids = Vec::with_capacity(1);
        loop {
            ids.push(id(self.uuid()?));
            if self.try_skip(b"]") {
                return Some(ids);
            }
            self.skip(b",")?;
        }
    }

    fn roles(&mut self) -> Option<Roles<'a>> {
        let mut roles = Roles::new();
        self.skip(b"[")?;
        if self.try_skip(b"]") {
            return Some(roles);
        }
        loop {
            roles.push(self.role()?);
            if self.try_skip(b"]") {
                return Some(roles);
            }
            self.skip(b",")?;
        }
    }

    fn role(&mut self) -> Option<RoleRef<'a>> {
        self.skip(br#"{"value":"#)?;
        let value = Cow::Borrowed(self.text()?);
        let display = self.optional(br#","display":"#)?;
        let kind = self.optional(br#","type":"#)?;
        let primary = if self.try_skip(br#","primary":"#) {
            self.boolean()?
        } else {
            false
        };
        let idp_id = self.optional(br#","idpId":"#)?;
        self.skip(b"}")?;
        Some(RoleRef {
            value,
            display,
            kind,
            primary,
            idp_id,
        })
    }

    /// The outer option is whether it could be read, the inner one whether it is there.
    #[expect(clippy::option_option, reason = "two different absences, both local")]
    fn optional(&mut self, name: &[u8]) -> Option<Option<Cow<'a, str>>> {
        if self.try_skip(name) {
            Some(Some(Cow::Borrowed(self.text()?)))
        } else {
            Some(None)
        }
    }

    /// The JSON of the sealed part, unopened.
    fn personal(&mut self) -> Option<Personal<'a>> {
        let whole = self.0;
        self.skip(br#"{"alg":"none","#)?;
        if self.try_skip(br#""kid":"#) {
            self.quoted()?;
            self.skip(b",")?;
        }
        self.skip(br#""bytes":"#)?;
        self.quoted()?;
        self.skip(b"}")?;
        let raw = whole.get(..whole.len() - self.0.len())?;
        std::str::from_utf8(raw).ok().map(Personal::Raw)
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
