//! Identity providers over real HTTP: the requests that Entra and Okta send, and how they try again.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::harness::{DOMAIN, PATIENCE};

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const GROUP_ROLES: &str = "urn:rollcall:params:scim:schemas:extension:1.0:Group";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Entra,
    Okta,
}

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    #[track_caller]
    pub(crate) fn good(self) -> Self {
        assert!(self.is_good(), "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.body["id"]
            .as_str()
            .unwrap_or_else(|| panic!("no id: {self:?}"))
            .to_owned()
    }
}

/// A connection's client. Clones share the HTTP client.
#[derive(Debug, Clone)]
pub(crate) struct Idp {
    dialect: Dialect,
    token: String,
    base: watch::Receiver<Option<String>>,
    http: reqwest::Client,
}

impl Idp {
    pub(crate) fn new(dialect: Dialect, token: &str, base: watch::Receiver<Option<String>>) -> Self {
        // An error says that another test installed it.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        Self {
            dialect,
            token: token.to_owned(),
            base,
            http,
        }
    }

    /// The same with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn base(&self) -> String {
        self.base.borrow().clone().unwrap_or_default()
    }

    /// A page beside SCIM: its status and text; `None` when nobody answers.
    pub(crate) async fn page(&self, path: &str) -> Option<(u16, String)> {
        let answer = self
            .http
            .get(format!("{}{path}", self.base()))
            .send()
            .await
            .ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// Whether the process says that it is ready.
    pub(crate) async fn is_ready(&self) -> bool {
        let page = self.page("/readyz").await;
        page.is_some_and(|(status, _)| status == 200)
    }

    /// Sends once; `None` when no whole answer came.
    pub(crate) async fn once(&self, method: &Method, path: &str, body: Option<&Value>) -> Option<Reply> {
        self.once_raw(method, path, body.map(ToString::to_string)).await
    }

    /// As [`Idp::once`], with a body that need not be JSON.
    pub(crate) async fn once_raw(&self, method: &Method, path: &str, body: Option<String>) -> Option<Reply> {
        let agent = match self.dialect {
            Dialect::Entra => "Microsoft-Entra-Provisioning",
            Dialect::Okta => "Okta SCIM Client 1.0.0",
        };
        let mut request = self
            .http
            .request(method.clone(), format!("{}/scim/v2{path}", self.base()))
            .header("user-agent", agent)
            .header("accept", "application/scim+json")
            .header("content-type", "application/scim+json; charset=utf-8");
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Some(Reply { status, body, text })
    }

    /// Sends until it is answered with something other than 429 or 5xx, as both providers do.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let sending = async {
            loop {
                match self.once(&method, path, body.as_ref()).await {
                    Some(reply) if reply.status != 429 && reply.status < 500 => return reply,
                    _ => tokio::time::sleep(AGAIN).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, sending)
            .await
            .expect("an answer comes in the end")
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    /// The user's id, when the provider finds it by its name.
    pub(crate) async fn find(&self, user_name: &str) -> Option<String> {
        let filter = query(&format!("userName eq \"{user_name}\""));
        let list = self
            .get(&format!("/Users?filter={filter}&startIndex=1&count=100"))
            .await
            .good();
        list.body["Resources"][0]["id"].as_str().map(str::to_owned)
    }

    /// Creates a user: looks for it first, and again when the answer to the creation was lost.
    pub(crate) async fn hire(&self, user_name: &str, roles: &[&str]) -> String {
        self.hire_as(user_name, &format!("idp-id-{user_name}"), roles)
            .await
    }

    pub(crate) async fn hire_as(&self, user_name: &str, external: &str, roles: &[&str]) -> String {
        let hiring = async {
            loop {
                if let Some(id) = self.find(user_name).await {
                    return id;
                }
                match self
                    .once(
                        &Method::POST,
                        "/Users",
                        Some(&self.user(user_name, external, roles)),
                    )
                    .await
                {
                    Some(reply) if reply.is_good() => return reply.id(),
                    Some(reply) => assert!(
                        [409, 429].contains(&reply.status) || reply.status >= 500,
                        "a hire was refused: {reply:?}"
                    ),
                    None => {}
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::time::timeout(PATIENCE, hiring)
            .await
            .expect("a hire succeeds in the end")
    }

    /// The body of a user's creation.
    pub(crate) fn user(&self, user_name: &str, external: &str, roles: &[&str]) -> Value {
        let (given, family) = ("Quirin", format!("Xylander {user_name}"));
        let display = format!("{given} {family}");
        match self.dialect {
            Dialect::Entra => json!({
                "schemas": [USER, ENTERPRISE],
                "externalId": external,
                "userName": user_name,
                "active": true,
                "displayName": display,
                "emails": [{"primary": true, "type": "work", "value": user_name}],
                "meta": {"resourceType": "User"},
                "name": {"formatted": display, "familyName": family, "givenName": given},
                "roles": roles.iter().map(|role| entra_role(role)).collect::<Vec<_>>(),
            }),
            Dialect::Okta => json!({
                "schemas": [USER],
                "userName": user_name,
                "name": {"givenName": given, "familyName": family},
                "emails": [{"primary": true, "value": user_name, "type": "work"}],
                "displayName": display,
                "locale": "en-US",
                "externalId": external,
                "groups": [],
                "password": "1mz050nq",
                "active": true,
                "roles": roles.iter().map(|role| json!({"value": role, "display": role})).collect::<Vec<_>>(),
            }),
        }
    }

    /// The user's active flag, the way each provider changes it.
    pub(crate) async fn set_active(&self, id: &str, active: bool) {
        let operation = match (self.dialect, active) {
            (Dialect::Entra, true) => json!({"op": "Replace", "path": "active", "value": "True"}),
            (Dialect::Entra, false) => json!({"op": "Replace", "path": "active", "value": "False"}),
            (Dialect::Okta, _) => json!({"op": "replace", "value": {"active": active}}),
        };
        self.patch("/Users", id, operation).await;
    }

    /// All personal roles of a user at once.
    pub(crate) async fn set_roles(&self, id: &str, roles: &[&str]) {
        let value: Vec<Value> = roles.iter().map(|role| json!({"value": role})).collect();
        let path = json!({"op": "replace", "path": "roles", "value": value});
        self.patch("/Users", id, path).await;
    }

    pub(crate) async fn rename(&self, id: &str, user_name: &str) {
        self.patch(
            "/Users",
            id,
            json!({"op": "Replace", "path": "userName", "value": user_name}),
        )
        .await;
    }

    /// Deletes, and takes "not there" for an answer: an earlier try may have done it.
    pub(crate) async fn delete(&self, kind: &str, id: &str) {
        let reply = self.send(Method::DELETE, &format!("{kind}/{id}"), None).await;
        assert!([204, 404].contains(&reply.status), "{reply:?}");
    }

    pub(crate) async fn make_group(&self, name: &str, roles: &[&str]) -> String {
        let making = async {
            loop {
                let filter = query(&format!("displayName eq \"{name}\""));
                let list = self
                    .get(&format!("/Groups?excludedAttributes=members&filter={filter}"))
                    .await
                    .good();
                if let Some(id) = list.body["Resources"][0]["id"].as_str() {
                    return id.to_owned();
                }
                let values: Vec<Value> = roles.iter().map(|role| json!({"value": role})).collect();
                let mut body =
                    json!({"schemas": [GROUP], "externalId": format!("idp-id-{name}"), "displayName": name});
                if !roles.is_empty() {
                    body[GROUP_ROLES] = json!({"roles": values});
                }
                match self.once(&Method::POST, "/Groups", Some(&body)).await {
                    Some(reply) if reply.is_good() => return reply.id(),
                    _ => tokio::time::sleep(AGAIN).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, making)
            .await
            .expect("a group is made in the end")
    }

    pub(crate) async fn add_members(&self, group: &str, members: &[String]) {
        let value: Vec<Value> = members
            .iter()
            .map(|id| json!({"$ref": null, "value": id}))
            .collect();
        let op = if self.dialect == Dialect::Entra {
            "Add"
        } else {
            "add"
        };
        self.patch(
            "/Groups",
            group,
            json!({"op": op, "path": "members", "value": value}),
        )
        .await;
    }

    pub(crate) async fn remove_member(&self, group: &str, member: &str) {
        let operation = match self.dialect {
            Dialect::Entra => {
                json!({"op": "Remove", "path": "members", "value": [{"$ref": null, "value": member}]})
            }
            Dialect::Okta => json!({"op": "remove", "path": format!("members[value eq \"{member}\"]")}),
        };
        self.patch("/Groups", group, operation).await;
    }

    /// All app roles of a group at once.
    pub(crate) async fn set_group_roles(&self, group: &str, roles: &[&str]) {
        let value: Vec<Value> = roles.iter().map(|role| json!({"value": role})).collect();
        let operation = json!({"op": "Replace", "path": format!("{GROUP_ROLES}:roles"), "value": value});
        self.patch("/Groups", group, operation).await;
    }

    async fn patch(&self, kind: &str, id: &str, operation: Value) {
        let body = patch_body(vec![operation]);
        self.send(Method::PATCH, &format!("{kind}/{id}"), Some(body))
            .await
            .good();
    }

    /// Every user of the connection, page by page.
    pub(crate) async fn all_users(&self) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let page = self
                .get(&format!("/Users?startIndex={}&count=100", all.len() + 1))
                .await
                .good();
            let resources = page.body["Resources"].as_array().cloned().unwrap_or_default();
            let end = resources.is_empty();
            all.extend(resources);
            if end || all.len() as u64 >= page.body["totalResults"].as_u64().unwrap() {
                return all;
            }
        }
    }
}

/// A role as `AssertiveAppRoleAssignmentsComplex` sends it.
fn entra_role(role: &str) -> Value {
    json!({"primary": false, "type": "WindowsAzureActiveDirectoryRole", "display": role, "value": role})
}

/// The body of a PATCH.
pub(crate) fn patch_body(operations: impl Into<Value>) -> Value {
    json!({"schemas": [PATCH_OP], "Operations": operations.into()})
}

/// Text for a query.
pub(crate) fn query(text: &str) -> String {
    let escape = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(escape).collect()
}

/// A user name of these tests.
pub(crate) fn named(name: &str) -> String {
    format!("{name}@{DOMAIN}")
}
