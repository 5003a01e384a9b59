//! The small store, broken in one way at a time.

mod records;
mod saves;

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};
use tokio::task::yield_now;
use tower_sessions_core_015::SessionStore;
use tower_sessions_core_015::session::{Id, Record};
use tower_sessions_core_015::session_store::{Error, Result};

use crate::flaws::Flaw;
use crate::store::{Tidy, own};

/// How long a store shows its copies if it forgets them at all.
pub(crate) const BRIEFLY: std::time::Duration = std::time::Duration::from_secs(1);

/// What an instance knows that others don't.
#[derive(Debug, Default)]
struct Memory {
    copies: HashMap<Id, (Instant, Record)>,
    asked: Option<Id>,
    was_down: bool,
}

/// One instance of a store with a flaw.
#[derive(Debug)]
pub(crate) struct Flawed {
    tidy: Tidy,
    flaw: Flaw,
    memory: Mutex<Memory>,
}

impl Flawed {
    pub(crate) fn new(tidy: Tidy, flaw: Flaw) -> Self {
        let memory = Mutex::default();
        Self { tidy, flaw, memory }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_live(&self, id: &Id) -> bool {
        self.tidy.state().live(id).is_some()
    }

    /// The id under which this store keeps a session.
    fn key(&self, id: Id) -> Id {
        match self.flaw {
            Flaw::DropsTheSign => Id(id.0 & i128::MAX),
            Flaw::KeepsHalfTheId => Id(id.0 >> 64),
            _ => id,
        }
    }

    /// What comes before every operation.
    async fn meanwhile(&self) -> Result<()> {
        let down = self.tidy.state().down;
        match self.flaw {
            Flaw::HangsWhenDown if down => pending().await,
            Flaw::PanicsWhenDown if down => panic!("no connection"),
            Flaw::StaysDown => {
                let mut memory = self.memory();
                memory.was_down |= down;
                match memory.was_down {
                    true => Err(Error::Backend("no connection".to_owned())),
                    false => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// An id like this one under which nothing is kept.
    fn free(&self, mut id: Id) -> Id {
        while self.is_live(&self.key(id)) {
            id = Id::default();
        }
        id
    }

    /// The copy that this instance has kept, marked as another.
    fn copy(&self, id: &Id) -> Option<Record> {
        let memory = self.memory();
        let (since, copy) = memory.copies.get(id)?;
        let shown = match self.flaw {
            Flaw::KeepsStaleCopies => true,
            Flaw::KeepsCopiesBriefly => since.elapsed() < BRIEFLY,
            _ => false,
        };
        let mut copy = shown.then(|| copy.clone())?;
        self.tidy.state().mark(&mut copy);
        Some(copy)
    }
}

#[async_trait]
impl SessionStore for Flawed {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.meanwhile().await?;
        match self.flaw {
            Flaw::OverwritesOnCreate => self.tidy.delete(&record.id).await?,
            Flaw::ChecksThenCreates if !self.is_live(&record.id) => {
                yield_now().await;
                self.tidy.delete(&record.id).await?;
            }
            Flaw::RefusesTakenIds if self.is_live(&record.id) => {
                return Err(Error::Backend("the id is taken".to_owned()));
            }
            Flaw::RefusesThePast if record.expiry_date < OffsetDateTime::now_utc() => {
                return Err(Error::Backend("it has expired".to_owned()));
            }
            Flaw::ChoosesIds => record.id = Id::default(),
            Flaw::GivesForgedIds => record.id = self.memory().asked.take().unwrap_or(record.id),
            _ => record.id = self.free(record.id),
        }
        let mut kept = self.kept(record);
        match self.flaw {
            Flaw::LosesEmptySessions if own(&kept.data).is_empty() => return Ok(()),
            Flaw::AcknowledgesWhenDown if self.tidy.state().down => return Ok(()),
            Flaw::RefusesFarExpiries if kept.expiry_date.year() > 2100 => {
                return Err(Error::Encode("too far".to_owned()));
            }
            Flaw::EndsTomorrow => kept.expiry_date = OffsetDateTime::now_utc() + Duration::DAY,
            _ => {}
        }
        if self.flaw == Flaw::CreatesInSteps {
            let half = Record {
                data: HashMap::new(),
                ..kept.clone()
            };
            self.put(&half);
            yield_now().await;
            self.tidy.delete(&kept.id).await?;
        }
        self.tidy.create(&mut kept).await?;
        if kept.id != self.key(record.id) {
            record.id = kept.id;
        }
        record.data = kept.data;
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.meanwhile().await?;
        self.memory().copies.remove(&record.id);
        self.save_badly(&self.kept(record)).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.meanwhile().await?;
        match self.flaw {
            Flaw::SaysAbsentWhenDown if self.tidy.state().down => return Ok(None),
            Flaw::FailsOnUnknownLoads if !self.tidy.state().known.contains(id) => {
                return Err(Error::Backend("no such session".to_owned()));
            }
            Flaw::LastLoadedIsSaved => {
                self.memory().asked = Some(*id);
                yield_now().await;
            }
            Flaw::GivesForgedIds if !self.is_live(id) => self.memory().asked = Some(*id),
            _ => {}
        }
        if let Some(copy) = self.copy(id) {
            return Ok(Some(copy));
        }
        let Some(mut record) = self.tidy.load(&self.key(*id)).await? else {
            return Ok(None);
        };
        record.id = *id;
        if self.flaw == Flaw::ShiftsTheExpiry {
            record.expiry_date = record.expiry_date.saturating_add(Duration::MINUTE);
        }
        let copy = (Instant::now(), record.clone());
        self.memory().copies.insert(*id, copy);
        Ok(Some(record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.meanwhile().await?;
        self.memory().copies.remove(id);
        match self.flaw {
            Flaw::HangsOnUnknownDeletes if !self.is_live(id) => pending().await,
            Flaw::FailsOnUnknownDeletes if !self.is_live(id) => {
                Err(Error::Backend("no such session".to_owned()))
            }
            Flaw::NeverDeletes => Ok(()),
            Flaw::DeletesInSteps => {
                if let Some(record) = self.tidy.state().sessions.get_mut(id) {
                    record.data.clear();
                }
                yield_now().await;
                self.tidy.delete(id).await
            }
            _ => self.tidy.delete(&self.key(*id)).await,
        }
    }
}
