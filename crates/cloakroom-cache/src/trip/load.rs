//! The load itself: with the lease, and into its place.

use super::{Loaded, Loader, Trip};
use crate::{
    Error, ErrorKind, Load, Result,
    copy::{Arrival, Copy, From},
    envelope::Envelope,
    inner::Inner,
    stats::count,
};
use cloakroom_core::{Address, LoadLease, Moment, NewValue, Put};
use cloakroom_near::{Fill, Kept};
use std::sync::Arc;
use time::Duration;

impl<V: Send + Sync + 'static> Trip<V> {
    /// Loads, with the lease, and puts the value in place.
    pub(super) async fn load(
        &self,
        loader: Loader<V>,
        lease: LoadLease,
        fill: Fill<Copy<V>>,
    ) -> Result<Arrival<V>> {
        let inner = &self.inner;
        let before = inner.tags.before();
        let (load, took) = match self.run(loader, Some(lease)).await {
            Loaded::Value(load, took) => (load, took),
            Loaded::Failed(error) => {
                self.give_back(lease).await;
                self.note_failure(&error).await;
                return Err(error);
            }
        };
        inner.failures.forget(self.at);
        let set_out = fill.read();
        if !load.keep {
            self.give_back(lease).await;
            return Ok(self.unkept(load, set_out));
        }
        // A busy store may take long to say, too.
        let unchanged = tokio::select! {
            unchanged = inner.tags.unchanged(&load.tags, &before) => unchanged,
            never = self.keep_lease(Some(lease)) => match never {},
        };
        let tags = match unchanged {
            Ok(Some(tags)) => tags,
            Ok(None) => {
                count(&inner.counters.refused);
                self.give_back(lease).await;
                return Ok(self.unkept(load, set_out));
            }
            Err(error) if error.is_unavailable() => {
                self.give_back_beside(lease);
                return Ok(self.unkept(load, set_out));
            }
            Err(error) => {
                self.give_back(lease).await;
                return Err(error);
            }
        };
        let made = match self.made(load, took, tags) {
            Ok(made) => made,
            Err(error) => {
                self.give_back(lease).await;
                return Err(error);
            }
        };
        self.put(lease, fill, made).await
    }

    pub(super) async fn put(
        &self,
        lease: LoadLease,
        fill: Fill<Copy<V>>,
        (mut copy, value): (Copy<V>, NewValue),
    ) -> Result<Arrival<V>> {
        let inner = &self.inner;
        let from = From::Loader;
        let set_out = fill.read();
        if value.bytes.len() > inner.policy.max_size {
            count(&inner.counters.too_large);
            self.give_back(lease).await;
            return Ok(arrived(copy, set_out));
        }
        // Who still holds the lease when the value is put proves that it is true as of then.
        let read = inner.near.moment();
        match inner.store.put(inner.slot(self.at), lease, &value).await {
            Ok(Put::Done { revision }) => {
                copy.revision = revision;
                let kept = fill.keep(Arc::new(copy), read);
                Ok(Arrival { kept, from })
            }
            Ok(Put::Refused) => {
                count(&inner.counters.refused);
                Ok(arrived(copy, set_out))
            }
            Err(error) => {
                count(&inner.counters.store_errors);
                tracing::debug!(%error, cache = %inner.name, "a loaded value was not stored");
                // A server that is full refuses values, and takes leases back.
                self.give_back_beside(lease);
                let kept = fill.keep(Arc::new(copy), set_out);
                Ok(Arrival { kept, from })
            }
        }
    }

    /// A copy of a loaded value, and what is stored of it.
    pub(super) fn made(
        &self,
        load: Load<V>,
        took: Duration,
        tags: Box<[(Address, u64)]>,
    ) -> Result<(Copy<V>, NewValue)> {
        let inner = &self.inner;
        let (fresh_for, while_loading, usable_for) = inner.times(&load);
        inner.made(
            self.at,
            load.value,
            took,
            tags,
            (fresh_for, while_loading, usable_for),
        )
    }

    /// A value for those who wait, and nobody else.
    pub(super) fn unkept(&self, load: Load<V>, read: Moment) -> Arrival<V> {
        let copy = Copy {
            value: load.value.map(Arc::new),
            revision: 0,
            fresh_for: Duration::ZERO,
            usable_for: Duration::ZERO,
            while_loading: Duration::ZERO,
            took: Duration::ZERO,
            tags: Box::default(),
            weight: 0,
        };
        arrived(copy, read)
    }
}

impl<V: Send + Sync + 'static> Inner<V> {
    pub(crate) fn made(
        &self,
        at: Address,
        value: Option<V>,
        took: Duration,
        tags: Box<[(Address, u64)]>,
        (fresh_for, while_loading, usable_for): (Duration, Duration, Duration),
    ) -> Result<(Copy<V>, NewValue)> {
        let encoded = match &value {
            Some(value) => Some(self.codec.encode(value).map_err(|error| {
                let message = "a value can't be written as bytes";
                Error::new(ErrorKind::Encode, message).because(error)
            })?),
            None => None,
        };
        let envelope = Envelope {
            value: encoded.as_deref(),
            took,
            while_loading,
            tags: tags
                .iter()
                .map(|(at, version)| (at.digest, *version))
                .collect(),
        };
        let bytes = envelope.encode(at.digest).into();
        let weigh = |value: &V| {
            let length = encoded.as_ref().map_or(0, Vec::len);
            self.codec.weight(value, length)
        };
        let weight = value.as_ref().map_or(0, weigh);
        let copy = Copy {
            value: value.map(Arc::new),
            revision: 0,
            fresh_for,
            usable_for,
            while_loading,
            took,
            tags,
            weight,
        };
        let stored = NewValue {
            bytes,
            fresh_for,
            usable_for,
        };
        Ok((copy, stored))
    }
}

fn arrived<V>(copy: Copy<V>, read: Moment) -> Arrival<V> {
    let value = Arc::new(copy);
    Arrival {
        kept: Kept { value, read },
        from: From::Loader,
    }
}
