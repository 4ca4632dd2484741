//! Nodes that wait for their routes for long.

use std::time::Duration;

use super::{Due, Nodes};
use crate::{Time, ids::NodeId, summary::Phase, turn::Turn};

/// Waiting that is over sooner is not shown.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waiting that lasts so long is told.
const TELL_AFTER: Duration = Duration::from_secs(120);

/// How long a node has been waiting for its routes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Not at all, or not longer than people like to wait.
    #[default]
    Short,
    /// Longer.
    Long,
    /// So long that something must be wrong.
    TooLong,
}

impl Wait {
    /// How long it has been since then.
    fn since(began: Time, now: Time) -> Self {
        let span = now.since(began);
        if span >= TELL_AFTER {
            Self::TooLong
        } else if span >= PATIENCE {
            Self::Long
        } else {
            Self::Short
        }
    }
}

impl Nodes {
    /// The node has its pod CIDRs and needs routes.
    pub(super) fn begin_waiting(&mut self, turn: &Turn, id: NodeId) {
        if self.waiting.is_empty() {
            let until = turn.now.at.after(PATIENCE);
            self.timers.set(until, Due::Waiting);
        }
        self.waiting.push_back((turn.now.at, id));
    }

    /// Has those judged anew that began to wait long ago and still do.
    pub(super) fn note_long_waits(&mut self, turn: &Turn) {
        let now = turn.now.at;
        while let Some((began, id)) = self.waiting.front().copied()
            && Wait::since(began, now) != Wait::Short
        {
            self.waiting.pop_front();
            if self.waits_longer(id, began, now) {
                self.waiting_long.push_back((began, id));
            }
        }
        while let Some((began, id)) = self.waiting_long.front().copied()
            && Wait::since(began, now) == Wait::TooLong
        {
            self.waiting_long.pop_front();
            self.waits_longer(id, began, now);
        }
        let next = self.waiting.front().map(|(began, _)| began.after(PATIENCE));
        let long = self.waiting_long.front();
        let long = long.map(|(began, _)| began.after(TELL_AFTER));
        for at in next.into_iter().chain(long) {
            self.timers.set(at, Due::Waiting);
        }
    }

    /// Notes how long a node has been waiting, if it still does.
    fn waits_longer(&mut self, id: NodeId, began: Time, now: Time) -> bool {
        let waits = self
            .get_mut(id)
            .filter(|it| it.phase == Phase::Routing && it.waits_since == began);
        let Some(state) = waits else { return false };
        state.wait = Wait::since(began, now);
        self.mark(id);
        true
    }
}
