//! Time as the engine sees it: handed in, never read.

use std::time::Duration;

/// Milliseconds since an origin of the caller's choice, on a clock that never goes back.
///
/// The shell takes it from the machine's boot clock, the simulation from its own counter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// The moment that lies `by` later. Fractions of a millisecond are dropped.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
