//! What decides of the lease, and the spans of an election.

use std::{sync::Arc, time::Duration};

/// Spans of an election. `renew_every < deadline < duration` must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a record must stand unchanged before others take over. Whole seconds.
    pub duration: Duration,
    /// How long after a renewal the holder may still begin writes. A write under way then must end
    /// before `duration` has passed.
    pub deadline: Duration,
    /// How often the holder renews.
    pub renew_every: Duration,
    /// How often others look.
    pub look_every: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            deadline: Duration::from_secs(10),
            renew_every: Duration::from_secs(3),
            look_every: Duration::from_secs(2),
        }
    }
}

impl Terms {
    /// The longest that a write may take: what lies between the deadline and the record's end.
    pub fn longest_write(&self) -> Duration {
        self.duration.saturating_sub(self.deadline)
    }
}

/// The `Lease` object as far as it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `metadata.uid`: another one means that the object was deleted and created anew.
    pub uid: Arc<str>,
    /// `spec.holderIdentity`; `None` or empty means released.
    pub holder: Option<Arc<str>>,
    /// `spec.leaseDurationSeconds`.
    pub duration: Duration,
    /// `metadata.resourceVersion`: another value means that the record was written anew.
    pub version: Arc<str>,
    /// The version of the whole store when the record was read, as a list of objects says it; `None`
    /// if only the object was read. It grows with every write of anything.
    pub store: Option<u64>,
    /// What it says of those who led before.
    pub past: Past,
}

impl Record {
    /// Whether `other` is the same record, whenever and however it was read.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.uid == other.uid
            && self.version == other.version
            && self.holder == other.holder
            && self.duration == other.duration
    }

    pub(super) fn is_held(&self) -> bool {
        self.holder
            .as_ref()
            .is_some_and(|holder| !holder.is_empty())
    }
}

/// What an unheld record says of those who led before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Past {
    /// Nobody ever held this object, and nothing says that anybody led before it was there.
    Unused,
    /// Nobody ever held this object, but somebody led: it was put in the place of another one, whose
    /// holder may not know yet.
    Replaced,
    /// The last holder gave it back when all its writes had ended and settled.
    Settled,
    /// The last holder gave it back before that.
    #[default]
    Unsettled,
}
