//! The SCIM service: what each endpoint does with an admitted request.

mod bulk;
mod discovery;
mod groups;
mod list;
mod query;
mod represent;
mod users;
mod watch;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, Method, StatusCode};
use rollcall_scim::tolerance::Tolerated;
use rollcall_scim::{EntityTag, ListQuery, Note, Precondition, Resource, ResourceKind, Selection};
use tokio::time::Instant;
use uuid::Uuid;

use crate::http::answer::{Answer, Made};
use crate::http::failure::Failure;
use crate::http::headers::precondition;
use crate::http::route::Endpoint;
use crate::seat::Seat;
use crate::writer::{Writer, unsettled};
use query::list_query;
use represent::Links;

/// What the endpoints of one kind list.
const USERS: &[ResourceKind] = &[ResourceKind::User];
const GROUPS: &[ResourceKind] = &[ResourceKind::Group];

/// An admitted request within its bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) seat: &'a Arc<Seat>,
    pub(crate) method: &'a Method,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    /// When it came, on the clock of the tenant's rate, in milliseconds.
    pub(crate) ticks: u64,
    /// When the door gives it up.
    pub(crate) until: Instant,
}

/// The service of all tenants.
#[derive(Debug)]
pub(crate) struct Service {
    links: Links,
    writer: Writer,
}

impl Service {
    /// A service found at `base`, such as `https://rollcall.example/scim/v2`.
    pub(crate) fn new(base: String, writer: Writer) -> Self {
        Self {
            links: Links { base },
            writer,
        }
    }

    /// Carries out a request whose endpoint takes its method.
    pub(crate) async fn answer(&self, endpoint: &Endpoint, call: Call<'_>) -> Result<Answer, Failure> {
        let outcome = self.carry_out(endpoint, call).await;
        if let Err(failure) = &outcome {
            self.watch_failure(endpoint, call, failure);
        }
        outcome
    }

    /// Refuses a request before it is looked into, such as for the type of its body. Nobody keeps access for that: see
    /// [`Service::refuse_unless_leaver`] and [`Service::remove_all_the_same`].
    pub(crate) async fn refuse(
        &self,
        endpoint: &Endpoint,
        call: Call<'_>,
        failure: Failure,
    ) -> Result<Answer, Failure> {
        match endpoint {
            Endpoint::User(id) => {
                let id = rollcall_domain::UserId(resource_id(id)?);
                self.refuse_unless_leaver(call, id, failure).await
            }
            Endpoint::Group(id) => {
                let id = rollcall_domain::GroupId(resource_id(id)?);
                self.remove_all_the_same(call, id, &failure).await;
                Err(failure)
            }
            _ => Err(failure),
        }
    }

    async fn carry_out(&self, endpoint: &Endpoint, call: Call<'_>) -> Result<Answer, Failure> {
        match endpoint {
            Endpoint::Users if *call.method == Method::POST => self.create_user(call).await,
            Endpoint::Groups if *call.method == Method::POST => self.create_group(call).await,
            Endpoint::Users => self.list(call.seat, USERS, list_query(call.query)?).await,
            Endpoint::Groups => self.list(call.seat, GROUPS, list_query(call.query)?).await,
            Endpoint::Root => {
                self.list(call.seat, &ResourceKind::ALL, list_query(call.query)?)
                    .await
            }
            Endpoint::UsersSearch => self.search(call, USERS).await,
            Endpoint::GroupsSearch => self.search(call, GROUPS).await,
            Endpoint::RootSearch => self.search(call, &ResourceKind::ALL).await,
            Endpoint::User(id) => {
                let id = rollcall_domain::UserId(resource_id(id)?);
                match call.method.as_str() {
                    "PUT" => self.replace_user(call, id).await,
                    "PATCH" => self.patch_user(call, id).await,
                    "DELETE" => self.delete_user(call, id).await,
                    _ => self.read_user(call, id).await,
                }
            }
            Endpoint::Group(id) => {
                let id = rollcall_domain::GroupId(resource_id(id)?);
                match call.method.as_str() {
                    "PUT" => self.replace_group(call, id).await,
                    "PATCH" => self.patch_group(call, id).await,
                    "DELETE" => self.delete_group(call, id).await,
                    _ => self.read_group(call, id).await,
                }
            }
            Endpoint::ServiceProviderConfig
            | Endpoint::ResourceTypes
            | Endpoint::ResourceType(_)
            | Endpoint::Schemas
            | Endpoint::Schema(_) => self.discover(endpoint, call),
            Endpoint::Me => Err(not_implemented(
                "a token here belongs to a connection, not to a person",
            )),
            Endpoint::Bulk => self.bulk(call).await,
        }
    }

    fn discover(&self, endpoint: &Endpoint, call: Call<'_>) -> Result<Answer, Failure> {
        discovery::takes_no_filter(call.query)?;
        let base = &self.links.base;
        match endpoint {
            Endpoint::ResourceTypes => Ok(discovery::resource_types(base)),
            Endpoint::ResourceType(name) => discovery::resource_type(base, name),
            Endpoint::Schemas => Ok(discovery::schemas(base)),
            Endpoint::Schema(urn) => discovery::schema(base, urn),
            _ => Ok(discovery::service_provider_config(base, call.seat.oauth)),
        }
    }

    /// Counts what was tolerated in a request, and what was left out of it.
    fn note(&self, notes: &[Note], tolerated: Tolerated) {
        self.writer.metrics.tolerated(tolerated);
        if !notes.is_empty() {
            let count = u64::try_from(notes.len()).unwrap_or(u64::MAX);
            self.writer.metrics.left_out.fetch_add(count, Relaxed);
            tracing::debug!(count, first = ?notes.first().map(|note| note.kind), "left out of the request");
        }
    }

    /// `attributes` or `excludedAttributes` of the query.
    fn selection(&self, call: Call<'_>, kind: ResourceKind) -> Result<Selection, Failure> {
        if call.query.is_empty() {
            return Ok(Selection::All);
        }
        let query = list_query(call.query)?;
        self.note(&[], query.tolerate(call.seat.connection.dialect)?);
        Ok(Selection::parse(
            kind,
            query.attributes.as_deref(),
            query.excluded_attributes.as_deref(),
        )?)
    }

    async fn search(&self, call: Call<'_>, kinds: &[ResourceKind]) -> Result<Answer, Failure> {
        self.list(call.seat, kinds, ListQuery::parse_search(call.body)?)
            .await
    }
}

fn not_implemented(detail: &'static str) -> Failure {
    Failure::new(StatusCode::NOT_IMPLEMENTED, detail)
}

/// The id of a resource. Ids are compared exactly, so any other spelling of a UUID is nobody's id.
fn resource_id(text: &str) -> Result<Uuid, Failure> {
    let id = Uuid::from_str(text).map_err(|_| Failure::no_such_resource())?;
    let mut buffer = Uuid::encode_buffer();
    if id.hyphenated().encode_lower(&mut buffer) == text {
        Ok(id)
    } else {
        Err(Failure::no_such_resource())
    }
}

impl Call<'_> {
    fn if_match(&self) -> Option<Precondition> {
        precondition(self.headers, IF_MATCH)
    }

    fn if_none_match(&self) -> Option<Precondition> {
        precondition(self.headers, IF_NONE_MATCH)
    }

    /// Whether the client has this version already (`If-None-Match`).
    fn has_version(&self, version: EntityTag) -> bool {
        self.if_none_match().is_some_and(|known| known.matches(version))
    }

    /// Waits until reads see all that is durable now.
    async fn fresh(&self) -> Result<(), Failure> {
        self.seat
            .directory
            .read_barrier()
            .await
            .map_err(|error| unsettled(&error))
    }
}

/// A resource as an answer, with its version.
fn shown(status: StatusCode, resource: &Resource, selection: &Selection, version: EntityTag) -> Answer {
    Answer {
        status,
        json: serde_json::to_vec(&resource.to_json(selection)).unwrap_or_default(),
        etag: Some(version.to_string()),
        location: None,
        made: Made::Nothing,
    }
}

/// 304: the client has this version.
fn not_modified(version: EntityTag) -> Answer {
    Answer {
        etag: Some(version.to_string()),
        ..Answer::empty(StatusCode::NOT_MODIFIED)
    }
}
