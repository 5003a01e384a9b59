//! Records that come back as something else.

use serde_json::Value;
use tower_sessions_core_015::session::Record;

use super::Flawed;
use crate::flaws::Flaw;
use crate::store::own;

impl Flawed {
    /// The record as this store keeps it.
    pub(super) fn kept(&self, record: &Record) -> Record {
        let mut record = record.clone();
        record.id = self.key(record.id);
        match self.flaw {
            Flaw::KeepsWholeSeconds => {
                record.expiry_date = record.expiry_date.truncate_to_second();
            }
            Flaw::LosesNulls => record.data.retain(|_, value| !value.is_null()),
            Flaw::FlattensTheRecord => drop(record.data.remove("id")),
            Flaw::CutsNames => {
                let data = record.data.drain();
                record.data = data.map(|(name, value)| (cut(name, 255), value)).collect();
            }
            Flaw::KeepsAHundredAttributes => {
                let mut left = 100;
                record.data.retain(|name, _| {
                    left -= usize::from(!name.starts_with('\0') && left > 0);
                    name.starts_with('\0') || left > 0
                });
            }
            _ => record.data.values_mut().for_each(|value| self.keep(value)),
        }
        record
    }

    fn keep(&self, value: &mut Value) {
        match (self.flaw, value) {
            (Flaw::RoundsNumbers, value) if value.as_u64().is_some_and(|n| n > 1 << 53) => {
                *value = value.as_f64().into();
            }
            (Flaw::CutsText, Value::String(text)) => *text = cut(std::mem::take(text), 1 << 15),
            (Flaw::EndsTextAtNul, Value::String(text)) => {
                *text = text.split('\0').next().unwrap_or_default().to_owned();
            }
            (Flaw::EmptiesObjects, value) => empty_objects(value),
            (Flaw::PanicsWhenDeep, value) => assert!(depth(value) < 64, "too deep"),
            _ => {}
        }
    }

    /// The record as it comes to a store that does not take everything from it.
    pub(super) fn changed(&self, record: &Record) -> Record {
        let mut record = record.clone();
        let state = self.tidy.state();
        let Some(current) = state.live(&record.id) else {
            return record;
        };
        match self.flaw {
            Flaw::KeepsTheFirstExpiry => record.expiry_date = current.expiry_date,
            Flaw::NeverShortens => record.expiry_date = record.expiry_date.max(current.expiry_date),
            Flaw::NeverRemoves => {
                for (name, value) in &current.data {
                    record
                        .data
                        .entry(name.clone())
                        .or_insert_with(|| value.clone());
                }
            }
            Flaw::IgnoresClear if own(&record.data).is_empty() => {
                record.data = current.data.clone();
            }
            _ => {}
        }
        record
    }
}

fn cut(text: String, bytes: usize) -> String {
    match text.starts_with('\0') {
        true => text,
        false => text.chars().take(bytes).collect(),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(inside) => 1 + inside.iter().map(depth).max().unwrap_or(0),
        Value::Object(inside) => 1 + inside.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn empty_objects(value: &mut Value) {
    match value {
        Value::Array(inside) => inside.iter_mut().for_each(empty_objects),
        Value::Object(inside) => inside.clear(),
        _ => {}
    }
}
