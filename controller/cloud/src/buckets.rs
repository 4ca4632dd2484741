//! Token buckets: how often a cloud's API may be called.
//!
//! A bucket holds tokens up to its burst and regains them at its rate. When the cloud refuses a
//! call as one too many although the bucket had a token (others share the account), the bucket
//! halves its rate and pauses; while calls succeed the rate grows back to what was configured.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

use crate::locks::lock;

/// Refusals within this time of the last cut belong to the same shortage.
const ONE_SHORTAGE: Duration = Duration::from_secs(1);
/// The slowest that a bucket gets, as a share of its full rate.
const SLOWEST: f64 = 1.0 / 32.0;
/// How long a full recovery from a standstill takes.
const RECOVERY: Duration = Duration::from_secs(60);

/// How many calls may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Calls that may be made at once after a rest; at least 1.
    pub burst: u32,
    /// Calls a second for as long as one likes; at least 1.
    pub per_second: u32,
}

/// A bucket with its rate.
type Shared = (Rate, Arc<Turnstile>);

/// The buckets of this process, by place and name.
static BUCKETS: std::sync::Mutex<BTreeMap<(String, &'static str), Shared>> =
    std::sync::Mutex::new(BTreeMap::new());

/// The bucket of this name at a place, such as an account in a region. Clouds count there, so a provider
/// that is made anew, as after a change of the object, goes on with what the one before has left.
pub(crate) fn shared(place: &str, name: &'static str, rate: Rate) -> Arc<Turnstile> {
    let mut buckets = lock(&BUCKETS);
    let key = (place.to_owned(), name);
    let turnstile = match buckets.get(&key) {
        Some((same, turnstile)) if *same == rate => return Arc::clone(turnstile),
        Some((_, turnstile)) => Arc::new(turnstile.retuned(rate)),
        None => Arc::new(Turnstile::new(rate)),
    };
    buckets.insert(key, (rate, Arc::clone(&turnstile)));
    turnstile
}

/// One bucket. It reads no clock: every method is told the time, which must not run backwards.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    burst: f64,
    full_rate: f64,
    /// Tokens a second, now.
    rate: f64,
    tokens: f64,
    /// When `tokens` and `rate` were last brought up to date.
    at: Instant,
    /// Nothing is given before.
    closed_until: Instant,
    last_cut: Option<Instant>,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        let burst = f64::from(rate.burst.max(1));
        let full_rate = f64::from(rate.per_second.max(1));
        Self {
            burst,
            full_rate,
            rate: full_rate,
            tokens: burst,
            at: now,
            closed_until: now,
            last_cut: None,
        }
    }

    /// Takes a token; otherwise says when to ask again.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.refill(now);
        if now < self.closed_until {
            return Err(self.closed_until);
        }
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        // A little more than is missing, so that rounding does not make it come back in vain.
        let missing = (1.0 - self.tokens) / self.rate;
        Err(now + Duration::from_secs_f64(missing) + Duration::from_micros(100))
    }

    /// The cloud refused a call as one too many. It may have said for how long.
    pub(crate) fn throttled(&mut self, now: Instant, retry_after: Option<Duration>) {
        self.refill(now);
        if self.last_cut.is_none_or(|cut| now >= cut + ONE_SHORTAGE) {
            self.last_cut = Some(now);
            self.rate = (self.rate / 2.0).max(self.full_rate * SLOWEST);
        }
        self.tokens = 0.0;
        let pause = Duration::from_secs_f64(1.0 / self.rate);
        let pause = pause.max(retry_after.unwrap_or_default());
        self.closed_until = self.closed_until.max(now + pause);
    }

    fn refill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.tokens = (self.tokens + seconds * self.rate).min(self.burst);
        let recovered = self.full_rate * seconds / RECOVERY.as_secs_f64();
        self.rate = (self.rate + recovered).min(self.full_rate);
    }
}

/// A bucket at which callers queue, first come, first served.
#[derive(Debug)]
pub(crate) struct Turnstile {
    bucket: std::sync::Mutex<Bucket>,
    /// Held by who is next.
    queue: Mutex<()>,
}

impl Turnstile {
    /// With a full bucket.
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            bucket: std::sync::Mutex::new(Bucket::new(rate, Instant::now())),
            queue: Mutex::new(()),
        }
    }

    /// Another with this rate that holds no more than this one does.
    pub(crate) fn retuned(&self, rate: Rate) -> Self {
        let mut bucket = self.with(|bucket| {
            bucket.refill(Instant::now());
            bucket.clone()
        });
        bucket.burst = f64::from(rate.burst.max(1));
        bucket.full_rate = f64::from(rate.per_second.max(1));
        bucket.rate = bucket.rate.min(bucket.full_rate);
        bucket.tokens = bucket.tokens.min(bucket.burst);
        Self {
            bucket: std::sync::Mutex::new(bucket),
            queue: Mutex::new(()),
        }
    }

    /// Takes a token and says how long that took.
    pub(crate) async fn pass(&self) -> Duration {
        let begun = Instant::now();
        let _turn = self.queue.lock().await;
        loop {
            let again = self.with(|bucket| bucket.take(Instant::now()));
            match again {
                Ok(()) => return begun.elapsed(),
                Err(at) => sleep_until(at).await,
            }
        }
    }

    /// The cloud refused a call as one too many.
    pub(crate) fn throttled(&self, retry_after: Option<Duration>) {
        self.with(|bucket| bucket.throttled(Instant::now(), retry_after));
    }

    fn with<T>(&self, look: impl FnOnce(&mut Bucket) -> T) -> T {
        look(&mut lock(&self.bucket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 50,
        per_second: 5,
    };

    /// Takes tokens as they come until `end`.
    fn taken_until(bucket: &mut Bucket, mut now: Instant, end: Instant) -> u32 {
        let mut taken = 0;
        while now <= end {
            match bucket.take(now) {
                Ok(()) => taken += 1,
                Err(again) => {
                    assert!(again > now, "asked to come back in the past");
                    now = again;
                }
            }
        }
        taken
    }

    #[test]
    fn gives_the_burst_at_once_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(RATE, start);
        assert_eq!(taken_until(&mut bucket, start, start), 50);
        let end = start + Duration::from_secs(10);
        let taken = taken_until(&mut bucket, start, end);
        assert!((49..=50).contains(&taken), "{taken}");
    }

    #[test]
    fn saves_up_no_more_than_the_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::new(RATE, start);
        taken_until(&mut bucket, start, start);
        let later = start + Duration::from_secs(3600);
        assert_eq!(taken_until(&mut bucket, later, later), 50);
    }

    #[test]
    fn a_refusal_empties_it_and_halves_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(RATE, start);
        bucket.throttled(start, None);
        assert!((bucket.rate - 2.5).abs() < 1e-9, "{}", bucket.rate);
        assert!(bucket.take(start).unwrap_err() > start);
        let taken = taken_until(&mut bucket, start, start + Duration::from_secs(4));
        assert!((9..=12).contains(&taken), "{taken}");
    }

    #[test]
    fn many_refusals_at_once_cut_once_and_in_a_row_not_below_the_slowest() {
        let start = Instant::now();
        let mut bucket = Bucket::new(RATE, start);
        for _ in 0..30 {
            bucket.throttled(start, None);
        }
        assert!(bucket.rate > 2.0, "{}", bucket.rate);
        for second in 0..30 {
            bucket.throttled(start + Duration::from_secs(second), None);
        }
        assert!(bucket.rate >= 5.0 * SLOWEST, "{}", bucket.rate);
    }

    #[test]
    fn what_the_cloud_asks_for_is_waited() {
        let start = Instant::now();
        let mut bucket = Bucket::new(RATE, start);
        bucket.throttled(start, Some(Duration::from_secs(7)));
        let again = bucket.take(start).unwrap_err();
        assert_eq!(again, start + Duration::from_secs(7));
    }

    #[test]
    fn recovers_in_time() {
        let start = Instant::now();
        let mut bucket = Bucket::new(RATE, start);
        for second in 0..10 {
            bucket.throttled(start + Duration::from_secs(second), None);
        }
        let later = start + Duration::from_secs(10) + RECOVERY;
        let _ = bucket.take(later);
        assert!((bucket.rate - 5.0).abs() < 1e-9, "{}", bucket.rate);
    }

    #[tokio::test(start_paused = true)]
    async fn callers_pass_in_the_order_in_which_they_came() {
        let turnstile = std::sync::Arc::new(Turnstile::new(Rate {
            burst: 1,
            per_second: 2,
        }));
        let order = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let callers = (0..5).map(|caller| {
            let (turnstile, order) = (turnstile.clone(), order.clone());
            async move {
                turnstile.pass().await;
                order.lock().unwrap().push(caller);
            }
        });
        let begun = Instant::now();
        futures::future::join_all(callers).await;
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
        let took = begun.elapsed().as_secs_f64();
        assert!((1.9..2.2).contains(&took), "{took}");
    }
}
