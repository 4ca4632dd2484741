//! What a walk has met.

use std::collections::BTreeMap;

use signpost_core::summary::Phase;

use crate::{brain::Brain, faults::Fault, rules::Rule};

/// A step in the life of a node as the engine sees it; `None`: unknown to the engine.
pub type Transition = (Option<Phase>, Option<Phase>);

/// Steps that a long walk must meet.
pub const EXPECTED: &[Transition] = {
    use Phase::{Allocated, Draining, Pending, Routed, Routing};
    &[
        (None, Some(Pending)),
        (Some(Pending), None),
        (Some(Pending), Some(Allocated)),
        (Some(Pending), Some(Routing)),
        (Some(Allocated), None),
        (Some(Allocated), Some(Pending)),
        (Some(Allocated), Some(Routing)),
        (Some(Allocated), Some(Routed)),
        (Some(Routing), None),
        (Some(Routing), Some(Pending)),
        (Some(Routing), Some(Routed)),
        (Some(Routing), Some(Draining)),
        (Some(Routed), None),
        (Some(Routed), Some(Pending)),
        (Some(Routed), Some(Routing)),
        (Some(Routed), Some(Draining)),
        (Some(Draining), None),
    ]
};

/// Counts of what was met.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// Runs.
    pub schedules: u64,
    /// Messages that arrived somewhere.
    pub steps: u64,
    /// Events that engines handled.
    pub events: u64,
    /// Simulated milliseconds.
    pub simulated: u64,
    /// The longest time in milliseconds that a world needed to come to rest, and its seed.
    pub longest_rest: (u64, u64),
    /// Runs in which deletions were held back at the end.
    pub held: u64,
    /// Faults that had an effect.
    pub faults: BTreeMap<Fault, u64>,
    /// Situations for which there is a rule.
    pub rules: BTreeMap<Rule, u64>,
    /// Steps in the lives of nodes.
    pub transitions: BTreeMap<Transition, u64>,
}

impl Coverage {
    /// Counts what one engine has met in its life.
    pub(crate) fn count(&mut self, brain: &dyn Brain) {
        for (transition, count) in brain.transitions() {
            *self.transitions.entry(transition).or_default() += count;
        }
    }

    /// Adds what another walk met.
    pub fn add(&mut self, other: &Self) {
        self.schedules += other.schedules;
        self.steps += other.steps;
        self.events += other.events;
        self.simulated += other.simulated;
        self.longest_rest = self.longest_rest.max(other.longest_rest);
        self.held += other.held;
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        for (rule, count) in &other.rules {
            *self.rules.entry(*rule).or_default() += count;
        }
        for (transition, count) in &other.transitions {
            *self.transitions.entry(*transition).or_default() += count;
        }
    }

    /// What should have been met and was not.
    pub fn missing(&self) -> Vec<String> {
        let faults = Fault::ALL
            .iter()
            .filter(|fault| !self.faults.contains_key(fault))
            .map(|fault| format!("fault {}", fault.name()));
        let transitions = EXPECTED
            .iter()
            .filter(|transition| !self.transitions.contains_key(transition))
            .map(|transition| format!("transition {}", arrow(*transition)));
        let held = (self.held == 0).then(|| "deletions held at the end".to_owned());
        let rules = Rule::ALL
            .iter()
            .filter(|rule| !self.rules.contains_key(rule))
            .map(|rule| format!("rule {rule:?} ({})", rule.sentence()));
        faults.chain(transitions).chain(rules).chain(held).collect()
    }
}

/// A transition for people.
pub(crate) fn arrow((from, to): Transition) -> String {
    let name = |phase: Option<Phase>, none: &str| {
        phase.map_or_else(|| none.to_owned(), |phase| format!("{phase:?}"))
    };
    format!("{} → {}", name(from, "unknown"), name(to, "gone"))
}
