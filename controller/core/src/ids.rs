//! What everything else is numbered and dated by.

use std::time::Duration;

use crate::Time;

/// Number of a node within one leadership; never used twice. Nodes that were known earlier have lower
/// numbers, and those of the first list are numbered by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(u32);

impl NodeId {
    #[expect(
        clippy::expect_used,
        reason = "no leadership lasts until so many nodes were born"
    )]
    pub(crate) fn new(place: usize) -> Self {
        Self(u32::try_from(place).expect("fewer than 2^32 nodes in one leadership"))
    }

    /// Its index where things are kept by node.
    pub(crate) fn place(self) -> usize {
        self.0 as usize
    }
}

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
