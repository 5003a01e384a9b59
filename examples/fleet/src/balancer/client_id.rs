//! The balancer's own cookie: who a client is, so that it stays with its version.

use http::{HeaderMap, HeaderValue, header::COOKIE};

/// The cookie's name.
const NAME: &str = "fleet-client";

/// How many characters its value has.
const LENGTH: usize = 16;

/// A client's random name. No secret: it only decides which version serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientId(pub(super) u64);

impl ClientId {
    /// Draws a new one.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness.
    pub(super) fn draw() -> Result<Self, getrandom::Error> {
        getrandom::u64().map(Self)
    }

    /// Reads the cookie. Anything but a value that the balancer could have given counts as none.
    pub(super) fn from_cookies(headers: &HeaderMap) -> Option<Self> {
        let pairs = headers.get_all(COOKIE).iter();
        let mut pairs = pairs
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'));
        let value = pairs.find_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='))?;
        if value.len() != LENGTH || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        u64::from_str_radix(value, 16).ok().map(Self)
    }

    /// The header that gives the cookie to the client, until its browser closes.
    pub(super) fn set_cookie(self) -> Option<HeaderValue> {
        let line = format!("{NAME}={:016x}; Path=/; HttpOnly; SameSite=Lax", self.0);
        HeaderValue::try_from(line).ok()
    }

    /// Where this client stands between 0 and 100, 100 excluded. Evenly spread, and the same
    /// for ever.
    pub(super) fn position(self) -> f64 {
        // 53 bits are what an f64 holds exactly; scrambled, as clients may count up.
        let bits = scramble(self.0) >> 11;
        bits as f64 / (1_u64 << 53) as f64 * 100.0
    }
}

/// A bijection in which every bit depends on every bit (the finalizer of SplitMix64).
fn scramble(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cookies: &[&'static str]) -> Option<ClientId> {
        let pairs = cookies
            .iter()
            .map(|line| (COOKIE, HeaderValue::from_static(line)));
        ClientId::from_cookies(&pairs.collect())
    }

    #[test]
    fn what_is_set_is_read_again() {
        let id = ClientId::draw().unwrap();
        let line = id.set_cookie().unwrap();
        let pair = line.to_str().unwrap().split(';').next().unwrap().to_owned();
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(pair).unwrap())]);
        assert_eq!(ClientId::from_cookies(&headers), Some(id));
    }

    #[test]
    fn other_cookies_and_malformed_values_count_as_none() {
        assert!(read(&["a=1; fleet-client=00000000000000ff; b=2"]).is_some());
        assert!(read(&["a=1", "fleet-client=00000000000000FF"]).is_some());
        for line in [
            "",
            "id=1",
            "fleet-client=",
            "fleet-client=+0000000000000ff",
            "fleet-clients=00000000000000ff",
        ] {
            assert_eq!(read(&[line]), None, "{line}");
        }
    }

    #[test]
    fn positions_spread_evenly_even_for_ids_that_count_up() {
        let mut tenths = [0; 10];
        for id in 0..10_000 {
            let position = ClientId(id).position();
            assert!((0.0..100.0).contains(&position));
            tenths[(position / 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|n| (850..1150).contains(n)), "{tenths:?}");
    }
}
