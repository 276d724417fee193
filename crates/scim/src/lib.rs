//! SCIM 2.0 as a pure library: resources, schemas, filter, path, PATCH, errors (RFC 7643 and 7644).
//!
//! **What it is.** Bytes and values in, values out. A request is read in two layers: one that brings what
//! identity providers really send into form, then one strict engine that knows only the form.
//!
//! **What it is not.** No server, no storage, no clock, no ids: times, ids and revisions are arguments. It
//! knows nothing of what resources are used for.
//!
//! **Invariants.**
//! - Nothing that a client can send makes it panic, recurse without bound or use memory beyond [`limits`].
//! - A [`Resource`] is normalised: canonical names, right types, no nulls, one primary at most per list.
//! - A [`Filter`] and a [`PatchOperation`] are checked against the schema before they exist.
//! - A group's members are never part of a patch's attribute operations: [`Patch::members`] is a
//!   difference whose cost is that of the request.
//! - Passwords are never kept; error details and `Debug` texts name attributes, never values.

pub mod bulk;
mod coerce;
mod error;
pub mod filter;
mod json;
mod leaver;
pub mod limits;
mod list;
mod members;
mod meta;
mod note;
mod parse;
pub mod patch;
mod path;
mod removal;
mod resource;
pub mod roles;
pub mod schema;
mod select;
mod sort;
pub mod tolerance;

pub use error::{ERROR_SCHEMA, ScimError, ScimType};
pub use filter::{Filter, IndexKey, Lookup, MembersUse};
pub use json::parse_json;
pub use leaver::{patch_deactivates, patch_takes_away, resource_deactivates};
pub use list::{LIST_RESPONSE_SCHEMA, ListAnswer, ListQuery, SEARCH_REQUEST_SCHEMA, list_response};
pub use members::{MemberKind, MemberRef};
pub use meta::{EntityTag, Precondition, location, meta};
pub use note::{Dialect, Note, NoteKind};
pub use parse::{ParsedResource, parse_resource, read_resource};
pub use patch::{MemberOperation, MembersChange, NetMembers, Patch, PatchKind, PatchOperation, parse_patch};
pub use path::AttrRef;
pub use removal::patch_removes_members;
pub use resource::{Difference, Email, Resource};
pub use roles::RoleValue;
pub use schema::ResourceKind;
pub use select::{Selected, Selection};
pub use sort::{SortBy, SortKey};
