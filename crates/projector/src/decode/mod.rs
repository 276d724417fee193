//! Records into events, fast: texts stay in the record, the personal part is skipped, unknown members are
//! ignored. Accepts every form that [`rollcall_domain::Event::decode`] accepts.

mod canonical;

use std::borrow::Cow;

use rollcall_domain::{
    DecodeError, EVENT_PARTS_MAX, EventData, EventId, ExternalKey, NameKey, Part, Revision, Set, Source,
    Timestamp, UserId,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::fold::{Data, Input, Personal, RoleRef, Sender};

/// A text that borrows where JSON lets it (serde borrows a bare `Cow`, but not one in an `Option`).
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Wire<'a> {
    id: EventId,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    time: Timestamp,
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(default, borrow)]
    requestid: Option<Text<'a>>,
    #[serde(default)]
    part: Option<u16>,
    #[serde(default)]
    parts: Option<u16>,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleWire<'a> {
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(default, borrow)]
    display: Option<Text<'a>>,
    #[serde(default, rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(default)]
    primary: bool,
    #[serde(default, borrow)]
    idp_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserCreatedWire<'a> {
    user: UserId,
    name_key: NameKey,
    #[serde(default)]
    external_key: Option<ExternalKey>,
    active: bool,
    #[serde(default, borrow)]
    roles: RoleList<'a>,
    #[serde(borrow)]
    personal: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserChangedWire<'a> {
    user: UserId,
    base: Revision,
    #[serde(default)]
    name_key: Option<NameKey>,
    #[serde(default)]
    external_key: Set<ExternalKey>,
    #[serde(default)]
    active: Option<bool>,
    #[serde(default, borrow)]
    roles: Option<RoleList<'a>>,
    #[serde(default, borrow)]
    personal: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct UserDeletedWire {
    user: UserId,
    #[serde(default)]
    base: Option<Revision>,
}

#[derive(Default)]
struct RoleList<'a>(crate::fold::Roles<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for RoleList<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> serde::de::Visitor<'de> for Visitor<'a> {
            type Value = RoleList<'a>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of roles")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<RoleList<'a>, A::Error> {
                let mut roles = crate::fold::Roles::new();
                while let Some(role) = seq.next_element::<RoleWire<'a>>()? {
                    roles.push(RoleRef {
                        value: role.value,
                        display: role.display.map(|t| t.0),
                        kind: role.kind.map(|t| t.0),
                        primary: role.primary,
                        idp_id: role.idp_id.map(|t| t.0),
                    });
                }
                Ok(RoleList(roles))
            }
        }
        deserializer.deserialize_seq(Visitor(std::marker::PhantomData))
    }
}

/// A decoded record: whose it is and what it says.
#[derive(Debug)]
pub(crate) struct Decoded<'a> {
    /// The tenant that the event names.
    pub(crate) tenant: Cow<'a, str>,
    /// The event.
    pub(crate) input: Input<'a>,
}

/// Reads a record of the log.
pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded<'_>, DecodeError> {
    match canonical::read(bytes) {
        Some(decoded) => Ok(decoded),
        None => decode_any(bytes),
    }
}

/// Reads a record of any layout.
fn decode_any(bytes: &[u8]) -> Result<Decoded<'_>, DecodeError> {
    let wire: Wire<'_> = serde_json::from_slice(bytes).map_err(|e| DecodeError::Envelope(place(&e)))?;
    let part = match (wire.part, wire.parts) {
        (None, None) => None,
        (Some(index), Some(count)) if 1 <= index && index <= count && count <= EVENT_PARTS_MAX => {
            Some(Part { index, count })
        }
        _ => return Err(DecodeError::Envelope("part and parts do not fit".to_owned())),
    };
    let (connection, sender) = sender(&wire.source)?;
    Ok(Decoded {
        tenant: wire.tenant,
        input: Input {
            id: wire.id,
            connection,
            sender,
            operator: operator(&wire.source),
            time: wire.time,
            request_id: wire.requestid.map(|t| t.0),
            part,
            data: data(&wire.kind, wire.data)?,
        },
    })
}

/// The operators' surface of a source that was checked.
fn operator<'a>(source: &Cow<'a, str>) -> Option<&'a str> {
    match source {
        Cow::Borrowed(text) => text.strip_prefix("operator/"),
        Cow::Owned(_) => None,
    }
}

/// The connection of a source, when it is one, and its kind; checked as [`Source`] checks it.
fn sender<'a>(source: &Cow<'a, str>) -> Result<(Option<&'a str>, Sender), DecodeError> {
    let bad = || DecodeError::Envelope("not a source".to_owned());
    let Cow::Borrowed(text) = source else {
        return Err(bad()); // an escape in it: no valid source holds a character that needs one
    };
    let (kind, name) = text.split_once('/').ok_or_else(bad)?;
    if matches!(kind, "scim" | "webhook") {
        return rollcall_domain::ConnectionName::new(name)
            .map(|_| (Some(name), Sender::Connection))
            .map_err(|_| bad());
    }
    let source = text.parse::<Source>().map_err(|_| bad())?;
    Ok((None, Sender::from(&source)))
}

fn data<'a>(kind: &str, raw: &'a RawValue) -> Result<Data<'a>, DecodeError> {
    let bad = |e: serde_json::Error| DecodeError::Data {
        kind: kind.to_owned(),
        problem: place(&e),
    };
    let raw = raw.get();
    Ok(match kind {
        "rollcall.user.created.v1" => {
            let d: UserCreatedWire<'_> = serde_json::from_str(raw).map_err(bad)?;
            Data::UserCreated {
                user: d.user,
                name: d.name_key,
                external: d.external_key,
                active: d.active,
                roles: d.roles.0,
                personal: Personal::Raw(d.personal.get()),
            }
        }
        "rollcall.user.changed.v1" => {
            let d: UserChangedWire<'_> = serde_json::from_str(raw).map_err(bad)?;
            Data::UserChanged {
                user: d.user,
                base: d.base,
                name: d.name_key,
                external: d.external_key,
                active: d.active,
                roles: d.roles.map(|roles| roles.0),
                personal: d.personal.map_or(Personal::None, |raw| Personal::Raw(raw.get())),
            }
        }
        "rollcall.user.deleted.v1" => {
            let d: UserDeletedWire = serde_json::from_str(raw).map_err(bad)?;
            Data::UserDeleted {
                user: d.user,
                base: d.base,
            }
        }
        _ => Data::Other(Cow::Owned(EventData::from_json(kind, raw)?)),
    })
}

/// Where a JSON error is, without the value that it may quote.
fn place(error: &serde_json::Error) -> String {
    format!("broken at line {} column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::TenantState;
    use crate::model::{events, ops};
    use proptest::prelude::*;

    proptest! {
           #[test]
           fn the_fast_reader_takes_what_we_write_and_reads_it_as_the_general_one(
               ops in ops(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
           ) {
               let (mut state, mut history) = (TenantState::new(), Vec::new());
               for op in &ops {
                   for event in events(op, &state, &history) {
                       state.apply(&event);
                       let mut bytes = event.encode();
                       let fast = canonical::read(&bytes).map(|d| format!("{d:?}"));
                       let general = decode_any(&bytes).map(|d| format!("{d:?}")).unwrap();
                       let frequent = event.data.kind().starts_with("rollcall.user.");
                       prop_assert!(fast.is_some() || !frequent, "{}", String::from_utf8_lossy(&bytes));
                       prop_assert!(fast.is_none_or(|fast| fast == general));
                       for (at, byte) in &damage {
                           let at = at.index(bytes.len());
                           let marks = b"\"{}[],:\\0 ";
    bytes[at] = if byte % 2 == 0 { *byte } else { marks[usize::from(*byte) % 10] };
                       }
                       if let Some(fast) = canonical::read(&bytes) {
                           let general = decode_any(&bytes).map(|d| format!("{d:?}"));
                           prop_assert_eq!(Ok(format!("{fast:?}")), general);
                       }
                       history.push(event);
                   }
               }
           }
       }
}
