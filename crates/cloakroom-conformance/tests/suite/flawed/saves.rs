//! Saves that do something else.

use tokio::task::yield_now;
use tower_sessions_core_015::SessionStore;
use tower_sessions_core_015::session::Record;
use tower_sessions_core_015::session_store::{Error, Result};

use super::Flawed;
use crate::flaws::Flaw;
use crate::store::own;

impl Flawed {
    pub(super) async fn save_badly(&self, record: &Record) -> Result<()> {
        match self.flaw {
            Flaw::UpsertsOnSave if !self.is_live(&record.id) => self.put(record),
            Flaw::RevivesExpired if !self.is_live(&record.id) => {
                if self.tidy.state().sessions.contains_key(&record.id) {
                    self.put(record);
                }
            }
            Flaw::FailsOnLateSaves if !self.is_live(&record.id) => {
                return Err(Error::Backend("no such session".to_owned()));
            }
            Flaw::ChecksThenWrites if self.is_live(&record.id) => {
                let merged = self.merged(record);
                yield_now().await;
                self.put(&merged);
                self.tidy.state().learn(record);
            }
            Flaw::MergesSlowly if self.is_live(&record.id) => {
                let merged = self.merged(record);
                yield_now().await;
                if self.is_live(&record.id) {
                    self.put(&merged);
                    self.tidy.state().learn(record);
                }
            }
            Flaw::WritesOneByOne if self.is_live(&record.id) => {
                self.put_one_by_one(&self.merged(record)).await;
                self.tidy.state().learn(record);
            }
            Flaw::LocksForGood if self.is_live(&record.id) => {
                while !self.tidy.state().locked.insert(record.id) {
                    yield_now().await;
                }
                yield_now().await;
                self.tidy.state().locked.remove(&record.id);
                return self.tidy.save(record).await;
            }
            Flaw::OverwritesWhole if self.is_live(&record.id) => self.put(record),
            Flaw::LastLoadedIsSaved => {
                let id = self.memory().asked.unwrap_or(record.id);
                let record = Record {
                    id,
                    ..record.clone()
                };
                return self.tidy.save(&record).await;
            }
            Flaw::AcknowledgesWhenDown if self.tidy.state().down => {}
            _ => return self.tidy.save(&self.changed(record)).await,
        }
        Ok(())
    }

    /// Writes the whole record, whether there is one or not.
    pub(super) fn put(&self, record: &Record) {
        let mut record = record.clone();
        record.data = own(&record.data);
        self.tidy.state().sessions.insert(record.id, record);
    }

    async fn put_one_by_one(&self, merged: &Record) {
        let change = |change: &dyn Fn(&mut Record)| {
            self.tidy.state().sessions.get_mut(&merged.id).map(change);
        };
        change(&|kept| {
            kept.expiry_date = merged.expiry_date;
            kept.data.retain(|name, _| merged.data.contains_key(name));
        });
        for (name, value) in own(&merged.data) {
            change(&|kept| drop(kept.data.insert(name.clone(), value.clone())));
            yield_now().await;
        }
    }

    fn merged(&self, record: &Record) -> Record {
        let state = self.tidy.state();
        let current = state.live(&record.id).map(|record| record.data.clone());
        let data = state.merged(&current.unwrap_or_default(), record);
        let (id, expiry_date) = (record.id, record.expiry_date);
        Record {
            id,
            data,
            expiry_date,
        }
    }
}
