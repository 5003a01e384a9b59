//! The same for each version of tower-sessions, whose sources say the same of different types.

/// A module for one version.
macro_rules! version {
    ($module:ident, $core:ident, $migrating:ident, $number:literal) => {
        #[doc = concat!("tower-sessions ", $number, ".")]
        pub(crate) mod $module {
            use crate::{
                Migration, SharedStore,
                bridge::{Passage, Wish},
                entry::{Entry, Result, Trouble},
                store::{Before, Sealed, TheirId},
            };
            use async_trait::async_trait;
            use cloakroom_core::BoxFuture;
            use cloakroom_tower::bridge::Crossing;
            use futures_util::FutureExt as _;
            use http::{Extensions, StatusCode};
            use std::sync::{Arc, Weak};
            use tokio::task::unconstrained;
            use $core::{
                Expiry, Session, SessionStore,
                session::{Id, Record},
                session_store,
            };

            impl SharedStore {
                #[doc = concat!(
                                    "The way from another store for tower-sessions ", $number,
                                    ", like tower-sessions-redis-store."
                                )]
                ///
                /// A session that isn't here is looked for there, also for ids that lead nowhere: one
                /// request more to that store, and one here. Clients keep their ids. How far the way
                /// has been gone is what [`Migration`] says; the `cloakroom` crate's manual has a
                /// chapter on it.
                ///
                /// # Consistency
                ///
                /// With [`Alongside`](Migration::Alongside) that of the other store, for what is still
                /// there. A take-over is carried to its end though its client goes away; what is
                /// written to the other store in its last moment is lost.
                pub fn $migrating(self, before: impl SessionStore, how: Migration) -> Self {
                    self.migrating(Arc::new(Old(before)), how)
                }
            }

            impl Sealed for Id {
                fn number(&self) -> i128 {
                    self.0
                }
            }

            impl TheirId for Id {}

            impl From<Record> for Entry {
                fn from(record: Record) -> Self {
                    Self {
                        id: record.id.0,
                        data: record.data,
                        expiry_date: record.expiry_date,
                    }
                }
            }

            impl From<Entry> for Record {
                fn from(entry: Entry) -> Self {
                    Self {
                        id: Id(entry.id),
                        data: entry.data,
                        expiry_date: entry.expiry_date,
                    }
                }
            }

            impl From<Trouble> for session_store::Error {
                fn from(trouble: Trouble) -> Self {
                    match trouble {
                        Trouble::Encode(why) => Self::Encode(why),
                        Trouble::Decode(why) => Self::Decode(why),
                        Trouble::Backend(why) => Self::Backend(why),
                    }
                }
            }

            impl From<session_store::Error> for Trouble {
                fn from(error: session_store::Error) -> Self {
                    match error {
                        session_store::Error::Encode(why) => Self::Encode(why),
                        session_store::Error::Decode(why) => Self::Decode(why),
                        session_store::Error::Backend(why) => Self::Backend(why),
                    }
                }
            }

            #[async_trait]
            impl SessionStore for SharedStore {
                async fn create(&self, record: &mut Record) -> session_store::Result<()> {
                    let mut entry = Entry::from(record.clone());
                    SharedStore::create(self, &mut entry).await?;
                    *record = entry.into();
                    Ok(())
                }

                async fn save(&self, record: &Record) -> session_store::Result<()> {
                    Ok(SharedStore::save(self, &record.clone().into()).await?)
                }

                async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
                    let found = SharedStore::load(self, id.0).await?;
                    Ok(found.map(Record::from))
                }

                async fn delete(&self, id: &Id) -> session_store::Result<()> {
                    Ok(SharedStore::delete(self, id.0).await?)
                }
            }

            /// A store that was there before.
            #[derive(Debug)]
            struct Old<S>(S);

            impl<S: SessionStore> Before for Old<S> {
                fn create<'a>(&'a self, entry: &'a mut Entry) -> BoxFuture<'a, Result<()>> {
                    Box::pin(async move {
                        let mut record = Record::from(entry.clone());
                        self.0.create(&mut record).await?;
                        *entry = record.into();
                        Ok(())
                    })
                }

                fn save<'a>(&'a self, entry: &'a Entry) -> BoxFuture<'a, Result<()>> {
                    Box::pin(async move { Ok(self.0.save(&entry.clone().into()).await?) })
                }

                fn load(&self, id: i128) -> BoxFuture<'_, Result<Option<Entry>>> {
                    Box::pin(async move { Ok(self.0.load(&Id(id)).await?.map(Entry::from)) })
                }

                fn delete(&self, id: i128) -> BoxFuture<'_, Result<()>> {
                    Box::pin(async move { Ok(self.0.delete(&Id(id)).await?) })
                }
            }

            /// The store behind one request's session.
            #[derive(Debug)]
            struct Lent {
                passage: Arc<Passage>,
                /// The session itself, to see what it is doing.
                session: Arc<std::sync::OnceLock<WeakSession>>,
            }

            /// The session that looks through this store. Its [`Way`] owns it.
            #[derive(Debug)]
            struct WeakSession(Weak<Session>);

            impl Lent {
                /// `cycle_id` asks for the end of the old id while it holds its record; `flush` and
                /// `delete` don't.
                fn holds_its_record(&self) -> bool {
                    let session = self.session.get().and_then(|weak| weak.0.upgrade());
                    session.is_some_and(|session| unconstrained(session.is_empty()).now_or_never().is_none())
                }
            }

            #[async_trait]
            impl SessionStore for Lent {
                async fn create(&self, record: &mut Record) -> session_store::Result<()> {
                    let mut entry = Entry::from(record.clone());
                    self.passage.create(&mut entry).await?;
                    *record = entry.into();
                    Ok(())
                }

                async fn save(&self, record: &Record) -> session_store::Result<()> {
                    Ok(self.passage.save(&record.clone().into()).await?)
                }

                async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
                    Ok(self.passage.load(id.0).await?.map(Record::from))
                }

                async fn delete(&self, _: &Id) -> session_store::Result<()> {
                    Ok(self.passage.delete(self.holds_its_record()).await?)
                }
            }

            /// One request's session, on its way.
            struct Way {
                session: Arc<Session>,
                passage: Arc<Passage>,
                left: bool,
            }

            /// Puts a session into a request.
            pub(crate) fn enter(
                id: Option<i128>,
                passage: Arc<Passage>,
                extensions: &mut Extensions,
            ) -> Box<dyn Crossing> {
                let slot = Arc::default();
                let store = Lent {
                    passage: Arc::clone(&passage),
                    session: Arc::clone(&slot),
                };
                let session = Session::new(id.map(Id), Arc::new(store), None);
                let own = Arc::new(session.clone());
                let _ = slot.set(WeakSession(Arc::downgrade(&own)));
                extensions.insert(session);
                Box::new(Way {
                    session: own,
                    passage,
                    left: false,
                })
            }

            impl Crossing for Way {
                fn leave(
                    mut self: Box<Self>,
                    status: StatusCode,
                ) -> Option<BoxFuture<'static, cloakroom_tower::Result<()>>> {
                    self.left = true;
                    let busy = self.session.is_modified() || self.passage.is_unsettled();
                    busy.then(|| Box::pin(async move { self.bring_over(status).await }) as _)
                }
            }

            impl Way {
                async fn bring_over(&self, status: StatusCode) -> cloakroom_tower::Result<()> {
                    let Self {
                        session, passage, ..
                    } = self;
                    if !status.is_server_error() {
                        // What failed before was the handler's to deal with, and it did.
                        let _ = passage.failure();
                    }
                    let gave_up = passage.gave_up();
                    if session.is_empty().await || (gave_up && session.id().is_some()) {
                        // It was flushed or deleted, or never was anything.
                        if gave_up {
                            let _ = passage.log_out().await;
                        }
                    } else if !status.is_server_error() && session.is_modified() {
                        passage.leaving(wish(session.expiry()));
                        let _ = session.save().await;
                        passage.left();
                    }
                    passage.failure().map_or(Ok(()), Err)
                }
            }

            impl Drop for Way {
                /// The client went away: what it logged out stays so. What wanted another id keeps the
                /// one that it has.
                fn drop(&mut self) {
                    if self.left || !self.passage.gave_up() {
                        return;
                    }
                    let empty = unconstrained(self.session.is_empty()).now_or_never();
                    if empty != Some(true) && self.session.id().is_none() {
                        return;
                    }
                    let passage = Arc::clone(&self.passage);
                    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                        runtime.spawn(async move { passage.log_out().await });
                    }
                }
            }

            fn wish(expiry: Option<Expiry>) -> Option<Wish> {
                match expiry? {
                    Expiry::OnInactivity(idle) => Some(Wish::Inactive(idle)),
                    Expiry::AtDateTime(then) => Some(Wish::Until(then)),
                    Expiry::OnSessionEnd => None,
                }
            }
        }
    };
}

#[cfg(feature = "v0_14")]
version!(v0_14, tower_sessions_core_014, migrating_from_0_14, "0.14");
#[cfg(feature = "v0_15")]
version!(v0_15, tower_sessions_core_015, migrating_from_0_15, "0.15");
