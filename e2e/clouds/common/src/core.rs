//! What all parts of a running emulator share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::calls::Calls;
use crate::clock::{Clock, Time};
use crate::faults::{Faults, Kind};

/// What changes under one lock.
pub trait World {
    /// Lets everything happen that is due until `now`.
    fn advance(&mut self, now: Time);

    /// When something happens by itself.
    fn next_due(&self) -> Option<Time>;

    /// Grows with every change.
    fn version(&self) -> u64;
}

/// The state of an emulator, its clock, its log and its faults.
#[derive(Debug)]
pub struct Core<W, K> {
    /// The emulator's own time.
    pub clock: Clock,
    state: Mutex<W>,
    calls: Mutex<Calls>,
    faults: Mutex<Faults<K>>,
    version: watch::Sender<u64>,
    /// Something may be due earlier than before.
    rescheduled: Notify,
}

/// A lock is never poisoned for others: each change is complete or a refusal.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: World, K: Kind> Core<W, K> {
    /// A state whose clock runs `pace` times as fast as the machine's. The luck of faults follows from
    /// the seed.
    pub fn new(world: W, pace: f64, bodies: bool, seed: u64) -> Self {
        let mut calls = Calls::default();
        calls.bodies = bodies;
        Self {
            clock: Clock::new(pace),
            state: Mutex::new(world),
            calls: Mutex::new(calls),
            faults: Mutex::new(Faults::new(seed)),
            version: watch::Sender::new(0),
            rescheduled: Notify::new(),
        }
    }

    /// Looks at the state of now or changes it, and tells those who wait for changes.
    pub fn with<T>(&self, work: impl FnOnce(&mut W) -> T) -> T {
        let mut state = lock(&self.state);
        state.advance(self.clock.now());
        let due = state.next_due();
        let result = work(&mut state);
        if state.next_due() != due {
            self.rescheduled.notify_one();
        }
        let version = state.version();
        // Under the lock, so that the number that is told never goes back.
        self.version
            .send_if_modified(|told| std::mem::replace(told, version) != version);
        result
    }

    /// The log of calls.
    pub fn calls(&self) -> MutexGuard<'_, Calls> {
        lock(&self.calls)
    }

    /// The faults in force.
    pub fn faults(&self) -> MutexGuard<'_, Faults<K>> {
        lock(&self.faults)
    }

    /// The version of the state; it can be waited for.
    pub fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Waits until the state's version is beyond `since`.
    pub async fn changed(&self, since: u64) {
        let mut version = self.version();
        // The sender lives as long as this, so waiting cannot fail.
        let _ = version.wait_for(|version| *version > since).await;
    }

    /// Changes how fast the clock runs and whether bodies are recorded.
    pub fn run(&self, speed: f64, bodies: bool) {
        self.calls().bodies = bodies;
        self.clock.set_speed(speed);
    }

    /// Lets happen what happens by itself, for as long as the emulator runs.
    pub async fn live(&self) {
        loop {
            match self.with(|state| state.next_due()) {
                Some(due) => tokio::select! {
                    () = self.clock.until(due) => {}
                    () = self.rescheduled.notified() => {}
                },
                None => self.rescheduled.notified().await,
            }
        }
    }
}
