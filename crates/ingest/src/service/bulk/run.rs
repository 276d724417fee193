//! What is known of the operations of a bulk request while they are carried out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rollcall_scim::Dialect;
use rollcall_scim::bulk::{BulkId, BulkMethod, BulkOperation, BulkResult, ReadOperation, resolved_path};
use rollcall_scim::patch::PATCH_OP_SCHEMA;
use serde_json::{Value, json};

use crate::http::answer::{Answer, Made};
use crate::http::failure::Failure;

pub(super) struct Run<'a> {
    base: &'a str,
    operations: &'a [ReadOperation],
    /// What the names of the request stand for by now.
    ids: HashMap<String, BulkId>,
    /// What was taken out of a new resource, to be put in when the circle is closed.
    rest: BTreeMap<usize, Value>,
    /// The operations that made something that was not there: in which order, and what.
    made: HashMap<usize, (usize, Made)>,
    /// Who refers to a name; filled when it is first asked.
    referring: Option<HashMap<&'a str, Vec<usize>>>,
    results: Vec<Option<BulkResult>>,
    errors: usize,
}

/// What the request says of an operation, read or not.
struct Said<'a> {
    method: Option<String>,
    kind: Option<BulkMethod>,
    bulk_id: Option<&'a str>,
    path: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn of(operation: &'a ReadOperation) -> Self {
        match operation {
            Ok(operation) => Self {
                method: Some(operation.method.as_str().to_owned()),
                kind: Some(operation.method),
                bulk_id: operation.bulk_id.as_deref(),
                path: Some(&operation.path),
            },
            Err(unread) => Self {
                method: unread.method.clone(),
                kind: unread.kind,
                bulk_id: unread.bulk_id.as_deref(),
                path: unread.path.as_deref(),
            },
        }
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(base: &'a str, operations: &'a [ReadOperation]) -> Self {
        Self {
            base,
            operations,
            ids: HashMap::new(),
            rest: BTreeMap::new(),
            made: HashMap::new(),
            referring: None,
            results: vec![None; operations.len()],
            errors: 0,
        }
    }

    pub(super) const fn ids(&self) -> &HashMap<String, BulkId> {
        &self.ids
    }

    /// How many operations failed.
    pub(super) const fn errors(&self) -> usize {
        self.errors
    }

    /// Of those that were carried out, in the order of the request.
    pub(super) fn results(self) -> Vec<BulkResult> {
        self.results.into_iter().flatten().collect()
    }

    /// The operation; with its fault when it could not be read as a whole, and was still clear.
    pub(super) fn operation(&self, number: usize) -> Result<(&'a BulkOperation, Option<Failure>), Failure> {
        match self.operations.get(number) {
            Some(Ok(operation)) => Ok((operation, None)),
            Some(Err(unread)) => {
                let failure = Failure::from(unread.error.clone());
                match &unread.within {
                    Some(operation) => Ok((operation, Some(failure))),
                    None => Err(failure),
                }
            }
            None => Err(Failure::internal()),
        }
    }

    /// The operation with the ids that the names of the request stand for by now, without those of `without`.
    pub(super) fn resolved(
        &mut self,
        number: usize,
        dialect: Dialect,
        without: &[String],
    ) -> Result<BulkOperation, Failure> {
        let (operation, fault) = self.operation(number)?;
        if let Some(fault) = fault {
            return Err(fault);
        }
        let mut operation = operation.clone();
        if !without.is_empty() {
            let rest = operation.take_out(dialect, without)?;
            self.rest.insert(number, rest);
        }
        Ok(operation.resolved(&self.ids)?)
    }

    /// The operation as it was sent, to the place that its path leads to by now.
    pub(super) fn addressed(&self, number: usize) -> Option<BulkOperation> {
        let (operation, _) = self.operation(number).ok()?;
        let path = resolved_path(&operation.path, &self.ids).ok()?;
        Some(BulkOperation {
            path,
            ..operation.clone()
        })
    }

    /// What is still to be put in, and where. It counts as complete from now on.
    pub(super) fn complete(&mut self, number: usize) -> Option<(String, Value)> {
        let rest = self.rest.remove(&number)?;
        let result = self.standing(number)?;
        Some((result.location.clone()?, rest))
    }

    /// Something that was done and never completed; each is told once.
    pub(super) fn next_incomplete(&mut self) -> Option<usize> {
        while let Some((number, _)) = self.rest.pop_first() {
            if self.standing(number).is_some() {
                return Some(number);
            }
        }
        None
    }

    /// The answer of an operation that did not fail.
    fn standing(&self, number: usize) -> Option<&BulkResult> {
        let result = self.results.get(number)?.as_ref()?;
        Some(result).filter(|result| result.response.is_none())
    }

    /// What takes back what an operation made, as long as it is as it was made: the DELETE of what is new, and the
    /// deactivation of somebody hired again.
    pub(super) fn undoing(&self, number: usize) -> Option<BulkOperation> {
        let result = self.standing(number)?;
        let (method, data) = match self.made.get(&number) {
            Some((_, Made::New)) => (BulkMethod::Delete, None),
            Some((_, Made::HiredAgain)) => (
                BulkMethod::Patch,
                Some(patch_of(
                    &json!({"op": "replace", "path": "active", "value": false}),
                )),
            ),
            Some((_, Made::Nothing)) | None => return None,
        };
        Some(BulkOperation {
            method,
            bulk_id: None,
            path: result.location.clone()?,
            version: result.version.clone(),
            data,
        })
    }

    /// The PATCH that takes everybody out of a group that an operation made: it is then changed by nobody's deletion.
    pub(super) fn emptying(&self, number: usize) -> Option<BulkOperation> {
        let undoing = self.undoing(number)?;
        let is_group = undoing.path.rsplit('/').nth(1) == Some("Groups");
        let is_new = undoing.method == BulkMethod::Delete;
        (is_group && is_new).then(|| BulkOperation {
            method: BulkMethod::Patch,
            data: Some(patch_of(
                &json!({"op": "replace", "path": "members", "value": []}),
            )),
            ..undoing
        })
    }

    /// The operation and all that stand or fall with what it made, the last done first.
    pub(super) fn failing_with(&mut self, number: usize) -> Vec<usize> {
        let operations = self.operations;
        let referring = self.referring.take().unwrap_or_else(|| referring(operations));
        let (mut failing, mut next) = (BTreeSet::from([number]), vec![number]);
        while let Some(at) = next.pop() {
            let name = operations
                .get(at)
                .and_then(|operation| Said::of(operation).bulk_id);
            let found = name
                .filter(|_| self.made.contains_key(&at))
                .and_then(|name| referring.get(name));
            for other in found.into_iter().flatten() {
                if self.standing(*other).is_some() && failing.insert(*other) {
                    next.push(*other);
                }
            }
        }
        self.referring = Some(referring);
        let mut failing: Vec<usize> = failing.into_iter().collect();
        failing.sort_by_key(|at| std::cmp::Reverse(self.made.get(at).map(|(order, _)| *order)));
        failing
    }

    /// Takes the outcome of an operation in.
    pub(super) fn settle(&mut self, number: usize, outcome: Result<Answer, Failure>) {
        let Some(said) = self.operations.get(number).map(Said::of) else {
            return;
        };
        let creates = said.kind == Some(BulkMethod::Post);
        // Of a resource that is there already, whatever becomes of the operation.
        let there = said.path.filter(|_| said.kind.is_some() && !creates);
        let there = there.and_then(|path| resolved_path(path, &self.ids).ok());
        let mut result = BulkResult {
            method: said.method,
            bulk_id: said.bulk_id.map(str::to_owned),
            location: there.map(|path| absolute(self.base, &path)),
            version: None,
            status: 0,
            response: None,
        };
        match outcome {
            Ok(answer) => {
                result.status = answer.status.as_u16();
                result.version = answer.etag;
                result.location = answer.location.or(result.location);
                if answer.made != Made::Nothing {
                    self.made.insert(number, (self.made.len(), answer.made));
                }
            }
            Err(failure) => self.failed(&mut result, &failure),
        }
        if creates && let Some(name) = said.bulk_id {
            let location = result.location.as_deref();
            let id = location.and_then(|location| location.rsplit('/').next());
            let id = id.map_or(BulkId::Failed, |id| BulkId::Created(id.to_owned()));
            self.ids.insert(name.to_owned(), id);
        }
        self.put(number, result);
    }

    /// An operation was completed.
    pub(super) fn amend(&mut self, number: usize, answer: Answer) {
        if let Some(Some(result)) = self.results.get_mut(number) {
            result.version = answer.etag.or_else(|| result.version.take());
        }
    }

    /// An operation that was carried out has failed after all, and what it made is gone or stands.
    pub(super) fn fell(&mut self, number: usize, failure: &Failure, gone: bool) {
        let taken = self.results.get_mut(number).and_then(Option::take);
        let Some(mut result) = taken else {
            return;
        };
        self.rest.remove(&number);
        if gone {
            (result.location, result.version) = (None, None);
            let name = self
                .operations
                .get(number)
                .and_then(|operation| Said::of(operation).bulk_id);
            if let Some(name) = name {
                self.ids.insert(name.to_owned(), BulkId::Failed);
            }
            self.failed(&mut result, failure);
        } else {
            let detail = format!(
                "{}; the resource stands all the same, without the reference",
                failure.detail
            );
            let failure = Failure {
                detail: detail.into(),
                ..failure.clone()
            };
            self.failed(&mut result, &failure);
        }
        self.put(number, result);
    }

    fn failed(&mut self, result: &mut BulkResult, failure: &Failure) {
        self.errors += 1;
        result.status = failure.status.as_u16();
        result.response = serde_json::from_slice(&failure.body()).ok();
    }

    fn put(&mut self, number: usize, result: BulkResult) {
        if let Some(place) = self.results.get_mut(number) {
            *place = Some(result);
        }
    }
}

fn patch_of(operation: &Value) -> Value {
    json!({"schemas": [PATCH_OP_SCHEMA], "Operations": [operation]})
}

fn referring(operations: &[ReadOperation]) -> HashMap<&str, Vec<usize>> {
    let mut referring: HashMap<&str, Vec<usize>> = HashMap::new();
    for (number, operation) in operations.iter().enumerate() {
        for name in operation.iter().flat_map(BulkOperation::references) {
            referring.entry(name).or_default().push(number);
        }
    }
    referring
}

fn absolute(base: &str, path: &str) -> String {
    match path.trim() {
        whole if whole.starts_with(base) => whole.to_owned(),
        path => format!("{base}/{}", path.trim_start_matches('/')),
    }
}
