//! The response that a stored one becomes.

use super::{
    asking::Asking,
    body::CacheBody,
    conditional,
    entry::{Entry, Page},
    status::Status,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Body;
use time::{Duration, OffsetDateTime};

/// For how much longer a stored response is fresh; negative if it is stale.
pub(crate) fn ttl(entry: &Entry, page: &Page, now: OffsetDateTime) -> Duration {
    let age = (now - entry.came).max(Duration::ZERO);
    page.fresh.saturating_sub(age)
}

/// A stored response, as an answer to a request.
pub(crate) fn answer<B>(
    (entry, page): (&Entry, &Page),
    asking: &Asking,
    is_head: bool,
    now: OffsetDateTime,
    status: Status,
) -> Response<CacheBody<B>>
where
    B: Body<Data = Bytes>,
{
    let mut headers = page.headers.clone();
    if matches!(status, Status::Hit { .. }) {
        // One whose clock is behind the one that stored it sees no age below zero.
        let age = page.policy.age(now.max(entry.came).into()).as_secs();
        headers.insert(header::AGE, HeaderValue::from(age));
    }
    let has_it = page.status == StatusCode::OK && conditional::has_it(&asking.headers, &headers);
    let (code, body) = match has_it {
        true => {
            conditional::keep_of_304(&mut headers);
            (StatusCode::NOT_MODIFIED, Bytes::new())
        }
        false => {
            if page.status != StatusCode::NO_CONTENT {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(page.body.len()));
            }
            let body = if is_head {
                Bytes::new()
            } else {
                page.body.clone()
            };
            (page.status, body)
        }
    };
    let mut response = Response::new(CacheBody::whole(body));
    *response.status_mut() = code;
    *response.headers_mut() = headers;
    response
}

/// The handler's own response: it was asked without the client's conditions, which are judged here.
pub(crate) fn conditioned<B>(
    response: Response<CacheBody<B>>,
    request: &HeaderMap,
) -> Response<CacheBody<B>>
where
    B: Body<Data = Bytes>,
{
    if response.status() != StatusCode::OK || !conditional::has_it(request, response.headers()) {
        return response;
    }
    let (mut head, _) = response.into_parts();
    head.status = StatusCode::NOT_MODIFIED;
    conditional::keep_of_304(&mut head.headers);
    Response::from_parts(head, CacheBody::default())
}
