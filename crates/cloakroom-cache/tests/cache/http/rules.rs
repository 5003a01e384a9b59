//! The rules as a table: each row a test.

use super::*;
use cloakroom_cache::http::CacheTags;
use cloakroom_core::SessionUse;

/// What becomes of a response when the same request comes twice.
#[derive(Clone, Copy, Debug)]
enum Is {
    /// The second is answered by the first one's response.
    Stored,
    /// Each has its own, and this is why.
    Passed(&'static str),
    /// The cache had nothing to do with either, and this is why.
    Bypassed(&'static str),
}

/// What a handler does with its session.
#[derive(Clone, Copy, Default, PartialEq)]
enum Does {
    #[default]
    Nothing,
    Read,
    Change,
    /// While its body is read.
    ReadLate,
}

type Headers = &'static [(&'static str, &'static str)];

#[derive(Clone, Copy, Default)]
struct Row {
    method: Option<&'static str>,
    asks: Headers,
    /// What the second request asks, if it is another.
    asks_again: Option<Headers>,
    answers: Headers,
    body: Option<&'static str>,
    session: Does,
    read_before: bool,
    tags: usize,
    layer: Option<fn(ResponseCacheLayer) -> ResponseCacheLayer>,
}

const ROW: Row = Row {
    method: None,
    asks: &[],
    asks_again: None,
    answers: &[("cache-control", "max-age=60")],
    body: None,
    session: Does::Nothing,
    read_before: false,
    tags: 0,
    layer: None,
};

impl Row {
    fn handler(self) -> Handler {
        Handler::new(move |request, call| async move {
            let used = request.extensions().get::<SessionUse>().cloned();
            let note = used.unwrap_or_default();
            let mut body = Body::from(call.to_string());
            match self.session {
                Does::Nothing => {}
                Does::Read => note.read(),
                Does::Change => note.change(),
                Does::ReadLate => {
                    let text = call.to_string();
                    body = Body::from_stream(futures_util::stream::once(async move {
                        note.read();
                        Ok::<_, Infallible>(text)
                    }));
                }
            }
            let mut response = page(self.answers, body);
            let tags = CacheTags::new((0..self.tags).map(|tag| tag.to_string()));
            response.extensions_mut().insert(tags);
            response
        })
    }

    fn request(self, asks: Headers) -> Request<Body> {
        let method = self.method.unwrap_or("GET").parse().unwrap();
        let mut request = request(method, "/", asks);
        if let Some(body) = self.body {
            *request.body_mut() = Body::from(body);
        }
        if self.read_before {
            let note = SessionUse::default();
            note.read();
            request.extensions_mut().insert(note);
        }
        request
    }

    async fn check(self, want: Is) {
        let (pages, handler) = (in_memory(), self.handler());
        let layer = self.layer.unwrap_or(|layer| layer)(pages.layer());
        let service = handler.behind(&layer);
        let first = send(&service, self.request(self.asks)).await;
        let second = self.request(self.asks_again.unwrap_or(self.asks));
        let second = send(&service, second).await;
        match want {
            Is::Stored => {
                assert_eq!(first.says(), "cloakroom; fwd=uri-miss; stored");
                second.is_hit();
                assert_eq!(second.body, first.body);
                assert_eq!(second.status, first.status);
                assert_eq!(handler.calls(), 1);
            }
            Is::Passed(detail) => {
                let says = format!("cloakroom; fwd=uri-miss; detail={detail}");
                assert_eq!((first.says(), second.says()), (&*says, &*says));
                assert_ne!(second.body, first.body);
                assert_eq!(handler.calls(), 2);
            }
            Is::Bypassed(detail) => {
                let says = format!("cloakroom; fwd={detail}");
                assert_eq!((first.says(), second.says()), (&*says, &*says));
                assert_eq!(handler.calls(), 2);
            }
        }
    }
}

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident: { $($field:ident: $value:expr),* $(,)? } => $want:expr;)+) => {
        $(
            $(#[$doc])*
            #[tokio::test]
            async fn $name() {
                Row { $($field: $value,)* ..ROW }.check($want).await;
            }
        )+
    };
}

use Is::{Bypassed, Passed, Stored};

rows! {
    what_is_fresh_is_stored: {} => Stored;
    what_says_nothing_is_not: { answers: &[] } => Passed("not-fresh");
    unless_the_application_says_so:
        { answers: &[], layer: Some(|l| l.fresh_for(time::Duration::MINUTE)) } => Stored;
    public_alone_says_nothing_of_how_long:
        { answers: &[("cache-control", "public")] } => Passed("not-fresh");
    s_maxage: { answers: &[("cache-control", "s-maxage=60")] } => Stored;
    s_maxage_before_max_age:
        { answers: &[("cache-control", "max-age=60, s-maxage=0")] } => Passed("not-fresh");
    max_age_zero: { answers: &[("cache-control", "max-age=0")] } => Passed("not-fresh");
    max_age_that_is_no_number:
        { answers: &[("cache-control", "max-age=soon")] } => Passed("not-fresh");
    expires_in_the_future:
        { answers: &[("expires", "Fri, 31 Dec 2100 23:59:59 GMT")] } => Stored;
    expires_in_the_past:
        { answers: &[("expires", "Sun, 06 Nov 1994 08:49:37 GMT")] } => Passed("not-fresh");
    expires_that_is_no_date: { answers: &[("expires", "0")] } => Passed("not-fresh");
    max_age_before_expires:
        { answers: &[("expires", "0"), ("cache-control", "max-age=60")] } => Stored;
    fresh_by_the_date_of_another_server_is_over:
        { answers: &[("cache-control", "max-age=60"), ("age", "61")] } => Passed("not-fresh");
    no_store: { answers: &[("cache-control", "max-age=60, no-store")] } => Passed("no-store");
    no_store_in_capitals:
        { answers: &[("cache-control", "Max-Age=60, No-Store")] } => Passed("no-store");
    no_store_on_a_second_line:
        { answers: &[("cache-control", "max-age=60"), ("cache-control", "no-store")] }
        => Passed("no-store");
    cache_control_that_cannot_be_read:
        { answers: &[("cache-control", "max-age=60"), ("cache-control", "\u{e9}")] }
        => Passed("no-store");
    no_cache: { answers: &[("cache-control", "max-age=60, no-cache")] } => Passed("not-fresh");
    pragma_no_cache: { answers: &[("pragma", "no-cache"), ("expires", "Fri, 31 Dec 2100 23:59:59 GMT")] }
        => Passed("not-fresh");
    private: { answers: &[("cache-control", "max-age=60, private")] } => Passed("private");
    private_of_some_headers:
        { answers: &[("cache-control", "private=\"x, y\", max-age=60")] } => Passed("private");
    quotes_that_do_not_end: { answers: &[("cache-control", "max-age=60, x=\"a, private")] }
        => Passed("no-store");
    clear_site_data: { answers: &[("cache-control", "max-age=60"), ("clear-site-data", "\"*\"")] }
        => Passed("clear-site-data");
    set_cookie:
        { answers: &[("cache-control", "public, max-age=60"), ("set-cookie", "a=1")] }
        => Passed("set-cookie");
    session_read: { session: Does::Read } => Passed("session");
    session_changed: { session: Does::Change } => Passed("session-changed");
    session_read_while_the_body_is_made: { session: Does::ReadLate } => Passed("session");
    session_read_before: { read_before: true } => Bypassed("bypass; detail=session");
    authorization:
        { asks: &[("authorization", "Bearer x")], answers: &[("cache-control", "public, s-maxage=60")] }
        => Bypassed("bypass; detail=authorization");
    proxy_authorization: { asks: &[("proxy-authorization", "Basic x")] }
        => Bypassed("bypass; detail=authorization");
    a_key_of_an_api: {
        asks: &[("x-api-key", "1")],
        layer: Some(|l| l.credentials("x-api-key".parse().unwrap())),
    } => Bypassed("bypass; detail=authorization");
    a_cookie_that_nobody_reads: { asks: &[("cookie", "id=1")] } => Stored;
    vary_all: { answers: &[("cache-control", "max-age=60"), ("vary", "*")] } => Passed("vary-all");
    vary_all_among_others:
        { answers: &[("cache-control", "max-age=60"), ("vary", "accept"), ("vary", "x, *")] }
        => Passed("vary-all");
    vary_cookie:
        { answers: &[("cache-control", "max-age=60"), ("vary", "Cookie")] } => Passed("vary-cookie");
    vary_and_the_same: {
        asks: &[("accept-language", "de")],
        answers: &[("cache-control", "max-age=60"), ("vary", "Accept-Language")],
    } => Stored;
    no_store_asked_for: { asks: &[("cache-control", "no-store")] }
        => Bypassed("bypass; detail=no-store");
    a_range: { asks: &[("range", "bytes=0-1")] } => Bypassed("bypass; detail=range");
    a_precondition: { asks: &[("if-match", "\"a\"")] } => Bypassed("bypass; detail=precondition");
    another_precondition: { asks: &[("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT")] }
        => Bypassed("bypass; detail=precondition");
    another_protocol: { asks: &[("upgrade", "websocket"), ("connection", "upgrade")] }
        => Bypassed("bypass; detail=upgrade");
    a_get_with_a_body: { body: Some("query") } => Bypassed("bypass; detail=body");
    post: { method: Some("POST") } => Bypassed("method");
    put: { method: Some("PUT") } => Bypassed("method");
    delete: { method: Some("DELETE") } => Bypassed("method");
    options: { method: Some("OPTIONS") } => Bypassed("method");
    head_alone_stores_nothing: { method: Some("HEAD") } => Bypassed("uri-miss");
    not_found: { answers: &[(":status", "404"), ("cache-control", "max-age=60")] } => Stored;
    gone_that_says_nothing: { answers: &[(":status", "410")] } => Passed("not-fresh");
    moved: { answers: &[(":status", "301"), ("location", "/b"), ("cache-control", "max-age=60")] }
        => Stored;
    a_part: { answers: &[(":status", "206"), ("cache-control", "max-age=60")] } => Passed("status");
    created: { answers: &[(":status", "201"), ("cache-control", "max-age=60")] } => Passed("status");
    forbidden: { answers: &[(":status", "403"), ("cache-control", "max-age=60")] }
        => Passed("status");
    a_stream_of_events:
        { answers: &[("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "max-age=60")] }
        => Passed("stream");
    a_length_that_is_wrong: { answers: &[("content-length", "7"), ("cache-control", "max-age=60")] }
        => Passed("broken");
    as_many_tags_as_may_be: { tags: 63 } => Stored;
    too_many_tags: { tags: 64 } => Passed("tags");
    stale_at_once_but_usable:
        { answers: &[("cache-control", "max-age=0, stale-while-revalidate=60")] } => Stored;
    stale_is_forbidden:
        { answers: &[("cache-control", "max-age=0, must-revalidate, stale-while-revalidate=60")] }
        => Passed("not-fresh");
    session_read_by_a_principal: {
        session: Does::Read,
        layer: Some(|l| l.principal(|_| std::future::ready(Some("alice".into())))),
    } => Stored;
    session_changed_by_a_principal: {
        session: Does::Change,
        layer: Some(|l| l.principal(|_| std::future::ready(Some("alice".into())))),
    } => Passed("session-changed");
    authorization_of_a_principal: {
        asks: &[("authorization", "Bearer x")],
        layer: Some(|l| l.principal(|_| std::future::ready(Some("alice".into())))),
    } => Stored;
    authorization_of_nobody: {
        asks: &[("authorization", "Bearer x")],
        layer: Some(|l| l.principal(|_| std::future::ready(None))),
    } => Bypassed("bypass; detail=authorization");
    private_of_a_principal: {
        answers: &[("cache-control", "private, max-age=60")],
        layer: Some(|l| l.principal(|_| std::future::ready(Some("alice".into())))),
    } => Stored;
    set_cookie_of_a_principal: {
        answers: &[("cache-control", "max-age=60"), ("set-cookie", "a=1")],
        layer: Some(|l| l.principal(|_| std::future::ready(Some("alice".into())))),
    } => Passed("set-cookie");
    a_principals_same_cookies: {
        asks: &[("cookie", "rev=1")],
        answers: &[("cache-control", "max-age=60"), ("vary", "cookie")],
        layer: Some(|l| l.principal(|_| std::future::ready(Some("alice".into())))),
    } => Stored;
    max_age_that_the_client_allows:
        { asks_again: Some(&[("cache-control", "max-age=30")]) } => Stored;
    a_reload_that_is_ignored: {
        asks_again: Some(&[("cache-control", "no-cache")]),
        layer: Some(ResponseCacheLayer::ignore_request_directives),
    } => Stored;
    a_head_from_a_client_that_wants_only_what_is_stored:
        { asks_again: Some(&[("cache-control", "only-if-cached")]) } => Stored;
}
