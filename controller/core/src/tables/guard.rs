//! The deletion guard: a sudden wish to delete many routes is more likely a mistake than meant.
//!
//! Destinations are counted, not routes: one destination in five tables is one node.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use ipnet::IpNet;

use crate::{Time, ids::Stamp};

/// Deletions count together within this span. A new leadership does not know what the one before it
/// deleted in it.
const WINDOW: Duration = Duration::from_secs(60);

/// That many may go whatever share that is, if anything may, but never all.
const FEW: usize = 2;

/// What was deleted lately, and whether more may be.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    /// Since when this leadership counts.
    since: Stamp,
    /// No orphan is deleted that may carry packets.
    pub(super) held: bool,
    /// People were told of it.
    pub(super) told: bool,
    /// Destinations, and when the last deletion of each was begun or ended.
    deleted: BTreeMap<IpNet, Time>,
    order: VecDeque<(Time, IpNet)>,
}

/// What the guard has to decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    /// Destinations with routes of ours that may carry packets, those that were deleted lately
    /// included.
    pub(super) total: usize,
    /// Those of them that are to go, or went lately.
    pub(super) wanted: usize,
    /// `spec.safety.maxDeletionPercent`.
    pub(super) percent: u8,
}

impl Demand {
    /// How many may go within the window.
    pub(super) fn allowed(self) -> usize {
        match self.percent {
            0 => 0,
            100.. => self.total,
            percent => {
                let share = self.total * usize::from(percent) / 100;
                share.max(FEW).min(self.total.saturating_sub(1))
            }
        }
    }

    /// How many of them a leadership may delete in its first minute.
    pub(super) fn allowed_at_first(self) -> usize {
        match self.percent {
            100.. => self.total,
            _ => self.allowed().min(FEW),
        }
    }
}

impl Guard {
    pub(super) fn new(since: Stamp) -> Self {
        Self {
            since,
            held: false,
            told: false,
            deleted: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }

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

    /// What was deleted lately.
    pub(super) fn lately(&self) -> impl Iterator<Item = IpNet> {
        self.deleted.keys().copied()
    }

    /// Until when it does not know what was deleted before it.
    pub(super) fn blind_until(&self, now: Time) -> Option<Time> {
        let until = self.since.at.after(WINDOW);
        (until > now).then_some(until)
    }

    /// Forgets what was deleted long ago; says when the next is.
    pub(super) fn age(&mut self, now: Time) -> Option<Time> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(total: usize, percent: u8) -> Demand {
        Demand {
            total,
            wanted: 0,
            percent,
        }
    }

    #[test]
    fn a_share_may_go_but_at_least_two_and_never_all() {
        for (total, percent, allowed) in [
            (0, 30, 0),
            (1, 30, 0),
            (2, 30, 1),
            (3, 30, 2),
            (10, 30, 3),
            (10, 99, 9),
            (1, 99, 0),
        ] {
            assert_eq!(
                demand(total, percent).allowed(),
                allowed,
                "{percent} % of {total}"
            );
        }
    }

    #[test]
    fn nothing_goes_at_zero_percent_and_everything_at_a_hundred() {
        for total in [0, 1, 2, 50] {
            assert_eq!(demand(total, 0).allowed(), 0);
            assert_eq!(demand(total, 100).allowed(), total);
            assert_eq!(demand(total, 100).allowed_at_first(), total);
        }
    }

    #[test]
    fn a_new_leadership_lets_two_go_since_it_does_not_know_what_went_before() {
        assert_eq!(demand(100, 30).allowed_at_first(), 2);
        assert_eq!(demand(2, 30).allowed_at_first(), 1);
        assert_eq!(demand(100, 0).allowed_at_first(), 0);
    }

    #[test]
    fn a_deletion_counts_for_a_minute_after_it_ended() {
        let mut guard = Guard::new(Stamp::default());
        let block = "10.0.0.0/24".parse().expect("a block");
        guard.deleted(block, Time(0));
        guard.ended(block, Time(5_000));
        assert_eq!(guard.age(Time(60_000)), Some(Time(65_000)));
        assert_eq!(guard.lately().count(), 1);
        assert_eq!(guard.age(Time(65_000)), None);
        assert_eq!(guard.lately().count(), 0);
    }
}
