//! The page: one document, its style and its scripts, all from this binary.

use super::Shop;
use axum::{
    Router,
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::Arc;

/// Nothing from elsewhere, nothing inline, nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the page.
#[derive(Debug, Clone, Copy)]
struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const FILES: [File; 6] = [
    file("/", HTML, include_str!("../page/index.html")),
    file("/page.css", CSS, include_str!("../page/page.css")),
    file("/page.js", JS, include_str!("../page/page.js")),
    file("/fleet.js", JS, include_str!("../page/fleet.js")),
    file("/dom.js", JS, include_str!("../page/dom.js")),
    file("/icon.svg", SVG, include_str!("../page/icon.svg")),
];

const fn file(path: &'static str, kind: &'static str, text: &'static str) -> File {
    File { path, kind, text }
}

pub(super) fn routes() -> Router<Arc<Shop>> {
    FILES.iter().fold(Router::new(), |router, file| {
        router.route(file.path, get(async || *file))
    })
}

/// The page's file of this path, for a balancer that has no instance to ask.
pub(crate) fn at(path: &str) -> Option<Response> {
    let file = FILES.iter().find(|file| file.path == path)?;
    Some(file.into_response())
}

impl IntoResponse for File {
    /// To be asked for anew each time: the next instance may be of another version.
    fn into_response(self) -> Response {
        let head = [
            (CONTENT_TYPE, self.kind),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            (CACHE_CONTROL, "no-cache"),
        ];
        (head, self.text).into_response()
    }
}
