//! Chance that stays the same when the schedule around it changes.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher},
    ops::RangeInclusive,
};

/// Chance for each message by what it is about and how many like it there were before, not by its
/// place in one long stream. So a schedule that lost an entry still plays out much the same.
#[derive(Debug)]
pub(crate) struct Dice {
    seed: u64,
    drawn: HashMap<u64, u64, BuildHasherDefault<DefaultHasher>>,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: HashMap::default(),
        }
    }

    /// A fresh stream for the next message of this kind about this subject.
    pub(crate) fn rng(&mut self, about: impl Hash) -> fastrand::Rng {
        let mut hasher = DefaultHasher::new();
        about.hash(&mut hasher);
        let key = hasher.finish();
        let count = self.drawn.entry(key).or_default();
        *count += 1;
        fastrand::Rng::with_seed(mix(mix(self.seed, key), *count))
    }

    /// A span within the range, both ends included.
    pub(crate) fn span(&mut self, range: RangeInclusive<u64>, about: impl Hash) -> u64 {
        self.rng(about).u64(range)
    }

    /// True in so many cases of a hundred.
    pub(crate) fn percent(&mut self, percent: u8, about: impl Hash) -> bool {
        self.rng(about).u8(0..100) < percent
    }
}

/// Two numbers made one, each bit of which depends on all bits of both (the finaliser of splitmix64).
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let mut z = a
        .wrapping_add(b.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
