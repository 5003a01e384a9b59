//! Finding addresses: digests are spread evenly already, so little is left to do.
//!
//! But whoever chooses ids or keys can try many until their digests have bits in common, because what
//! they are digested by is public. So which place a digest has depends on numbers that each shard draws:
//! pair-multiply-shift, of which it is proven that for any two digests nothing but chance lets them
//! meet.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The numbers that a table was drawn.
#[derive(Clone)]
pub(crate) struct Drawn {
    first: u128,
    second: u128,
    third: u128,
}

impl Default for Drawn {
    fn default() -> Self {
        let random = RandomState::new();
        let draw = |n: u64| {
            let (high, low) = (random.hash_one(2 * n), random.hash_one(2 * n + 1));
            u128::from(high) << 64 | u128::from(low)
        };
        Self {
            first: draw(0),
            second: draw(1),
            third: draw(2),
        }
    }
}

impl BuildHasher for Drawn {
    type Hasher = Words;

    fn build_hasher(&self) -> Words {
        Words {
            first: self.first,
            second: self.second,
            third: self.third,
        }
    }
}

/// Takes an address's digest; of its bucket, and of all else, a sum.
pub(crate) struct Words {
    first: u128,
    second: u128,
    third: u128,
}

impl Hasher for Words {
    fn write(&mut self, bytes: &[u8]) {
        if let Ok(digest) = <[u8; 16]>::try_from(bytes) {
            let digest = u128::from_be_bytes(digest);
            self.first = self.first.wrapping_add(digest >> 64);
            self.second = self.second.wrapping_add(digest & u128::from(u64::MAX));
        } else {
            for byte in bytes {
                self.write_u64((*byte).into());
            }
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.third = self.third.rotate_left(16).wrapping_add(number.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        let product = self.first.wrapping_mul(self.second);
        (product.wrapping_add(self.third) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloakroom_core::{Address, Buckets, Digest};
    use std::{collections::HashSet, sync::LazyLock};

    fn address(number: u128) -> Address {
        static BUCKETS: LazyLock<Buckets> = LazyLock::new(Buckets::default);
        Address::of_digest(Digest::from_bytes(number.to_be_bytes()), &BUCKETS)
    }

    /// Digests that differ in few bits, as nobody's do, but those of who has looked for them.
    #[test]
    fn digests_that_have_most_bits_in_common_are_spread() {
        for shift in [0, 20, 57, 64, 110] {
            let drawn = Drawn::default();
            let all = (0..4096u128).map(|n| drawn.hash_one(address(n << shift)));
            let all: Vec<u64> = all.collect();
            let places: HashSet<_> = all.iter().map(|hash| hash % 4096).collect();
            let tops: HashSet<_> = all.iter().map(|hash| hash >> 57).collect();
            assert!(places.len() > 1000, "{shift}: {} places", places.len());
            assert!(tops.len() > 30, "{shift}: {} tops", tops.len());
        }
    }

    #[test]
    fn tables_are_drawn_apart() {
        let at = address(7);
        assert_ne!(Drawn::default().hash_one(at), Drawn::default().hash_one(at));
    }
}
