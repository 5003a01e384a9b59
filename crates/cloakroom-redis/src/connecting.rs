//! Opening a connection, and what its failure means.
//!
//! Client crates say what happened: `UnknownIssuer`, or that the connection was reset. Here is
//! what is mostly to be done about it.

use crate::{Connection, Driver, DriverError, Endpoint, EventSink};
use std::time::Duration;

/// Opens a connection through a driver.
pub(crate) async fn connect(
    driver: &dyn Driver,
    endpoint: &Endpoint,
    events: EventSink,
) -> Result<Box<dyn Connection>, DriverError> {
    let opened = driver.connect(endpoint, events).await;
    opened.map_err(|error| explained(error, endpoint.tls))
}

/// No connection within the limit.
pub(crate) fn too_late(limit: Duration, tls: bool) -> DriverError {
    nobody_answered("no answer", limit, tls)
}

/// The same in other words.
pub(crate) fn nobody_answered(what: &str, limit: Duration, tls: bool) -> DriverError {
    let hint = match tls {
        true => "; a server may wait in silence where it doesn't speak TLS on this port",
        false => "",
    };
    DriverError::lost(format!("{what} within {limit:?}{hint}"))
}

/// What a failure means.
struct Meaning {
    /// Whether it fails so over TLS, or without.
    tls: bool,
    /// One of these is in what a client crate says.
    words: &'static [&'static str],
    /// Whether somebody must change something.
    refused: bool,
    advice: &'static str,
}

const MEANINGS: [Meaning; 6] = [
    Meaning {
        tls: true,
        // The second is that of an authority which has the name of one that is trusted.
        words: &["UnknownIssuer", "BadSignature"],
        refused: true,
        advice: "no authority that is trusted has signed the server's certificate: give its \
                 authority's by `ca`, or name the file in SSL_CERT_FILE",
    },
    Meaning {
        tls: true,
        words: &["NotValidForName", "not valid for name"],
        refused: true,
        advice: "the server's certificate bears other names: connect by one of them, and let \
                 Sentinels and cluster nodes announce one",
    },
    Meaning {
        tls: true,
        words: &["Expired", "certificate expired"],
        refused: true,
        advice: "the server's certificate has run out: renew it",
    },
    Meaning {
        tls: true,
        words: &["CertificateRequired", "HandshakeFailure"],
        refused: true,
        advice: "the server asks for the client's certificate: give it by `client_certificate`, or \
                 set tls-auth-clients no",
    },
    Meaning {
        tls: true,
        words: &["InvalidContentType", "corrupt message"],
        refused: true,
        advice: "the server doesn't speak TLS on this port: name its TLS port, or begin the URL \
                 with redis in place of rediss",
    },
    Meaning {
        tls: false,
        words: &["reset by peer"],
        // Also a server that dies in this moment does so.
        refused: false,
        advice: "a server that speaks TLS on this port ends the connection so: then the URL \
                 must begin with rediss in place of redis",
    },
];

fn explained(error: DriverError, tls: bool) -> DriverError {
    let said = error.to_string();
    let is_it = |meaning: &&Meaning| {
        meaning.tls == tls && meaning.words.iter().any(|word| said.contains(word))
    };
    match MEANINGS.iter().find(is_it) {
        None => error,
        Some(meaning) => {
            let text = format!("{said}: {}", meaning.advice);
            match meaning.refused || error.is_refused() {
                true => DriverError::refused(text),
                false => DriverError::lost(text),
            }
        }
    }
}
