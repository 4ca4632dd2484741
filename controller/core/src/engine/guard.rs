//! The deletion guard: a sudden wish to delete many routes is more likely a mistake than meant.
//!
//! Destinations are counted, not routes: one destination in five tables is one node.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use ipnet::IpNet;

use super::{Engine, clock::Due};
use crate::{
    Action, Time,
    action::{Notice, Reason, Subject},
    routes::Destination,
};

/// Deletions count together within this span.
const WINDOW: Duration = Duration::from_secs(60);

/// That many may always go.
const ALWAYS: usize = 2;

/// What was deleted lately, and whether more may be.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    pub(super) held: bool,
    /// When the last deletion of a destination was begun or ended, well or in doubt.
    deleted: BTreeMap<IpNet, Time>,
    order: VecDeque<(Time, IpNet)>,
}

impl Guard {
    /// A route of the destination is being deleted, or was.
    pub(super) fn deleted(&mut self, cidr: IpNet, now: Time) {
        if self.deleted.insert(cidr, now) != Some(now) {
            self.order.push_back((now, cidr));
        }
    }

    /// A deletion that counts ended: from now on it counts for the whole window.
    pub(super) fn ended(&mut self, cidr: IpNet, now: Time) {
        if self.deleted.contains_key(&cidr) {
            self.deleted(cidr, now);
        }
    }

    /// Forgets what was deleted long ago; says when the next is.
    fn age(&mut self, now: Time) -> Option<Time> {
        loop {
            let (at, cidr) = *self.order.front()?;
            let until = at.after(WINDOW);
            if until > now {
                return Some(until);
            }
            self.order.pop_front();
            if self.deleted.get(&cidr) == Some(&at) {
                self.deleted.remove(&cidr);
            }
        }
    }
}

impl Engine {
    pub(super) fn counts_for_guard(&self, cidr: IpNet) -> bool {
        self.routes
            .get(cidr)
            .is_some_and(|it| it.has_ours() && !it.claimed && !it.leads_nowhere())
    }

    /// Decides whether what is left over may be deleted.
    pub(super) fn review_deletions(&mut self) {
        let Some(config) = &self.config else { return };
        let until = self.guard.age(self.now.at);
        let tally = self.routes.tally();
        let (mut total, mut wanted) = (tally.ours, tally.unclaimed);
        if tally.unclaimed > 0 {
            for cidr in self.guard.deleted.keys() {
                let destination = self.routes.get(*cidr);
                total += usize::from(!destination.is_some_and(Destination::has_ours));
                wanted += usize::from(!self.counts_for_guard(*cidr));
            }
        }
        let percent = config.max_deletion_percent;
        let allowed = (total * usize::from(percent) / 100).max(ALWAYS);
        let hold = self.recovered && !config.teardown && tally.unclaimed > 0 && wanted > allowed;
        let before = std::mem::replace(&mut self.guard.held, hold);
        if let (true, Some(until)) = (hold, until) {
            self.timers.set(until, Due::Recheck);
        }
        if hold && !before {
            self.actions.push(Action::Notify(Notice {
                subject: Subject::Network,
                reason: Reason::DeletionsHeld,
                message: format!(
                    "{wanted} of {total} node routes would be removed at once, more than \
                     safety.maxDeletionPercent ({percent} %). If that is intended, raise \
                     spec.safety.maxDeletionPercent to 100 until they are gone."
                ),
            }));
        }
        if hold && !before {
            self.doubt_departures();
        }
        if before && !hold {
            for cidr in self.routes.unclaimed().clone() {
                self.consider(cidr);
            }
        }
    }
}
