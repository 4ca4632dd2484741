//! What to do next.

use crate::{Action, Event, Summary, Time, config::Limits, summary::NodeView};

/// The state machine.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
}

impl Engine {
    /// A machine that knows nothing yet. `seed` feeds the jitter of retries.
    pub fn new(limits: Limits, seed: u64) -> Self {
        let _ = seed;
        Self { limits }
    }

    /// Takes note of `event` and says what to do.
    pub fn handle(&mut self, event: Event, now: Time) -> Vec<Action> {
        let _ = (event, now, self.limits);
        Vec::new()
    }

    /// When [`Event::Wake`] is due, if nothing else happens before.
    pub fn next_wake(&self) -> Option<Time> {
        None
    }

    /// The figures of now.
    pub fn summary(&self) -> Summary {
        Summary::default()
    }

    /// Every node, by name.
    pub fn nodes(&self) -> Vec<NodeView> {
        Vec::new()
    }
}
