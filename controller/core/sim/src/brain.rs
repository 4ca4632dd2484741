//! What is under test, as the simulated shell sees it.

use crate::coverage::Transition;
use signpost_core::{Action, Engine, Event, Handover, Limits, Summary, Time, summary::NodeView};

/// The engine, or something deliberately wrong around it.
pub trait Brain {
    /// See [`Engine::handle`].
    fn handle(&mut self, event: Event, now: Time) -> Vec<Action>;
    /// See [`Engine::next_wake`].
    fn next_wake(&self) -> Option<Time>;
    /// See [`Engine::nodes`].
    fn nodes(&self) -> Vec<NodeView>;
    /// See [`Engine::transitions`].
    fn transitions(&self) -> Vec<(Transition, u64)>;
    /// See [`Engine::summary`].
    fn summary(&self) -> Summary;
}

impl Brain for Engine {
    fn handle(&mut self, event: Event, now: Time) -> Vec<Action> {
        Engine::handle(self, event, now)
    }

    fn next_wake(&self) -> Option<Time> {
        Engine::next_wake(self)
    }

    fn nodes(&self) -> Vec<NodeView> {
        Engine::nodes(self)
    }

    fn transitions(&self) -> Vec<(Transition, u64)> {
        let all = Engine::transitions(self).iter();
        all.map(|(from, to, count)| ((from, to), count)).collect()
    }

    fn summary(&self) -> Summary {
        Engine::summary(self)
    }
}

/// Makes the brain of one leadership, from the provider's limits, a seed, how the leadership before
/// ended, and the time on the controller's own clock.
pub type MakeBrain<'a> = &'a (dyn Fn(Limits, u64, Handover, Time) -> Box<dyn Brain> + Sync);

/// The real engine.
pub fn real(limits: Limits, seed: u64, handover: Handover, now: Time) -> Box<dyn Brain> {
    Box::new(Engine::new(limits, seed, handover, now))
}
