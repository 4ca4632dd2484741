//! How long to wait before trying again.

use std::time::Duration;

use crate::{Time, cloud::CloudErrorKind, event::ApiErrorKind};

/// After so many failures in a row, which take several seconds, whatever fails is told to people:
/// it may not pass by itself.
const LASTING: u8 = 6;

/// How often something failed in a row, and when it may be tried again.
///
/// In one word, since each node has several: the time in milliseconds, then eight bits for failures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Retry(u64);

impl Retry {
    /// It failed once more: the next try is not before the back-off is over, nor before `at_least`
    /// has passed.
    pub(crate) fn failed(&mut self, wait: Wait, at_least: Duration, now: Time) {
        let failures = self.failures().saturating_add(1 + wait.extra);
        let delay = wait.backoff.delay(wait.item, failures, wait.pace);
        self.set(failures, now.after(delay.max(at_least)));
    }

    fn set(&mut self, failures: u8, not_before: Time) {
        self.0 = not_before.0 << 8 | u64::from(failures);
    }

    fn not_before(self) -> Time {
        Time(self.0 >> 8)
    }

    /// It succeeded, or what failed has nothing to do with what is tried next.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// It may be tried again at once, but the failures count on.
    pub(crate) fn at_once(&mut self, now: Time) {
        self.set(self.failures(), now);
    }

    /// It may be tried again at that time, if not sooner.
    pub(crate) fn by(&mut self, at: Time) {
        self.set(self.failures(), self.not_before().min(at));
    }

    /// The time to wait for, if that is not over.
    pub(crate) fn waits(self, now: Time) -> Option<Time> {
        Some(self.not_before()).filter(|at| *at > now)
    }

    /// Failures in a row.
    pub(crate) fn failures(self) -> u8 {
        self.0.to_le_bytes()[0]
    }

    /// It has failed for so long that people should know.
    pub(crate) fn lasts(self) -> bool {
        self.failures() >= LASTING
    }
}

/// How long one kind of failure of one item is waited out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    backoff: Backoff,
    /// What the jitter depends on.
    item: u64,
    pace: Pace,
    /// Failures for which this one counts besides itself.
    extra: u8,
}

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

    /// For a write that the API server did not carry out.
    pub(crate) fn of_api(kind: ApiErrorKind) -> Self {
        match kind {
            ApiErrorKind::Denied | ApiErrorKind::Invalid => Self::Refused,
            ApiErrorKind::Conflict
            | ApiErrorKind::NotFound
            | ApiErrorKind::Transient
            | ApiErrorKind::Unknown => Self::Quick,
        }
    }

    /// For a call that the cloud did not carry out.
    pub(crate) fn of_cloud(kind: CloudErrorKind) -> Self {
        match kind {
            CloudErrorKind::Denied | CloudErrorKind::Invalid => Self::Slow,
            _ => Self::Quick,
        }
    }
}

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// For an item that fails at a pace.
    pub(crate) fn wait(self, item: u64, pace: Pace) -> Wait {
        Wait {
            backoff: self,
            item,
            pace,
            extra: 0,
        }
    }

    /// For a call to the cloud: one that was throttled counts for three, since others fail with it.
    pub(crate) fn cloud(self, item: u64, kind: CloudErrorKind) -> Wait {
        Wait {
            extra: 2 * u8::from(kind == CloudErrorKind::Throttled),
            ..self.wait(item, Pace::of_cloud(kind))
        }
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

    #[test]
    fn people_hear_of_what_fails_for_some_seconds_and_a_success_ends_it() {
        let wait = Backoff::new(1).wait(7, Pace::Quick);
        let mut retry = Retry::default();
        let mut now = Time(0);
        while !retry.lasts() {
            retry.failed(wait, Duration::ZERO, now);
            now = retry.waits(now).expect("a back-off");
        }
        assert!((Time(3_000)..Time(20_000)).contains(&now), "{now:?}");
        retry.reset();
        assert!(!retry.lasts() && retry.waits(now).is_none());
    }
}
