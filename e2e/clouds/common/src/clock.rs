//! The emulator's own time, which can run faster than the machine's, or stand still.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Time since the emulator started, as rates, propagation and life cycles see it.
pub type Time = Duration;

/// A clock that starts at zero.
#[derive(Debug)]
pub struct Clock {
    pace: Mutex<Pace>,
    changed: watch::Sender<()>,
    started: Instant,
    wall: jiff::Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Pace {
    since: Instant,
    reading: Time,
    speed: f64,
}

impl Pace {
    fn now(&self) -> Time {
        self.reading + self.since.elapsed().mul_f64(self.speed)
    }
}

impl Clock {
    /// A clock that runs `speed` times as fast as the machine's; 0 stands still.
    pub fn new(speed: f64) -> Self {
        let started = Instant::now();
        let pace = Pace {
            since: started,
            reading: Time::ZERO,
            speed,
        };
        Self {
            pace: Mutex::new(pace),
            changed: watch::Sender::new(()),
            started,
            wall: jiff::Timestamp::now(),
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it reads now.
    pub fn now(&self) -> Time {
        self.pace().now()
    }

    /// The machine's time since the start.
    pub fn real(&self) -> Duration {
        self.started.elapsed()
    }

    /// Lets it run `speed` times as fast as the machine's from now on.
    pub fn set_speed(&self, speed: f64) {
        {
            let mut pace = self.pace();
            *pace = Pace {
                since: Instant::now(),
                reading: pace.now(),
                speed,
            };
        }
        self.changed.send_replace(());
    }

    /// Waits until the clock reads `due`, however its speed changes meanwhile.
    pub async fn until(&self, due: Time) {
        let mut changed = self.changed.subscribe();
        loop {
            let pace = *self.pace();
            let Some(left) = due.checked_sub(pace.now()).filter(|left| !left.is_zero()) else {
                return;
            };
            // The sender lives as long as the clock, so waiting for it cannot fail.
            if pace.speed > 0.0 {
                let real = left.div_f64(pace.speed).max(Duration::from_millis(1));
                tokio::select! {
                    () = tokio::time::sleep(real) => {}
                    _ = changed.changed() => {}
                }
            } else if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// A moment of this clock as a date of the world, which starts with the machine's.
    pub fn date(&self, time: Time) -> jiff::Timestamp {
        self.wall.checked_add(time).unwrap_or(self.wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_clock_that_stands_still_can_be_woken() {
        let clock = Clock::new(0.0);
        assert_eq!(clock.now(), clock.now());
        let due = clock.now() + Duration::from_secs(60);
        let wake = async {
            tokio::task::yield_now().await;
            clock.set_speed(1e6);
        };
        tokio::join!(clock.until(due), wake);
        assert!(clock.now() >= due);
    }
}
