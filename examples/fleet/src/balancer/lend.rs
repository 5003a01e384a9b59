//! A request's body that can be offered to several instances, until one begins to read it.

use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

/// The body, as long as nobody has begun to read it.
#[derive(Debug)]
pub(super) struct Lender {
    body: Arc<Mutex<Option<Body>>>,
    size: SizeHint,
    empty: bool,
}

impl Lender {
    pub(super) fn new(body: Body) -> Self {
        let (size, empty) = (body.size_hint(), body.is_end_stream());
        Self {
            body: Arc::new(Mutex::new(Some(body))),
            size,
            empty,
        }
    }

    /// A body for one attempt.
    pub(super) fn lend(&self) -> Body {
        Body::new(Lent {
            lender: self.body.clone(),
            taken: None,
            size: self.size,
            empty: self.empty,
        })
    }

    /// Whether another attempt would send the whole body.
    pub(super) fn is_whole(&self) -> bool {
        self.body
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }
}

/// Takes the body from its lender when it is first read.
#[derive(Debug)]
struct Lent {
    lender: Arc<Mutex<Option<Body>>>,
    taken: Option<Body>,
    size: SizeHint,
    empty: bool,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.taken.is_none() {
            let body = self
                .lender
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            self.taken = body;
        }
        match &mut self.taken {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(Some(Err(axum::Error::new(
                "the body was sent to another instance",
            )))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.taken
            .as_ref()
            .map_or(self.empty, HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.taken
            .as_ref()
            .map_or_else(|| self.size, HttpBody::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn an_attempt_that_reads_nothing_leaves_the_body_whole() {
        let lender = Lender::new(Body::from("hello"));
        drop(lender.lend());
        assert!(lender.is_whole());
        let lent = lender.lend();
        assert_eq!(lent.size_hint().exact(), Some(5));
        assert_eq!(lent.collect().await.unwrap().to_bytes(), "hello");
        assert!(!lender.is_whole());
        assert!(lender.lend().collect().await.is_err());
    }

    #[test]
    fn an_empty_body_ends_before_it_is_read() {
        assert!(Lender::new(Body::empty()).lend().is_end_stream());
    }
}
