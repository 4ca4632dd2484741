//! What all parts of a running emulator share.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::buckets::Buckets;
use crate::calls::Calls;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::metadata::Metadata;
use crate::model::World;
use crate::policy::Policy;
use crate::settings::{Options, Settings};
use crate::xml::Fields;

/// Answers by account, action and client token, each with the parameters that it was given for.
pub(crate) type Tokens = BTreeMap<(String, String, String), (BTreeMap<String, String>, Fields)>;

/// What changes under one lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) buckets: Buckets,
    pub(crate) settings: Settings,
    pub(crate) tokens: Tokens,
    pub(crate) metadata: Metadata,
    /// By access key or role.
    pub(crate) policies: BTreeMap<String, Policy>,
}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) clock: Clock,
    state: Mutex<State>,
    calls: Mutex<Calls>,
    faults: Mutex<Faults>,
    version: watch::Sender<u64>,
    /// Something may be due earlier than before.
    rescheduled: Notify,
}

/// A lock is never poisoned for others: each change is complete or a refusal.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    pub(crate) fn new(options: &Options) -> Self {
        let Options {
            region,
            account,
            seed,
            settings,
            ..
        } = options;
        let mut buckets = Buckets::default();
        buckets.enforced = settings.rates;
        buckets.overrides.clone_from(&settings.rate_overrides);
        let state = State {
            world: World::new(region, account, *seed, settings.habits()),
            buckets,
            settings: settings.clone(),
            tokens: Tokens::new(),
            metadata: Metadata::new(seed.wrapping_add(2)),
            policies: BTreeMap::new(),
        };
        let mut calls = Calls::default();
        calls.bodies = settings.record_bodies;
        Self {
            clock: Clock::new(settings.speed),
            state: Mutex::new(state),
            calls: Mutex::new(calls),
            faults: Mutex::new(Faults::new(seed.wrapping_add(1))),
            version: watch::Sender::new(0),
            rescheduled: Notify::new(),
        }
    }

    /// Looks at the state of now or changes it, and tells those who wait for changes.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        state.world.advance(self.clock.now());
        let due = state.world.next_due();
        let result = work(&mut state);
        if state.world.next_due() != due {
            self.rescheduled.notify_one();
        }
        let version = state.world.version();
        // Under the lock, so that the number that is told never goes back.
        self.version
            .send_if_modified(|told| std::mem::replace(told, version) != version);
        result
    }

    pub(crate) fn calls(&self) -> MutexGuard<'_, Calls> {
        lock(&self.calls)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    /// The version of the world; it can be waited for.
    pub(crate) fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    pub(crate) fn apply(&self, settings: Settings) {
        self.calls().bodies = settings.record_bodies;
        self.clock.set_speed(settings.speed);
        self.with(|state| {
            state.world.habits = settings.habits();
            state.buckets.enforced = settings.rates;
            state.buckets.overrides.clone_from(&settings.rate_overrides);
            state.settings = settings;
        });
    }

    /// Lets happen what happens by itself, for as long as the emulator runs.
    pub(crate) async fn live(&self) {
        loop {
            match self.with(|state| state.world.next_due()) {
                Some(due) => tokio::select! {
                    () = self.clock.until(due) => {}
                    () = self.rescheduled.notified() => {}
                },
                None => self.rescheduled.notified().await,
            }
        }
    }
}
