//! Ports for servers under test.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// The lowest port handed out: above the well-known servers.
const LOWEST: u16 = 20_000;

/// Where outgoing connections get their own ports on Linux unless the machine says otherwise.
const EPHEMERAL_LOW: u16 = 32_768;

/// How many ports are tried before giving up.
const TRIES: u32 = 500;

/// How long a look at one port may take: a refusal comes at once.
const CONNECT_LIMIT: Duration = Duration::from_millis(200);

/// How many ports this process has looked at.
static LOOKED_AT: AtomicU32 = AtomicU32::new(0);

/// A port of 127.0.0.1 on which nothing listened a moment ago.
///
/// It lies below the range from which the system takes the ports of outgoing connections. So no
/// client can be given it while a server on it is down, and a client that tries to reconnect
/// can't meet itself there. This process gets no port again before it has had all others, so one that
/// was killed may come back on its own; another process may get it, so whoever binds it must be ready
/// to ask again.
///
/// # Panics
///
/// If 500 ports in a row are taken.
#[must_use]
pub fn free_port() -> u16 {
    let range = candidates(ephemeral_low());
    let width = u32::from(range.end - range.start);
    // Processes that run at once start far apart: neighbouring process ids 97 ports from each other.
    let first = std::process::id().wrapping_mul(97) % width;
    (0..TRIES)
        .map(|_| first.wrapping_add(LOOKED_AT.fetch_add(1, Relaxed)) % width)
        .map(|step| range.start + u16::try_from(step).unwrap())
        .find(|port| is_free(*port))
        .expect("500 ports of 127.0.0.1 in a row are taken")
}

/// Whether nothing listens on a port of 127.0.0.1.
///
/// Asked by connecting, not by binding: a child that another thread starts at that moment would
/// inherit the bound socket and hold the port until it runs its own program.
fn is_free(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, CONNECT_LIMIT)
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// The ports to choose from, given where the ports of outgoing connections begin.
fn candidates(ephemeral_low: u16) -> Range<u16> {
    if ephemeral_low >= LOWEST + 1_000 {
        LOWEST..ephemeral_low
    } else {
        // The system uses nearly all ports for outgoing connections: no better place is left.
        LOWEST..u16::MAX
    }
}

/// Where the ports of outgoing connections begin on this machine.
fn ephemeral_low() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(EPHEMERAL_LOW)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn ports_are_free_and_differ() {
        let ports: BTreeSet<u16> = (0..50).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 50);
        for port in ports {
            assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
        }
    }

    #[test]
    fn a_port_with_a_listener_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
        assert!(is_free(free_port()));
    }

    #[test]
    fn candidates_stay_below_outgoing_connections() {
        assert_eq!(candidates(32_768), 20_000..32_768);
        assert_eq!(candidates(1_024), 20_000..u16::MAX);
    }
}
