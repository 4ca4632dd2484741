//! The engine keeps its promises in many random worlds.

use std::{env, num::NonZeroUsize, thread::available_parallelism, time::Instant};

use signpost_sim::{Options, Walk, real, report, run, schedule, seeds, walk};

const OPTIONS: Options<'static> = Options {
    make: &real,
    tell: false,
    unfenced: false,
};

#[test]
fn schedules_that_once_failed_keep_all_promises() {
    for (seed, what) in seeds::FIXED {
        let outcome = run(*seed, &schedule(*seed), OPTIONS);
        assert!(
            outcome.violation.is_none(),
            "{what}\n{}",
            report::failure(&outcome, OPTIONS)
        );
    }
}

/// `SCHEDULES` says how many, 20,000 unless set; `FIRST_SEED` where to begin, today's place unless
/// set.
#[test]
fn every_schedule_keeps_all_promises() {
    let schedules = env::var("SCHEDULES").map_or(20_000, |number| {
        number.parse().expect("SCHEDULES must be a number")
    });
    let first = env::var("FIRST_SEED").map_or_else(
        |_| seeds::of_today(),
        |number| number.parse().expect("FIRST_SEED must be a number"),
    );
    let began = Instant::now();
    let plan = Walk {
        first,
        schedules,
        threads: available_parallelism().map_or(1, NonZeroUsize::get),
        failures: 1,
    };
    let (coverage, failed) = walk(plan, OPTIONS, &|_| ());
    if let Some(outcome) = failed.first() {
        panic!("first seed {first}\n{}", report::failure(outcome, OPTIONS));
    }
    let counts = report::counts(&coverage, began.elapsed());
    assert_eq!(coverage.schedules, schedules, "{counts}");
    if schedules >= report::ENOUGH {
        let missing = coverage.missing();
        assert!(
            missing.is_empty(),
            "first seed {first}, never met: {missing:?}\n{counts}"
        );
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
