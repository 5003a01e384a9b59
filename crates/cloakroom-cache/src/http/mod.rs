//! A cache of HTTP responses, as a tower layer: RFC 9111, with what a request's session adds to it.
//!
//! A [`ResponseCache`] is an application's handle; its [layers](ResponseCache::layer) answer requests
//! from it. What is stored is made once by the handler for all who want it, in all instances, and
//! served nowhere once it was [invalidated](ResponseCache::invalidate). By RFC 9111 through
//! `http-cache-semantics`, and stricter where it might show one client what is another's.
//!
//! # Which requests are answered from the cache
//!
//! The first row that fits counts.
//!
//! | the request | what happens |
//! |---|---|
//! | `POST`, `PUT`, `PATCH`, `DELETE`, any other that may change something | the handler; answered 2xx or 3xx, the responses of its address go, and those of its `Location` and `Content-Location` |
//! | `OPTIONS`, `TRACE`, `CONNECT` | the handler |
//! | `Range`, `If-Match`, `If-Unmodified-Since`, a body, `Upgrade` | the handler |
//! | `Cache-Control: no-store` | the handler |
//! | a layer of the same cache is around this one, and had to do with it | the handler |
//! | a `Host` that is not the host of its address, or several | the handler |
//! | its session was read before it came here, and there is no principal | the handler |
//! | `Authorization` or other [credentials](ResponseCacheLayer::credentials), and no principal | the handler |
//! | `only-if-cached` | what is stored, or 504 |
//! | `HEAD` | what is stored of the `GET`, or the handler, whose answer is not stored |
//! | `GET` | what is stored, or the handler |
//!
//! A principal is whom the request is from, if the layer was [told how to find
//! out](ResponseCacheLayer::principal). It is part of the key then.
//!
//! # Which responses are stored
//!
//! The first row that fits counts. Beside it stands the word that `Cache-Status` gives as `detail`.
//!
//! | the response | without principal | with one | detail |
//! |---|---|---|---|
//! | 5xx, or the handler failed | no | no | `failed` |
//! | its session was changed, begun or ended | no | no | `session-changed` |
//! | a layer of another cache inside of this one has answered for a principal | no | no | `principal` |
//! | its session was read, or looked for | no | yes | `session` |
//! | `Set-Cookie` | no | no | `set-cookie` |
//! | `Clear-Site-Data` | no | no | `clear-site-data` |
//! | `no-store`, or a `Cache-Control` that can't be read | no | no | `no-store` |
//! | `private` | no | yes | `private` |
//! | `Vary: *` | no | no | `vary-all` |
//! | `Vary: Cookie` | no | yes, for requests with the same cookies | `vary-cookie` |
//! | a stream of events | no | no | `stream` |
//! | more tags than 63 | no | no | `tags` |
//! | a status that RFC 9111 doesn't let it store as it is | no | no | `status` |
//! | `no-cache`, or nothing that says that it is fresh | no | no | `not-fresh` |
//! | a body larger than [`max_body`](ResponseCacheBuilder::max_body) | no | no | `too-large` |
//! | a body not at its end in [time](ResponseCacheBuilder::body_timeout), or with trailers | no | no | `stream` |
//! | a body that breaks off, or of another length than was said | no | no | `broken` |
//! | any other | yes | yes | |
//!
//! What is not stored goes to the client whose request it is, at once and as it comes; the others who
//! waited go to the handler each with their own request. A response that is stored for a principal is
//! never answered to any other, nor to a request without.
//!
//! # What it can't see
//!
//! A handler that tells clients apart by anything else than its session, `Authorization`,
//! [credentials](ResponseCacheLayer::credentials) and what it names in `Vary` must say `private` or
//! `no-store`: a handler that looks into `Cookie` by itself, say, or at the client's address.
//!
//! # How it goes
//!
//! The handler is the loader of a [`Cache`](crate::Cache): it runs in a task of its own and is finished
//! though its client goes away. What waits for it waits in all instances, as for any value.
//! Conditions (`If-None-Match`, `If-Modified-Since`) are taken from its request and judged on its
//! response. A response that varies names other headers; the first one of an address is stored under
//! the address, others beside it by what their requests say in those headers.

mod answer;
mod asking;
mod body;
mod builder;
mod conditional;
mod directives;
mod entry;
mod journey;
mod layer;
mod reason;
mod rules;
mod run;
mod service;
mod settings;
mod status;
mod tags;
mod unsafe_method;
mod vary;
mod way;
mod wire;

pub use body::CacheBody;
pub use builder::ResponseCacheBuilder;
pub use layer::{ResponseCache, ResponseCacheLayer};
pub use service::ResponseCacheService;
pub(crate) use settings::Settings;
pub use tags::CacheTags;

/// Asks a service as soon as it is ready.
async fn call<S, R>(mut service: S, request: R) -> Result<S::Response, S::Error>
where
    S: tower_service::Service<R>,
{
    std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}

/// A loader under way.
type Loading = std::pin::Pin<Box<dyn std::future::Future<Output = run::Report> + Send>>;
