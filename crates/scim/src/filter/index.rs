//! Which filters an index can answer.

use super::{CompareOp, Filter, Literal, compare::text_of};
use crate::path::AttrRef;

/// A key by which resources can be looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IndexKey {
    /// The resource of that id; exact.
    Id(String),
    /// Users of that name, whatever its case.
    UserName(String),
    /// Resources of that external id; exact.
    ExternalId(String),
    /// Resources of that display name, whatever its case.
    DisplayName(String),
    /// Groups that hold that member directly; exact.
    Member(String),
    /// Users that are in that group directly; exact.
    Group(String),
    /// Users that have that e-mail address, whatever its case.
    Email(String),
}

/// How to answer a filter from an index: every match is among what `key` finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Where to look.
    pub key: IndexKey,
    /// All that the key finds matches; otherwise each find is still to be asked with [`Filter::matches`].
    pub exact: bool,
}

/// What a filter needs to know of a group's members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembersUse {
    /// Nothing.
    None,
    /// Only whether these ids are members: a resource with just those of them that are, under
    /// `members`, is enough for [`Filter::matches`].
    Ids(Vec<String>),
    /// The whole list.
    All,
}

impl Filter {
    /// The best index key that every match must have, if there is one.
    #[must_use]
    pub fn lookup(&self) -> Option<Lookup> {
        match self {
            Self::Compare(path, CompareOp::Equal, literal) if *literal != Literal::Null => Some(Lookup {
                key: key_of(path, literal)?,
                exact: true,
            }),
            Self::Element(path, inner) => match inner.as_ref() {
                // One element has all that is asked, so its value too.
                Self::And(parts) => parts.iter().find_map(|part| {
                    let alone = Self::Element(*path, Box::new(part.clone()));
                    let lookup = alone.lookup().filter(|_| matches!(part, Self::Compare(..)))?;
                    Some(Lookup {
                        exact: false,
                        ..lookup
                    })
                }),
                Self::Compare(sub, CompareOp::Equal, literal)
                    if sub.attribute.name == "value" && *literal != Literal::Null =>
                {
                    let key = key_of(
                        &AttrRef {
                            sub: Some(sub.attribute),
                            ..*path
                        },
                        literal,
                    )?;
                    Some(Lookup { key, exact: true })
                }
                _ => None,
            },
            Self::And(parts) => parts
                .iter()
                .filter_map(Self::lookup)
                .min_by_key(|lookup| rank(&lookup.key))
                .map(|lookup| Lookup {
                    exact: false,
                    ..lookup
                }),
            _ => None,
        }
    }

    /// What must be loaded of a group's members before [`Filter::matches`] is asked.
    #[must_use]
    pub fn members_use(&self) -> MembersUse {
        match self {
            Self::Compare(path, op, literal) if path.is_core("members", Some("value")) => {
                mentioned(*op, literal)
            }
            Self::Compare(path, ..) | Self::Present(path)
                if path.is_core("members", path.sub.map(|s| s.name)) =>
            {
                MembersUse::All
            }
            Self::Compare(..) | Self::Present(_) => MembersUse::None,
            Self::Element(path, inner) if path.is_core("members", None) => match inner.as_ref() {
                Self::Compare(sub, op, literal) if sub.attribute.name == "value" => mentioned(*op, literal),
                _ => MembersUse::All,
            },
            Self::Element(..) => MembersUse::None,
            Self::Not(inner) => inner.members_use(),
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().map(Self::members_use).fold(MembersUse::None, both)
            }
        }
    }
}

fn mentioned(op: CompareOp, literal: &Literal) -> MembersUse {
    match (op, literal) {
        (CompareOp::Equal, Literal::Text(_) | Literal::Number(_)) => {
            MembersUse::Ids(vec![text_of(literal).into_owned()])
        }
        _ => MembersUse::All,
    }
}

fn both(left: MembersUse, right: MembersUse) -> MembersUse {
    match (left, right) {
        (MembersUse::All, _) | (_, MembersUse::All) => MembersUse::All,
        (MembersUse::None, other) | (other, MembersUse::None) => other,
        (MembersUse::Ids(mut ids), MembersUse::Ids(more)) => {
            ids.extend(more);
            MembersUse::Ids(ids)
        }
    }
}

fn key_of(path: &AttrRef, literal: &Literal) -> Option<IndexKey> {
    if path.extension.is_some() {
        return None;
    }
    let text = || text_of(literal).into_owned();
    match (path.attribute.name, path.sub.map(|sub| sub.name)) {
        ("id", None) => Some(IndexKey::Id(text())),
        ("userName", None) => Some(IndexKey::UserName(text())),
        ("externalId", None) => Some(IndexKey::ExternalId(text())),
        ("displayName", None) => Some(IndexKey::DisplayName(text())),
        ("members", Some("value")) => Some(IndexKey::Member(text())),
        ("groups", Some("value")) => Some(IndexKey::Group(text())),
        ("emails", Some("value")) => Some(IndexKey::Email(text())),
        _ => None,
    }
}

const fn rank(key: &IndexKey) -> u8 {
    match key {
        IndexKey::Id(_) => 0,
        IndexKey::UserName(_) => 1,
        IndexKey::ExternalId(_) => 2,
        IndexKey::DisplayName(_) => 3,
        IndexKey::Email(_) => 4,
        IndexKey::Member(_) => 5,
        IndexKey::Group(_) => 6,
    }
}
