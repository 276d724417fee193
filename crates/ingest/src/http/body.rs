//! Reading a body within bounds: of one request, and of all together.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::{Failure, RETRY_AFTER_SECONDS};

/// Bytes of a body that need no share of the budget: any user or small change. Bounded in sum by the requests
/// in flight.
pub(crate) const FREE_BODY_BYTES: usize = 64 * 1024;
/// Unit in which the budget is handed out.
const UNIT: usize = 64 * 1024;

/// The memory that large bodies may take together.
#[derive(Debug, Clone)]
pub(crate) struct BodyBudget {
    units: Arc<Semaphore>,
    /// Most bytes of one body.
    max: usize,
}

/// A body and its share of the budget, which is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct ReadBody {
    pub(crate) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl BodyBudget {
    /// A budget of `together` bytes, of which one body may take `max`.
    pub(crate) fn new(max: usize, together: usize) -> Self {
        Self {
            units: Arc::new(Semaphore::new(together.max(max).div_ceil(UNIT))),
            max,
        }
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// 413 when it is larger than the bound, 503 when the budget is used up, 400 when it breaks off.
    pub(crate) async fn read(&self, headers: &HeaderMap, mut body: Body) -> Result<ReadBody, Failure> {
        let announced = headers
            .get(http::header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok())
            .unwrap_or(0);
        if announced > self.max {
            return Err(self.too_large());
        }
        let mut share = None;
        self.take(&mut share, announced)?;
        let mut first = Bytes::new();
        let mut all = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| broken())?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let read = first.len().saturating_add(all.len()).saturating_add(data.len());
            if read > self.max {
                return Err(self.too_large());
            }
            self.take(&mut share, read)?;
            if all.is_empty() && first.is_empty() {
                first = data;
                continue;
            }
            if all.is_empty() {
                all.reserve(announced.max(read));
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&data);
        }
        let bytes = if all.is_empty() { first } else { all.into() };
        Ok(ReadBody { bytes, _share: share })
    }

    /// Brings the share up to what `bytes` need; never waits, so that no two bodies wait for each other.
    fn take(&self, share: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), Failure> {
        let needed = bytes.saturating_sub(FREE_BODY_BYTES).div_ceil(UNIT);
        let held = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(more) = needed.checked_sub(held).filter(|more| *more > 0) else {
            return Ok(());
        };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.units).try_acquire_many_owned(more) else {
            let busy = Failure::busy("too many large requests at once", RETRY_AFTER_SECONDS);
            return Err(Failure { close: true, ..busy });
        };
        match share {
            Some(share) => share.merge(permit),
            None => *share = Some(permit),
        }
        Ok(())
    }

    fn too_large(&self) -> Failure {
        let detail = format!("the body is larger than {} bytes", self.max);
        Failure {
            close: true,
            ..Failure::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        }
    }
}

fn broken() -> Failure {
    Failure {
        close: true,
        ..Failure::bad("invalidSyntax", "the body broke off")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn chunks(count: usize, size: usize) -> Body {
        let chunk = move |_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; size]));
        Body::from_stream(futures::stream::iter((0..count).map(chunk)))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_up_to_its_bound_and_refused_above_it() {
        let budget = BodyBudget::new(300_000, 300_000);
        for (count, size) in [(0, 0), (1, 10), (3, 100_000)] {
            let read = budget.read(&HeaderMap::new(), chunks(count, size)).await.unwrap();
            assert_eq!(read.bytes.len(), count * size);
        }
        let refused = budget
            .read(&HeaderMap::new(), chunks(31, 10_000))
            .await
            .unwrap_err();
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn large_bodies_share_a_budget_that_is_given_back_and_small_ones_need_none() {
        let budget = BodyBudget::new(300_000, 300_000);
        let held = budget.read(&HeaderMap::new(), chunks(30, 10_000)).await.unwrap();
        let refused = budget
            .read(&HeaderMap::new(), chunks(30, 10_000))
            .await
            .unwrap_err();
        assert_eq!(
            (refused.status, refused.retry_after),
            (StatusCode::SERVICE_UNAVAILABLE, Some(RETRY_AFTER_SECONDS))
        );
        assert!(budget.read(&HeaderMap::new(), chunks(6, 10_000)).await.is_ok());
        drop(held);
        assert!(budget.read(&HeaderMap::new(), chunks(30, 10_000)).await.is_ok());
    }
}
