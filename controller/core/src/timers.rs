//! Everything that waits for a time.

use std::collections::BTreeSet;

use crate::Time;

/// What is due when. Harmless if something is due that has no work any more.
#[derive(Debug, Clone)]
pub(crate) struct Timers<T>(BTreeSet<(Time, T)>);

impl<T: Ord> Default for Timers<T> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<T: Ord> Timers<T> {
    pub(crate) fn set(&mut self, at: Time, due: T) {
        self.0.insert((at, due));
    }

    pub(crate) fn first(&self) -> Option<Time> {
        self.0.first().map(|(at, _)| *at)
    }

    /// The next that is due by now.
    pub(crate) fn pop(&mut self, now: Time) -> Option<T> {
        let (at, _) = self.0.first()?;
        if *at > now {
            return None;
        }
        self.0.pop_first().map(|(_, due)| due)
    }
}
