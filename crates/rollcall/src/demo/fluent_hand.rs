//! A person who changes users in Fluent's own screens: plain GraphQL, past Rollcall.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rollcall_fluent_sim::Credentials;
use serde_json::{Value, json};

/// Logged in as an administrator.
pub(crate) struct FluentHand {
    url: String,
    token: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl FluentHand {
    /// Logs in with the form login of Fluent.
    pub(crate) async fn log_in(url: String, credentials: &Credentials) -> anyhow::Result<Self> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let form = format!(
            "username={}&password={}&client_id={}&client_secret={}&grant_type=password&scope=api",
            credentials.username, credentials.password, credentials.client_id, credentials.client_secret
        );
        let request = Request::post(format!("{url}/oauth/token"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(form)))?;
        let answer = client
            .request(request)
            .await?
            .into_body()
            .collect()
            .await?
            .to_bytes();
        let answer: Value = serde_json::from_slice(&answer)?;
        let token = answer
            .get("access_token")
            .and_then(Value::as_str)
            .context("the login gave no token")?
            .to_owned();
        Ok(Self { url, token, client })
    }

    /// Adds one role in one context.
    pub(crate) async fn add_role(&self, user: u64, role: &str, kind: &str, id: &str) -> anyhow::Result<()> {
        let query = "mutation($input: UpdateUserInput) { updateUser(input: $input) { id } }";
        let contexts = json!([{"contextType": kind, "contextId": id}]);
        let input =
            json!({"id": user.to_string(), "roles": [{"role": {"name": role}, "contexts": contexts}]});
        let body = json!({"query": query, "variables": {"input": input}}).to_string();
        let request = Request::post(format!("{}/graphql", self.url))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(Bytes::from(body)))?;
        let answer = self
            .client
            .request(request)
            .await?
            .into_body()
            .collect()
            .await?
            .to_bytes();
        let answer: Value = serde_json::from_slice(&answer)?;
        if let Some(error) = answer.get("errors") {
            bail!("Fluent refused the change by hand: {error}");
        }
        Ok(())
    }
}
