//! Carrying out a plan: who may, what is noted, and the answer of each root field for itself.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::Inner;
use crate::exec::{self, Changed, View, write_json};
use crate::graphql::{GraphError, OperationKind, Plan, PlanField, Schema};
use crate::journal::{JournalEntry, JournalResult};
use crate::state::role_pairs;

impl Inner {
    pub(super) fn authorized(&self, bearer: Option<&str>, now: Duration) -> bool {
        let user = self.state.user_by_name(&self.logins.credentials.username);
        let ended =
            self.state.behavior.inactive_ends_sessions && user.is_none_or(|user| user.status == "INACTIVE");
        !ended && bearer.is_some_and(|token| self.logins.accepts(token, now))
    }

    /// One missing permission fails the whole operation.
    pub(super) fn permit(&self, plan: &Plan) -> Result<(), GraphError> {
        let needed = plan
            .fields
            .iter()
            .filter_map(|field| exec::permission(&field.name));
        match needed.into_iter().find(|needed| self.denied.contains(*needed)) {
            Some(missing) => Err(GraphError::coded(
                "C0020E",
                format!("Missing required permissions: {missing}"),
            )),
            None => Ok(()),
        }
    }

    /// Notes the mutations of a plan; their numbers, in order.
    pub(super) fn record(
        &mut self,
        plan: &Plan,
        unix: i64,
        result: &JournalResult,
        answered: bool,
    ) -> Vec<u64> {
        if plan.kind != OperationKind::Mutation {
            return Vec::new();
        }
        let mutations = plan.fields.iter().filter(|field| field.name != "__typename");
        mutations
            .map(|field| {
                let entry = self.entry(field, unix, result.clone(), answered);
                self.journal.push(entry)
            })
            .collect()
    }

    fn entry(&self, field: &PlanField, unix: i64, result: JournalResult, answered: bool) -> JournalEntry {
        let empty = Map::new();
        let input = field
            .args
            .get("input")
            .and_then(Json::as_object)
            .unwrap_or(&empty);
        let text = |name: &str| input.get(name).and_then(Json::as_str).map(str::to_owned);
        let user_id = text("id")
            .and_then(|id| id.parse().ok())
            .or_else(|| self.state.user_key(input));
        let known = user_id
            .and_then(|id| self.state.users.by_id(id))
            .map(|user| user.username.clone());
        JournalEntry {
            seq: 0,
            request: self.requests,
            received_at: unix,
            applied_at: None,
            alias: field.key.clone(),
            operation: field.name.clone(),
            user_id,
            username: known.or_else(|| text("username")),
            status: text("status"),
            grants: role_pairs(input),
            result,
            answered,
        }
    }

    /// Carries out a plan; the answer's body and whether it holds errors.
    pub(super) fn run(
        &mut self,
        schema: &Schema,
        plan: &Plan,
        codes: &[(String, String)],
        seqs: &[u64],
        unix: i64,
    ) -> (Vec<u8>, bool) {
        let caller = self
            .state
            .user_by_name(&self.logins.credentials.username)
            .map_or(0, |user| user.id);
        let mut out = Vec::with_capacity(256);
        let mut errors = Vec::new();
        let mut seqs = seqs.iter();
        out.extend_from_slice(b"{\"data\":{");
        for (index, field) in plan.fields.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_json(&mut out, field.key.as_str());
            out.push(b':');
            if field.name == "__typename" {
                write_json(&mut out, exec::root_type(plan.kind));
                continue;
            }
            let code = codes
                .iter()
                .find(|(only, _)| only.is_empty() || *only == field.name);
            let fault = code.map(|(_, code)| GraphError::coded(code.clone(), "Simulated failure"));
            let result = match plan.kind {
                OperationKind::Mutation => {
                    let seq = seqs.next().copied();
                    self.mutate(field, fault, seq, unix).map(Some)
                }
                OperationKind::Query => fault.map_or(Ok(None), Err),
            };
            let view = View {
                state: &self.state,
                schema,
                caller,
            };
            let value = match result {
                Ok(Some(changed)) => Ok(view.changed(changed)),
                Ok(None) => view.query(field),
                Err(error) => Err(error),
            };
            match value {
                Ok(value) => view.write(&mut out, &value, &field.children),
                Err(error) => {
                    out.extend_from_slice(b"null");
                    let location = error.location.or(Some(field.at));
                    let error = GraphError {
                        alias: Some(field.key.clone()),
                        location,
                        ..error
                    };
                    errors.push(error.to_json());
                }
            }
        }
        out.push(b'}');
        if !errors.is_empty() {
            out.extend_from_slice(b",\"errors\":");
            write_json(&mut out, &errors);
        }
        out.push(b'}');
        (out, !errors.is_empty())
    }

    fn mutate(
        &mut self,
        field: &PlanField,
        fault: Option<GraphError>,
        seq: Option<u64>,
        unix: i64,
    ) -> Result<Changed, GraphError> {
        let result = fault.map_or_else(|| exec::mutate(&mut self.state, field, unix), Err);
        if result.is_ok() {
            self.stats.applied += 1;
        }
        let entry = seq.and_then(|seq| self.journal.get_mut(seq));
        match (&result, entry) {
            (Ok(changed), Some(entry)) => {
                entry.result = JournalResult::Applied;
                entry.applied_at = Some(unix);
                if let Changed::User(id) | Changed::Grants(id) = changed {
                    entry.user_id = Some(*id);
                    entry.username = self.state.users.by_id(*id).map(|user| user.username.clone());
                }
            }
            (Err(error), Some(entry)) => {
                entry.result = JournalResult::Refused(error.code.clone().unwrap_or_default());
            }
            (_, None) => {}
        }
        result
    }
}
