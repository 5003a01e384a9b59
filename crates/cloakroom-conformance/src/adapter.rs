//! The adapters from the trait's versions to [`Subject`](crate::Subject).

#[cfg(any(feature = "v0_14", feature = "v0_15"))]
/// The body of one version's module. The versions differ in nothing that the suite needs.
macro_rules! adapter {
    ($core:ident) => {
        use std::sync::Arc;

        use $core::SessionStore;
        use $core::session::{Id, Record};

        use crate::subject::{BoxFuture, Entry, Failure, Subject};

        /// Makes an instance for the suite from a store.
        ///
        /// Costs one allocation for each operation, and changes nothing else about the store.
        pub fn instance(store: impl SessionStore) -> Arc<dyn Subject> {
            Arc::new(Adapter(store))
        }

        struct Adapter<S>(S);

        impl<S: SessionStore> Subject for Adapter<S> {
            fn create<'a>(&'a self, entry: &'a mut Entry) -> BoxFuture<'a, Result<(), Failure>> {
                Box::pin(async move {
                    let mut record = record(entry);
                    let created = self.0.create(&mut record).await;
                    *entry = self::entry(record);
                    created.map_err(Failure::new)
                })
            }

            fn save<'a>(&'a self, entry: &'a Entry) -> BoxFuture<'a, Result<(), Failure>> {
                Box::pin(async move { self.0.save(&record(entry)).await.map_err(Failure::new) })
            }

            fn load(&self, id: i128) -> BoxFuture<'_, Result<Option<Entry>, Failure>> {
                Box::pin(async move {
                    let loaded = self.0.load(&Id(id)).await.map_err(Failure::new)?;
                    Ok(loaded.map(entry))
                })
            }

            fn delete(&self, id: i128) -> BoxFuture<'_, Result<(), Failure>> {
                Box::pin(async move { self.0.delete(&Id(id)).await.map_err(Failure::new) })
            }
        }

        fn record(entry: &Entry) -> Record {
            Record {
                id: Id(entry.id),
                data: entry.data.clone(),
                expiry_date: entry.expiry_date,
            }
        }

        fn entry(record: Record) -> Entry {
            Entry {
                id: record.id.0,
                data: record.data,
                expiry_date: record.expiry_date,
            }
        }
    };
}

/// Stores that implement the `SessionStore` of tower-sessions-core 0.14.
#[cfg(feature = "v0_14")]
pub mod v0_14 {
    adapter!(tower_sessions_core_014);
}

/// Stores that implement the `SessionStore` of tower-sessions-core 0.15.
#[cfg(feature = "v0_15")]
pub mod v0_15 {
    adapter!(tower_sessions_core_015);
}
