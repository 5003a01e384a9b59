//! Input: forms and queries whose faults are answered as JSON.

use crate::refusal::Refusal;
use axum::{
    Form,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;
use std::ops::RangeInclusive;

/// A form in the body.
#[derive(Debug)]
pub(super) struct Fields<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Fields<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match Form::from_request(request, state).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(fault) => Err(refuse(fault.status(), &fault.body_text())),
        }
    }
}

/// A query in the address.
#[derive(Debug)]
pub(super) struct Arguments<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Arguments<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(arguments)) => Ok(Self(arguments)),
            Err(fault) => Err(refuse(fault.status(), &fault.body_text())),
        }
    }
}

/// A field that is missing or of the wrong type is as wrong as one with a wrong value.
fn refuse(status: StatusCode, text: &str) -> Refusal {
    match status {
        StatusCode::UNPROCESSABLE_ENTITY => Refusal::invalid(text),
        status => Refusal::new(status, text),
    }
}

/// Trims a text that a person typed, and checks how many characters are left.
pub(super) fn text(
    name: &str,
    value: &str,
    length: RangeInclusive<usize>,
) -> Result<String, Refusal> {
    let value = value.trim();
    let found = value.chars().count();
    if length.contains(&found) {
        return Ok(value.to_owned());
    }
    let (min, max) = (length.start(), length.end());
    Err(Refusal::invalid(&format!(
        "`{name}` has {min} to {max} characters, not {found}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_counted_in_characters_after_trimming() {
        assert_eq!(text("user", " zoë ", 1..=3).unwrap(), "zoë");
        assert!(text("user", "  ", 1..=3).is_err());
        assert!(text("user", "four", 1..=3).is_err());
    }
}
