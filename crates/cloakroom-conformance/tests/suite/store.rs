//! A small store that keeps everything it owes.
//!
//! Behind the trait a store sees whole records, so it must find out by itself what a holder has
//! changed. This one marks each copy that it hands out with a number, in an attribute that no
//! application can have made, and remembers what the copy looked like.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use time::OffsetDateTime;
use tower_sessions_core_015::SessionStore;
use tower_sessions_core_015::session::{Id, Record};
use tower_sessions_core_015::session_store::{Error, Result};

pub(crate) type Data = HashMap<String, Value>;

/// The attribute with the copy's number.
const COPY: &str = "\0copy";

/// All sessions, and how the copies of them looked when their holders last agreed with the store.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) sessions: HashMap<Id, Record>,
    /// Every id that a session ever had.
    pub(crate) known: HashSet<Id>,
    copies: Vec<Data>,
    pub(crate) down: bool,
    /// For stores that forget to unlock.
    pub(crate) locked: HashSet<Id>,
    /// For stores that are wrong about the time.
    pub(crate) now: fn() -> OffsetDateTime,
    /// For stores that forget what a copy has already saved.
    pub(crate) learns_from_saves: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            sessions: HashMap::new(),
            known: HashSet::new(),
            copies: Vec::new(),
            down: false,
            locked: HashSet::new(),
            now: OffsetDateTime::now_utc,
            learns_from_saves: true,
        }
    }
}

impl State {
    pub(crate) fn live(&self, id: &Id) -> Option<&Record> {
        let record = self.sessions.get(id)?;
        (record.expiry_date > (self.now)()).then_some(record)
    }

    fn create(&mut self, record: &mut Record) {
        while self.live(&record.id).is_some() {
            record.id = Id::default();
        }
        record.data.remove(COPY);
        self.known.insert(record.id);
        self.sessions.insert(record.id, record.clone());
        self.mark(record);
    }

    fn load(&mut self, id: &Id) -> Option<Record> {
        let mut record = self.live(id)?.clone();
        self.mark(&mut record);
        Some(record)
    }

    fn save(&mut self, record: &Record) {
        let Some(current) = self.live(&record.id) else {
            return;
        };
        let data = self.merged(&current.data, record);
        let expiry_date = record.expiry_date;
        let id = record.id;
        let merged = Record {
            id,
            data,
            expiry_date,
        };
        self.sessions.insert(id, merged);
        self.learn(record);
    }

    /// What `current` is when the changes of this copy have been made to it.
    ///
    /// A record without a mark was cleared by its holder, which means that all must go.
    pub(crate) fn merged(&self, current: &Data, record: &Record) -> Data {
        let new = own(&record.data);
        let base = match number(&record.data) {
            Some(copy) => &self.copies[copy],
            None => current,
        };
        let names: HashSet<&String> = base.keys().chain(new.keys()).collect();
        let mut merged = current.clone();
        for name in names {
            match new.get(name) {
                after if after == base.get(name) => {}
                Some(value) => drop(merged.insert(name.clone(), value.clone())),
                None => drop(merged.remove(name)),
            }
        }
        merged
    }

    /// From now on this is what the copy looked like.
    pub(crate) fn learn(&mut self, record: &Record) {
        if self.learns_from_saves
            && let Some(copy) = number(&record.data)
        {
            self.copies[copy] = own(&record.data);
        }
    }

    /// Makes the record another copy of the same.
    pub(crate) fn mark(&mut self, record: &mut Record) {
        let copy = self.copies.len();
        self.copies.push(own(&record.data));
        record.data.insert(COPY.to_owned(), copy.into());
    }
}

/// The attributes without the store's own.
pub(crate) fn own(data: &Data) -> Data {
    let mut data = data.clone();
    data.remove(COPY);
    data
}

fn number(data: &Data) -> Option<usize> {
    usize::try_from(data.get(COPY)?.as_u64()?).ok()
}

/// The store. Its clones share their data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tidy(Arc<Mutex<State>>);

impl Tidy {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reached(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.state();
        match state.down {
            true => Err(Error::Backend("the data can't be reached".to_owned())),
            false => Ok(state),
        }
    }
}

#[async_trait]
impl SessionStore for Tidy {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.reached()?.create(record);
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.reached()?.save(record);
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.reached()?.load(id))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.reached()?.sessions.remove(id);
        Ok(())
    }
}
