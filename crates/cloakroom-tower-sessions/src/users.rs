//! Whose session it is.

use crate::entry::Data;
use serde_json::Value;
use std::{fmt, sync::Arc};

/// Finds the user, and perhaps the device, in what a session holds, so that sessions can be listed,
/// limited and revoked by user.
///
/// tower-sessions knows nothing of users; what is built on it keeps them in an attribute.
///
/// ```
/// use cloakroom_tower_sessions::Users;
///
/// let users = Users::axum_login().device("device");
/// let data = [("axum-login.data".to_owned(), serde_json::json!({ "user_id": 7, "auth_hash": [1] }))];
/// assert_eq!(users.find(&data.into()).as_deref(), Some("7"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct Users {
    find: Arc<Find>,
    device: Option<Arc<str>>,
}

type Find = dyn Fn(&Data) -> Option<Value> + Send + Sync;

impl Users {
    /// As axum-login keeps them, under its default key.
    pub fn axum_login() -> Self {
        Self::axum_login_under("axum-login.data")
    }

    /// As axum-login keeps them, under the key that its builder was given.
    pub fn axum_login_under(key: impl Into<String>) -> Self {
        let key = key.into();
        Self::by(move |data| data.get(&key)?.get("user_id").cloned())
    }

    /// The value of this attribute.
    pub fn attribute(name: impl Into<String>) -> Self {
        let name = name.into();
        Self::by(move |data| data.get(&name).cloned())
    }

    /// What this function finds; `None` while nobody is logged in.
    pub fn by(find: impl Fn(&Data) -> Option<Value> + Send + Sync + 'static) -> Self {
        Self {
            find: Arc::new(find),
            device: None,
        }
    }

    /// Calls the device in lists what this attribute holds at login, if that is a string.
    pub fn device(mut self, attribute: impl Into<Arc<str>>) -> Self {
        self.device = Some(attribute.into());
        self
    }

    /// The user's id: a string as it is, everything else as JSON. No user for `null` and for an
    /// empty string.
    #[must_use]
    pub fn find(&self, data: &Data) -> Option<String> {
        let id = match (self.find)(data)? {
            Value::Null => return None,
            Value::String(id) => id,
            other => other.to_string(),
        };
        Some(id).filter(|id| !id.is_empty())
    }

    pub(crate) fn device_of(&self, data: &Data) -> Option<String> {
        let label = data.get(&**self.device.as_ref()?)?.as_str()?;
        Some(label.to_owned()).filter(|label| !label.is_empty())
    }
}

impl Default for Users {
    /// Nobody: sessions can be read, written and ended, but not be listed or revoked by user.
    fn default() -> Self {
        Self::by(|_| None)
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users")
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_of_any_type_become_text() {
        let users = Users::attribute("user");
        for (value, id) in [
            (json!("alice"), Some("alice")),
            (json!(-7), Some("-7")),
            (
                json!({ "realm": 1, "id": "a" }),
                Some(r#"{"id":"a","realm":1}"#),
            ),
            (json!(null), None),
            (json!(""), None),
        ] {
            let data = Data::from([("user".to_owned(), value)]);
            assert_eq!(users.find(&data).as_deref(), id);
        }
        assert_eq!(users.find(&Data::new()), None);
        assert_eq!(Users::default().find(&Data::new()), None);
    }
}
