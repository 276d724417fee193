//! Carries out a plan: queries and mutations against the state, the answer written straight as JSON.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use crate::clock::{iso, parse_iso};
use crate::graphql::{GraphError, OperationKind, PlanField, Schema};
use crate::introspect::{self, Meta};
use crate::state::{
    Attribute, Context, Location, Page, Paging, Pattern, Retailer, Role, State, Table, User, UserRole,
    cursor_of,
};

/// Something with an id that searches return.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Row<'a> {
    User(&'a User),
    Role(&'a Role),
    Retailer(&'a Retailer),
    Location(&'a Location),
}

/// An object of the answer.
#[derive(Debug, Clone)]
pub(crate) enum Node<'a> {
    Row(Row<'a>),
    UserRole(&'a UserRole),
    Context(&'a Context),
    Attribute(&'a Attribute),
    Language(&'a (String, Option<String>)),
    Permission(&'a str),
    Connection(Vec<(u64, Row<'a>)>, bool, bool),
    Edge(u64, Row<'a>),
    PageInfo(bool, bool),
    Removed(&'a str),
    Meta(Meta<'a>),
}

/// The value of a field.
#[derive(Debug)]
pub(crate) enum Out<'a> {
    Null,
    Bool(bool),
    Text(Cow<'a, str>),
    Json(&'a Json),
    Node(Node<'a>),
    Nodes(Vec<Node<'a>>),
}

impl<'a> Out<'a> {
    pub(crate) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(crate) fn maybe(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    fn number(number: u64) -> Self {
        Self::Text(Cow::Owned(number.to_string()))
    }

    fn time(unix_ms: i64) -> Self {
        Self::Text(Cow::Owned(iso(unix_ms)))
    }

    fn row(row: Option<Row<'a>>) -> Self {
        row.map_or(Self::Null, |row| Self::Node(Node::Row(row)))
    }
}

/// What reading needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) state: &'a State,
    pub(crate) schema: &'a Schema,
    /// Who asks.
    pub(crate) caller: u64,
}

/// The permission a root field needs. The one of a role removal is not documented; updating is the likely
/// one.
pub(crate) fn permission(root: &str) -> Option<&'static str> {
    Some(match root {
        "userById" | "user" | "users" => "USER_VIEW",
        "role" | "roles" => "ROLE_VIEW",
        "retailerById" | "retailers" => "RETAILER_VIEW",
        "locationById" | "location" | "locations" => "LOCATION_VIEW",
        "createUser" => "USER_CREATE",
        "updateUser" | "removeUserRolesFromUser" => "USER_UPDATE",
        "createRole" => "ROLE_CREATE",
        _ => return None,
    })
}

/// What a mutation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    User(u64),
    Role(u64),
    Grants(u64),
}

/// Carries out one mutation field.
pub(crate) fn mutate(state: &mut State, field: &PlanField, now: i64) -> Result<Changed, GraphError> {
    let empty = Map::new();
    let input = field
        .args
        .get("input")
        .and_then(Json::as_object)
        .unwrap_or(&empty);
    match field.name.as_str() {
        "createUser" => state.create_user(input, now).map(Changed::User),
        "updateUser" => state.update_user(input, now).map(Changed::User),
        "removeUserRolesFromUser" => state.remove_roles(input, now).map(Changed::Grants),
        "createRole" => state.create_role(input).map(Changed::Role),
        other => Err(GraphError::invalid(format!("no mutation {other}"), field.at)),
    }
}

impl<'a> View<'a> {
    /// The answer of a mutation field after its change.
    pub(crate) fn changed(self, changed: Changed) -> Out<'a> {
        match changed {
            Changed::User(id) => Out::row(self.state.users.by_id(id).map(Row::User)),
            Changed::Role(id) => Out::row(self.state.roles.by_id(id).map(Row::Role)),
            Changed::Grants(_) => Out::Node(Node::Removed(&self.state.behavior.removal_status)),
        }
    }

    /// Resolves a root field of a query.
    pub(crate) fn query(self, field: &'a PlanField) -> Result<Out<'a>, GraphError> {
        let state = self.state;
        let id = field.text("id").map(|id| id.parse::<u64>().unwrap_or(u64::MAX));
        Ok(match field.name.as_str() {
            "me" => Out::row(state.users.by_id(self.caller).map(Row::User)),
            "userById" => Out::row(id.and_then(|id| state.users.by_id(id)).map(Row::User)),
            "user" => Out::row(self.user(id, field.text("username"))?.map(Row::User)),
            "users" => self.users(field)?,
            "role" => Out::row(
                field
                    .text("name")
                    .and_then(|name| state.roles.by_name(name))
                    .map(Row::Role),
            ),
            "roles" => self.search(field, &state.roles, Row::Role, role_text)?,
            "retailerById" => Out::row(id.and_then(|id| state.retailers.by_id(id)).map(Row::Retailer)),
            "retailers" => self.search(field, &state.retailers, Row::Retailer, retailer_text)?,
            "locationById" => Out::row(id.and_then(|id| state.locations.by_id(id)).map(Row::Location)),
            "location" => {
                let found = match (id, field.text("ref")) {
                    (Some(id), reference) => state
                        .locations
                        .by_id(id)
                        .filter(|location| reference.is_none_or(|r| r == location.reference)),
                    (None, Some(reference)) => state.locations.by_name(reference),
                    (None, None) => return Err(no_key("location")),
                };
                Out::row(found.map(Row::Location))
            }
            "locations" => self.search(field, &state.locations, Row::Location, location_text)?,
            _ => introspect::root(self.schema, field),
        })
    }

    fn user(self, id: Option<u64>, username: Option<&str>) -> Result<Option<&'a User>, GraphError> {
        let key = |name: &str| self.state.name_key(name);
        Ok(match (id, username) {
            (Some(id), username) => self
                .state
                .users
                .by_id(id)
                .filter(|user| username.is_none_or(|name| key(name) == key(&user.username))),
            (None, Some(username)) => self.state.user_by_name(username),
            (None, None) => return Err(no_key("user")),
        })
    }

    fn users(self, field: &PlanField) -> Result<Out<'a>, GraphError> {
        self.search(field, &self.state.users, Row::User, user_text)
    }

    /// A search: every list filter has to match one of its values, every date range has to hold.
    fn search<T>(
        self,
        field: &PlanField,
        table: &'a Table<T>,
        row: fn(&'a T) -> Row<'a>,
        text: fn(&T, &str) -> Option<String>,
    ) -> Result<Out<'a>, GraphError> {
        let paging = Paging::read(field)?;
        let underscore = self.state.behavior.underscore_wildcard;
        let mut filters = Vec::new();
        let mut ranges = Vec::new();
        for (name, value) in &field.args {
            match value {
                Json::Array(values) => {
                    let patterns = values.iter().map(|value| {
                        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                        Pattern::new(&value, underscore)
                    });
                    filters.push((name.as_str(), patterns.collect::<Result<Vec<_>, _>>()?));
                }
                Json::Object(range) => {
                    ranges.push((name.as_str(), date(range.get("from"))?, date(range.get("to"))?));
                }
                _ => {}
            }
        }
        let fits = |candidate: &T| {
            let texts = filters.iter().all(|(name, patterns)| {
                let value = text(candidate, name);
                value.is_some_and(|value| patterns.iter().any(|pattern| pattern.matches(&value)))
            });
            texts
                && ranges.iter().all(|(name, from, to)| {
                    let at = text(candidate, name)
                        .and_then(|text| parse_iso(&text))
                        .unwrap_or_default();
                    from.is_none_or(|from| at >= from) && to.is_none_or(|to| at <= to)
                })
        };
        let page: Page<'a, T> = paging.page(&table.rows, fits);
        let rows = page
            .rows
            .into_iter()
            .map(|(id, found)| (id, row(found)))
            .collect();
        Ok(Out::Node(Node::Connection(
            rows,
            page.has_previous,
            page.has_next,
        )))
    }

    fn resolve(self, node: &Node<'a>, field: &'a PlanField) -> Out<'a> {
        let name = field.name.as_str();
        match node {
            Node::Row(Row::User(user)) => self.user_field(user, name),
            Node::Row(Row::Role(role)) => match name {
                "id" => Out::number(role.id),
                "name" => Out::text(&role.name),
                _ => Out::Nodes(role.permissions.iter().map(|p| Node::Permission(p)).collect()),
            },
            Node::Row(Row::Retailer(retailer)) => match name {
                "id" => Out::number(retailer.id),
                "ref" => Out::text(&retailer.reference),
                "tradingName" => Out::maybe(retailer.trading_name.as_deref()),
                "status" => Out::text(&retailer.status),
                _ => Out::time(retailer.created_on),
            },
            Node::Row(Row::Location(location)) => match name {
                "id" => Out::number(location.id),
                "ref" => Out::text(&location.reference),
                "type" => Out::text("STORE"),
                "name" => Out::maybe(location.name.as_deref()),
                "status" => Out::text(&location.status),
                "retailer" => Out::row(self.state.retailers.by_id(location.retailer).map(Row::Retailer)),
                _ => Out::time(location.created_on),
            },
            Node::UserRole(held) => match name {
                "role" => Out::row(self.state.roles.by_name(&held.role).map(Row::Role)),
                _ => Out::Nodes(held.contexts.iter().map(Node::Context).collect()),
            },
            Node::Context(context) if name == "contextType" => Out::text(&context.kind),
            Node::Context(context) => Out::text(&context.id),
            Node::Attribute(attribute) => match name {
                "name" => Out::text(&attribute.name),
                "type" => Out::text(&attribute.kind),
                _ => Out::Json(&attribute.value),
            },
            Node::Language((value, _)) if name == "value" => Out::text(value),
            Node::Language((_, label)) => Out::maybe(label.as_deref()),
            Node::Permission(permission) => Out::text(permission),
            Node::Connection(rows, ..) if name == "edges" => {
                Out::Nodes(rows.iter().map(|(id, row)| Node::Edge(*id, *row)).collect())
            }
            Node::Connection(_, previous, next) => Out::Node(Node::PageInfo(*previous, *next)),
            Node::Edge(id, _) if name == "cursor" => Out::Text(Cow::Owned(cursor_of(*id))),
            Node::Edge(_, row) => Out::Node(Node::Row(*row)),
            Node::PageInfo(previous, _) if name == "hasPreviousPage" => Out::Bool(*previous),
            Node::PageInfo(_, next) => Out::Bool(*next),
            Node::Removed(status) => Out::text(status),
            Node::Meta(meta) => introspect::resolve(self.schema, *meta, name),
        }
    }

    fn user_field(self, user: &'a User, name: &str) -> Out<'a> {
        match name {
            "id" => Out::number(user.id),
            "ref" => Out::text(&user.reference),
            "username" => Out::text(&user.username),
            "type" => Out::text(&user.kind),
            "status" => Out::text(&user.status),
            "attributes" => Out::Nodes(user.attributes.iter().map(Node::Attribute).collect()),
            "language" => user
                .language
                .as_ref()
                .map_or(Out::Null, |l| Out::Node(Node::Language(l))),
            "promotionOptIn" => user.promotion_opt_in.map_or(Out::Null, Out::Bool),
            "primaryRetailer" => Out::row(
                user.primary_retailer
                    .and_then(|id| self.state.retailers.by_id(id))
                    .map(Row::Retailer),
            ),
            "primaryLocation" => Out::row(
                user.primary_location
                    .and_then(|id| self.state.locations.by_id(id))
                    .map(Row::Location),
            ),
            "createdOn" => Out::time(user.created_on),
            "updatedOn" => Out::time(user.updated_on),
            "roles" => Out::Nodes(user.roles.iter().map(Node::UserRole).collect()),
            _ => Out::maybe(user.texts.get(name).map(String::as_str)),
        }
    }

    /// Writes the value of a field.
    pub(crate) fn write(self, out: &mut Vec<u8>, value: &Out<'a>, children: &'a [PlanField]) {
        match value {
            Out::Null => out.extend_from_slice(b"null"),
            Out::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
            Out::Text(text) => write_json(out, text.as_ref()),
            Out::Json(json) => write_json(out, json),
            Out::Node(node) => self.write_node(out, node, children),
            Out::Nodes(nodes) => {
                out.push(b'[');
                for (index, node) in nodes.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    self.write_node(out, node, children);
                }
                out.push(b']');
            }
        }
    }

    fn write_node(self, out: &mut Vec<u8>, node: &Node<'a>, fields: &'a [PlanField]) {
        out.push(b'{');
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_json(out, field.key.as_str());
            out.push(b':');
            if field.name == "__typename" {
                write_json(out, field.parent.as_str());
            } else {
                let value = self.resolve(node, field);
                self.write(out, &value, &field.children);
            }
        }
        out.push(b'}');
    }
}

/// Writes a JSON value. Writing texts and JSON trees to memory does not fail.
pub(crate) fn write_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let _written = serde_json::to_writer(out, value);
}

/// The root type's name, for `__typename`.
pub(crate) fn root_type(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Query => "Query",
        OperationKind::Mutation => "Mutation",
    }
}

fn no_key(what: &str) -> GraphError {
    GraphError::coded("C0140E", format!("{what} needs at least one argument"))
}

fn date(value: Option<&Json>) -> Result<Option<i64>, GraphError> {
    match value.and_then(Json::as_str) {
        None => Ok(None),
        Some(text) => {
            let bad = || GraphError::coded("C0100E", "A date argument cannot be read");
            parse_iso(text).map(Some).ok_or_else(bad)
        }
    }
}

fn user_text(user: &User, name: &str) -> Option<String> {
    Some(match name {
        "ref" => user.reference.clone(),
        "username" => user.username.clone(),
        "type" => user.kind.clone(),
        "status" => user.status.clone(),
        "promotionOptIn" => user.promotion_opt_in?.to_string(),
        "createdOn" => iso(user.created_on),
        "updatedOn" => iso(user.updated_on),
        _ => user.texts.get(name)?.clone(),
    })
}

fn role_text(role: &Role, _name: &str) -> Option<String> {
    Some(role.name.clone())
}

fn retailer_text(retailer: &Retailer, name: &str) -> Option<String> {
    match name {
        "ref" => Some(retailer.reference.clone()),
        "status" => Some(retailer.status.clone()),
        _ => retailer.trading_name.clone(),
    }
}

fn location_text(location: &Location, name: &str) -> Option<String> {
    match name {
        "ref" => Some(location.reference.clone()),
        "status" => Some(location.status.clone()),
        "type" => Some("STORE".into()),
        _ => location.name.clone(),
    }
}
