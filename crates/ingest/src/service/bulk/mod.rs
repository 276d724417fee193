//! `/Bulk` (RFC 7644 section 3.7): every operation is carried out as the single request that it stands for, by the same
//! code, one after the other.

mod pace;
mod run;

use http::header::IF_MATCH;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use rollcall_scim::bulk::{BulkMethod, BulkOperation, BulkRequest, BulkStep, bulk_response};
use tokio::time::timeout_at;

use super::{Call, Service};
use crate::http::answer::Answer;
use crate::http::failure::{Failure, RETRY_AFTER_SECONDS};
use crate::http::route::{Endpoint, endpoint};
use pace::Pace;
use run::Run;

impl Service {
    pub(super) async fn bulk(&self, call: Call<'_>) -> Result<Answer, Failure> {
        let request = BulkRequest::parse(call.seat.connection.dialect, call.body)?;
        self.note(&[], request.tolerated);
        let mut pace = Pace::new(&call.seat.gate, call.ticks, call.until);
        let mut run = Run::new(&self.links.base, &request.operations);
        for step in request.steps() {
            tokio::task::yield_now().await; // an operation that changes nothing waits for nothing
            match step {
                BulkStep::Carry { operation, without } => {
                    let outcome = self.carry(call, &mut run, &mut pace, (operation, &without)).await;
                    run.settle(operation, outcome);
                }
                BulkStep::Complete { operation } => self.complete(call, &mut run, &pace, operation).await,
            }
            if request.fail_on_errors.is_some_and(|max| run.errors() >= max) {
                break;
            }
        }
        // Broken off inside a circle: what was done without its reference is not what was asked for.
        while let Some(operation) = run.next_incomplete() {
            let failure = "the request was broken off before what the operation refers to was created";
            let failure = Failure::new(StatusCode::CONFLICT, failure);
            self.take_back(call, &mut run, &pace, (operation, failure)).await;
        }
        let json = bulk_response(&run.results());
        Ok(Answer::json(serde_json::to_vec(&json).unwrap_or_default()))
    }

    async fn carry(
        &self,
        call: Call<'_>,
        run: &mut Run<'_>,
        pace: &mut Pace<'_>,
        (number, without): (usize, &[String]),
    ) -> Result<Answer, Failure> {
        let request = match run.resolved(number, call.seat.connection.dialect, without) {
            Ok(operation) => Single::new(&self.links.base, &operation)?,
            Err(failure) => Single::refused(&self.links.base, run.addressed(number), failure)?,
        };
        pace.wait(&request.method, &request.body).await?;
        self.single(call, pace, request).await
    }

    /// Puts in what a new resource had to do without. When that fails, so did its operation.
    async fn complete(&self, call: Call<'_>, run: &mut Run<'_>, pace: &Pace<'_>, number: usize) {
        let Some((location, rest)) = run.complete(number) else {
            return; // it was not created, or is no more
        };
        let patch = BulkOperation {
            method: BulkMethod::Patch,
            bulk_id: None,
            path: location,
            version: None,
            data: Some(rest),
        };
        let patch = patch.resolved(run.ids()).map_err(Failure::from);
        let outcome = match patch.and_then(|patch| Single::new(&self.links.base, &patch)) {
            Ok(request) => self.single(call, pace, request).await,
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(answer) => run.amend(number, answer),
            Err(failure) => self.take_back(call, run, pace, (number, failure)).await,
        }
    }

    /// Lets an operation fail that was carried out, and with it those that refer to it: what they made is deleted
    /// again, or deactivated where it is somebody hired again, so that a POST that failed gives nobody access. What has
    /// been changed by others meanwhile stays; its answer then says so.
    async fn take_back(
        &self,
        call: Call<'_>,
        run: &mut Run<'_>,
        pace: &Pace<'_>,
        (number, failure): (usize, Failure),
    ) {
        let failing = run.failing_with(number);
        // Those that are in one another would change when the first of them is deleted.
        for one in failing.iter().copied().filter(|_| failing.len() > 1) {
            if let Some(Ok(answer)) = self.undo(call, pace, run.emptying(one)).await {
                run.amend(one, answer);
            }
        }
        for one in failing {
            let gone = matches!(self.undo(call, pace, run.undoing(one)).await, Some(Ok(_)));
            if one == number {
                run.fell(one, &failure, gone);
            } else {
                let failed = "the operation refers to one that failed";
                run.fell(one, &Failure::new(StatusCode::CONFLICT, failed), gone);
            }
        }
    }

    async fn undo(
        &self,
        call: Call<'_>,
        pace: &Pace<'_>,
        undoing: Option<BulkOperation>,
    ) -> Option<Result<Answer, Failure>> {
        let request = Single::new(&self.links.base, &undoing?).ok()?;
        Some(self.single(call, pace, request).await)
    }

    async fn single(&self, call: Call<'_>, pace: &Pace<'_>, request: Single) -> Result<Answer, Failure> {
        let single = Call {
            method: &request.method,
            query: "",
            headers: &request.headers,
            body: &request.body,
            ..call
        };
        // Boxed: an operation is a request, and a request may be a bulk request.
        let work = Box::pin(async {
            match request.refusal {
                None => self.answer(&request.endpoint, single).await,
                Some(failure) => self.refuse(&request.endpoint, single, failure).await,
            }
        });
        match timeout_at(pace.answer_by(), work).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(Failure::busy(
                "not known to be done; send it again",
                RETRY_AFTER_SECONDS,
            )),
        }
    }
}

/// One operation as the request that it is.
struct Single {
    endpoint: Endpoint,
    method: Method,
    headers: HeaderMap,
    body: Vec<u8>,
    /// Why it is refused, whatever it asks for.
    refusal: Option<Failure>,
}

impl Single {
    /// The request of an operation that cannot be carried out. As every request that is refused it is looked at for
    /// who is to go, where it can be told whom it is about.
    fn refused(base: &str, operation: Option<BulkOperation>, failure: Failure) -> Result<Self, Failure> {
        match operation.map(|operation| Self::new(base, &operation)) {
            Some(Ok(request)) => Ok(Self {
                refusal: Some(failure),
                ..request
            }),
            _ => Err(failure),
        }
    }

    fn new(base: &str, operation: &BulkOperation) -> Result<Self, Failure> {
        let path = operation.path.trim();
        let path = path.split('?').next().unwrap_or_default();
        let endpoint = match path.strip_prefix(base) {
            Some(below) => endpoint(below),
            None if path.starts_with('/') => endpoint(path),
            None => endpoint(&format!("/{path}")), // relative to the root of the service
        };
        let endpoint = endpoint.filter(is_for_resources);
        let endpoint =
            endpoint.ok_or_else(|| Failure::not_found("there is nothing to change at this path"))?;
        let method = Method::from_bytes(operation.method.as_str().as_bytes());
        let method = method.map_err(|_| Failure::internal())?;
        if !endpoint.allows(&method) {
            return Err(Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "the endpoint does not take this method",
            ));
        }
        let mut headers = HeaderMap::new();
        if let Some(version) = &operation.version {
            let value = HeaderValue::from_str(version);
            let value = value.map_err(|_| Failure::bad("invalidValue", "version is no entity tag"))?;
            headers.insert(IF_MATCH, value);
        }
        let data = operation.data.as_ref();
        Ok(Self {
            endpoint,
            method,
            headers,
            body: data
                .map(|data| serde_json::to_vec(data).unwrap_or_default())
                .unwrap_or_default(),
            refusal: None,
        })
    }
}

fn is_for_resources(endpoint: &Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::Users | Endpoint::Groups | Endpoint::User(_) | Endpoint::Group(_)
    )
}
