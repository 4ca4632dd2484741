//! How often a condition is written that somebody else writes too.

use signpost_core::NodeKey;

use super::Invariant;
use crate::world::World;

/// So many milliseconds are looked back.
const WINDOW: u64 = 300_000;

/// Whoever writes the same more often does not give way.
const OFTEN: usize = 30;

impl World<'_> {
    /// An engine is about to write a node's condition.
    pub(crate) fn check_contest(&mut self, shell: usize, node: &NodeKey) {
        let now = self.now;
        let times = &mut self.shells[shell].known.conditions;
        let times = times.entry(node.uid.clone()).or_default();
        times.retain(|at| now < at + WINDOW);
        times.push(now);
        let count = times.len();
        if count > OFTEN {
            self.broken(Invariant::Contract, || {
                format!("the condition of {node} was written {count} times in five minutes")
            });
        }
    }
}
