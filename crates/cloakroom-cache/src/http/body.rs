//! Bodies: whole ones from the cache, and the handler's own.

use super::reason::Reason;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::time::{Instant, timeout_at};

pin_project! {
    /// The body of a response that went through the cache.
    pub struct CacheBody<B> where B: Body {
        #[pin]
        inner: Inner<B>,
    }
}

pin_project! {
    #[project = Projected]
    enum Inner<B> where B: Body {
        Whole { bytes: Option<Bytes> },
        Handler { #[pin] body: B },
        // One whose beginning was read before it was known that it would not be stored.
        Resumed { first: VecDeque<Result<Frame<Bytes>, B::Error>>, rest: Option<Pin<Box<B>>> },
    }
}

/// What came of reading a body.
pub(crate) enum Collected<B: Body> {
    Whole(Bytes),
    /// It is not to be stored, because of this; nothing of it is lost.
    Partly(CacheBody<B>, Reason),
}

impl<B: Body<Data = Bytes>> CacheBody<B> {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        let bytes = (!bytes.is_empty()).then_some(bytes);
        let inner = Inner::Whole { bytes };
        Self { inner }
    }

    pub(crate) fn handler(body: B) -> Self {
        let inner = Inner::Handler { body };
        Self { inner }
    }

    fn resumed(
        read: Vec<Bytes>,
        last: Option<Result<Frame<Bytes>, B::Error>>,
        rest: Option<Pin<Box<B>>>,
    ) -> Self {
        let read = read.into_iter().map(|bytes| Ok(Frame::data(bytes)));
        let first = read.chain(last).collect();
        let inner = Inner::Resumed { first, rest };
        Self { inner }
    }
}

/// Reads a body to its end, if that comes soon and before too many bytes.
pub(crate) async fn collect<B>(body: B, most: usize, until: Instant) -> Collected<B>
where
    B: Body<Data = Bytes>,
{
    let mut body = Box::pin(body);
    let (mut read, mut length) = (Vec::new(), 0);
    loop {
        let frame = poll_fn(|cx| body.as_mut().poll_frame(cx));
        let Ok(frame) = timeout_at(until, frame).await else {
            let resumed = CacheBody::resumed(read, None, Some(body));
            return Collected::Partly(resumed, Reason::Stream);
        };
        match frame {
            None => return Collected::Whole(joined(read, length)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) => {
                    length += bytes.len();
                    read.push(bytes);
                    if length > most {
                        let resumed = CacheBody::resumed(read, None, Some(body));
                        return Collected::Partly(resumed, Reason::TooLarge);
                    }
                }
                Err(trailers) => {
                    let resumed = CacheBody::resumed(read, Some(Ok(trailers)), Some(body));
                    return Collected::Partly(resumed, Reason::Stream);
                }
            },
            Some(Err(error)) => {
                let resumed = CacheBody::resumed(read, Some(Err(error)), None);
                return Collected::Partly(resumed, Reason::Broken);
            }
        }
    }
}

fn joined(mut read: Vec<Bytes>, length: usize) -> Bytes {
    if read.len() == 1 {
        return read.swap_remove(0);
    }
    let mut all = Vec::with_capacity(length);
    read.iter().for_each(|bytes| all.extend_from_slice(bytes));
    all.into()
}

impl<B: Body<Data = Bytes>> Body for CacheBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().inner.project() {
            Projected::Whole { bytes } => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Projected::Handler { body } => body.poll_frame(cx),
            Projected::Resumed { first, rest } => match (first.pop_front(), rest) {
                (Some(frame), _) => Poll::Ready(Some(frame)),
                (None, Some(rest)) => rest.as_mut().poll_frame(cx),
                (None, None) => Poll::Ready(None),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Whole { bytes } => bytes.is_none(),
            Inner::Handler { body } => body.is_end_stream(),
            Inner::Resumed { first, rest } => {
                first.is_empty() && rest.as_ref().is_none_or(|rest| rest.is_end_stream())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Whole { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Inner::Handler { body } => body.size_hint(),
            Inner::Resumed { first, rest } => {
                let data = first.iter().flatten().filter_map(Frame::data_ref);
                let read: u64 = data.map(|bytes| bytes.len() as u64).sum();
                let rest = rest
                    .as_ref()
                    .map_or_else(SizeHint::new, |rest| rest.size_hint());
                let mut hint = SizeHint::new();
                hint.set_lower(read.saturating_add(rest.lower()));
                if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(read)) {
                    hint.set_upper(upper);
                }
                hint
            }
        }
    }
}

/// An empty one.
impl<B: Body<Data = Bytes>> Default for CacheBody<B> {
    fn default() -> Self {
        Self::whole(Bytes::new())
    }
}

impl<B: Body> fmt::Debug for CacheBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBody").finish_non_exhaustive()
    }
}
