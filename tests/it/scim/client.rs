//! A SCIM client in one dialect, with a record of all that it said and heard.

use reqwest::Method;
use serde_json::Value;

use super::dialect::{Change, Dialect, Person};
use crate::engine::harness::World;
use crate::engine::idp::query;
use crate::engine::process::secret;

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) body: Value,
}

impl Reply {
    /// The answer, when it has this status; an error must be a SCIM error that says something.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        if status >= 400 {
            assert_eq!(self.body["schemas"], serde_json::json!([ERROR]), "{self:?}");
            assert_eq!(self.body["status"], status.to_string(), "{self:?}");
            assert!(
                self.body["detail"]
                    .as_str()
                    .is_some_and(|detail| !detail.is_empty()),
                "{self:?}"
            );
        }
        self
    }

    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.body["id"]
            .as_str()
            .unwrap_or_else(|| panic!("no id: {self:?}"))
            .to_owned()
    }

    pub(crate) fn total(&self) -> u64 {
        self.body["totalResults"].as_u64().unwrap_or(u64::MAX)
    }
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) dialect: Dialect,
    token: String,
    base: String,
    http: reqwest::Client,
    /// What stands for an id in the record.
    names: Vec<(String, String)>,
    record: String,
}

impl Client {
    /// A client of the world's connection for its kind of provider.
    pub(crate) fn new(world: &World, dialect: Dialect) -> Self {
        let token = if dialect.is_okta() {
            "OKTA_TOKEN"
        } else {
            "ENTRA_TOKEN"
        };
        let timeout = std::time::Duration::from_secs(20);
        Self {
            dialect,
            token: secret(token).to_owned(),
            base: world.entra.base(),
            http: reqwest::Client::builder().timeout(timeout).build().unwrap(),
            names: Vec::new(),
            record: String::new(),
        }
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let token = self.token.clone();
        self.send_as(&token, method, path, body).await
    }

    /// With another token.
    pub(crate) async fn send_as(
        &mut self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Reply {
        let address = format!("{}/scim/v2{path}", self.base);
        let mut request = self.http.request(method.clone(), address).bearer_auth(token);
        request = request.header("user-agent", self.dialect.agent);
        request = request
            .header("accept", "application/scim+json")
            .header("accept-charset", "utf-8");
        if let Some(body) = body {
            request = request
                .header("content-type", self.dialect.sends)
                .body(body.to_string());
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let header = |name: &str| {
            let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (kind, location) = (header("content-type"), header("location"));
        let text = answer.text().await.expect("a whole answer");
        if !text.is_empty() {
            assert!(
                kind.starts_with("application/scim+json"),
                "{method} {path}: {kind}"
            );
        }
        let heard = serde_json::from_str(&text).unwrap_or(Value::Null);
        self.note(&method, path, body, status);
        Reply {
            status,
            location,
            body: heard,
        }
    }

    fn note(&mut self, method: &Method, path: &str, body: Option<&Value>, status: u16) {
        self.record.push_str(&format!("{method} {path}"));
        if let Some(body) = body {
            self.record.push_str(&format!("\n  {body}"));
        }
        self.record.push_str(&format!("\n  -> {status}\n"));
    }

    /// From now on the record shows `{name}` for this id.
    pub(crate) fn call(&mut self, id: &str, name: &str) {
        self.names.push((id.to_owned(), format!("{{{name}}}")));
    }

    /// All requests so far, with names for ids and without what changes from run to run.
    pub(crate) fn record(&self) -> String {
        let mut text = self.record.replace(&self.base, "http://rollcall");
        for (id, name) in &self.names {
            text = text.replace(id, name);
        }
        without_times(&text)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None).await
    }

    pub(crate) async fn patch(&mut self, path: &str, body: &Value) -> Reply {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn filter(&mut self, kind: &str, filter: &str, more: &str) -> Reply {
        let path = format!("{kind}?filter={}{more}", query(filter));
        self.get(&path).await
    }

    pub(crate) async fn hire(&mut self, person: &Person) -> String {
        let body = self.dialect.user(person);
        self.post("/Users", &body).await.expect(201).id()
    }

    /// Changes a resource as the dialect does; the answer, which is a 200 with the resource.
    pub(crate) async fn change(&mut self, path: &str, change: impl Fn(Dialect, &Value) -> Change) -> Reply {
        // Only who sends whole resources reads them first.
        let puts = matches!(change(self.dialect, &Value::Null), Change::Put(_));
        let named = self.dialect.is_okta() && path.starts_with("/Groups");
        let current = if puts || named {
            self.get(path).await.expect(200).body
        } else {
            Value::Null
        };
        let reply = match change(self.dialect, &current) {
            Change::Patch(body) => self.patch(path, &body).await,
            Change::Put(body) => self.send(Method::PUT, path, Some(&body)).await,
        };
        reply.expect(200)
    }
}

/// Times and versions in a whole resource that is sent back.
fn without_times(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut value = line
            .strip_prefix("  ")
            .and_then(|body| serde_json::from_str::<Value>(body).ok());
        if let Some(meta) = value.as_mut().and_then(|value| value.get_mut("meta"))
            && let Some(meta) = meta.as_object_mut()
        {
            for name in ["created", "lastModified", "version"] {
                if meta.contains_key(name) {
                    meta.insert(name.to_owned(), Value::from("…"));
                }
            }
        }
        match value {
            Some(value) => out.push_str(&format!("  {value}\n")),
            None => out.push_str(&format!("{line}\n")),
        }
    }
    out
}
