//! Nodes that wait for their routes for long.

use std::time::Duration;

use super::{Due, Nodes};
use crate::{ids::NodeId, summary::Phase, turn::Turn};

/// Waiting that lasts so long is told: something must be wrong.
const PATIENCE: Duration = Duration::from_secs(120);

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
        while let Some((began, id)) = self.waiting.front().copied() {
            let until = began.after(PATIENCE);
            if until > turn.now.at {
                return self.timers.set(until, Due::Waiting);
            }
            self.waiting.pop_front();
            if let Some(state) = self.get_mut(id)
                && state.phase == Phase::Routing
                && state.phase_since == began
            {
                state.waits_long = true;
                self.mark(id);
            }
        }
    }
}
