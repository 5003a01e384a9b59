//! Tags: which version each has, and whether one may have changed while a value was loaded.

use crate::{
    Error, ErrorKind, Result, Tag,
    copy::{Copy, TagCopy},
    envelope::MOST_TAGS,
    pending::{News, Pending},
};
use cloakroom_core::{Address, CacheStore, Freshness, Lease, Moment, TagVersion};
use cloakroom_near::{Kept, Near};
use std::sync::Arc;

/// The versions of tags, near.
#[derive(Debug)]
pub(crate) struct Tags {
    store: Arc<dyn CacheStore>,
    near: Near<TagCopy>,
    need: Freshness,
    pending: Pending,
}

/// What was known of each bucket's channel at a moment.
///
/// A value's tags are known only when it is loaded, when it is too late to read the versions that they
/// had before. So each version says which message of its bucket it came with, and how many of those had
/// been heard before the load began is remembered: what was heard then, happened before it.
pub(crate) struct Before(Vec<Lease>);

impl Tags {
    pub(crate) fn new(
        store: &Arc<dyn CacheStore>,
        near: Near<TagCopy>,
        need: Freshness,
        pending: &Pending,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            near,
            need,
            pending: pending.clone(),
        }
    }

    /// Whether all tags of a copy have the versions that they had; `None` if that is not known here.
    pub(crate) fn known_to_hold<V>(&self, copy: &Copy<V>, now: Moment) -> Option<bool> {
        let mut all_known = true;
        for (at, version) in &copy.tags {
            let version_now = |tag: &Kept<TagCopy>| tag.value.0.version;
            match self.near.find_with(*at, self.need, now, version_now) {
                Some(now) if now == *version => {}
                Some(_) => return Some(false),
                None => all_known = false,
            }
        }
        all_known.then_some(true)
    }

    /// Whether all tags of a copy are known to have had the versions that they had so lately.
    pub(crate) fn held<V>(&self, copy: &Copy<V>, lately: Freshness) -> bool {
        let mut tags = copy.tags.iter();
        tags.all(|(at, version)| {
            let tag = self.near.find(*at, lately);
            tag.is_some_and(|tag| tag.value.0.version == *version)
        })
    }

    /// Whether all tags of a copy have the versions that they had. At most one round trip.
    pub(crate) async fn hold<V>(&self, copy: &Copy<V>) -> Result<bool> {
        if copy.tags.is_empty() {
            return Ok(true);
        }
        let versions = copy.tags.iter().map(|(at, _)| self.version(*at));
        let versions = futures_util::future::try_join_all(versions).await?;
        let mut held = copy.tags.iter().zip(versions);
        Ok(held.all(|((_, before), now)| *before == now.version))
    }

    /// What is known before a load.
    pub(crate) fn before(&self) -> Before {
        Before(self.store.news().leases())
    }

    /// The versions of tags, all as they were before a load; `None` if one may have changed since.
    pub(crate) async fn unchanged(
        &self,
        tags: &[Tag],
        before: &Before,
    ) -> Result<Option<Box<[(Address, u64)]>>> {
        let (places, versions) = self.versions(tags).await?;
        let news = self.store.news();
        let surely = |(at, tag): (&Address, &TagVersion)| {
            let before = before.0.get(usize::from(at.bucket.index()));
            let same_term = |lease: &&Lease| lease.term == news.lease(at.bucket).term;
            let heard = before.filter(same_term).and_then(Lease::number);
            heard.is_some_and(|heard| tag.number <= heard)
        };
        if !places.iter().zip(&versions).all(surely) {
            return Ok(None);
        }
        let pairs = places.into_iter().zip(versions);
        Ok(Some(pairs.map(|(at, tag)| (at, tag.version)).collect()))
    }

    /// The versions of tags now, for a value that is newer than they are.
    pub(crate) async fn now(&self, tags: &[Tag]) -> Result<Box<[(Address, u64)]>> {
        let (places, versions) = self.versions(tags).await?;
        let pairs = places.into_iter().zip(versions);
        Ok(pairs.map(|(at, tag)| (at, tag.version)).collect())
    }

    async fn versions(&self, tags: &[Tag]) -> Result<(Vec<Address>, Vec<TagVersion>)> {
        if tags.len() > MOST_TAGS {
            let message = format!("a value has at most {MOST_TAGS} tags, not {}", tags.len());
            return Err(Error::new(ErrorKind::Encode, message));
        }
        let places: Vec<_> = tags.iter().map(|tag| self.store.place(tag.0)).collect();
        let versions = places.iter().map(|at| self.version(*at));
        let versions = futures_util::future::try_join_all(versions).await?;
        Ok((places, versions))
    }

    /// Changes a tag's version; if the store can't be told, it is told as soon as it can.
    pub(crate) async fn change(&self, at: Address) -> cloakroom_core::Result<()> {
        let write = self.near.write(at);
        self.near.forget(at);
        let changed = self.store.change_tag(at).await;
        if changed.is_err() {
            // First of all: who begins to read from here on says it before.
            self.pending.add(News::Tag(at));
        }
        write.found(None);
        // Other caches of this process know it as soon as this one does. A load under way, in any of
        // them, may turn out to bear the tag; who comes now must not wait for it.
        self.store.news().deliver(at, None);
        self.store.news().tag_changed();
        changed
    }

    async fn version(&self, at: Address) -> cloakroom_core::Result<TagVersion> {
        let load = || {
            let (store, pending) = (Arc::clone(&self.store), self.pending.clone());
            async move {
                pending.settle(News::Tag(at)).await?;
                store.tag(at).await.map(TagCopy)
            }
        };
        let kept = self.near.get(at, self.need, load).await?;
        Ok(kept.value.0)
    }
}
