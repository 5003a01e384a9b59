//! A response's body that keeps its request open until it has been sent.

use super::slot::Ticket;
use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// Binds a ticket to the body of the response: the instance counts the request as open until
/// the body has ended, or its reader went away.
pub(super) fn until_sent(body: Body, ticket: Ticket) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(Held {
        body,
        _ticket: ticket,
    })
}

#[derive(Debug)]
struct Held {
    body: Body,
    _ticket: Ticket,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
