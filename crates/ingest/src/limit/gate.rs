//! What a tenant may ask for at a time: its rate, and its share of the room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::Method;
use parking_lot::Mutex;
use rollcall_domain::TenantId;
use rollcall_scim::bulk::{BulkMethod, BulkRequest};
use rollcall_scim::{Dialect, patch_takes_away, resource_deactivates};

use super::rate::{Bucket, RateLimit};
use super::room::{Place, Room, Share};
use crate::http::route::Endpoint;

/// Largest body of a single change that is looked into before it is refused for being beyond the rate, in bytes: any
/// change of one user, and removals of hundreds of members. A bulk request has its own bound.
const LOOKED_INTO_BYTES: usize = 64 * 1024;

/// Whether the request takes access away, as far as its method and its body tell. Asked only when a tenant is beyond
/// its rate; a wrong answer costs an order, never correctness. A PUT or a `replace` of members that leaves somebody
/// out is not seen: it comes again after its `Retry-After`.
pub(crate) fn takes_away(method: &Method, body: &[u8]) -> bool {
    match *method {
        Method::DELETE => true,
        Method::PUT => resource_deactivates(body),
        Method::PATCH => patch_takes_away(body),
        _ => false,
    }
}

/// Whether an operation of a bulk request takes access away. Within the bounds of a bulk request.
fn bulk_takes_away(body: &[u8]) -> bool {
    BulkRequest::parse(Dialect::Tolerant, body).is_ok_and(|request| {
        let read = request.operations.iter().filter_map(|one| match one {
            Ok(operation) => Some(operation),
            Err(unread) => unread.within.as_deref(),
        });
        read.into_iter().any(|operation| {
            let data = || serde_json::to_vec(&operation.data).unwrap_or_default();
            match operation.method {
                BulkMethod::Delete => true,
                BulkMethod::Put => takes_away(&Method::PUT, &data()),
                BulkMethod::Patch => takes_away(&Method::PATCH, &data()),
                BulkMethod::Post => false,
            }
        })
    })
}

/// What a request wants, as its head tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It changes or deletes one resource: it may take access away, and is judged when its body is read.
    Change,
    /// It may hold such changes, and is judged likewise. It gets no place that is kept for a single change, since it
    /// can hold it for long.
    Bulk,
    /// It takes nothing away.
    Other,
}

impl Wish {
    /// What a request with this method on this endpoint wants.
    pub(crate) fn of(method: &Method, endpoint: &Endpoint) -> Self {
        match endpoint {
            Endpoint::Bulk => Self::Bulk,
            one if one.is_one_resource()
                && matches!(*method, Method::PUT | Method::PATCH | Method::DELETE) =>
            {
                Self::Change
            }
            _ => Self::Other,
        }
    }
}

/// The limits of one tenant, shared by all its connections.
#[derive(Debug)]
pub(crate) struct TenantGate {
    tenant: TenantId,
    bucket: Option<Mutex<Bucket>>,
    share: Arc<Share>,
    /// Requests refused for being beyond the rate.
    limited: AtomicU64,
    /// Requests refused for want of a place.
    crowded: AtomicU64,
}

/// What became of a tenant's requests at its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantFigures {
    /// Whose.
    pub tenant: TenantId,
    /// Requests being worked on, or whose answer is not taken yet.
    pub in_flight: u64,
    /// Requests refused with 429 since the start.
    pub limited: u64,
    /// Requests refused with 503 for want of a place since the start.
    pub crowded: u64,
}

impl TenantGate {
    /// A gate with this rate, or none.
    pub(crate) fn new(tenant: TenantId, limit: Option<RateLimit>) -> Self {
        Self {
            tenant,
            bucket: limit.map(|limit| Mutex::new(Bucket::new(limit))),
            share: Arc::default(),
            limited: AtomicU64::new(0),
            crowded: AtomicU64::new(0),
        }
    }

    /// A place in the room; `None` when the tenant has its share.
    pub(crate) fn enter(&self, room: &Arc<Room>, wish: Wish) -> Option<Place> {
        let place = room.enter(&self.share, wish == Wish::Change);
        if place.is_none() {
            self.crowded.fetch_add(1, Relaxed);
        }
        place
    }

    /// Counts a request against the rate before its body is read. One that may take access away is counted by
    /// [`TenantGate::pass_with_body`].
    ///
    /// # Errors
    /// Seconds after which it may come again.
    pub(crate) fn pass(&self, wish: Wish, now_ms: u64) -> Result<(), u32> {
        let Some(bucket) = self.bucket.as_ref().filter(|_| wish == Wish::Other) else {
            return Ok(());
        };
        let taken = bucket.lock().take(false, now_ms);
        self.counted(taken)
    }

    /// Counts a request whose body tells what it does.
    ///
    /// # Errors
    /// Seconds after which it may come again.
    pub(crate) fn pass_with_body(
        &self,
        wish: Wish,
        method: &Method,
        body: &[u8],
        now_ms: u64,
    ) -> Result<(), u32> {
        let ends = || match wish {
            Wish::Change => takes_away(
                method,
                if body.len() <= LOOKED_INTO_BYTES {
                    body
                } else {
                    &[]
                },
            ),
            Wish::Bulk => bulk_takes_away(body),
            Wish::Other => false,
        };
        match wish {
            Wish::Change | Wish::Bulk => self.counted(self.pass_operation(ends, now_ms)),
            Wish::Other => Ok(()), // counted already
        }
    }

    /// Counts one operation of a bulk request as the request that it is. One beyond the rate is not refused yet: it
    /// may be asked for again. Whether it takes access away is only asked when that matters.
    ///
    /// # Errors
    /// Seconds after which it may come again.
    pub(crate) fn pass_operation(&self, takes_away: impl FnOnce() -> bool, now_ms: u64) -> Result<(), u32> {
        let Some(bucket) = &self.bucket else { return Ok(()) };
        let taken = bucket.lock().take(false, now_ms);
        match taken {
            Err(_) if takes_away() => bucket.lock().take(true, now_ms),
            taken => taken,
        }
    }

    fn counted(&self, taken: Result<(), u32>) -> Result<(), u32> {
        if taken.is_err() {
            self.limited.fetch_add(1, Relaxed);
        }
        taken
    }

    /// What became of its requests.
    pub(crate) fn figures(&self) -> TenantFigures {
        TenantFigures {
            tenant: self.tenant.clone(),
            in_flight: self.share.held() as u64,
            limited: self.limited.load(Relaxed),
            crowded: self.crowded.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn beyond_the_rate_only_what_takes_access_away_passes_and_what_is_refused_is_counted() {
        let limit = RateLimit {
            per_second: 25,
            burst: 40,
        };
        let gate = TenantGate::new(TenantId::new("acme").unwrap(), Some(limit));
        let create = Wish::of(&Method::POST, &Endpoint::Users);
        while gate.pass(create, 0).is_ok() {}
        let patch = Wish::of(&Method::PATCH, &Endpoint::User(String::new()));
        assert_eq!(gate.pass(patch, 0), Ok(()), "its body is not known yet");
        let rename = br#"{"Operations":[{"op":"add","path":"displayName","value":"x"}]}"#;
        assert_eq!(gate.pass_with_body(patch, &Method::PATCH, rename, 0), Err(1));
        // In every way that the service itself understands.
        let leavers = [
            r#"{"Operations":[{"op":"replace","value":{"active":false}}]}"#,
            r#"{"Operations":{"op":"Replace","path":"active","value":"False"}}"#,
            r#"{"Operations":[{"op":"replace","value":
                {"urn:ietf:params:scim:schemas:core:2.0:User":{"active":false}}}]}"#,
            r#"{"Operations":[{"op":"replace","value":false,
                "path":"urn:ietf:params:scim:schemas:core:2.0:User:active"}]}"#,
            r#"{"Operations":[{"op":"Remove","path":"members","value":[{"$ref":null,"value":"u-3"}]}]}"#,
        ];
        for leaver in leavers.iter().cycle().take(10) {
            let passed = gate.pass_with_body(patch, &Method::PATCH, leaver.as_bytes(), 0);
            assert_eq!(passed, Ok(()), "{leaver}");
        }
        let leaver = leavers[0].as_bytes();
        assert_eq!(gate.pass_with_body(patch, &Method::PATCH, leaver, 0), Err(1));
        assert_eq!(gate.figures().limited, 3);
    }

    #[test]
    fn only_what_ends_an_access_takes_it_away() {
        for (method, body, expected) in [
            (Method::DELETE, "", true),
            (Method::PUT, r#"{"userName":"x","Active":false}"#, true),
            (
                Method::PUT,
                r#"{"urn:ietf:params:scim:schemas:core:2.0:User":{"active":"False"}}"#,
                true,
            ),
            (
                Method::PUT,
                r#"{"active":true,"emails":[{"primary":false}]}"#,
                false,
            ),
            (Method::PUT, "[]", false),
            (Method::POST, r#"{"userName":"x","active":false}"#, false),
            (Method::PATCH, "{", false),
            (Method::GET, "", false),
        ] {
            assert_eq!(takes_away(&method, body.as_bytes()), expected, "{method} {body}");
        }
    }

    #[test]
    fn a_bulk_request_with_a_leaver_passes_as_the_leaver_does() {
        let limit = RateLimit {
            per_second: 1,
            burst: 8,
        };
        let gate = TenantGate::new(TenantId::new("acme").unwrap(), Some(limit));
        let bulk = Wish::of(&Method::POST, &Endpoint::Bulk);
        let pass = |operations: &str| {
            let body = format!(r#"{{"Operations":[{operations}]}}"#);
            gate.pass(bulk, 0).unwrap();
            gate.pass_with_body(bulk, &Method::POST, body.as_bytes(), 0)
        };
        let create =
            r#"{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"a","active":false}}"#;
        let rename = r#"{"method":"PATCH","path":"/Users/1",
            "data":{"Operations":[{"op":"add","path":"title","value":"x"}]}}"#;
        while pass(create).is_ok() {}
        assert_eq!(pass(&format!("{create},{rename}")), Err(1));
        assert_eq!(pass("7"), Err(1));
        for leaver in [
            r#"{"method":"DELETE","path":"/Users/1"}"#,
            r#"{"method":"patch","path":"/Users/1",
                "data":{"Operations":[{"op":"replace","path":"active","value":false}]}}"#,
        ] {
            assert_eq!(pass(&format!("{create},7,{leaver}")), Ok(()), "{leaver}");
        }
        assert_eq!(
            pass(r#"{"method":"DELETE","path":"/Users/1"}"#),
            Err(1),
            "nothing is left"
        );
    }

    #[test]
    fn without_a_rate_everything_passes() {
        let gate = TenantGate::new(TenantId::new("acme").unwrap(), None);
        assert!((0..100_000).all(|_| gate.pass(Wish::of(&Method::POST, &Endpoint::Users), 0).is_ok()));
    }
}
