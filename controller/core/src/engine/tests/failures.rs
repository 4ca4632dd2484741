//! A cloud that fails, forgets and forwards nothing.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Event, Limits,
    action::Reason,
    cloud::{CloudErrorKind, RouteChange},
    node::NetworkCondition,
    summary::Phase,
};

fn write(action: &Action) -> bool {
    matches!(action, Action::WriteRoute { .. })
}

#[test]
fn a_route_whose_answer_was_lost_is_found_by_listing() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault = Box::new(|action| write(action).then_some(Answer::Lost));
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.writes().len(), 1);
}

#[test]
fn a_node_is_routed_only_after_a_listing_that_was_begun_after_the_write() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault =
        Box::new(|action| matches!(action, Action::ListRoutes { .. }).then_some(Answer::Held));
    driver.tell(Event::RoutesMayHaveChanged);
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.tables[&table("main")].len(), 1);
    assert_eq!(driver.phase("a"), Some(Phase::Routing));
    driver.log.clear();
    // Begun before the write; by now it shows the route all the same.
    driver.release();
    let listed = |action: &&Action| matches!(action, Action::ListRoutes { .. });
    assert_eq!(driver.phase("a"), Some(Phase::Routing));
    driver.pass(Duration::from_secs(30));
    assert!(driver.log.iter().any(|action| listed(&action)));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
}

#[test]
fn a_listing_that_does_not_show_a_fresh_route_yet_does_not_undo_it() {
    let settle = Duration::from_secs(10);
    let limits = Limits { settle, ..LIMITS };
    let mut driver = Driver::leading(limits, config(16), vec![]);
    driver.pass(Duration::from_secs(30));
    driver.hidden = Some(net("10.0.0.0/24"));
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(8));
    assert_eq!(driver.writes().len(), 1);
    assert_eq!(driver.phase("a"), Some(Phase::Routing));
    driver.hidden = None;
    driver.pass(Duration::from_secs(3));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.writes().len(), 1);
    assert_eq!(driver.notices(Reason::DriftMended), 0);
}

#[test]
fn a_full_table_leaves_what_is_there_and_takes_more_when_there_is_room() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[]), node("b", &[])]);
    driver.fault =
        Box::new(|action| write(action).then_some(Answer::Cloud(CloudErrorKind::QuotaExceeded)));
    driver.add(node("c", &[]));
    driver.add(node("d", &[]));
    driver.pass(Duration::from_secs(300));
    assert!(driver.writes().len() < 15, "{}", driver.writes().len());
    assert_eq!(driver.problem("c"), Some(Reason::QuotaExceeded));
    assert_eq!(driver.problem("d"), Some(Reason::QuotaExceeded));
    assert_eq!(driver.notices(Reason::QuotaExceeded), 1);
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.nodes["c"].network, NetworkCondition::Unavailable);
    driver.fault = Box::new(|_| None);
    driver.delete("a");
    driver.pass(Duration::from_secs(5));
    assert_eq!(
        driver.phase("c"),
        Some(Phase::Routed),
        "a deletion made room"
    );
}

#[test]
fn a_denied_permission_is_told_once_and_tried_rarely() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault =
        Box::new(|action| write(action).then_some(Answer::Cloud(CloudErrorKind::Denied)));
    driver.add(node("a", &[]));
    driver.add(node("b", &[]));
    driver.pass(Duration::from_secs(120));
    assert_eq!(driver.problem("a"), Some(Reason::CloudDenied));
    assert_eq!(driver.notices(Reason::CloudDenied), 1);
    assert!(driver.writes().len() <= 10);
    let problems = driver.engine.summary().problems;
    assert_eq!(problems, [(Reason::CloudDenied, 2)]);
}

#[test]
fn a_failure_that_does_not_pass_is_told_once() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault =
        Box::new(|action| write(action).then_some(Answer::Cloud(CloudErrorKind::Transient)));
    driver.add(node("a", &[]));
    driver.pass(Duration::from_millis(500));
    assert_eq!(driver.notices(Reason::CloudUnavailable), 0, "it may pass");
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.notices(Reason::CloudUnavailable), 1);
    assert_eq!(driver.problem("a"), Some(Reason::CloudUnavailable));
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Unavailable);
    let problems = driver.engine.summary().problems;
    assert_eq!(problems, [(Reason::CloudUnavailable, 1)]);
}

#[test]
fn what_failed_long_is_tried_at_once_when_others_change_the_table() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault =
        Box::new(|action| write(action).then_some(Answer::Cloud(CloudErrorKind::Transient)));
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(300));
    // The node's network is back, so the kernel has a route to it again.
    driver.fault = Box::new(|_| None);
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_secs(1));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
}

#[test]
fn a_node_that_waits_long_for_its_routes_is_told_of_and_not_tainted() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    let listing = |action: &Action| matches!(action, Action::ListRoutes { .. });
    driver.fault =
        Box::new(move |action| listing(action).then_some(Answer::Cloud(CloudErrorKind::Transient)));
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(119));
    assert_eq!(driver.notices(Reason::RoutePending), 0);
    driver.pass(Duration::from_secs(300));
    assert_eq!(driver.notices(Reason::RoutePending), 1);
    // An autoscaler would buy another node for the taint that follows from the condition.
    assert_eq!(driver.statuses("a"), []);
    driver.fault = Box::new(|_| None);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.statuses("a"), [(true, Reason::RouteCreated)]);
}

#[test]
fn changes_of_others_do_not_hurry_writes_that_keep_failing() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault =
        Box::new(|action| write(action).then_some(Answer::Cloud(CloudErrorKind::Transient)));
    driver.add(node("a", &[]));
    for _ in 0..200 {
        driver.tell(Event::RoutesMayHaveChanged);
        driver.pass(Duration::from_millis(50));
    }
    let writes = driver.writes().len();
    assert!(writes <= 15, "{writes} in ten seconds");
}

#[test]
fn passing_failures_are_retried_until_they_pass() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    let mut calls = 0;
    driver.fault = Box::new(move |action| {
        calls += 1;
        let kind = [CloudErrorKind::Transient, CloudErrorKind::Throttled][calls % 2];
        (write(action) && calls < 12).then_some(Answer::Cloud(kind))
    });
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(200));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
}

#[test]
fn a_node_without_a_next_hop_is_reported_with_its_family() {
    let mut config = config(16);
    let six = crate::PoolConfig {
        name: "six".into(),
        cidr: net("fd00::/56"),
        node_prefix_length: 64,
        ..config.pools[0].clone()
    };
    config.pools.push(six);
    let driver = Driver::leading(LIMITS, config, vec![node("a", &[])]);
    assert_eq!(driver.cidrs("a"), [net("10.0.0.0/24"), net("fd00::/64")]);
    assert_eq!(driver.problem("a"), Some(Reason::NoNextHop));
    assert_eq!(driver.tables[&table("main")].len(), 1, "IPv4 is routed");
    assert_ne!(driver.phase("a"), Some(Phase::Routed));
    let told = |action: &Action| match action {
        Action::Notify(notice) => notice.message.contains("no IPv6 address"),
        _ => false,
    };
    assert!(driver.log.iter().any(told));
}

#[test]
fn an_instance_that_does_not_forward_is_switched_before_its_node_is_routed() {
    let limits = Limits {
        forwarding: true,
        ..LIMITS
    };
    let mut driver = Driver::leading(limits, config(16), vec![]);
    driver.instances.insert("a".into(), not_forwarding("a"));
    let switch = |action: &Action| matches!(action, Action::EnableForwarding(_));
    driver.fault =
        Box::new(move |action| switch(action).then_some(Answer::Cloud(CloudErrorKind::Denied)));
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.tables[&table("main")].len(), 1);
    assert_eq!(driver.problem("a"), Some(Reason::CloudDenied));
    driver.fault = Box::new(|_| None);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
}

#[test]
fn tables_are_left_alone_four_times_as_long_as_a_listing_took() {
    let nodes: Vec<_> = (0..20).map(|n| node(&format!("n{n}"), &[])).collect();
    let mut driver = Driver::leading(LIMITS, config(16), nodes);
    driver.fault =
        Box::new(|action| matches!(action, Action::ListRoutes { .. }).then_some(Answer::Held));
    driver.log.clear();
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_secs(1));
    driver.release();
    driver.tell(Event::RoutesMayHaveChanged);
    let lists = |driver: &Driver| {
        let list = |action: &&Action| matches!(action, Action::ListRoutes { .. });
        driver.log.iter().filter(list).count()
    };
    driver.pass(Duration::from_millis(3_900));
    assert_eq!(lists(&driver), 1, "it took 1 s, so it rests for 4 s");
    driver.pass(Duration::from_millis(200));
    assert_eq!(lists(&driver), 2);
}

#[test]
fn routes_are_created_once_in_every_table() {
    let mut driver = Driver::new(LIMITS, config(16));
    driver.table("second");
    driver.elect(vec![node("a", &[])]);
    driver.pass(Duration::from_secs(5));
    let create = |it: &&RouteChange| matches!(it, RouteChange::Create { .. });
    assert_eq!(driver.writes().len(), 2);
    assert!(driver.writes().iter().all(create));
    let tables = driver.engine.summary().tables;
    assert_eq!(tables.len(), 2);
    for table in tables {
        assert_eq!((table.desired, table.programmed), (1, 1));
    }
}
