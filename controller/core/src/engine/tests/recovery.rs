//! What must have been read before what may be done, and the end.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Event, Handover, Limits,
    action::Reason,
    cloud::{CloudErrorKind, RouteChange},
    node::NetworkCondition,
    summary::Phase,
};

/// What is written shows after ten seconds.
const SLOW: Limits = Limits {
    settle: Duration::from_secs(10),
    ..LIMITS
};

const NO_ROUTES: Limits = Limits {
    routes: false,
    ..LIMITS
};

fn done(driver: &Driver) -> usize {
    let done = |it: &&Action| matches!(it, Action::TeardownDone);
    driver.log.iter().filter(done).count()
}

#[test]
fn nothing_is_handed_out_before_all_nodes_are_known() {
    let mut driver = Driver::new(NO_ROUTES, config(16));
    driver.handover = Handover::Clean;
    driver.configure(|_| ());
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.cidrs("a"), []);
    driver.list_nodes();
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
}

#[test]
fn a_configuration_without_pools_recovers_as_well() {
    let mut config = config(16);
    config.pools.clear();
    let mut driver = Driver::new(SLOW, config);
    driver.elect(vec![]);
    driver.pass(Duration::from_secs(9));
    assert!(!driver.engine.summary().recovered);
    driver.pass(Duration::from_secs(2));
    assert!(driver.engine.summary().recovered);
}

#[test]
fn without_routes_bad_news_is_told_too() {
    let driver = Driver::leading(NO_ROUTES, config(24), vec![node("a", &[]), node("b", &[])]);
    assert!(driver.engine.summary().recovered);
    assert_eq!(driver.statuses("b"), [(false, Reason::PoolExhausted)]);
    assert_eq!(driver.nodes["b"].network, NetworkCondition::Unavailable);
}

#[test]
fn a_teardown_at_the_start_waits_for_the_writes_of_another_leader() {
    let mut config = config(16);
    config.teardown = true;
    let mut driver = Driver::new(SLOW, config);
    driver.elect(vec![]);
    driver.pass(Duration::from_secs(9));
    assert_eq!(done(&driver), 0);
    driver.put("main", route("10.0.0.0/24", "late"));
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.tables[&table("main")].len(), 0);
    assert_eq!(done(&driver), 1);
}

#[test]
fn a_teardown_without_routes_is_done_at_once() {
    let mut driver = Driver::leading(NO_ROUTES, config(16), vec![node("a", &[])]);
    driver.configure(|config| config.teardown = true);
    assert_eq!(done(&driver), 1);
}

#[test]
fn a_second_teardown_is_told_as_the_first() {
    for limits in [LIMITS, NO_ROUTES] {
        let mut driver = Driver::leading(limits, config(16), vec![]);
        for count in 1..=2 {
            driver.configure(|config| config.teardown = true);
            driver.pass(Duration::from_secs(5));
            assert_eq!(done(&driver), count);
            driver.configure(|config| config.teardown = false);
            driver.pass(Duration::from_secs(5));
        }
    }
}

#[test]
fn a_teardown_is_done_only_when_somebody_has_looked_into_a_pool_that_came_with_it() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.pass(Duration::from_secs(60));
    driver.put("main", route("10.1.0.0/24", "gone"));
    driver.configure(|config| {
        config.teardown = true;
        config.pools[0].cidr = net("10.0.0.0/15");
    });
    assert_eq!(done(&driver), 0);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.tables[&table("main")].len(), 0);
    assert_eq!(done(&driver), 1);
}

#[test]
fn pools_are_looked_into_anew_when_the_network_is_created_again() {
    let recreate: [fn(&mut Driver); 2] = [
        |driver| driver.configure(|config| config.teardown = false),
        |driver| {
            driver.tell(Event::Configured(None));
            driver.pass(Duration::from_secs(60));
            driver.configure(|config| config.teardown = false);
        },
    ];
    for recreate in recreate {
        let mut driver = Driver::leading(LIMITS, config(23), vec![]);
        driver.configure(|config| config.teardown = true);
        driver.pass(Duration::from_secs(5));
        assert_eq!(done(&driver), 1);
        driver.add(node("a", &[]));
        // Nobody looks for others' routes meanwhile, or what they saw was of no matter.
        driver.put("main", foreign("10.0.0.0/24"));
        recreate(&mut driver);
        driver.pass(Duration::from_secs(5));
        assert_eq!(driver.cidrs("a"), [net("10.0.1.0/24")]);
        assert_eq!(driver.phase("a"), Some(Phase::Routed));
    }
}

#[test]
fn nodes_are_not_told_of_while_a_teardown_takes_their_routes() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[]), node("b", &[])]);
    driver.pass(Duration::from_secs(60));
    driver.log.clear();
    driver.fault = Box::new(|action| match action {
        Action::WriteRoute {
            change: RouteChange::Delete { .. },
            ..
        } => Some(Answer::Cloud(CloudErrorKind::Denied)),
        _ => None,
    });
    driver.configure(|config| config.teardown = true);
    driver.pass(Duration::from_secs(500));
    assert_eq!(done(&driver), 0);
    assert_eq!(driver.statuses("a"), []);
    assert_eq!(driver.engine.summary().problems, []);
    assert_eq!(driver.notices(Reason::RoutePending), 0);
    assert_eq!(driver.notices(Reason::CloudDenied), 1, "but why it hangs");
    assert_eq!(driver.engine.summary().tables[0].stale, 2);
    driver.fault = Box::new(|_| None);
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_secs(400));
    assert_eq!(done(&driver), 1);
}
