//! A browser without a window: a cookie jar that speaks to an application in the same process.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use cloakroom::{ErrorKind, SessionFailure};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::{SetCookie, cookies, within};

/// A client with its cookies. Clones have jars of their own: for requests that overlap.
#[derive(Debug, Clone, Default)]
pub(crate) struct Browser {
    jar: BTreeMap<String, String>,
}

impl Browser {
    /// One with an empty jar.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One that holds this id and nothing else.
    pub(crate) fn with_id(id: &str) -> Self {
        let jar = [(cookies::ID.to_owned(), id.to_owned())];
        Self { jar: jar.into() }
    }

    /// The id that it holds.
    pub(crate) fn id(&self) -> Option<&str> {
        self.cookie(cookies::ID)
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.get(name).map(String::as_str)
    }

    pub(crate) async fn get(&mut self, app: &Router, path: &str) -> Answer {
        self.send(app, Method::GET, path, "").await
    }

    pub(crate) async fn post(&mut self, app: &Router, path: &str) -> Answer {
        self.send(app, Method::POST, path, "").await
    }

    pub(crate) async fn put(&mut self, app: &Router, path: &str, body: &str) -> Answer {
        self.send(app, Method::PUT, path, body).await
    }

    pub(crate) async fn delete(&mut self, app: &Router, path: &str) -> Answer {
        self.send(app, Method::DELETE, path, "").await
    }

    /// Logs in and expects to be let in.
    pub(crate) async fn log_in(&mut self, app: &Router, user: &str) -> Answer {
        self.post(app, &format!("/login/{user}")).await.is(200)
    }

    /// Who this instance takes it for.
    pub(crate) async fn user(&mut self, app: &Router) -> Option<String> {
        let info = self.info(app).await;
        info["user"].as_str().map(str::to_owned)
    }

    /// What this instance knows of its session.
    pub(crate) async fn info(&mut self, app: &Router) -> Value {
        let answer = self.get(app, "/info").await.is(200);
        serde_json::from_str(&answer.text).unwrap()
    }

    /// The value of a text attribute, or none.
    pub(crate) async fn attr(&mut self, app: &Router, key: &str) -> Option<String> {
        let answer = self.get(app, &format!("/attr/{key}")).await;
        (answer.status != 404).then(|| answer.is(200).text)
    }

    async fn send(&mut self, app: &Router, method: Method, path: &str, body: &str) -> Answer {
        let request = self.request(method, path).body(Body::from(body.to_owned()));
        let answer = call(app, request.unwrap()).await;
        self.learn(&answer);
        answer
    }

    /// A request with its cookies, not yet sent.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(path);
        let cookies: Vec<_> = self.jar.iter().map(|(n, v)| format!("{n}={v}")).collect();
        if cookies.is_empty() {
            return request;
        }
        request.header(header::COOKIE, cookies.join("; "))
    }

    /// Does with its cookies what the answer says.
    pub(crate) fn learn(&mut self, answer: &Answer) {
        for cookie in answer.cookies() {
            if cookie.removes() {
                self.jar.remove(&cookie.name);
            } else {
                self.jar.insert(cookie.name, cookie.value);
            }
        }
    }
}

/// Asks an application, for at most [`LIMIT`](super::LIMIT).
pub(crate) async fn call(app: &Router, request: Request<Body>) -> Answer {
    let response = within(app.clone().oneshot(request)).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = within(body.collect()).await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(body.to_vec()).unwrap(),
        failure: parts.extensions.get().cloned(),
    }
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) failure: Option<SessionFailure>,
}

impl Answer {
    /// Expects this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    pub(crate) fn cookies(&self) -> Vec<SetCookie> {
        SetCookie::all(&self.headers)
    }

    /// What it does to the id.
    pub(crate) fn id_cookie(&self) -> Option<SetCookie> {
        self.named(cookies::ID)
    }

    /// What it does to the revision.
    pub(crate) fn revision_cookie(&self) -> Option<SetCookie> {
        self.named(cookies::REVISION)
    }

    /// The id that it issues.
    pub(crate) fn new_id(&self) -> Option<String> {
        let issued = self.id_cookie().filter(|cookie| !cookie.removes());
        issued.map(|cookie| cookie.value)
    }

    /// Why the layer or the handler failed, if it did.
    pub(crate) fn kind(&self) -> Option<ErrorKind> {
        self.failure.as_ref().map(|failure| failure.error().kind())
    }

    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let values = self.headers.get_all(name).into_iter();
        values
            .map(|value: &HeaderValue| value.to_str().unwrap())
            .collect()
    }

    fn named(&self, name: &str) -> Option<SetCookie> {
        let mut named = self.cookies().into_iter().filter(|c| c.name == name);
        let cookie = named.next();
        assert_eq!(named.next(), None, "the same cookie twice");
        cookie
    }
}
