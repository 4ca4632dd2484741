//! I7: once faults stop, everything comes to rest.

use std::{collections::BTreeSet, time::Duration};

use ipnet::IpNet;
use signpost_core::{NodeKey, Time, cloud::TableId, node::NetworkCondition};

use super::Invariant;
use crate::{cloud::operations::LONGEST, queue::Message, rules::Rule, world::World};

/// What somebody has to put right is tried again after that time at the latest.
const RETRIED: Duration = Duration::from_secs(300);
/// And instances are read anew after that many check periods.
const REREAD: u32 = 10;
/// What follows from it takes that long at the most, where reads are consistent.
const FOLLOWS: Duration = Duration::from_secs(60);
/// A change by somebody else is seen at most so long after the last fault, since listings may have failed before.
const NOTICED: Duration = Duration::from_secs(120);
/// A node that joins when all is well is routed within that time and what reads need to settle.
const SOON: Duration = Duration::from_secs(12);
/// And that much later if a table was full before.
const RARELY: Duration = Duration::from_secs(150);
/// For so many check periods from then on the tables may be looked at more often.
const WATCHFUL: u32 = 5;
/// How often all is looked at then.
const LOOK_EVERY: u64 = 1_000;

/// How far the world has come to rest.
#[derive(Debug)]
pub(crate) struct Rest {
    /// When the last fault, or the last consent of the operator, was over.
    pub(super) calm: u64,
    /// Since when all is well.
    pub(super) well_since: Option<u64>,
    /// What stood in the way at the last look.
    waits_for: String,
    /// The operator allowed the deletions that were held back.
    pub(super) allowed: bool,
    pub(super) torn_down: bool,
    /// What nobody could know of when all was torn down.
    pub(super) excused: BTreeSet<(TableId, IpNet)>,
    /// A node joined when all was well, and when.
    probe: Option<(NodeKey, u64)>,
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
            excused: BTreeSet::new(),
            probe: None,
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
        self.check_probe();
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

    /// Lets a node join now that all is well. False: there would be no block for it.
    fn probe(&mut self) -> bool {
        let joined = !self.wishes.teardown && self.join_probe();
        let Some(key) = joined.then(|| self.probe_key()).flatten() else {
            return false;
        };
        self.note(|| format!("======== {} joins", key.uid));
        self.rest.probe = Some((key, self.now));
        self.rest.well_since = None;
        self.rest.calm = self.now;
        true
    }

    /// The node that joined is routed soon.
    fn check_probe(&mut self) {
        let Some((key, since)) = &self.rest.probe else {
            return;
        };
        let limits = self.scenario.limits;
        // A limit that was learnt is tried rarely.
        let learnt = self.cloud.tables.values().any(|table| table.tight.0 > 0);
        let tries = if learnt { RARELY } else { Duration::ZERO };
        // One after the other, and once more for one that fails.
        let tables = u32::try_from(self.cloud.tables.len()).unwrap_or(u32::MAX);
        let carried_out = self.carried_out() * (tables + 1);
        let bound = SOON + limits.settle + limits.listing_interval * 5 + tries + carried_out;
        let late = self.now > Time(*since).after(bound).0;
        let routed = self.api.get(key).is_none_or(|node| {
            node.node.network == NetworkCondition::Available || !self.must_be_served(node)
        });
        if late && !routed {
            let name = key.name.clone();
            self.broken(Invariant::I7, || {
                format!("{name} joined when all was well and is not routed after {bound:?}")
            });
        }
    }

    /// From the end of the last fault to rest.
    fn bound(&self) -> Duration {
        let again = RETRIED.max(self.wishes.check_period * REREAD);
        let lapse = self.scenario.terms.duration;
        again
            + lapse
            + self.scenario.limits.settle * 2
            + FOLLOWS
            + self.carried_out() * self.turns()
    }

    /// How long a change may take after it was accepted.
    fn carried_out(&self) -> Duration {
        if self.scenario.habits.operations {
            Duration::from_millis(LONGEST)
        } else {
            Duration::ZERO
        }
    }

    /// So many may have to end one after the other if all routes are to be made anew: some for what follows
    /// from another, and the others since only so many may be under way at once.
    fn turns(&self) -> u32 {
        let tables = self.cloud.tables.values();
        let routes: usize = tables.map(|table| table.routes.len()).sum();
        let turns = routes.div_ceil(self.scenario.limits.route_writes);
        u32::try_from(turns).map_or(u32::MAX, |turns| turns.saturating_add(3))
    }

    fn not_yet(&mut self) {
        let bound = self.bound();
        let latest = Time(self.rest.calm).after(bound).0;
        if self.rest.well_since.unwrap_or(self.now) > latest {
            let why = std::mem::take(&mut self.rest.waits_for);
            let bound = bound.as_secs();
            return self.broken(Invariant::I7, || {
                format!("{bound} s after the last fault there is no rest: {why}")
            });
        }
        self.queue.push(self.now + LOOK_EVERY, Message::Inspect);
    }

    /// Counts the situations that last.
    fn meet_lasting(&mut self) {
        if self.has_removed_pool_held() {
            self.meet(Rule::RemovedPoolHeld);
        }
        if self.has_removed_pool_overlapped() {
            self.meet(Rule::RemovedPoolOverlapped);
        }
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
        if self.rest.probe.is_none() && self.probe() {
            return self.queue.push(self.now + LOOK_EVERY, Message::Inspect);
        }
        if self.rest.probe.is_some() {
            self.meet(Rule::JoinedInCalm);
        }
        self.meet_lasting();
        self.note(|| "======== at rest".into());
        self.rest.reached = true;
    }
}
