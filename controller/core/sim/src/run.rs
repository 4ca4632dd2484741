//! Runs schedules, one or many.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::{
    brain::MakeBrain, coverage::Coverage, faults::Entry, invariants::Violation, scenario::Scenario,
    trail::Trail, world::World,
};

/// How one run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The promise that was broken, if one was.
    pub violation: Option<Violation>,
    /// What was met.
    pub coverage: Coverage,
    /// The story, if it was asked for.
    pub trail: Vec<String>,
}

/// How to run.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// What is tested.
    pub make: MakeBrain<'a>,
    /// Keep the story.
    pub tell: bool,
    /// The shells don't mind the fence. Wrong on purpose, for a test.
    pub unfenced: bool,
}

/// The schedule that belongs to a seed.
pub fn schedule(seed: u64) -> Vec<Entry> {
    Scenario::new(seed).schedule()
}

/// Runs the world of a seed with these entries.
pub fn run(seed: u64, entries: &[Entry], options: Options<'_>) -> Outcome {
    let trail = if options.tell {
        Trail::kept()
    } else {
        Trail::default()
    };
    let mut world = World::new(Scenario::new(seed), entries, options.make, trail);
    world.unfenced = options.unfenced;
    world.run();
    Outcome {
        seed,
        violation: world.violation,
        coverage: world.coverage,
        trail: world.trail.into_lines(),
    }
}

/// A walk over many seeds.
#[derive(Clone, Copy)]
pub struct Walk {
    /// The first seed; the others follow it.
    pub first: u64,
    /// How many.
    pub schedules: u64,
    /// How many at once.
    pub threads: usize,
    /// Stop after so many failures.
    pub failures: usize,
}

/// Runs many seeds until enough have failed. `progress` is called now and then with the number done.
/// Returns what was met and the failures in the order of their seeds.
pub fn walk(
    walk: Walk,
    options: Options<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> (Coverage, Vec<Outcome>) {
    let next = AtomicU64::new(0);
    let total = Mutex::new((Coverage::default(), Vec::new()));
    let lock = || total.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..walk.threads.max(1) {
            scope.spawn(|| {
                let mut met = Coverage::default();
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= walk.schedules {
                        break;
                    }
                    if nth.is_multiple_of(1_000) {
                        progress(nth);
                    }
                    let seed = walk.first.wrapping_add(nth);
                    let outcome = run(seed, &schedule(seed), options);
                    met.add(&outcome.coverage);
                    if outcome.violation.is_some() {
                        let failures = &mut lock().1;
                        failures.push(outcome);
                        if failures.len() >= walk.failures {
                            next.store(walk.schedules, Ordering::Relaxed);
                        }
                    }
                }
                lock().0.add(&met);
            });
        }
    });
    let (coverage, mut failures) = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|outcome| outcome.seed);
    (coverage, failures)
}
