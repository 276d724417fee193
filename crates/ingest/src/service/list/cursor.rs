//! Cursors (RFC 9865): where a page begins, and for which query, in 72 hexadecimal digits.
//!
//! A cursor holds ids and numbers only, and a code over them and the query that nobody can make without the
//! tenant's key: one that was made up, or is used with another query or by another connection, is told at once.
//! Nothing is kept for it here, so it does not expire; it gives no right to anything.

use rollcall_domain::{ConnectionName, GroupId, TenantKey, UserId};
use rollcall_scim::schema::ResourceKind;
use rollcall_scim::{ListQuery, ScimError};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::Id;
use crate::hex::{from_hex, hex};

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At the very beginning.
    Start,
    /// Behind a resource.
    After(Id),
    /// Before a resource, going back.
    Before(Id),
    /// Behind so many results of a query that has all of them before it.
    Offset(u64),
}

const VERSION: u8 = 1;
const PLAIN_BYTES: usize = 20;
const CODE_BYTES: usize = 16;

/// Makes and reads the cursors of one query.
#[derive(Debug)]
pub(super) struct Cursors<'a> {
    key: &'a TenantKey,
    count: u16,
    /// All of the query that a cursor is good for. Personal: never shown.
    query: Query,
}

struct Query(String);

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Query")
    }
}

impl<'a> Cursors<'a> {
    pub(super) fn new(
        key: &'a TenantKey,
        connection: &ConnectionName,
        kinds: &[ResourceKind],
        query: &ListQuery,
    ) -> Self {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let text = serde_json::json!([
            "cursor",
            connection.as_str(),
            kinds,
            query.filter,
            query.sort_by,
            query.descending
        ]);
        Self {
            key,
            count: u16::try_from(query.count).unwrap_or(u16::MAX),
            query: Query(text.to_string()),
        }
    }

    pub(super) fn write(&self, place: Place) -> String {
        let plain = self.plain(place);
        let mut text = hex(&plain);
        text.push_str(&hex(&self.code(&plain)));
        text
    }

    /// # Errors
    /// `invalidCursor` for what was not given out for this query; `invalidCount` for one of another `count`.
    pub(super) fn read(&self, text: &str) -> Result<Place, ScimError> {
        if text.is_empty() {
            return Ok(Place::Start);
        }
        let invalid = || ScimError::invalid_cursor("the cursor was not given out for this query");
        let bytes = from_hex::<{ PLAIN_BYTES + CODE_BYTES }>(text.as_bytes()).ok_or_else(invalid)?;
        let (plain, code) = bytes.split_first_chunk::<PLAIN_BYTES>().ok_or_else(invalid)?;
        if !bool::from(self.code(plain).as_slice().ct_eq(code)) {
            return Err(invalid());
        }
        let [VERSION, kind, high, low, payload @ ..] = plain else {
            return Err(invalid());
        };
        if u16::from_be_bytes([*high, *low]) != self.count {
            return Err(ScimError::invalid_count(
                "count is not that of the query the cursor belongs to",
            ));
        }
        let id = Uuid::from_bytes(*payload);
        Ok(match kind {
            0 => Place::Start,
            1 => Place::After(Id::User(UserId(id))),
            2 => Place::After(Id::Group(GroupId(id))),
            3 => Place::Before(Id::User(UserId(id))),
            4 => Place::Before(Id::Group(GroupId(id))),
            5 => Place::Offset(u64::try_from(id.as_u128()).map_err(|_| invalid())?),
            _ => return Err(invalid()),
        })
    }

    fn plain(&self, place: Place) -> [u8; PLAIN_BYTES] {
        let (kind, payload) = match place {
            Place::Start => (0, Uuid::nil()),
            Place::After(Id::User(id)) => (1, id.0),
            Place::After(Id::Group(id)) => (2, id.0),
            Place::Before(Id::User(id)) => (3, id.0),
            Place::Before(Id::Group(id)) => (4, id.0),
            Place::Offset(offset) => (5, Uuid::from_u128(u128::from(offset))),
        };
        let [high, low] = self.count.to_be_bytes();
        let head = [VERSION, kind, high, low].into_iter();
        let mut plain = [0; PLAIN_BYTES];
        for (to, from) in plain.iter_mut().zip(head.chain(*payload.as_bytes())) {
            *to = from;
        }
        plain
    }

    fn code(&self, plain: &[u8]) -> [u8; CODE_BYTES] {
        // A name key does not tell upper from lower case; a query does.
        let query = hex(self.query.0.as_bytes());
        self.key.name_key(&format!("{query}\n{}", hex(plain))).0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rollcall_scim::ScimType;

    fn query(filter: &str, count: usize) -> ListQuery {
        ListQuery {
            filter: Some(filter.to_owned()),
            count,
            ..ListQuery::default()
        }
    }

    fn refused(cursors: &Cursors<'_>, text: &str) -> Option<ScimType> {
        cursors.read(text).unwrap_err().scim_type
    }

    /// RFC 9865 sections 2.1 and 5.2: a cursor is opaque, and one that is not ours is told.
    #[test]
    fn a_cursor_reads_back_for_its_own_query_and_for_no_other() {
        let (key, of) = (TenantKey::new([7; 32]), ConnectionName::new("entra").unwrap());
        let users = &[ResourceKind::User];
        let asked = query("userName sw \"ida@store.example\"", 7);
        let cursors = Cursors::new(&key, &of, users, &asked);
        let id = Uuid::from_u128(u128::MAX / 3);
        for place in [
            Place::Start,
            Place::After(Id::User(UserId(id))),
            Place::Before(Id::Group(GroupId(id))),
            Place::Offset(u64::MAX),
        ] {
            let text = cursors.write(place);
            assert!(text.len() == 72 && text.bytes().all(|b| b.is_ascii_alphanumeric()));
            assert_eq!(cursors.read(&text), Ok(place));
        }
        let text = cursors.write(Place::After(Id::User(UserId(id))));
        let (other, elsewhere) = (
            query("userName sw \"IDA@store.example\"", 7),
            ConnectionName::new("okta").unwrap(),
        );
        let another_key = TenantKey::new([8; 32]);
        for cursors in [
            Cursors::new(&key, &of, users, &other),
            Cursors::new(&key, &elsewhere, users, &asked),
            Cursors::new(&key, &of, &ResourceKind::ALL, &asked),
            Cursors::new(&another_key, &of, users, &asked),
        ] {
            assert_eq!(refused(&cursors, &text), Some(ScimType::InvalidCursor));
        }
        let flipped = format!("{}0", text.get(..71).unwrap());
        for bad in [
            "x",
            &flipped,
            &text.to_uppercase(),
            &"0".repeat(72),
            &"é".repeat(36),
        ] {
            if bad != text {
                assert_eq!(refused(&cursors, bad), Some(ScimType::InvalidCursor), "{bad}");
            }
        }
        let more = query("userName sw \"ida@store.example\"", 8);
        let more = Cursors::new(&key, &of, users, &more);
        assert_eq!(refused(&more, &text), Some(ScimType::InvalidCount));
    }
}
