//! The client: one method for each thing that is asked of Fluent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use rollcall_domain::{Catalog, FluentUserId, Grant, ObservedUser, RoleName, fold_case};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::answer::{Connection, Envelope, Keyed, PlaceNode, RawPage, RoleNode, UserNode};
use crate::clock::Clock;
use crate::config::{ConfigError, Endpoints, FluentConfig, LARGE_TIMEOUT};
use crate::error::{FluentError, Operation, TransportFault};
use crate::mutation::{Mutation, NewUser, UserUpdate, Written};
use crate::pager::{Page, USERS_PER_PAGE, UserPager, Walk};
use crate::query::{self, RESULT};
use crate::token::{Token, Tokens};
use crate::transport::{self, Answer};

/// Roles, retailers and locations a page. A location costs one look-up more for its retailer, so a page stays
/// far below the complexity limit of 11,111.
const PLACES_PER_PAGE: u32 = 1_000;

/// The operations we cannot do without.
const NEEDED_QUERIES: [&str; 7] = [
    "me",
    "user",
    "userById",
    "users",
    "roles",
    "retailers",
    "locations",
];
const NEEDED_MUTATIONS: [&str; 3] = ["createUser", "updateUser", "removeUserRolesFromUser"];

/// A connection to one Fluent account. Cheap to clone; clones share the token and the connections.
#[derive(Debug, Clone)]
pub struct FluentClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    graphql: reqwest::Url,
    tokens: Arc<Tokens>,
    request_timeout: Duration,
}

impl Inner {
    /// How long an operation may take, its login included.
    fn time_for(&self, operation: Operation) -> Duration {
        if operation.is_large() {
            self.request_timeout.max(LARGE_TIMEOUT)
        } else {
            self.request_timeout
        }
    }
}

/// What the account's schema lacks of what we need.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SchemaCheck {
    /// Names of queries and mutations that do not exist there.
    pub missing: Vec<&'static str>,
}

impl SchemaCheck {
    /// Whether everything is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Whether roles can be taken away (`removeUserRolesFromUser` exists).
    #[must_use]
    pub fn can_remove_roles(&self) -> bool {
        !self.missing.contains(&"removeUserRolesFromUser")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaNode {
    query_type: Option<TypeNode>,
    mutation_type: Option<TypeNode>,
}

#[derive(Deserialize)]
struct TypeNode {
    fields: Option<Vec<RoleNode>>,
}

impl FluentClient {
    /// Sets a client up; sends nothing.
    ///
    /// # Errors
    /// [`ConfigError`]: a URL that is neither https nor this machine, an account that is no header value, no
    /// TLS.
    pub fn new(config: FluentConfig, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let endpoints = Endpoints::new(&config.url)?;
        HeaderValue::from_str(&config.account).map_err(|_| ConfigError::BadAccount)?;
        let http = transport::client(&config)?;
        let request_timeout = config.request_timeout;
        let tokens = Arc::new(Tokens::new(http.clone(), endpoints.token, config, clock));
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                graphql: endpoints.graphql,
                tokens,
                request_timeout,
            }),
        })
    }

    /// Gets a token unless a good one is there: proves address and credentials.
    ///
    /// # Errors
    /// [`FluentError::BadLogin`] or [`FluentError::LoginUnavailable`].
    pub async fn login(&self) -> Result<(), FluentError> {
        self.inner.tokens.get().await.map(|_| ())
    }

    /// The user we are logged in as: the cheapest proof that Fluent works.
    ///
    /// # Errors
    /// [`FluentError`].
    pub async fn me(&self) -> Result<ObservedUser, FluentError> {
        let operation = Operation::Me;
        let node: Option<UserNode> = self.query(operation, query::ME, json!({})).await?;
        let nobody = FluentError::BadAnswer {
            operation,
            problem: "nobody is logged in",
        };
        node.map(UserNode::observed).ok_or(nobody)
    }

    /// Looks whether the account's schema has what we need.
    ///
    /// # Errors
    /// [`FluentError`].
    pub async fn check_schema(&self) -> Result<SchemaCheck, FluentError> {
        let operation = Operation::CheckSchema;
        let node: Option<SchemaNode> = self.query(operation, query::SCHEMA, json!({})).await?;
        let schema = node.ok_or(FluentError::BadAnswer {
            operation,
            problem: "no schema",
        })?;
        let lacks = |ty: Option<TypeNode>, needed: &[&'static str]| {
            let fields = ty.and_then(|ty| ty.fields).unwrap_or_default();
            let missing = needed
                .iter()
                .filter(|name| !fields.iter().any(|field| field.name == **name));
            missing.copied().collect::<Vec<_>>()
        };
        let mut missing = lacks(schema.query_type, &NEEDED_QUERIES);
        missing.extend(lacks(schema.mutation_type, &NEEDED_MUTATIONS));
        Ok(SchemaCheck { missing })
    }

    /// The user with this name, by the exact Get form (a search would take `%` and maybe `_` as wildcards).
    /// Whether Fluent minds the case of names is not documented: the answer's name may differ in case.
    ///
    /// # Errors
    /// [`FluentError`]; one who does not exist is `None`.
    pub async fn user_by_username(&self, username: &str) -> Result<Option<ObservedUser>, FluentError> {
        let operation = Operation::User;
        let user = self
            .user(query::USER_BY_NAME, json!({ "username": username }))
            .await?;
        match user {
            Some(user) if fold_case(&user.username) != fold_case(username) => Err(FluentError::BadAnswer {
                operation,
                problem: "it is about another user",
            }),
            user => Ok(user),
        }
    }

    /// The user with this id.
    ///
    /// # Errors
    /// [`FluentError`]; one who does not exist is `None`.
    pub async fn user_by_id(&self, id: &FluentUserId) -> Result<Option<ObservedUser>, FluentError> {
        self.user(query::USER_BY_ID, json!({ "id": id.0 })).await
    }

    async fn user(&self, text: &str, variables: Json) -> Result<Option<ObservedUser>, FluentError> {
        match self.query::<UserNode>(Operation::User, text, variables).await {
            Ok(node) => Ok(node.map(UserNode::observed)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The users after a cursor, at most [`USERS_PER_PAGE`]. For a whole walk take [`Self::user_pages`],
    /// which guards against circles.
    ///
    /// # Errors
    /// [`FluentError`].
    pub async fn users_page(&self, after: Option<&str>) -> Result<Page<ObservedUser>, FluentError> {
        let page = self.raw_users(after).await?;
        let next = page.last.filter(|_| page.more);
        Ok(Page {
            rows: page.rows.into_iter().map(UserNode::observed).collect(),
            next,
        })
    }

    /// A walk through all users.
    #[must_use]
    pub fn user_pages(&self) -> UserPager {
        UserPager::new(self.clone())
    }

    pub(crate) async fn raw_users(&self, after: Option<&str>) -> Result<RawPage<UserNode>, FluentError> {
        self.page(Operation::Users, query::USERS, USERS_PER_PAGE, after)
            .await
    }

    /// Reads all roles, retailers and locations: the whole or an error, never a part.
    ///
    /// # Errors
    /// [`FluentError`].
    pub async fn read_catalog(&self) -> Result<Catalog, FluentError> {
        let roles: Vec<RoleNode> = self.all(Operation::Roles, query::ROLES).await?;
        let retailers: Vec<PlaceNode> = self.all(Operation::Retailers, query::RETAILERS).await?;
        let locations: Vec<PlaceNode> = self.all(Operation::Locations, query::LOCATIONS).await?;
        Ok(Catalog {
            roles: roles.into_iter().map(|role| RoleName(role.name)).collect(),
            retailers: retailers.into_iter().map(PlaceNode::place).collect(),
            locations: locations.into_iter().map(PlaceNode::place).collect(),
        })
    }

    /// Creates a user with a long random password that nobody learns. The answer is what Fluent then holds;
    /// its status may have to be set by an update.
    ///
    /// # Errors
    /// [`FluentError`]; a name that is taken is [`FluentError::is_duplicate`] (by the likely code).
    pub async fn create_user(&self, user: NewUser) -> Result<ObservedUser, FluentError> {
        self.written_user(Mutation::CreateUser(user)).await
    }

    /// Changes a user. Roles are only added.
    ///
    /// # Errors
    /// [`FluentError`].
    pub async fn update_user(
        &self,
        id: &FluentUserId,
        update: UserUpdate,
    ) -> Result<ObservedUser, FluentError> {
        self.written_user(Mutation::UpdateUser {
            id: id.clone(),
            update,
        })
        .await
    }

    async fn written_user(&self, mutation: Mutation) -> Result<ObservedUser, FluentError> {
        let operation = mutation.operation();
        match self.batch(&[mutation]).await.pop() {
            Some(Ok(Written::User(user))) => Ok(user),
            Some(Err(error)) => Err(error),
            _ => Err(FluentError::BadAnswer {
                operation,
                problem: "no user came back",
            }),
        }
    }

    /// Takes pairs away. Sends nothing when there are none.
    ///
    /// # Errors
    /// [`FluentError`]. What Fluent does with a pair that is not held is not documented: `C0120E` may only
    /// mean that, so read the user again.
    pub async fn remove_roles(&self, id: &FluentUserId, grants: &[Grant]) -> Result<(), FluentError> {
        if grants.is_empty() {
            return Ok(());
        }
        let mutation = Mutation::RemoveRoles {
            id: id.clone(),
            grants: grants.to_vec(),
        };
        self.batch(&[mutation])
            .await
            .pop()
            .unwrap_or(Ok(Written::RolesRemoved))
            .map(|_| ())
    }

    /// All rows of a search.
    async fn all<N: DeserializeOwned + Keyed>(
        &self,
        operation: Operation,
        text: &str,
    ) -> Result<Vec<N>, FluentError> {
        let mut walk = Walk::default();
        let mut rows = Vec::new();
        while !walk.done() {
            let page = self.page(operation, text, PLACES_PER_PAGE, walk.after()).await?;
            rows.extend(
                walk.take(page)
                    .map_err(|fault| FluentError::Paging { operation, fault })?,
            );
        }
        Ok(rows)
    }

    async fn page<N: DeserializeOwned>(
        &self,
        operation: Operation,
        text: &str,
        first: u32,
        after: Option<&str>,
    ) -> Result<RawPage<N>, FluentError> {
        let variables = json!({ "first": first, "after": after });
        let connection: Option<Connection<N>> = self.query(operation, text, variables).await?;
        let nothing = FluentError::BadAnswer {
            operation,
            problem: "it holds no page",
        };
        connection.map(Connection::page).ok_or(nothing)
    }

    async fn query<T: DeserializeOwned>(
        &self,
        operation: Operation,
        text: &str,
        variables: Json,
    ) -> Result<Option<T>, FluentError> {
        let body = json!({ "query": text, "variables": variables }).to_string();
        self.execute(operation, body.into(), &|| true)
            .await?
            .field(operation, RESULT)
    }

    /// Sends a GraphQL request, with one fresh token when the current one is refused; each time only if `may_send` says
    /// so at that moment. What was refused for its token was not carried out. All of it ends within the time for the
    /// request: whoever holds a lease for that long may rely on nothing being sent later.
    pub(crate) async fn execute(
        &self,
        operation: Operation,
        body: Bytes,
        may_send: &(dyn Fn() -> bool + Sync),
    ) -> Result<Envelope, FluentError> {
        let not_sent = FluentError::NotSent {
            operation,
            after: None,
        };
        let until = Instant::now() + self.inner.time_for(operation);
        let token = self.inner.tokens.get().await?;
        if !may_send() {
            return Err(not_sent);
        }
        let mut answer = self.post(operation, &token, body.clone(), until).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            let token = self.inner.tokens.replace(&token).await?;
            if !may_send() {
                return Err(not_sent);
            }
            answer = self.post(operation, &token, body, until).await?;
            if answer.status == StatusCode::UNAUTHORIZED {
                return Err(FluentError::Unauthorized { operation });
            }
        }
        judge(operation, &answer)
    }

    async fn post(
        &self,
        operation: Operation,
        token: &Token,
        body: Bytes,
        until: Instant,
    ) -> Result<Answer, FluentError> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(FluentError::Transport {
                operation,
                fault: TransportFault::NotConnected,
                detail: "the login took all the time: nothing was sent".to_owned(),
            });
        }
        let request = self
            .inner
            .http
            .post(self.inner.graphql.clone())
            .header(CONTENT_TYPE, "application/json")
            .bearer_auth(token.expose())
            .timeout(left)
            .body(body);
        let answer = transport::send(request, operation).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            token.worked();
        }
        Ok(answer)
    }
}

/// Reads the answer of a request whose token was taken. Whether coded errors come with 200 is not documented,
/// so they are also looked for in a refusal (but not in a server failure, which leaves a write in doubt).
fn judge(operation: Operation, answer: &Answer) -> Result<Envelope, FluentError> {
    let status = answer.status;
    if status.is_success() {
        return Envelope::read(operation, &answer.body);
    }
    let plain = matches!(
        status,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
    );
    if status.is_client_error()
        && !plain
        && let Ok(envelope) = Envelope::read(operation, &answer.body)
        && envelope.has_code()
    {
        return Ok(envelope);
    }
    Err(FluentError::Http {
        operation,
        status: status.as_u16(),
        retry_after: answer.retry_after,
    })
}
