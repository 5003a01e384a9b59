//! What a handler says of its response's fate.

use crate::Tag;

/// Tags of a response, given by its handler: put into the response's extensions, where the cache takes
/// them out. The response goes when one of them is [invalidated](super::ResponseCache::invalidate_tag).
///
/// At most 63: a response with more is not stored. With axum, `Extension` puts them in:
///
/// ```
/// use axum::{Extension, response::IntoResponse};
/// use cloakroom_cache::{Tag, http::CacheTags};
///
/// async fn product() -> impl IntoResponse {
///     (Extension(CacheTags::new(["products", "product:7"])), "tea")
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let response = product().await.into_response();
/// let tags = response.extensions().get::<CacheTags>().unwrap();
/// assert_eq!(tags.iter().count(), 2);
/// assert!(tags.iter().any(|tag| tag == Tag::from("products")));
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct CacheTags(Vec<Tag>);

impl CacheTags {
    /// These.
    #[must_use]
    pub fn new(tags: impl IntoIterator<Item = impl Into<Tag>>) -> Self {
        Self(tags.into_iter().map(Into::into).collect())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Tag> {
        self.0.iter().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// In a response's extensions: a layer that had a principal has answered. Another layer around it can't
/// know whom by, and keeps it out of the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForPrincipal;
