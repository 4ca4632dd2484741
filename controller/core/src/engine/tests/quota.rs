//! Tables that are full, and tables that will be.

use std::time::Duration;

use super::driver::*;
use crate::{
    Node,
    action::Reason,
    cloud::RouteChange,
    summary::{Phase, QuotaLevel},
};

const NAMES: [&str; 5] = ["e", "d", "c", "b", "a"];

/// Five nodes, `e` the oldest.
fn nodes() -> Vec<Node> {
    let ages = NAMES.into_iter().zip(1..);
    ages.map(|(name, created)| Node {
        created,
        ..node(name, &[])
    })
    .collect()
}

/// A table that has room for three, and says so or not.
fn crowded(told: bool) -> Driver {
    let mut driver = Driver::new(LIMITS, config(16));
    driver.quota = Some((3, told));
    driver.elect(nodes());
    driver.pass(Duration::from_secs(60));
    driver
}

fn routed(driver: &Driver) -> Vec<&'static str> {
    let routed = |name: &&str| driver.phase(name) == Some(Phase::Routed);
    NAMES.into_iter().filter(routed).collect()
}

fn creations(driver: &Driver) -> usize {
    let writes = driver.writes();
    let creations = writes.iter();
    creations
        .filter(|change| matches!(change, RouteChange::Create { .. }))
        .count()
}

#[test]
fn the_oldest_nodes_get_the_room_and_the_others_are_told() {
    for told in [true, false] {
        let mut driver = crowded(told);
        assert_eq!(routed(&driver), ["e", "d", "c"], "told={told}");
        let before = creations(&driver);
        driver.pass(Duration::from_secs(3_600));
        assert_eq!(routed(&driver), ["e", "d", "c"], "told={told}");
        let tries = creations(&driver) - before;
        assert!((1..=40).contains(&tries), "{tries} in an hour, told={told}");
        for name in ["b", "a"] {
            assert_eq!(driver.problem(name), Some(Reason::QuotaExceeded));
            assert_eq!(driver.statuses(name), [(false, Reason::QuotaExceeded)]);
        }
    }
}

#[test]
fn a_known_limit_costs_no_refusal() {
    let driver = crowded(true);
    assert_eq!(creations(&driver), 3);
}

#[test]
fn room_that_appears_is_used_at_once_by_the_oldest_that_waits() {
    for told in [true, false] {
        let mut driver = crowded(told);
        driver.delete("d");
        driver.pass(Duration::from_secs(60));
        assert_eq!(routed(&driver), ["e", "c", "b"], "told={told}");
        driver.quota = Some((10, told));
        driver.pass(Duration::from_secs(600));
        assert_eq!(routed(&driver), ["e", "c", "b", "a"], "told={told}");
    }
}

#[test]
fn a_raised_quota_is_used_by_all_that_wait() {
    for told in [true, false] {
        let mut driver = crowded(told);
        driver.quota = Some((10, told));
        driver.pass(Duration::from_secs(150));
        assert_eq!(routed(&driver), NAMES, "told={told}");
    }
}

#[test]
fn a_limit_that_is_named_too_low_is_found_out() {
    let mut driver = Driver::new(LIMITS, config(16));
    driver.quota = Some((3, true));
    driver.fault = Box::new(|_| None);
    driver.elect(nodes());
    driver.pass(Duration::from_secs(60));
    driver.lenient = true;
    driver.pass(Duration::from_secs(900));
    assert_eq!(routed(&driver), NAMES);
}

#[test]
fn people_hear_of_a_limit_before_it_is_reached_and_not_again() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.quota = Some((5, true));
    for (count, name) in (1..).zip(["a", "b", "c", "d"]) {
        driver.add(node(name, &[]));
        driver.pass(Duration::from_secs(60));
        assert_eq!(driver.notices(Reason::QuotaLow), usize::from(count == 4));
    }
    let table = &driver.engine.summary().tables[0];
    assert_eq!(table.v4.map(|it| it.level), Some(QuotaLevel::Low));
    driver.add(node("e", &[]));
    driver.pass(Duration::from_secs(3_600));
    assert_eq!(driver.notices(Reason::QuotaLow), 1);
    assert_eq!(driver.notices(Reason::QuotaCritical), 0, "it was skipped");
    assert_eq!(driver.notices(Reason::QuotaExceeded), 1, "it is full");
}
