//! Nodes that wait for their routes for long.

use std::time::Duration;

use super::Nodes;
use crate::{ids::NodeId, summary::Phase, turn::Turn};

/// Waiting that is over sooner is not shown.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a node has been in its phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Wait {
    #[default]
    Short,
    /// Longer than people like to wait for routes.
    Long,
}

impl Nodes {
    /// The node has its pod CIDRs and needs routes.
    pub(super) fn begin_waiting(&mut self, turn: &Turn, id: NodeId) {
        let until = turn.now.at.after(PATIENCE);
        if self.waiting.is_empty() {
            self.timers.set(until, super::Due::Waiting);
        }
        self.waiting.push_back((until, id));
    }

    /// Has those judged anew that began to wait long ago and still do.
    pub(super) fn note_long_waits(&mut self, turn: &Turn) {
        while let Some((until, id)) = self.waiting.front().copied() {
            if until > turn.now.at {
                self.timers.set(until, super::Due::Waiting);
                break;
            }
            self.waiting.pop_front();
            if let Some(state) = self.get_mut(id)
                && state.phase == Phase::Routing
            {
                state.wait = Wait::Long;
                self.mark(id);
            }
        }
    }
}
