//! The real engine with a mistake around it.

use signpost_core::{Action, Engine, Event, Handover, Limits, Summary, Time, summary::NodeView};
use signpost_sim::{Brain, Invariant, MakeBrain, Options, Transition, run, schedule, shrink};

/// A mistake: it sees what the engine is told and may change it, then what the engine wants.
pub(crate) trait Mistake: Default + 'static {
    fn hear(&mut self, event: Event) -> Option<Event> {
        Some(event)
    }

    fn want(&mut self, actions: Vec<Action>) -> Vec<Action> {
        actions
    }

    /// When the engine wants to be woken, at that time or later.
    fn wake(&self, at: Time) -> Time {
        at
    }
}

/// The real engine with a mistake around it.
pub(crate) struct Wrong<M> {
    engine: Engine,
    mistake: M,
}

impl<M: Mistake> Wrong<M> {
    pub(crate) fn make(limits: Limits, seed: u64, handover: Handover, now: Time) -> Box<dyn Brain> {
        Box::new(Self {
            engine: Engine::new(limits, seed, handover, now),
            mistake: M::default(),
        })
    }
}

impl<M: Mistake> Brain for Wrong<M> {
    fn handle(&mut self, event: Event, now: Time) -> Vec<Action> {
        let actions = match self.mistake.hear(event) {
            Some(event) => self.engine.handle(event, now),
            None => Vec::new(),
        };
        self.mistake.want(actions)
    }

    fn next_wake(&self) -> Option<Time> {
        self.engine.next_wake().map(|at| self.mistake.wake(at))
    }

    fn nodes(&self) -> Vec<NodeView> {
        self.engine.nodes()
    }

    fn transitions(&self) -> Vec<(Transition, u64)> {
        Brain::transitions(&self.engine)
    }

    fn summary(&self) -> Summary {
        self.engine.summary()
    }
}

/// A seed breaks this promise, and its shortened schedule still does.
pub(crate) fn is_caught(make: MakeBrain<'_>, unfenced: bool, expected: Invariant) {
    let options = Options {
        make,
        tell: false,
        unfenced,
    };
    let caught = (0..5_000).find(|seed| {
        let violation = run(*seed, &schedule(*seed), options).violation;
        violation.is_some_and(|violation| violation.invariant == expected)
    });
    let Some(seed) = caught else {
        panic!("no seed finds it");
    };
    let all = schedule(seed);
    let Some((left, violation)) = shrink(seed, &all, options) else {
        panic!("seed {seed} fails no more");
    };
    assert!(left.len() <= all.len());
    assert_eq!(violation.invariant, expected);
}
