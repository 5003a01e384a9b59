//! Server-sent events.

use reqwest::{Method, Response};
use tokio::time::timeout;

use super::{Browser, LIMIT};

/// An open event stream.
#[derive(Debug)]
pub(crate) struct Events {
    response: Response,
    text: String,
}

impl Events {
    /// Opens `/events` and checks that it is a stream of events.
    pub(crate) async fn open(browser: &Browser) -> Self {
        // The limit of a whole request does not hold for a stream; each wait has its own.
        let request = browser.request(Method::GET, "/events").timeout(LIMIT * 3);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next event's name and data; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<(String, String)> {
        timeout(LIMIT, self.read())
            .await
            .expect("neither an event nor the end of the stream came")
    }

    async fn read(&mut self) -> Option<(String, String)> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = parse(block);
                self.text = rest.to_owned();
                if event.is_some() {
                    return event;
                }
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

/// One event; `None` for a comment that only keeps the connection alive.
fn parse(block: &str) -> Option<(String, String)> {
    let field = |name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start().to_owned())
    };
    Some((field("event:")?, field("data:").unwrap_or_default()))
}
