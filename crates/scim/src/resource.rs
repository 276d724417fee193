//! A resource as a normalised JSON object, with typed access.

use crate::members::{self, MemberRef};
use crate::roles::{self, RoleValue};
use crate::schema::{COMMON, ENTERPRISE_URN, ResourceKind};
use crate::select::Selection;
use serde_json::{Map, Value};
use std::fmt;

/// An e-mail address of a user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Email<'a> {
    /// The address.
    pub value: &'a str,
    /// `type`: `work`, `home` …
    pub kind: Option<&'a str>,
    /// The preferred one.
    pub primary: bool,
}

impl fmt::Debug for Email<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email({:?}, primary {})", self.kind, self.primary)
    }
}

/// A user or a group: attributes under their canonical names, extensions under their URN, values of the types
/// that the schema asks for, no nulls, no empty lists, no `schemas` (it follows from the rest), at most one
/// primary element in each list.
///
/// `id`, `meta`, `groups` and `members` are there only when the server put them there.
#[derive(Clone, PartialEq)]
pub struct Resource {
    kind: ResourceKind,
    attributes: Map<String, Value>,
}

/// Attributes can be personal: only their number is shown.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Resource({}, {} attributes)",
            self.kind.name(),
            self.attributes.len()
        )
    }
}

/// What changed between two states of a resource: whole top-level attributes (an extension is one).
#[derive(Clone, PartialEq, Default)]
pub struct Difference {
    /// New values.
    pub set: Map<String, Value>,
    /// Names of those that lost their value.
    pub unset: Vec<String>,
}

impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Difference(set {}, unset {})",
            self.set.len(),
            self.unset.len()
        )
    }
}

impl Difference {
    /// Nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }
}

impl Resource {
    /// Takes attributes that are already normalised: those of an earlier [`Resource`].
    #[must_use]
    pub fn from_stored(kind: ResourceKind, attributes: Map<String, Value>) -> Self {
        Self { kind, attributes }
    }

    /// User or group.
    #[must_use]
    pub const fn kind(&self) -> ResourceKind {
        self.kind
    }

    /// The attributes, to store or to filter.
    #[must_use]
    pub const fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }

    /// The attributes, to store.
    #[must_use]
    pub fn into_attributes(self) -> Map<String, Value> {
        self.attributes
    }

    pub(crate) fn attributes_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.attributes
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.as_str()
    }

    fn sub_text(&self, name: &str, sub: &str) -> Option<&str> {
        self.attributes.get(name)?.get(sub)?.as_str()
    }

    /// `id`, when the server has put it in.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.text("id")
    }

    /// `userName`; every parsed user has one.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        self.text("userName")
    }

    /// `externalId`.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        self.text("externalId")
    }

    /// `displayName`; every parsed group has one.
    #[must_use]
    pub fn display_name(&self) -> Option<&str> {
        self.text("displayName")
    }

    /// `name.givenName`.
    #[must_use]
    pub fn given_name(&self) -> Option<&str> {
        self.sub_text("name", "givenName")
    }

    /// `name.familyName`.
    #[must_use]
    pub fn family_name(&self) -> Option<&str> {
        self.sub_text("name", "familyName")
    }

    /// `name.formatted`.
    #[must_use]
    pub fn formatted_name(&self) -> Option<&str> {
        self.sub_text("name", "formatted")
    }

    /// `active`; true when absent.
    #[must_use]
    pub fn active(&self) -> bool {
        self.assigned_active().unwrap_or(true)
    }

    /// `active`; none when it has no value.
    #[must_use]
    pub fn assigned_active(&self) -> Option<bool> {
        self.attributes.get("active").and_then(Value::as_bool)
    }

    /// App roles: a user's own, or those a group gives (from its extension).
    #[must_use]
    pub fn roles(&self) -> Vec<RoleValue> {
        let value = match self.kind {
            ResourceKind::User => self.attributes.get("roles"),
            ResourceKind::Group => self
                .attributes
                .get(crate::schema::GROUP_ROLES_URN)
                .and_then(|group| group.get("roles")),
        };
        let elements = value
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        // A patch can give two elements one value: they are one role.
        let elements = elements.iter().filter_map(Value::as_object).cloned().collect();
        roles::merged(elements)
            .iter()
            .filter_map(roles::role_of)
            .collect()
    }

    /// E-mail addresses, in order.
    #[must_use]
    pub fn emails(&self) -> Vec<Email<'_>> {
        let list = self
            .attributes
            .get("emails")
            .and_then(Value::as_array)
            .map(Vec::as_slice);
        list.unwrap_or_default()
            .iter()
            .filter_map(|element| {
                Some(Email {
                    value: element.get("value")?.as_str()?,
                    kind: element.get("type").and_then(Value::as_str),
                    primary: element.get("primary").and_then(Value::as_bool).unwrap_or(false),
                })
            })
            .collect()
    }

    /// The address to use at work: of type `work`, else the primary one, else the first.
    #[must_use]
    pub fn work_email(&self) -> Option<&str> {
        let emails = self.emails();
        let work = |email: &&Email<'_>| email.kind.is_some_and(|kind| kind.eq_ignore_ascii_case("work"));
        let found = emails
            .iter()
            .find(work)
            .or_else(|| emails.iter().find(|email| email.primary))
            .or_else(|| emails.first())?;
        Some(found.value)
    }

    /// Id of the manager (enterprise extension).
    #[must_use]
    pub fn manager(&self) -> Option<&str> {
        self.attributes
            .get(ENTERPRISE_URN)?
            .get("manager")?
            .get("value")?
            .as_str()
    }

    /// Members, when the server has put them in.
    #[must_use]
    pub fn members(&self) -> Vec<MemberRef> {
        self.attributes
            .get("members")
            .and_then(|list| members::read(list).ok())
            .unwrap_or_default()
    }

    /// Puts in one of the attributes that the server writes: `id`, `meta`, `groups`, `members`.
    /// Null and an empty list take it out.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if empty {
            self.attributes.remove(name);
        } else {
            self.attributes.insert(name.to_owned(), value);
        }
        self
    }

    /// What leads from `self` to `new`, without the attributes that the server writes.
    #[must_use]
    pub fn difference(&self, new: &Self) -> Difference {
        let set = new
            .attributes
            .iter()
            .filter(|(name, value)| self.is_of_client(name) && self.attributes.get(*name) != Some(*value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let lost = |name: &&String| self.is_of_client(name) && !new.attributes.contains_key(*name);
        Difference {
            set,
            unset: self.attributes.keys().filter(lost).cloned().collect(),
        }
    }

    /// Whether the client writes the attribute as part of the resource.
    fn is_of_client(&self, name: &str) -> bool {
        let known = COMMON.iter().find(|attribute| attribute.name == name);
        name != "members"
            && known
                .or_else(|| self.kind.schema().attribute(name))
                .is_none_or(|known| !known.is_read_only())
    }

    /// URNs of the schemas in use.
    #[must_use]
    pub fn schemas(&self) -> Vec<&'static str> {
        let extensions = self.kind.extensions().iter().map(|schema| schema.id);
        std::iter::once(self.kind.schema().id)
            .chain(extensions.filter(|id| self.attributes.contains_key(*id)))
            .collect()
    }

    /// The resource as answered, with the attributes that were asked for.
    #[must_use]
    pub fn to_json(&self, selection: &Selection) -> Value {
        let mut shown = self.attributes.clone();
        hide_evidence(&mut shown);
        shown.insert("schemas".to_owned(), self.schemas().into());
        Value::Object(selection.apply(shown))
    }
}

/// Takes out what role elements keep beyond the schema.
fn hide_evidence(attributes: &mut Map<String, Value>) {
    let hide = |list: Option<&mut Value>| {
        for element in list.and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(map) = element.as_object_mut() {
                map.remove(roles::IDP_ID_KEY);
            }
        }
    };
    hide(attributes.get_mut("roles"));
    hide(
        attributes
            .get_mut(crate::schema::GROUP_ROLES_URN)
            .and_then(|group| group.get_mut("roles")),
    );
}
