//! The machine's boot clock, which never goes back and goes on while the machine is suspended.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use signpost_core::Time;

/// Milliseconds since the machine was booted.
pub fn now() -> Time {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(now.tv_nsec).unwrap_or_default();
    Time(seconds * 1000 + nanos / 1_000_000)
}

/// Waits until [`now`] has reached `at`.
///
/// The runtime's timers stand still while the machine is suspended, so that the wait is cut into
/// pieces.
pub async fn sleep_until(at: Time) {
    const PIECE: Duration = Duration::from_secs(5);
    loop {
        let left = at.since(now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(PIECE)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn never_wakes_early() {
        for _ in 0..20 {
            let at = now().after(Duration::from_millis(3));
            sleep_until(at).await;
            assert!(now() >= at);
        }
    }
}
