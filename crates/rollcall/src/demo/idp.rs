//! The two identity providers of the story, as HTTP clients that send what the real ones send.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// Largest answer that the story reads: a group of some thousand members.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Our extension: the app roles that a group carries.
const GROUP_ROLES: &str = "urn:rollcall:params:scim:schemas:extension:1.0:Group";
/// Entra sends this beside the core schema of a group.
const ENTRA_GROUP: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A SCIM client with a token.
#[derive(Debug, Clone)]
pub(crate) struct Idp {
    base: String,
    token: String,
    user_agent: &'static str,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A person as an IdP knows it.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user_name: String,
    pub(crate) given: String,
    pub(crate) family: String,
    /// The IdP's own id.
    pub(crate) external_id: String,
    /// App roles assigned to the person directly.
    pub(crate) roles: Vec<String>,
}

impl Person {
    pub(crate) fn new(given: &str, family: &str, roles: &[&str]) -> Self {
        let user_name = format!("{given}.{family}@midwest.example").to_lowercase();
        Self {
            external_id: format!("idp-{user_name}"),
            user_name,
            given: given.to_owned(),
            family: family.to_owned(),
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
        }
    }
}

impl Idp {
    /// A client of `http://…/scim/v2` that calls itself `user_agent`.
    pub(crate) fn new(base: String, token: String, user_agent: &'static str) -> Self {
        Self {
            base,
            token,
            user_agent,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<(u16, Value)> {
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/scim+json; charset=utf-8")
            .header("accept", "application/scim+json")
            .header("user-agent", self.user_agent)
            .body(Full::new(bytes))?;
        let answer = self
            .client
            .request(request)
            .await
            .with_context(|| format!("{method} {path}"))?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body
            .map_err(|e| anyhow::anyhow!("reading the answer to {method} {path}: {e}"))?
            .to_bytes();
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body)?
        };
        Ok((status, body))
    }

    async fn expect(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let (status, answer) = self.send(method.clone(), path, body).await?;
        if !(200..300).contains(&status) {
            bail!(
                "{method} {path} was answered {status}: {}",
                answer
                    .get("detail")
                    .and_then(Value::as_str)
                    .unwrap_or("no detail")
            );
        }
        Ok(answer)
    }

    /// What both IdPs do first: look for the person, and expect an empty list.
    async fn must_be_new(&self, user_name: &str) -> anyhow::Result<()> {
        let filter = format!("userName%20eq%20%22{}%22", user_name.replace('@', "%40"));
        let list = self
            .expect(
                Method::GET,
                &format!("/Users?filter={filter}&startIndex=1&count=100"),
                None,
            )
            .await?;
        if list.get("totalResults") != Some(&json!(0)) {
            bail!("a person of the story is there before the story starts");
        }
        Ok(())
    }

    /// Entra's POST of a user: roles as `AssertiveAppRoleAssignmentsComplex` sends them.
    pub(crate) async fn entra_hires(&self, person: &Person) -> anyhow::Result<String> {
        self.must_be_new(&person.user_name).await?;
        let roles: Vec<Value> = person
            .roles
            .iter()
            .map(|role| {
                json!({"primary": false, "type": "WindowsAzureActiveDirectoryRole", "display": role, "value": role})
            })
            .collect();
        let body = json!({
            "schemas": [USER, ENTERPRISE],
            "externalId": person.external_id,
            "userName": person.user_name,
            "active": true,
            "displayName": format!("{} {}", person.given, person.family),
            "emails": [{"primary": true, "type": "work", "value": person.user_name}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": format!("{} {}", person.given, person.family),
                     "familyName": person.family, "givenName": person.given},
            "roles": roles,
            format!("{ENTERPRISE}"): {"employeeNumber": "4711", "department": "Fulfillment"}
        });
        id_of(&self.expect(Method::POST, "/Users", Some(body)).await?)
    }

    /// Okta's POST of a user, with the random password that it sends along.
    pub(crate) async fn okta_hires(&self, person: &Person) -> anyhow::Result<String> {
        self.must_be_new(&person.user_name).await?;
        let roles: Vec<Value> = person
            .roles
            .iter()
            .map(|role| json!({"value": role, "display": role}))
            .collect();
        let body = json!({
            "schemas": [USER],
            "userName": person.user_name,
            "name": {"givenName": person.given, "familyName": person.family},
            "emails": [{"primary": true, "value": person.user_name, "type": "work"}],
            "displayName": format!("{} {}", person.given, person.family),
            "locale": "en-US",
            "externalId": person.external_id,
            "groups": [],
            "password": "1mz050nq",
            "active": true,
            "roles": roles
        });
        id_of(&self.expect(Method::POST, "/Users", Some(body)).await?)
    }

    /// Entra creates a group without members; they come later, by PATCH.
    pub(crate) async fn entra_makes_group(&self, name: &str, roles: &[&str]) -> anyhow::Result<String> {
        let filter = format!("displayName%20eq%20%22{}%22", name.replace(' ', "%20"));
        self.expect(
            Method::GET,
            &format!("/Groups?excludedAttributes=members&filter={filter}"),
            None,
        )
        .await?;
        let roles: Vec<Value> = roles.iter().map(|role| json!({"value": role})).collect();
        let body = json!({
            "schemas": [GROUP, ENTRA_GROUP],
            "externalId": format!("idp-{name}"),
            "displayName": name,
            "meta": {"resourceType": "Group"},
            format!("{GROUP_ROLES}"): {"roles": roles}
        });
        id_of(&self.expect(Method::POST, "/Groups", Some(body)).await?)
    }

    /// Entra's PATCH of members, default style: capitalised operations and a value list.
    pub(crate) async fn entra_patches_members(
        &self,
        group: &str,
        operation: &str,
        members: &[String],
    ) -> anyhow::Result<()> {
        let value: Vec<Value> = members
            .iter()
            .map(|id| json!({"$ref": null, "value": id}))
            .collect();
        let operation = json!({"op": operation, "path": "members", "value": value});
        self.patch(&format!("/Groups/{group}"), &operation).await
    }

    /// A group gains an app role.
    pub(crate) async fn group_gains_role(&self, group: &str, role: &str) -> anyhow::Result<()> {
        let path = format!("{GROUP_ROLES}:roles");
        let operation = json!({"op": "Add", "path": path, "value": [{"value": role}]});
        self.patch(&format!("/Groups/{group}"), &operation).await
    }

    /// Entra disables a user, default style: a capitalised operation and a boolean in a string.
    pub(crate) async fn entra_disables(&self, user: &str) -> anyhow::Result<()> {
        let operation = json!({"op": "Replace", "path": "active", "value": "False"});
        self.patch(&format!("/Users/{user}"), &operation).await
    }

    /// Okta (a catalogue app) disables a user: one operation without a path.
    pub(crate) async fn okta_disables(&self, user: &str) -> anyhow::Result<()> {
        let operation = json!({"op": "replace", "value": {"active": false}});
        self.patch(&format!("/Users/{user}"), &operation).await
    }

    async fn patch(&self, path: &str, operation: &Value) -> anyhow::Result<()> {
        let body = json!({"schemas": [PATCH_OP], "Operations": [operation]});
        self.expect(Method::PATCH, path, Some(body))
            .await
            .map(|_answer| ())
    }
}

fn id_of(resource: &Value) -> anyhow::Result<String> {
    resource
        .get("id")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .context("the answer has no id")
}
