//! I7: once faults stop, everything comes to rest.

use std::time::Duration;

use signpost_core::Time;

use super::Invariant;
use crate::{queue::Message, world::World};

/// From the end of the last fault to rest.
pub(crate) const BOUND: Duration = Duration::from_secs(600);
/// A change by somebody else is seen at most so long after the last fault, since listings may have failed before.
const NOTICED: Duration = Duration::from_secs(120);
/// For so many check periods from then on the tables may be looked at more often.
const WATCHFUL: u32 = 5;
/// How often all is looked at then.
const LOOK_EVERY: u64 = 1_000;

/// How far the world has come to rest.
#[derive(Debug)]
pub(crate) struct Rest {
    /// When the last fault, or the last consent of the operator, was over.
    calm: u64,
    /// Since when all is well.
    well_since: Option<u64>,
    /// What stood in the way at the last look.
    waits_for: String,
    /// The operator allowed the deletions that were held back.
    pub(super) allowed: bool,
    pub(super) torn_down: bool,
    /// Listings begun since all is well.
    listings: u64,
    /// All is well and stays so.
    pub(crate) reached: bool,
}

impl Rest {
    pub(crate) fn new(calm: u64) -> Self {
        Self {
            calm,
            well_since: None,
            waits_for: String::new(),
            allowed: false,
            torn_down: false,
            listings: 0,
            reached: false,
        }
    }

    /// A controller wrote something: that is no rest.
    pub(crate) fn wrote(&mut self, now: u64) {
        if self.well_since.is_some() {
            self.well_since = None;
            self.waits_for = format!("a write at {now} ms");
        }
    }

    /// A controller listed the routes.
    pub(crate) fn listed(&mut self) {
        self.listings += 1;
    }
}

impl World<'_> {
    /// Looks whether all is well.
    pub(crate) fn inspect(&mut self) {
        match self.well() {
            Err(why) => {
                self.rest.well_since = None;
                self.rest.waits_for = why;
            }
            Ok(()) if self.rest.well_since.is_none() => {
                self.rest.well_since = Some(self.now);
            }
            Ok(()) => {}
        }
        // The last writes show in listings that are wanted for them; from then on all is routine.
        let settling = 2 * self.scenario.limits.settle + Duration::from_secs(10);
        let routine = 2 * self.wishes.check_period;
        match self.rest.well_since.map(Time) {
            Some(since) if self.now >= since.after(settling).after(routine).0 => {
                self.at_rest(since.0);
            }
            Some(since) if self.now <= since.after(settling).0 => {
                self.rest.listings = 0;
                self.not_yet();
            }
            _ => self.not_yet(),
        }
    }

    fn not_yet(&mut self) {
        let latest = Time(self.rest.calm).after(BOUND).0;
        if self.rest.well_since.unwrap_or(self.now) > latest {
            let why = std::mem::take(&mut self.rest.waits_for);
            let bound = BOUND.as_secs();
            return self.broken(Invariant::I7, || {
                format!("{bound} s after the last fault there is no rest: {why}")
            });
        }
        self.queue.push(self.now + LOOK_EVERY, Message::Inspect);
    }

    fn at_rest(&mut self, since: u64) {
        if self.rest.listings > 3 && self.scenario.limits.routes {
            // Tables are looked at more often for a while after somebody changed routes.
            let watchful = NOTICED + WATCHFUL * self.wishes.check_period;
            if self.now < Time(self.rest.calm).after(watchful).0 {
                self.rest.listings = 0;
                self.rest.well_since = Some(self.now);
                return self.not_yet();
            }
            let listings = self.rest.listings;
            return self.broken(Invariant::I7, || {
                format!("{listings} listings although all is well")
            });
        }
        let rest = since - self.rest.calm.min(since);
        let slowest = self.coverage.longest_rest.max((rest, self.scenario.seed));
        self.coverage.longest_rest = slowest;
        if self.held() > 0 && !self.rest.allowed {
            // The operator agrees to what is held back.
            self.coverage.held = 1;
            self.rest.allowed = true;
            self.rest.well_since = None;
            self.rest.calm = self.now;
            self.note(|| "======== the operator allows the deletions".into());
            self.configure(|config| config.max_deletion_percent = 100);
            return self.queue.push(self.now + LOOK_EVERY, Message::Inspect);
        }
        self.note(|| "======== at rest".into());
        self.rest.reached = true;
    }

    /// A controller says that everything of ours is gone.
    pub(crate) fn torn_down(&mut self, shell: usize) {
        let known = self.shells[shell].known.config.as_ref();
        if known.is_none_or(|config| !config.teardown) {
            return self.broken(Invariant::I5, || "torn down unasked".into());
        }
        if !self.wishes.teardown || self.rest.torn_down {
            // It does not know the latest yet.
            return;
        }
        let left = self.leftover(|_| true);
        if let Some(left) = left {
            self.broken(Invariant::I5, || format!("torn down, but {left} is there"));
        }
        self.rest.torn_down = true;
        self.config = None;
        self.config_changed();
        if self.dice.percent(50, "recreate") {
            let later = self.now + self.dice.span(100..=15_000, "recreate");
            self.rest.calm = self.rest.calm.max(later);
            self.queue.push(later, Message::Recreate);
        }
    }

    /// Somebody creates the configuration again after it was deleted.
    pub(crate) fn recreate_network(&mut self) {
        self.rest.torn_down = false;
        self.rest.well_since = None;
        self.config = Some(self.wishes.clone());
        self.configure(|config| config.teardown = false);
    }
}
