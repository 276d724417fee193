//! Why a request was not carried out, as the client will read it: always a SCIM error (RFC 7644 section
//! 3.12).

use std::borrow::Cow;

use http::StatusCode;
use rollcall_scim::{ERROR_SCHEMA, ScimError, ScimType};

use crate::decide::BeyondBound;

/// Seconds after which a client is asked to try again when this server is busy: long enough to let a burst
/// pass, short enough that no provisioning cycle is lost.
pub(crate) const RETRY_AFTER_SECONDS: u32 = 2;
/// The same when an operator has to act first (the log takes nothing until a restart).
pub(crate) const RETRY_AFTER_RESTART_SECONDS: u32 = 30;

/// Longest detail in an error body, in bytes: details name places, they do not give requests back.
const DETAIL_BYTES_MAX: usize = 1024;

/// A request that was not carried out. The detail names places and rules; it never holds a value of a
/// resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    /// `scimType` of RFC 7644 table 9.
    pub(crate) scim_type: Option<&'static str>,
    pub(crate) detail: Cow<'static, str>,
    /// Seconds for `Retry-After`.
    pub(crate) retry_after: Option<u32>,
    /// Methods for `Allow`.
    pub(crate) allow: Option<&'static str>,
    /// Value of `WWW-Authenticate`.
    pub(crate) challenge: Option<&'static str>,
    /// The connection is to be closed: the body was not read to its end.
    pub(crate) close: bool,
    /// A member is named that is nobody here.
    pub(crate) nobody: bool,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            scim_type: None,
            detail: detail.into(),
            retry_after: None,
            allow: None,
            challenge: None,
            close: false,
            nobody: false,
        }
    }

    /// 400 with a `scimType`.
    pub(crate) fn bad(scim_type: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            scim_type: Some(scim_type),
            ..Self::new(StatusCode::BAD_REQUEST, detail)
        }
    }

    pub(crate) fn not_found(what: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, what)
    }

    /// 404 for a resource: the same words whether it never was, was deleted, or belongs to another
    /// connection.
    pub(crate) fn no_such_resource() -> Self {
        Self::not_found("no resource of this connection has this id")
    }

    pub(crate) fn unique(detail: &'static str) -> Self {
        Self {
            scim_type: Some("uniqueness"),
            ..Self::new(StatusCode::CONFLICT, detail)
        }
    }

    pub(crate) fn precondition() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "the resource does not have the version that the condition asks for",
        )
    }

    /// 503; the client may send the same request again after a while.
    pub(crate) fn busy(detail: &'static str, seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// 429: the tenant asks for more than its rate; it may come again after these seconds.
    pub(crate) fn too_fast(seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "more requests than this tenant may send in a second",
            )
        }
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "an internal error; it is on record under the request id",
        )
    }

    /// Whether the request is refused for what it says: not for who sends it, not for the moment, not because the
    /// resource is not there or has another version than the client asks for.
    pub(crate) fn is_for_what_it_says(&self) -> bool {
        matches!(
            self.status,
            StatusCode::BAD_REQUEST
                | StatusCode::CONFLICT
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
        )
    }

    /// The error body.
    pub(crate) fn body(&self) -> Vec<u8> {
        #[derive(serde::Serialize)]
        struct Body<'a> {
            schemas: [&'static str; 1],
            status: &'a str,
            #[serde(rename = "scimType", skip_serializing_if = "Option::is_none")]
            scim_type: Option<&'static str>,
            detail: &'a str,
        }
        let mut end = self.detail.len().min(DETAIL_BYTES_MAX);
        while !self.detail.is_char_boundary(end) {
            end -= 1;
        }
        let body = Body {
            schemas: [ERROR_SCHEMA],
            status: self.status.as_str(),
            scim_type: self.scim_type,
            detail: self.detail.get(..end).unwrap_or_default(),
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl From<ScimError> for Failure {
    fn from(error: ScimError) -> Self {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self {
            scim_type: error.scim_type.map(ScimType::as_str),
            ..Self::new(status, error.detail)
        }
    }
}

impl From<BeyondBound> for Failure {
    fn from(bound: BeyondBound) -> Self {
        Self::bad("invalidValue", bound.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_body_is_a_scim_error_with_its_status_as_text_and_a_bounded_detail() {
        let long = "ä".repeat(DETAIL_BYTES_MAX);
        let body: serde_json::Value =
            serde_json::from_slice(&Failure::bad("invalidValue", long).body()).unwrap();
        assert_eq!(body["status"], "400");
        assert_eq!(body["scimType"], "invalidValue");
        assert_eq!(body["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error");
        assert_eq!(body["detail"].as_str().unwrap().len(), DETAIL_BYTES_MAX);
    }
}
