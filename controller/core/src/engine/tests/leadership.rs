//! Elections, configuration and provider `none`.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Event, Limits,
    action::Reason,
    cloud::{CloudErrorKind, RouteChange},
    node::NetworkCondition,
    summary::Phase,
};

#[test]
fn without_configuration_nothing_new_is_begun() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.log.clear();
    driver.tell(Event::Configured(None));
    driver.add(node("b", &[]));
    driver.delete("a");
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_secs(100));
    assert_eq!(driver.log, []);
    assert_eq!(driver.engine.next_wake(), None);
    driver.tell(Event::Configured(Some(config(16))));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    assert_eq!(driver.phase("a"), None);
}

#[test]
fn a_configuration_that_comes_after_the_election_is_enough() {
    let mut driver = Driver::new(LIMITS, config(16));
    driver.nodes = [node("a", &["10.0.3.0/24"]), node("b", &[])]
        .map(|node| (node.key.name.clone(), node))
        .into();
    driver.list_nodes();
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.log, []);
    driver.tell(Event::Configured(Some(config(16))));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
}

#[test]
fn nothing_is_deleted_before_nodes_and_routes_were_both_read() {
    let mut driver = Driver::new(LIMITS, config(16));
    let all = ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"];
    for cidr in all {
        driver.put("main", route(cidr, "gone"));
    }
    driver.configure(|_| ());
    driver.pass(Duration::from_secs(100));
    assert!(driver.writes().is_empty());
    assert!(!driver.engine.summary().recovered);
    assert_eq!(driver.engine.summary().pools[0].quarantined, 3);
    let kept = node("a", &all[..1]);
    driver.tell(Event::NodesListed(vec![kept]));
    driver.pass(Duration::from_secs(5));
    let deleted = driver.writes().into_iter().filter_map(|it| match it {
        RouteChange::Delete { route, .. } => Some(route.destination),
        _ => None,
    });
    assert_eq!(deleted.collect::<Vec<_>>(), [net(all[1]), net(all[2])]);
}

#[test]
fn nothing_is_allocated_while_a_table_cannot_be_listed() {
    let mut driver = Driver::new(LIMITS, config(16));
    driver.fault = Box::new(|action| {
        let listing = matches!(action, Action::ListRoutes { .. });
        listing.then_some(Answer::Cloud(CloudErrorKind::Denied))
    });
    driver.elect(vec![node("a", &[])]);
    driver.pass(Duration::from_secs(300));
    assert_eq!(driver.cidrs("a"), []);
    let summary = driver.engine.summary();
    assert!(!summary.recovered);
    assert_eq!(summary.cloud_error.as_deref(), Some("denied: as told"));
    driver.release();
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.engine.summary().cloud_error, None);
}

#[test]
fn provider_none_allocates_and_frees_without_a_look_at_routes() {
    let none = Limits {
        routes: false,
        ..LIMITS
    };
    let nodes = vec![node("a", &[]), node("b", &[])];
    let mut driver = Driver::leading(none, config(23), nodes);
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Available);
    let block = driver.cidrs("a");
    driver.delete("a");
    driver.add(node("c", &[]));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("c"), block);
    let cloud = |action: &Action| {
        matches!(
            action,
            Action::ListRoutes { .. } | Action::WriteRoute { .. } | Action::ReadInstances { .. }
        )
    };
    assert!(!driver.log.iter().any(cloud));
    assert_eq!(driver.notices(Reason::PoolExhausted), 0);
}

#[test]
fn without_routes_too_the_younger_of_two_nodes_with_one_pod_cidr_is_told() {
    let none = Limits {
        routes: false,
        ..LIMITS
    };
    let mut driver = Driver::leading(none, config(16), vec![node("young", &[])]);
    driver.add(crate::Node {
        created: -1,
        ..node("old", &["10.0.0.0/24"])
    });
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.phase("old"), Some(Phase::Routed));
    assert_eq!(driver.problem("young"), Some(Reason::DuplicatePodCIDR));
    assert_eq!(driver.nodes["young"].network, NetworkCondition::Unavailable);
}

#[test]
fn without_routes_too_a_removed_pool_of_which_nobody_has_a_block_is_let_go() {
    let none = Limits {
        routes: false,
        ..LIMITS
    };
    let mut driver = Driver::leading(none, config(16), vec![]);
    driver.configure(|config| config.pools[0].cidr = net("10.1.0.0/16"));
    assert_eq!(driver.engine.summary().pools.len(), 1);
}
