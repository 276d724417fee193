//! Bulk requests (RFC 7644 section 3.7): read, put in an order in which references can be resolved, answered.
//! Carrying an operation out is the server's matter; it is the same as a single request.

use crate::coerce::member;
use crate::error::ScimError;
use crate::json::{Fault, parse_json_apart};
use crate::limits::{BULK_BYTES_MAX, BULK_OPERATIONS_MAX};
use crate::note::Dialect;
use crate::schema::ENTERPRISE_URN;
use crate::tolerance::{Place, Quirk, Tolerated};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::fmt;

mod order;

use order::Order;

/// URN of the request.
pub const BULK_REQUEST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// URN of the answer.
pub const BULK_RESPONSE_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// What a reference to a resource of the same request begins with.
const REFERENCE: &str = "bulkId:";

/// Longest method that an answer repeats, in bytes: those of HTTP are far shorter.
const METHOD_BYTES_MAX: usize = 32;

/// Method of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BulkMethod {
    /// Creates.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
}

impl BulkMethod {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// In any case: whether that is allowed is the dialect's matter.
    fn parse(word: &str) -> Option<Self> {
        let all = [Self::Post, Self::Put, Self::Patch, Self::Delete];
        all.into_iter()
            .find(|method| method.as_str().eq_ignore_ascii_case(word.trim()))
    }
}

/// One operation.
#[derive(Clone, PartialEq)]
pub struct BulkOperation {
    /// What is done.
    pub method: BulkMethod,
    /// The client's name for what a POST creates.
    pub bulk_id: Option<String>,
    /// Below the base, such as `/Users`; may hold a reference.
    pub path: String,
    /// As in `If-Match`.
    pub version: Option<String>,
    /// The body; none for a DELETE.
    pub data: Option<Value>,
}

/// Data can be personal: only the place is shown.
impl fmt::Debug for BulkOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BulkOperation({:?})", self.method)
    }
}

/// An operation, or why it is none: the others are carried out all the same.
pub type ReadOperation = Result<BulkOperation, UnreadOperation>;

/// An operation that could not be read, with what is known of it, so that its answer can name it.
#[derive(Clone, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct UnreadOperation {
    /// As sent; none when it is no word of at most 32 bytes.
    pub method: Option<String>,
    /// What would have been done, when the method is one.
    pub kind: Option<BulkMethod>,
    /// As sent.
    pub bulk_id: Option<String>,
    /// As sent; may hold a reference.
    pub path: Option<String>,
    /// What could be read of it, where that is clear, to learn whether it takes access away. Nothing of it may be
    /// stored.
    pub within: Option<Box<BulkOperation>>,
    /// Why it is none.
    pub error: ScimError,
}

/// Paths can hold ids: only the error is shown.
impl fmt::Debug for UnreadOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnreadOperation({:?})", self.error)
    }
}

/// A bulk request.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRequest {
    /// How many operations may fail before the rest is left out; none for any number.
    pub fail_on_errors: Option<usize>,
    /// In the order of the request, 1 to [`BULK_OPERATIONS_MAX`].
    pub operations: Vec<ReadOperation>,
    /// In what the request itself deviates from the RFC; what its operations hold is theirs.
    pub tolerated: Tolerated,
}

impl BulkRequest {
    /// Reads the body of `POST /Bulk`.
    ///
    /// # Errors
    /// 413 above [`BULK_BYTES_MAX`] or [`BULK_OPERATIONS_MAX`]; `invalidSyntax` for what is no bulk request;
    /// `invalidValue` for a `failOnErrors` that is no whole number above 0. What is wrong with one operation, such as
    /// a string beyond its bound, or a POST under the `bulkId` of another, is that operation's error.
    pub fn parse(dialect: Dialect, body: &[u8]) -> Result<Self, ScimError> {
        if body.len() > BULK_BYTES_MAX {
            return Err(ScimError::too_large(format!(
                "the bulk request is larger than maxPayloadSize ({BULK_BYTES_MAX} bytes)"
            )));
        }
        let (body, faults) = parse_json_apart(body, "Operations")?;
        let Value::Object(body) = body else {
            return Err(ScimError::invalid_syntax("the body is not a JSON object"));
        };
        let named = member(&body, "schemas")?.and_then(Value::as_array);
        let is_named = named.is_some_and(|list| list.iter().any(|urn| urn == BULK_REQUEST_SCHEMA));
        let mut seen = Tolerated::NONE;
        if !is_named {
            Quirk::BulkSchemas.allow(dialect, &mut seen, Place::Body, "schemas")?;
        }
        let list = match member(&body, "Operations")? {
            Some(Value::Array(list)) if !list.is_empty() => list,
            _ => {
                let detail = "Operations must be a list of at least one operation";
                return Err(ScimError::invalid_syntax(detail));
            }
        };
        if list.len() > BULK_OPERATIONS_MAX {
            return Err(ScimError::too_large(format!(
                "the bulk request has more than maxOperations ({BULK_OPERATIONS_MAX}) operations"
            )));
        }
        let fail_on_errors = match member(&body, "failOnErrors")? {
            None | Some(Value::Null) => None,
            Some(value) => {
                if value.is_string() {
                    Quirk::BulkCountText.allow(dialect, &mut seen, Place::Body, "failOnErrors")?;
                }
                let detail = "failOnErrors must be a whole number above 0";
                Some(positive(value).ok_or_else(|| ScimError::invalid_value(detail))?)
            }
        };
        let mut names: HashMap<&str, usize> = HashMap::new();
        for name in list.iter().filter_map(made_as) {
            *names.entry(name).or_default() += 1;
        }
        let fault = |at: usize, one: &Value| {
            let shared = made_as(one).is_some_and(|name| names.get(name).is_some_and(|count| *count > 1));
            faults.get(&at).cloned().or_else(|| shared.then(shared_name))
        };
        let operations = list.iter().enumerate();
        let operations = operations.map(|(at, one)| operation(dialect, &mut seen, one, fault(at, one)));
        Ok(Self {
            fail_on_errors,
            operations: operations.collect(),
            tolerated: seen,
        })
    }

    /// The order in which the operations are to be done: that of the request, except that one which refers to
    /// what a later one creates waits for that. Of operations that wait for each other in a circle one is done
    /// without its reference first, and completed as soon as the circle is closed (RFC 7644 section 3.7.1): all
    /// that is done in between creates something.
    #[must_use]
    pub fn steps(&self) -> Vec<BulkStep> {
        Order::of(&self.operations).steps()
    }
}

/// One step of a bulk request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkStep {
    /// Do the operation of this number; these names it has to do without, since they lead back to it.
    Carry {
        /// From 0, in the order of the request.
        operation: usize,
        /// Names that are not there yet.
        without: Vec<String>,
    },
    /// Put in what the operation of this number was done without.
    Complete {
        /// From 0, in the order of the request.
        operation: usize,
    },
}

fn positive(value: &Value) -> Option<usize> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok()?,
        value => value.as_u64()?,
    };
    usize::try_from(number).ok().filter(|number| *number > 0)
}

/// A text of an operation; none when it is there twice.
fn text_of<'a>(operation: &'a Value, name: &str) -> Option<&'a str> {
    member(operation.as_object()?, name).ok()??.as_str()
}

/// The name of what an operation makes; that of any other operation means nothing.
fn made_as(operation: &Value) -> Option<&str> {
    let method = BulkMethod::parse(text_of(operation, "method")?)?;
    let name = text_of(operation, "bulkId")?;
    (method == BulkMethod::Post && !name.is_empty()).then_some(name)
}

/// A reference to that name would mean either.
fn shared_name() -> Fault {
    Fault {
        error: ScimError::invalid_syntax("two operations have the same bulkId"),
        clear: true,
    }
}

fn operation(dialect: Dialect, seen: &mut Tolerated, value: &Value, fault: Option<Fault>) -> ReadOperation {
    let read = sound(dialect, seen, value);
    let (within, error) = match (read, fault) {
        (Ok(operation), None) => return Ok(operation),
        (Ok(operation), Some(fault)) if fault.clear => match operation.method {
            BulkMethod::Delete => return Ok(operation), // nothing of it is stored
            _ => (Some(Box::new(operation)), fault.error),
        },
        (_, Some(fault)) => (None, fault.error),
        (Err(error), None) => (None, error),
    };
    let text = |name: &str| text_of(value, name);
    Err(UnreadOperation {
        method: text("method")
            .filter(|word| word.len() <= METHOD_BYTES_MAX && word.bytes().all(|byte| byte.is_ascii_graphic()))
            .map(str::to_owned),
        kind: text("method").and_then(BulkMethod::parse),
        bulk_id: text("bulkId").map(str::to_owned),
        path: text("path").map(str::to_owned),
        within,
        error,
    })
}

fn sound(dialect: Dialect, seen: &mut Tolerated, value: &Value) -> Result<BulkOperation, ScimError> {
    let wrong = |what: &str| Err(ScimError::invalid_syntax(what.to_owned()));
    let Value::Object(map) = value else {
        return wrong("the operation is not a JSON object");
    };
    let text = |name: &str| Ok(member(map, name)?.and_then(Value::as_str).map(str::to_owned));
    let word = text("method")?.unwrap_or_default();
    let Some(method) = BulkMethod::parse(&word) else {
        return wrong("method must be POST, PUT, PATCH or DELETE");
    };
    if method.as_str() != word {
        Quirk::BulkMethodCase.allow(dialect, seen, Place::Body, "method")?;
    }
    let Some(path) = text("path")?.filter(|path| !path.trim().is_empty()) else {
        return wrong("path is missing");
    };
    let bulk_id = text("bulkId")?.filter(|name| !name.is_empty());
    if method == BulkMethod::Post && bulk_id.is_none() {
        Quirk::BulkIdMissing.allow(dialect, seen, Place::Body, "bulkId")?;
    }
    let data = member(map, "data")?.filter(|data| !data.is_null()).cloned();
    if method != BulkMethod::Delete && data.is_none() {
        return wrong("data is missing");
    }
    // Left out, a condition would be no condition.
    let version = match member(map, "version")? {
        None | Some(Value::Null) => None,
        Some(Value::String(version)) => Some(version.clone()),
        Some(_) => return wrong("version must be a string"),
    };
    Ok(BulkOperation {
        method,
        bulk_id,
        path,
        version,
        data: data.filter(|_| method != BulkMethod::Delete),
    })
}

impl BulkOperation {
    /// The names that it refers to, in its path and its data.
    #[must_use]
    pub fn references(&self) -> Vec<&str> {
        let mut found: Vec<&str> = in_path(&self.path).collect();
        if let Some(data) = &self.data {
            collect(data, &mut found);
        }
        found
    }

    /// The same with the ids that the names have been given.
    ///
    /// # Errors
    /// A name that nothing was created under: 409 when an operation of this request should have created it,
    /// else `invalidValue`.
    pub fn resolved(&self, ids: &HashMap<String, BulkId>) -> Result<Self, ScimError> {
        for name in self.references() {
            known(ids, name)?;
        }
        let mut resolved = self.clone();
        resolved.path = resolved_path(&self.path, ids)?;
        if let Some(data) = &mut resolved.data {
            replace(data, ids);
        }
        Ok(resolved)
    }

    /// Takes what refers to these names out of a new resource, and gives the PATCH that puts it in again: members
    /// of a group, and a user's manager, in every spelling that the dialect takes.
    ///
    /// # Errors
    /// 409 when a name stands anywhere else: such a circle is not resolved.
    pub fn take_out(&mut self, dialect: Dialect, names: &[String]) -> Result<Value, ScimError> {
        let names: HashSet<&str> = names.iter().map(String::as_str).collect();
        let is_meant = |value: &Value| {
            let mut found = Vec::new();
            collect(value, &mut found);
            found.iter().any(|name| names.contains(name))
        };
        let mut operations = Vec::new();
        if let Some(Value::Object(data)) = &mut self.data {
            let mut put_in = |path: &str, value: Value| {
                operations.push(json!({"op": "add", "path": path, "value": value}));
            };
            take_members(dialect, data, is_meant, &mut put_in);
            take_manager(dialect, data, is_meant, &mut put_in);
        }
        if self.references().iter().any(|name| names.contains(name)) {
            return Err(ScimError::conflict(
                "the operation refers in a circle to a resource that refers to it",
            ));
        }
        Ok(json!({"schemas": [crate::patch::PATCH_OP_SCHEMA], "Operations": operations}))
    }
}

/// Members that are meant. One that stands without a list is no list, and the strict dialect refuses it as such.
fn take_members(
    dialect: Dialect,
    data: &mut Map<String, Value>,
    is_meant: impl Fn(&Value) -> bool,
    put_in: &mut impl FnMut(&str, Value),
) {
    let members = data
        .iter_mut()
        .find(|(key, _)| key.eq_ignore_ascii_case("members"));
    match members {
        Some((_, Value::Array(members))) => {
            let (out, kept) = std::mem::take(members).into_iter().partition(is_meant);
            *members = kept;
            let out: Vec<Value> = out;
            if !out.is_empty() {
                put_in("members", Value::Array(out));
            }
        }
        Some((_, single)) if dialect == Dialect::Tolerant && is_meant(single) => {
            put_in("members", std::mem::replace(single, Value::Array(Vec::new())));
        }
        _ => {}
    }
}

/// The manager, when it is meant: inside the extension, or (tolerated) under `URN:manager` or its bare name.
fn take_manager(
    dialect: Dialect,
    data: &mut Map<String, Value>,
    is_meant: impl Fn(&Value) -> bool,
    put_in: &mut impl FnMut(&str, Value),
) {
    let path = format!("{ENTERPRISE_URN}:manager");
    let extension = data
        .iter_mut()
        .find(|(key, _)| key.eq_ignore_ascii_case(ENTERPRISE_URN));
    if let Some((_, Value::Object(extension))) = extension {
        take(extension, "manager", &is_meant, &mut |value| put_in(&path, value));
    }
    if dialect == Dialect::Tolerant {
        for spelling in [path.as_str(), "manager"] {
            take(data, spelling, &is_meant, &mut |value| put_in(spelling, value));
        }
    }
}

/// Takes the member of that name, whatever its case, out of an object when it is meant.
fn take(
    map: &mut Map<String, Value>,
    name: &str,
    is_meant: &impl Fn(&Value) -> bool,
    out: &mut impl FnMut(Value),
) {
    let meant = map
        .iter()
        .find(|(key, value)| key.eq_ignore_ascii_case(name) && is_meant(value));
    if let Some(key) = meant.map(|(key, _)| key.clone())
        && let Some(value) = map.remove(&key)
    {
        out(value);
    }
}

fn in_path(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix(REFERENCE))
}

/// A path with the ids that the names in it have been given.
///
/// # Errors
/// As for [`BulkOperation::resolved`].
pub fn resolved_path(path: &str, ids: &HashMap<String, BulkId>) -> Result<String, ScimError> {
    let parts = path.split('/').map(|part| match part.strip_prefix(REFERENCE) {
        Some(name) => known(ids, name),
        None => Ok(part),
    });
    Ok(parts.collect::<Result<Vec<_>, _>>()?.join("/"))
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkId {
    /// The resource of that id.
    Created(String),
    /// Nothing: its operation failed.
    Failed,
}

fn known<'i>(ids: &'i HashMap<String, BulkId>, name: &str) -> Result<&'i str, ScimError> {
    match ids.get(name) {
        Some(BulkId::Created(id)) => Ok(id),
        Some(BulkId::Failed) => Err(ScimError::conflict(
            "the operation refers to a bulkId whose operation failed",
        )),
        None => Err(ScimError::invalid_value(
            "the operation refers to a bulkId that no POST of the request has",
        )),
    }
}

fn collect<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.extend(text.strip_prefix(REFERENCE)),
        Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
        Value::Object(map) => map.values().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn replace(value: &mut Value, ids: &HashMap<String, BulkId>) {
    match value {
        Value::String(text) => {
            let id = text
                .strip_prefix(REFERENCE)
                .and_then(|name| known(ids, name).ok());
            if let Some(id) = id {
                *text = id.to_owned();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| replace(value, ids)),
        Value::Object(map) => map.values_mut().for_each(|value| replace(value, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What became of one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkResult {
    /// As in the request; none when it is no text.
    pub method: Option<String>,
    /// As in the request.
    pub bulk_id: Option<String>,
    /// Of the resource; none for a POST that failed.
    pub location: Option<String>,
    /// The resource's version, when there is one.
    pub version: Option<String>,
    /// HTTP status.
    pub status: u16,
    /// The error's body; none for success.
    pub response: Option<Value>,
}

impl BulkResult {
    fn to_json(&self) -> Value {
        let mut map = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                map.insert(name.to_owned(), value);
            }
        };
        put("method", self.method.as_deref().map(Value::from));
        put("bulkId", self.bulk_id.as_deref().map(Value::from));
        put("location", self.location.as_deref().map(Value::from));
        put("version", self.version.as_deref().map(Value::from));
        put("status", Some(self.status.to_string().into()));
        put("response", self.response.clone());
        Value::Object(map)
    }
}

/// The answer to a bulk request: the operations that were done, in the order of the request.
#[must_use]
pub fn bulk_response(results: &[BulkResult]) -> Value {
    json!({
        "schemas": [BULK_RESPONSE_SCHEMA],
        "Operations": results.iter().map(BulkResult::to_json).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
