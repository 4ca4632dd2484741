//! How long to wait before trying again.

use std::time::Duration;

/// Exponential back-off whose jitter is the same in every run with the same seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    seed: u64,
}

/// How patient to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// From a fifth of a second to a minute: for what passes by itself.
    Quick,
    /// From two seconds to five minutes: for what the API server refuses. One that has just started
    /// denies everything until it has read its roles; else somebody has to put it right.
    Refused,
    /// From half a minute to five: for what somebody has to put right.
    Slow,
}

impl Pace {
    fn millis(self) -> (u64, u64) {
        match self {
            Self::Quick => (200, 60_000),
            Self::Refused => (2_000, 300_000),
            Self::Slow => (30_000, 300_000),
        }
    }
}

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The wait after the given number of failures in a row: between half of the exponential value
    /// and all of it, so that items that failed together do not come back together.
    pub(crate) fn delay(self, item: u64, failures: u8, pace: Pace) -> Duration {
        let (base, cap) = pace.millis();
        let doublings = u32::from(failures.saturating_sub(1)).min(16);
        let whole = (base << doublings).min(cap);
        let random = mix(self.seed ^ mix(item ^ mix(failures.into())));
        Duration::from_millis(whole / 2 + random % (whole / 2 + 1))
    }
}

/// One step of `SplitMix64`.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// FNV-1a: a hash that is the same in every build.
pub(crate) fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_the_cap_within_its_jitter() {
        let backoff = Backoff::new(7);
        for (failures, whole) in [(1, 200), (2, 400), (5, 3_200), (200, 60_000)] {
            for item in 0..50 {
                let delay = backoff.delay(item, failures, Pace::Quick);
                let range = Duration::from_millis(whole / 2)..=Duration::from_millis(whole);
                assert!(range.contains(&delay), "{failures} failures: {delay:?}");
            }
        }
    }

    #[test]
    fn items_that_fail_together_come_back_apart_and_every_run_alike() {
        let delays = |seed| {
            let backoff = Backoff::new(seed);
            (0..20).map(move |item| backoff.delay(item, 6, Pace::Quick))
        };
        let distinct: std::collections::BTreeSet<_> = delays(1).collect();
        assert!(distinct.len() > 15);
        assert!(delays(1).eq(delays(1)));
        assert!(!delays(1).eq(delays(2)));
    }
}
