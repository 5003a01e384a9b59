//! A token's header: what is demanded of it.

use crate::{Refusal, compact, json, key::MAX_KID};
use serde_json::{Value, json};

const ALGORITHM: &str = "EdDSA";
const TYPE: &str = "at+jwt";

/// Reads the header and gives the name of the key.
///
/// Keys that a header brings along or points to (`jwk`, `jku`, `x5c`, `x5u`) are not read.
pub(crate) fn kid(segment: &str) -> Result<String, Refusal> {
    let mut header = json::object(&compact::decode(segment)?)?;
    if header.get("alg").and_then(Value::as_str) != Some(ALGORITHM) {
        return Err(Refusal::Algorithm);
    }
    if header.get("typ").and_then(Value::as_str) != Some(TYPE) {
        return Err(Refusal::Type);
    }
    if header.contains_key("crit") {
        return Err(Refusal::Critical);
    }
    match header.remove("kid") {
        Some(Value::String(kid)) if (1..=MAX_KID).contains(&kid.len()) => Ok(kid),
        _ => Err(Refusal::UnknownKey),
    }
}

/// The header of a token that this key signs.
pub(crate) fn written(kid: &str) -> String {
    let header = json!({ "typ": TYPE, "alg": ALGORITHM, "kid": kid });
    compact::encode(header.to_string())
}
