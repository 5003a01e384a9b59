//! What a Sentinel answers.

use crate::{DriverError, Reply};
use bytes::Bytes;

/// A host and a port.
pub(super) type Address = (String, u16);

/// The master's address by `SENTINEL GET-MASTER-ADDR-BY-NAME`; `None` if there is no such master.
pub(super) fn master(reply: Reply) -> Result<Option<Address>, DriverError> {
    match reply {
        Reply::Nil => Ok(None),
        Reply::Array(pair) => match &pair[..] {
            [Reply::Bytes(host), Reply::Bytes(port)] => address(host, port)
                .map(Some)
                .ok_or_else(|| DriverError::lost("the Sentinel told no address")),
            _ => Err(DriverError::lost("the Sentinel told no address")),
        },
        Reply::Error(e) if e.code == "ERR" && e.detail.starts_with("unknown command") => {
            Err(DriverError::refused("the server is no Sentinel"))
        }
        // A Sentinel without its password says so; others may be loading.
        Reply::Error(e) if ["NOAUTH", "NOPERM", "WRONGPASS"].contains(&&*e.code) => Err(
            DriverError::refused(format!("the Sentinel refused: {}", e.code)),
        ),
        Reply::Error(e) => Err(DriverError::lost(format!(
            "the Sentinel refused: {}",
            e.code
        ))),
        _ => Err(DriverError::lost("the Sentinel told no address")),
    }
}

/// The addresses of the other Sentinels by `SENTINEL SENTINELS`: a list of lists of names and
/// values. What can't be read is left out.
pub(super) fn others(reply: Reply) -> Vec<Address> {
    let Reply::Array(sentinels) = reply else {
        return Vec::new();
    };
    sentinels.into_iter().filter_map(other).collect()
}

fn other(reply: Reply) -> Option<Address> {
    let Reply::Array(fields) = reply else {
        return None;
    };
    let value = |name: &str| {
        fields.chunks_exact(2).find_map(|pair| match pair {
            [Reply::Bytes(n), Reply::Bytes(value)] if n == name => Some(value),
            _ => None,
        })
    };
    address(value("ip")?, value("port")?)
}

fn address(host: &Bytes, port: &Bytes) -> Option<Address> {
    let host = std::str::from_utf8(host).ok()?;
    let port = std::str::from_utf8(port).ok()?.parse().ok()?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    (port > 0 && !host.is_empty() && host.chars().all(plain)).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerError;

    fn text(text: &'static str) -> Reply {
        Reply::Bytes(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_master_is_an_address_or_unknown() {
        let told = |items| master(Reply::Array(items));
        let address = told(vec![text("::1"), text("6379")]).unwrap();
        assert_eq!(address, Some(("::1".to_owned(), 6379)));
        assert_eq!(master(Reply::Nil).unwrap(), None);
        for hostile in [
            vec![],
            vec![text("h")],
            vec![text("h"), text("0")],
            vec![text("h"), text("65536")],
            vec![text(""), text("1")],
            vec![text("a b"), text("1")],
            vec![text("h"), Reply::Int(1)],
            vec![Reply::Nil, text("1")],
        ] {
            assert!(!told(hostile).unwrap_err().is_refused());
        }
    }

    #[test]
    fn who_is_no_sentinel_is_refused() {
        let refusal = |code: &str, detail: &str| {
            master(Reply::Error(ServerError {
                code: code.into(),
                detail: detail.into(),
            }))
        };
        assert!(
            refusal("ERR", "unknown command 'SENTINEL'")
                .unwrap_err()
                .is_refused()
        );
        assert!(
            refusal("NOAUTH", "Authentication required.")
                .unwrap_err()
                .is_refused()
        );
        assert!(!refusal("LOADING", "").unwrap_err().is_refused());
    }

    #[test]
    fn others_are_those_with_an_address() {
        let sentinel = |port| {
            Reply::Array(vec![
                text("name"),
                text("x"),
                text("ip"),
                text("h"),
                text("port"),
                text(port),
            ])
        };
        let reply = Reply::Array(vec![
            sentinel("1"),
            sentinel("x"),
            Reply::Nil,
            Reply::Array(vec![]),
        ]);
        assert_eq!(others(reply), [("h".to_owned(), 1)]);
        assert_eq!(others(Reply::Nil), []);
    }
}
