//! Several writes in few requests: cut by size and number, and judged one by one.

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::answer::{Envelope, UserNode};
use crate::client::FluentClient;
use crate::error::{FluentError, Operation, RetryClass};
use crate::mutation::{Mutation, Written, encode, input_type};
use crate::query::USER_FIELDS;

/// Bytes of a request body. Fluent refuses above 2 MB, whichever MB it means.
pub const BODY_MAX: usize = 1_900_000;

/// Mutations of a request. Each costs about five of the 11,111 that Fluent allows, and a lost answer leaves
/// all of them in doubt; Fluent's own examples use far fewer.
pub const BATCH_MAX: usize = 200;

/// What one mutation adds to the query text, at most.
const QUERY_SHARE: usize = 160;

/// Query text that every batch has.
const QUERY_BASE: usize = 512;

/// A request made of the mutations with these positions.
pub(crate) struct Request {
    pub(crate) members: Vec<(usize, Operation)>,
    pub(crate) body: Bytes,
}

/// Cuts the mutations into requests. Those that cannot be sent at all get their error into `results`.
pub(crate) fn requests(
    mutations: &[Mutation],
    results: &mut [Option<Result<Written, FluentError>>],
) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut open = Vec::new();
    let mut size = QUERY_BASE;
    for ((position, mutation), slot) in mutations.iter().enumerate().zip(results.iter_mut()) {
        let operation = mutation.operation();
        let input = match encode(mutation) {
            Ok(input) => input,
            Err(error) => {
                *slot = Some(Err(error));
                continue;
            }
        };
        let share = input.len() + QUERY_SHARE;
        if QUERY_BASE + share > BODY_MAX {
            *slot = Some(Err(FluentError::TooLarge {
                operation,
                bytes: input.len(),
            }));
            continue;
        }
        if size + share > BODY_MAX || open.len() >= BATCH_MAX {
            requests.extend(close(std::mem::take(&mut open)));
            size = QUERY_BASE;
        }
        size += share;
        open.push((position, operation, input));
    }
    requests.extend(close(open));
    requests
}

fn close(open: Vec<(usize, Operation, Zeroizing<Vec<u8>>)>) -> Option<Request> {
    if open.is_empty() {
        return None;
    }
    let (mut declared, mut fields) = (String::new(), String::new());
    let mut reads_users = false;
    let inputs: usize = open.iter().map(|(_, _, input)| input.len() + 16).sum();
    for (index, (_, operation, _)) in open.iter().enumerate() {
        let answer = match operation {
            Operation::RemoveRoles => "status",
            _ => {
                reads_users = true;
                "...u"
            }
        };
        declared.push_str(&format!("$m{index}:{}", input_type(*operation)));
        fields.push_str(&format!(" m{index}:{operation}(input:$m{index}){{{answer}}}"));
        declared.push(' ');
    }
    // Nothing in the text needs escaping inside a JSON string.
    let fragment = if reads_users {
        format!(" fragment u on User{{{USER_FIELDS}}}")
    } else {
        String::new()
    };
    let query = format!("mutation Batch({}){{{fields}}}{fragment}", declared.trim_end());
    let mut body = Zeroizing::new(Vec::with_capacity(query.len() + inputs + 64));
    body.extend_from_slice(b"{\"query\":\"");
    body.extend_from_slice(query.as_bytes());
    body.extend_from_slice(b"\",\"variables\":{");
    let mut members = Vec::with_capacity(open.len());
    for (index, (position, operation, input)) in open.into_iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(format!("\"m{index}\":").as_bytes());
        body.extend_from_slice(&input);
        members.push((position, operation));
    }
    body.extend_from_slice(b"}}");
    Some(Request {
        members,
        body: Bytes::from_owner(body),
    })
}

impl FluentClient {
    /// Writes several mutations, in order, in as few requests as the limits allow; one result for each. They
    /// are not one transaction: every alias succeeds or fails for itself.
    ///
    /// After a request that failed for a reason that concerns all (no connection, rate limit, refused login)
    /// the rest is not sent and gets [`FluentError::NotSent`]. A request whose answer is lost makes all its
    /// mutations [`RetryClass::Ambiguous`].
    pub async fn batch(&self, mutations: &[Mutation]) -> Vec<Result<Written, FluentError>> {
        self.batch_while(mutations, &|| true).await
    }

    /// The same while `may_send` says so: it is asked when a request is about to go out, also when it goes out again
    /// with a fresh token. A login may take long, so what was true before it need not be true after it. What is not
    /// sent gets [`FluentError::NotSent`].
    pub async fn batch_while(
        &self,
        mutations: &[Mutation],
        may_send: &(dyn Fn() -> bool + Sync),
    ) -> Vec<Result<Written, FluentError>> {
        let mut results: Vec<Option<Result<Written, FluentError>>> = Vec::new();
        results.resize_with(mutations.len(), || None);
        let mut stopped: Option<Option<std::time::Duration>> = None;
        for request in requests(mutations, &mut results) {
            let outcome = match stopped {
                Some(after) => Err(Stop::NotSent(after)),
                None => self.write(&request, may_send).await.map_err(Stop::Failed),
            };
            if let Err(Stop::Failed(error)) = &outcome
                && error.concerns_all()
            {
                stopped = Some(pause(error));
            }
            for (index, (position, operation)) in request.members.iter().enumerate() {
                let result = match &outcome {
                    Ok(envelope) => read(envelope, *operation, index),
                    Err(Stop::Failed(error)) => Err(error.clone().with_operation(*operation)),
                    Err(Stop::NotSent(after)) => Err(FluentError::NotSent {
                        operation: *operation,
                        after: *after,
                    }),
                };
                if let Err(error) = &result
                    && stopped.is_none()
                    && error.is_rate_limit()
                {
                    stopped = Some(pause(error));
                }
                if let Some(slot) = results.get_mut(*position) {
                    *slot = Some(result);
                }
            }
        }
        let missing = |operation| FluentError::BadAnswer {
            operation,
            problem: "it leaves one out",
        };
        results
            .into_iter()
            .zip(mutations)
            .map(|(result, mutation)| result.unwrap_or_else(|| Err(missing(mutation.operation()))))
            .collect()
    }

    async fn write(
        &self,
        request: &Request,
        may_send: &(dyn Fn() -> bool + Sync),
    ) -> Result<Envelope, FluentError> {
        let operation = request
            .members
            .first()
            .map_or(Operation::UpdateUser, |(_, operation)| *operation);
        self.execute(operation, request.body.clone(), may_send).await
    }
}

/// Why a request brought no answer.
enum Stop {
    Failed(FluentError),
    NotSent(Option<std::time::Duration>),
}

fn pause(error: &FluentError) -> Option<std::time::Duration> {
    match error.retry_class() {
        RetryClass::Retryable { after } => after,
        RetryClass::Terminal | RetryClass::Ambiguous => None,
    }
}

fn read(envelope: &Envelope, operation: Operation, index: usize) -> Result<Written, FluentError> {
    let key = format!("m{index}");
    let nothing = FluentError::BadAnswer {
        operation,
        problem: "nothing came back, and no error",
    };
    if operation == Operation::RemoveRoles {
        let done = envelope.field::<serde::de::IgnoredAny>(operation, &key)?;
        return done.map(|_| Written::RolesRemoved).ok_or(nothing);
    }
    let user = envelope.field::<UserNode>(operation, &key)?;
    user.map(|node| Written::User(node.observed())).ok_or(nothing)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::mutation::UserUpdate;
    use rollcall_domain::{ContextType, FluentUserId, Grant};

    fn removal(pairs: usize) -> Mutation {
        let grants = (0..pairs).map(|n| Grant::new("STORE", ContextType::Agent, format!("{n:07}")));
        Mutation::RemoveRoles {
            id: FluentUserId("1".into()),
            grants: grants.collect(),
        }
    }

    fn cut(mutations: &[Mutation]) -> (Vec<Request>, Vec<Option<Result<Written, FluentError>>>) {
        let mut results: Vec<Option<Result<Written, FluentError>>> = mutations.iter().map(|_| None).collect();
        let requests = requests(mutations, &mut results);
        (requests, results)
    }

    #[test]
    fn every_request_stays_below_the_limits_and_none_is_lost() {
        let mutations: Vec<_> = (0..450).map(|n| removal(n * 20 % 3_000)).collect();
        let (requests, results) = cut(&mutations);
        assert!(results.iter().all(Option::is_none));
        assert!(
            requests
                .iter()
                .all(|r| r.body.len() <= BODY_MAX && r.members.len() <= BATCH_MAX)
        );
        let positions: Vec<_> = requests
            .iter()
            .flat_map(|r| r.members.iter().map(|(p, _)| *p))
            .collect();
        assert_eq!(positions, (0..450).collect::<Vec<_>>());
    }

    #[test]
    fn one_that_is_too_large_fails_alone() {
        let (requests, results) = cut(&[removal(1), removal(60_000), removal(1)]);
        assert!(matches!(results[1], Some(Err(FluentError::TooLarge { .. }))));
        assert_eq!(requests[0].members.len(), 2);
    }

    #[test]
    fn the_body_is_json_with_values_only_in_variables() {
        let update = UserUpdate {
            first_name: Some("\"}) { x }".into()),
            ..UserUpdate::default()
        };
        let (requests, _) = cut(&[
            Mutation::UpdateUser {
                id: FluentUserId("1".into()),
                update,
            },
            removal(1),
        ]);
        let json: serde_json::Value = serde_json::from_slice(&requests[0].body).unwrap();
        assert_eq!(json["variables"]["m0"]["firstName"], "\"}) { x }");
        let query = json["query"].as_str().unwrap();
        assert!(query.starts_with("mutation Batch($m0:UpdateUserInput $m1:RemoveUserRolesFromUserInput)"));
    }
}
