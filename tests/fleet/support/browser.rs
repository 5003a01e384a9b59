//! A client with a cookie jar of its own.

use std::sync::Arc;
use std::time::Duration;

use reqwest::cookie::{CookieStore, Jar};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Url};

use super::Answer;

/// No request of the tests takes longer, unless something hangs.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// A client with a cookie jar of its own, at one address. Clones share the jar.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    http: Client,
    jar: Arc<Jar>,
    base: String,
}

impl Browser {
    /// With an empty jar.
    pub(crate) fn new(base: &str) -> Self {
        let jar = Arc::new(Jar::default());
        let http = client().cookie_provider(jar.clone()).build().unwrap();
        Self {
            http,
            jar,
            base: base.to_owned(),
        }
    }

    /// Without a jar: sends the cookies that a request names, and keeps none.
    pub(crate) fn without_jar(base: &str) -> Self {
        Self {
            http: client().build().unwrap(),
            jar: Arc::default(),
            base: base.to_owned(),
        }
    }

    /// The same browser at another address.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self {
            base: base.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .timeout(REQUEST_LIMIT)
    }

    /// A request that carries this id, for browsers without a jar.
    pub(crate) fn with_id(&self, method: Method, path: &str, id: &str) -> RequestBuilder {
        self.request(method, path)
            .header("cookie", format!("id={id}"))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        fetch(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        fetch(self.request(Method::POST, path).form(form)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        fetch(self.request(Method::PUT, path).body(body.to_owned())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        fetch(self.request(Method::DELETE, path)).await
    }

    /// Logs in.
    pub(crate) async fn log_in(&self, user: &str) -> Answer {
        self.post("/login", &[("user", user)]).await.is(200)
    }

    /// The id in the jar: the secret of the cookie.
    pub(crate) fn id(&self) -> Option<String> {
        let cookies = self.jar.cookies(&self.url())?;
        let pairs = cookies.to_str().unwrap().split("; ");
        pairs
            .filter_map(|pair| pair.strip_prefix("id="))
            .map(str::to_owned)
            .next()
    }

    /// The user that `/me` names, and nobody if it answers 401.
    pub(crate) async fn user(&self) -> Option<String> {
        let me = self.get("/me").await;
        match me.status {
            200 => Some(me.json()["user"].as_str().unwrap().to_owned()),
            401 => None,
            _ => panic!("/me: {me:?}"),
        }
    }

    fn url(&self) -> Url {
        self.base.parse().unwrap()
    }
}

/// Sends a request and reads the response to its end.
#[track_caller]
pub(crate) fn fetch(request: RequestBuilder) -> impl Future<Output = Answer> {
    let caller = std::panic::Location::caller();
    async move {
        try_fetch(request)
            .await
            .unwrap_or_else(|error| panic!("{caller}: {error:?}"))
    }
}

/// Sends a request and reads the response to its end, if one comes.
pub(crate) async fn try_fetch(request: RequestBuilder) -> reqwest::Result<Answer> {
    Answer::read(request.send().await?).await
}

fn client() -> ClientBuilder {
    Client::builder().no_proxy()
}
