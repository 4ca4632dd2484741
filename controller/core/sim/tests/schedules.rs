//! The engine keeps its promises in many random worlds.

use std::{env, num::NonZeroUsize, thread::available_parallelism, time::Instant};

use signpost_sim::{Options, Walk, real, report, run, schedule, walk};

const OPTIONS: Options<'static> = Options {
    make: &real,
    tell: false,
    unfenced: false,
};

/// `SCHEDULES` says how many, 20,000 unless set.
#[test]
fn every_schedule_keeps_all_promises() {
    let schedules = env::var("SCHEDULES").map_or(20_000, |number| {
        number.parse().expect("SCHEDULES must be a number")
    });
    let began = Instant::now();
    let plan = Walk {
        first: 0,
        schedules,
        threads: available_parallelism().map_or(1, NonZeroUsize::get),
        failures: 1,
    };
    let (coverage, failed) = walk(plan, OPTIONS, &|_| ());
    if let Some(outcome) = failed.first() {
        panic!("{}", report::failure(outcome, OPTIONS));
    }
    let counts = report::counts(&coverage, began.elapsed());
    assert_eq!(coverage.schedules, schedules, "{counts}");
    if schedules >= report::ENOUGH {
        let missing = coverage.missing();
        assert!(missing.is_empty(), "never met: {missing:?}\n{counts}");
    }
}

#[test]
fn a_seed_tells_the_same_story_again() {
    let options = Options {
        tell: true,
        ..OPTIONS
    };
    for seed in 0..20 {
        let entries = schedule(seed);
        let first = run(seed, &entries, options).trail;
        assert!(first.len() > 10, "seed {seed} tells nothing");
        assert_eq!(first, run(seed, &entries, options).trail);
    }
}
