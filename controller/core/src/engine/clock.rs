//! When things happened, and when they are due.

use std::{collections::BTreeSet, time::Duration};

use ipnet::IpNet;

use super::nodes::NodeId;
use crate::Time;

/// A moment, told apart from others of the same millisecond by the event that was being handled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) at: Time,
    pub(crate) seq: u64,
}

impl Stamp {
    /// Whether a reading that was begun at `self` shows all that ended at `end`, given how long the
    /// world takes to settle. Within one event, readings are begun last.
    pub(crate) fn shows(self, end: Self, settle: Duration) -> bool {
        self.seq >= end.seq && self.at >= end.at.after(settle)
    }
}

/// What wants attention at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A node's writes, or a doubtful sighting.
    Node(NodeId),
    /// A node's instance is to be read.
    Instance(NodeId),
    /// Routes of one destination.
    Destination(IpNet),
    /// Nodes have been waiting for their routes for long.
    Waiting,
    /// Full tables may have room again.
    FullTables,
    /// All instances are to be read again.
    Refresh,
    /// Deletions leave the window of the deletion guard, or writes of a former leadership count as
    /// ended.
    Recheck,
}

/// Everything that waits for a time.
#[derive(Debug, Clone, Default)]
pub(super) struct Timers(BTreeSet<(Time, Due)>);

impl Timers {
    pub(super) fn set(&mut self, at: Time, due: Due) {
        self.0.insert((at, due));
    }

    pub(super) fn first(&self) -> Option<Time> {
        self.0.first().map(|(at, _)| *at)
    }

    pub(super) fn pop(&mut self, now: Time) -> Option<Due> {
        let (at, _) = self.0.first()?;
        if *at > now {
            return None;
        }
        self.0.pop_first().map(|(_, due)| due)
    }
}
