//! The body of an answer on its way, and the place that its request holds until it is taken.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::limit::Place;

/// How much is handed on at a time: the connection asks for more when it has sent most of it, so that what is held is
/// counted as long as it is held.
const PART_BYTES: usize = 64 * 1024;

/// A whole body, handed on in parts. Its request is in flight until the last part is asked for, or the connection is
/// closed.
pub(crate) struct Sending {
    rest: Bytes,
    _place: Place,
}

impl Sending {
    pub(crate) fn new(body: Vec<u8>, place: Place) -> Self {
        Self {
            rest: body.into(),
            _place: place,
        }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.rest.len().min(PART_BYTES);
        let part = self.rest.split_to(next);
        Poll::Ready((!part.is_empty()).then(|| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.rest.len()).unwrap_or(u64::MAX))
    }
}
