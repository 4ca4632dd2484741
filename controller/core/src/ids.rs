//! What everything else is numbered and dated by.

use std::{
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use crate::Time;

/// Number of a node within one leadership; never used twice. Nodes that were known earlier have lower
/// numbers, and those of the first list are numbered by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(NonZeroU32);

impl NodeId {
    #[expect(
        clippy::expect_used,
        reason = "no leadership lasts until so many nodes were born"
    )]
    pub(crate) fn new(place: usize) -> Self {
        let number = u32::try_from(place + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("fewer than 2^32 nodes in one leadership"))
    }

    /// Its index where things are kept by node.
    pub(crate) fn place(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// A moment, told apart from others of the same millisecond by the event that was being handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) at: Time,
    seq: NonZeroU64,
}

impl Default for Stamp {
    /// Before everything else.
    fn default() -> Self {
        Self::first(Time::default())
    }
}

impl Stamp {
    /// Before all that is handled.
    pub(crate) fn first(at: Time) -> Self {
        Self {
            at,
            seq: NonZeroU64::MIN,
        }
    }

    /// For tests: that many seconds after the beginning, and in that order.
    #[cfg(test)]
    pub(crate) fn of_second(seconds: u64) -> Self {
        Self {
            at: Time(seconds * 1_000),
            seq: NonZeroU64::MIN.saturating_add(seconds),
        }
    }

    /// That of the next event. Time never goes back.
    pub(crate) fn next(self, now: Time) -> Self {
        Self {
            at: now.max(self.at),
            seq: self.seq.saturating_add(1),
        }
    }

    /// Whether a reading that was begun at `self` shows all that ended at `end`, given how long the
    /// world takes to settle. Within one event, readings are begun last.
    pub(crate) fn shows(self, end: Self, settle: Duration) -> bool {
        self.seq >= end.seq && self.at >= end.at.after(settle)
    }
}
