//! Breaking the store and mending it.

use std::sync::Arc;

use crate::subject::BoxFuture;

type Hook = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// How the store is broken and mended.
#[derive(Clone)]
pub(crate) struct Outage {
    pub(crate) begin: Hook,
    pub(crate) end: Hook,
}

impl Outage {
    pub(crate) fn new<B, E>(
        begin: impl Fn() -> B + Send + Sync + 'static,
        end: impl Fn() -> E + Send + Sync + 'static,
    ) -> Self
    where
        B: Future<Output = ()> + Send + 'static,
        E: Future<Output = ()> + Send + 'static,
    {
        Self {
            begin: Arc::new(move || Box::pin(begin())),
            end: Arc::new(move || Box::pin(end())),
        }
    }
}
