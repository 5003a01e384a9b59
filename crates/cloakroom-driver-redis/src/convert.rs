//! Between the client crate's types and Cloakroom's.

use bytes::Bytes;
use cloakroom_redis::{Command, DriverError, Event, Reply, ServerError};
use redis::{Cmd, ErrorKind, PushInfo, PushKind, RedisError, Value};

pub(crate) fn command(command: &Command) -> Cmd {
    let mut cmd = Cmd::new();
    for part in command.parts() {
        cmd.arg(&part[..]);
    }
    cmd
}

/// A value as a reply. Types that no command of Cloakroom's is answered with are an error.
pub(crate) fn reply(value: Value) -> Result<Reply, DriverError> {
    Ok(match value {
        Value::Nil => Reply::Nil,
        Value::Int(number) => Reply::Int(number),
        Value::Boolean(flag) => Reply::Int(flag.into()),
        Value::BulkString(bytes) => Reply::Bytes(bytes.into()),
        Value::SimpleString(text) => Reply::Bytes(text.into()),
        Value::VerbatimString { text, .. } => Reply::Bytes(text.into()),
        Value::Okay => Reply::Bytes(Bytes::from_static(b"OK")),
        Value::Array(items) | Value::Set(items) => array(items)?,
        Value::Push { data, .. } => array(data)?,
        Value::Map(pairs) => array(pairs.into_iter().flat_map(|(k, v)| [k, v]))?,
        Value::Attribute { data, .. } => reply(*data)?,
        Value::ServerError(error) => Reply::Error(ServerError {
            code: error.code().to_owned(),
            detail: error.details().unwrap_or_default().to_owned(),
        }),
        _ => {
            return Err(DriverError::lost(
                "the server answered with an unexpected type",
            ));
        }
    })
}

fn array(items: impl IntoIterator<Item = Value>) -> Result<Reply, DriverError> {
    let items: Result<_, _> = items.into_iter().map(reply).collect();
    Ok(Reply::Array(items?))
}

/// The server's refusal in an error, if that is what it is; the connection is then in order.
pub(crate) fn refusal(error: &RedisError) -> Option<Reply> {
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => Some(Reply::Error(ServerError {
            code: error.code()?.to_owned(),
            detail: error.detail().unwrap_or_default().to_owned(),
        })),
        _ => None,
    }
}

/// A failed connection. Only what no repetition can change counts as refused.
pub(crate) fn error(error: &RedisError) -> DriverError {
    match error.kind() {
        ErrorKind::AuthenticationFailed
        | ErrorKind::InvalidClientConfig
        | ErrorKind::RESP3NotSupported => DriverError::refused(error),
        _ if refused_at_login(error) => DriverError::refused(error),
        _ => DriverError::lost(error),
    }
}

/// Whether the server refused the user, the password or the database.
fn refused_at_login(error: &RedisError) -> bool {
    let full = |detail: &str| detail.starts_with("max number of clients");
    match error.code() {
        Some("WRONGPASS" | "NOAUTH" | "NOPERM" | "DENIED") => true,
        Some("ERR") => !error.detail().is_some_and(full),
        _ => false,
    }
}

pub(crate) fn event(push: PushInfo) -> Option<Event> {
    let mut data = push.data.into_iter().map(|value| match value {
        Value::BulkString(bytes) => Bytes::from(bytes),
        Value::SimpleString(text) => Bytes::from(text),
        _ => Bytes::new(),
    });
    Some(match push.kind {
        PushKind::Disconnection => Event::Closed,
        PushKind::Message | PushKind::SMessage => Event::Message {
            channel: data.next()?,
            payload: data.next()?,
        },
        PushKind::Subscribe | PushKind::SSubscribe => Event::Subscribed {
            channel: data.next()?,
        },
        PushKind::Unsubscribe | PushKind::SUnsubscribe => Event::Unsubscribed {
            channel: data.next()?,
        },
        _ => return None,
    })
}
