//! Answers as values, and as HTTP.

use axum::body::Body;
use axum::response::Response;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::failure::Failure;
use super::sending::Sending;
use crate::limit::Place;

/// What is answered: status, JSON, and the headers that belong to a resource.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// JSON text; empty for no body at all.
    pub(crate) json: Vec<u8>,
    pub(crate) etag: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) made: Made,
}

/// What a request made that was not there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Made {
    #[default]
    Nothing,
    /// A resource.
    New,
    /// An active user of one who had gone.
    HiredAgain,
}

impl Answer {
    /// 200 with this JSON.
    pub(crate) fn json(json: Vec<u8>) -> Self {
        Self {
            json,
            ..Self::default()
        }
    }

    /// A status without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// As HTTP, in the negotiated media type. The request has its place until the body is taken.
    pub(crate) fn into_response(self, media_type: &'static str, place: Place) -> Response {
        let empty = self.json.is_empty();
        let mut response = Response::new(if empty {
            Body::empty()
        } else {
            Body::new(Sending::new(self.json, place))
        });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !empty {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        let mut set = |name: HeaderName, text: Option<String>| {
            if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
                headers.insert(name, value);
            }
        };
        set(ETAG, self.etag);
        set(LOCATION, self.location);
        response
    }
}

impl Failure {
    /// As HTTP, in the negotiated media type.
    pub(crate) fn into_response(self, media_type: &'static str) -> Response {
        let mut response = Response::new(Body::from(self.body()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        self.set_headers(headers);
        response
    }

    /// The headers that belong to it, whatever the form of its body.
    pub(crate) fn set_headers(&self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}
