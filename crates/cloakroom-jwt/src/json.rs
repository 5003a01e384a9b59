//! JSON objects that can be read in one way only.

use crate::Refusal;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Reads an object; at no depth does one of its objects name a member twice.
///
/// Two readers of such an object may see different values, and what one has checked the other does
/// not use. How deep values nest is limited by `serde_json`, to 128.
pub(crate) fn object(json: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let Unambiguous = serde_json::from_slice(json).map_err(|_| Refusal::Json)?;
    serde_json::from_slice(json).map_err(|_| Refusal::Json)
}

/// Any JSON without a member named twice. Nothing is kept, so that it does not matter how
/// `serde_json` was built: some of its features hand numbers over as maps.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON that names no member twice")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some((name, Self)) = members.next_entry::<String, Self>()? {
            if !seen.insert(name) {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::object;

    #[test]
    fn a_member_named_twice_is_refused_at_any_depth_and_in_any_spelling() {
        for json in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":{"b":[{"c":1,"d":2,"c":3}]}}"#,
        ] {
            assert!(object(json.as_bytes()).is_err(), "{json}");
        }
        assert!(object(br#"{"a":{"a":[{"a":1},{"a":1.5e3}]},"b":null}"#).is_ok());
    }

    #[test]
    fn what_is_no_object_or_too_deep_is_refused() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(1000), "]".repeat(1000));
        for json in [
            "",
            "[]",
            "1",
            "null",
            "{} {}",
            "{\"a\":1e999}",
            "\u{feff}{}",
            &deep,
        ] {
            assert!(object(json.as_bytes()).is_err(), "{json}");
        }
    }
}
