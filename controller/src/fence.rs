//! The gate that every write passes: until when this process may begin writes.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use signpost_core::Time;

use crate::clock;

/// Shared between the election, which moves it, and everything that writes.
///
/// It closes by itself when its time comes, whatever the election's task is doing.
#[derive(Debug, Clone, Default)]
pub struct Fence(Arc<AtomicU64>);

impl Fence {
    /// Lets writes begin until `until`; `None` closes it.
    pub fn set(&self, until: Option<Time>) {
        let until = until.unwrap_or_default();
        self.0.store(until.0, Ordering::SeqCst);
    }

    /// Whether a write may begin now.
    pub fn may_write(&self) -> bool {
        clock::now().0 < self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn opens_until_its_time_and_closes_by_itself() {
        let fence = Fence::default();
        assert!(!fence.may_write());
        fence.set(Some(clock::now().after(Duration::from_secs(60))));
        assert!(fence.may_write());
        fence.set(Some(clock::now()));
        assert!(!fence.may_write());
        fence.set(Some(clock::now().after(Duration::from_secs(60))));
        fence.set(None);
        assert!(!fence.may_write());
    }
}
