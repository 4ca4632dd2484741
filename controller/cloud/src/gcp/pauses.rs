//! Pauses in bulk work.
//!
//! While a route of a network is being changed, changes of its peerings are refused ("There is a route
//! operation in progress on the local or peer network", terraform-provider-google 3034). Those who ask for
//! them try again for some minutes, so a bulk of changes leaves a gap now and then.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

/// The longest that changes follow each other without a gap.
const LONGEST_BULK: Duration = Duration::from_secs(60);
/// How long nothing is under way in a gap.
const GAP: Duration = Duration::from_secs(5);
/// The longest that a gap waits for what is under way to end.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(200);

/// When changes may begin.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    bulk: Mutex<Option<Bulk>>,
    under_way: AtomicUsize,
}

/// Changes without a gap.
#[derive(Debug, Clone, Copy)]
struct Bulk {
    since: Instant,
    last: Instant,
}

/// A change is under way until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay<'a>(&'a Pauses);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pauses {
    /// Waits while there is a gap.
    pub(super) async fn pass(&self) {
        let mut bulk = self.bulk.lock().await;
        let now = Instant::now();
        let is_gap = |last: Instant| now.saturating_duration_since(last) > GAP;
        match &mut *bulk {
            Some(bulk) if is_gap(bulk.last) && self.is_quiet() => {
                (bulk.since, bulk.last) = (now, now);
            }
            Some(bulk) if now.saturating_duration_since(bulk.since) > LONGEST_BULK => {
                tracing::debug!("a pause, so that changes of peerings get through");
                while !self.is_quiet() && now.elapsed() < LONGEST_WAIT {
                    sleep(LOOK).await;
                }
                sleep(GAP).await;
                (bulk.since, bulk.last) = (Instant::now(), Instant::now());
            }
            Some(bulk) => bulk.last = now,
            none => {
                *none = Some(Bulk {
                    since: now,
                    last: now,
                });
            }
        }
    }

    /// A change is under way.
    pub(super) fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(self)
    }

    fn is_quiet(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bulk_leaves_gaps_in_which_nothing_is_under_way() {
        let pauses = Pauses::default();
        let mut gaps = Vec::new();
        for _ in 0..200 {
            let before = Instant::now();
            pauses.pass().await;
            let waited = before.elapsed();
            if waited >= GAP {
                gaps.push(waited);
            }
            let under_way = pauses.begin();
            sleep(Duration::from_secs(1)).await;
            drop(under_way);
        }
        assert!((2..=4).contains(&gaps.len()), "{gaps:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_waits_for_what_is_under_way_but_not_for_ever() {
        let pauses = Pauses::default();
        pauses.pass().await;
        let _stuck = pauses.begin();
        for _ in 0..30 {
            sleep(Duration::from_secs(3)).await;
            let before = Instant::now();
            pauses.pass().await;
            if before.elapsed() >= GAP {
                assert!(before.elapsed() < LONGEST_WAIT + GAP * 2);
                return;
            }
        }
        panic!("there was no gap");
    }

    #[tokio::test(start_paused = true)]
    async fn rare_changes_never_wait() {
        let pauses = Pauses::default();
        for _ in 0..50 {
            let before = Instant::now();
            pauses.pass().await;
            assert!(before.elapsed().is_zero());
            drop(pauses.begin());
            sleep(Duration::from_secs(10)).await;
        }
    }
}
