//! The life of a node that meets no trouble.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Event, action::Reason, cloud::RouteChange, node::NetworkCondition, summary::Phase,
};

#[test]
fn a_new_node_gets_a_block_a_route_and_a_status() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(1));
    assert_eq!(driver.cidrs("a"), [net("10.0.0.0/24")]);
    assert_eq!(
        driver.tables[&table("main")][&net("10.0.0.0/24")],
        route("10.0.0.0/24", "a")
    );
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Available);
    let routed = |action: &&Action| matches!(action, Action::NodeRouted { .. });
    assert_eq!(driver.log.iter().filter(routed).count(), 1);
}

#[test]
fn addresses_are_told_of_living_nodes_once_all_are_known() {
    let addresses = |driver: &Driver| Some(driver.engine.node_addresses()?.count());
    let mut driver = Driver::new(LIMITS, config(16));
    driver.add(node("early", &[]));
    assert_eq!(addresses(&driver), None, "there may be others");
    let excluded = crate::Node {
        excluded: true,
        ..node("left-alone", &[])
    };
    driver.elect(vec![node("a", &[]), excluded]);
    driver.pass(Duration::from_secs(5));
    assert_eq!(addresses(&driver), Some(3));
    driver.delete("a");
    assert_eq!(addresses(&driver), Some(2));
}

#[test]
fn a_leader_allocates_only_after_the_writes_of_its_predecessor_have_settled() {
    let mut driver = Driver::new(LIMITS, config(16));
    driver.elect(vec![node("a", &[])]);
    driver.pass(Duration::from_millis(999));
    assert_eq!(driver.cidrs("a"), []);
    // Lands late.
    driver.put("main", route("10.0.0.0/24", "before"));
    driver.pass(Duration::from_secs(1));
    assert_eq!(driver.cidrs("a"), [net("10.0.1.0/24")]);
}

#[test]
fn a_takeover_of_a_routed_cluster_writes_nothing() {
    let nodes = vec![crate::Node {
        network: NetworkCondition::Available,
        ..node("a", &["10.0.0.0/24"])
    }];
    let mut driver = Driver::new(LIMITS, config(16));
    driver.put("main", route("10.0.0.0/24", "a"));
    driver.elect(nodes);
    driver.pass(Duration::from_secs(100));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    let reads = |action: &Action| {
        matches!(
            action,
            Action::ListRoutes { .. } | Action::ReadInstances { .. }
        )
    };
    assert!(driver.log.iter().all(reads), "{:?}", driver.log);
}

#[test]
fn a_deleted_nodes_block_waits_until_its_route_is_gone() {
    // Two blocks in all.
    let mut driver = Driver::leading(LIMITS, config(23), vec![node("a", &[]), node("b", &[])]);
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    let block = driver.cidrs("a");
    driver.fault =
        Box::new(|action| matches!(action, Action::WriteRoute { .. }).then_some(Answer::Held));
    driver.delete("a");
    driver.add(node("c", &[]));
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.phase("a"), Some(Phase::Draining));
    assert_eq!(driver.problem("c"), Some(Reason::PoolExhausted));
    assert_eq!(driver.notices(Reason::PoolExhausted), 1);
    driver.release();
    assert_eq!(driver.phase("a"), None);
    assert_eq!(driver.cidrs("c"), []);
    driver.pass(Duration::from_secs(3));
    assert_eq!(driver.cidrs("c"), block);
    assert_eq!(driver.phase("c"), Some(Phase::Routed));
    assert_eq!(driver.problem("c"), None);
}

#[test]
fn teardown_removes_every_route_and_then_says_so() {
    let nodes: Vec<_> = ["a", "b", "c", "d", "e"]
        .into_iter()
        .map(|name| node(name, &[]))
        .collect();
    let mut driver = Driver::leading(LIMITS, config(16), nodes);
    driver.put("main", foreign("10.0.200.0/24"));
    driver.log.clear();
    let teardown = crate::Config {
        teardown: true,
        ..config(16)
    };
    driver.tell(Event::Configured(Some(teardown)));
    driver.add(node("f", &[]));
    assert!(!driver.log.contains(&Action::TeardownDone));
    driver.pass(Duration::from_secs(10));
    let deletions = driver.writes();
    assert_eq!(deletions.len(), 5);
    let delete = |it: &&RouteChange| matches!(it, RouteChange::Delete { .. });
    assert!(deletions.iter().all(delete));
    let done = |action: &&Action| **action == Action::TeardownDone;
    assert_eq!(driver.log.iter().filter(done).count(), 1);
    assert_eq!(driver.cidrs("f"), []);
    assert_eq!(driver.tables[&table("main")].len(), 1);
}

/// What is written at once is read back at once, if it does not take too long.
#[test]
fn writes_under_way_together_share_a_listing() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.pass(Duration::from_secs(10));
    let listings = |driver: &Driver| {
        let listing = |action: &&Action| matches!(action, Action::ListRoutes { .. });
        driver.log.iter().filter(listing).count()
    };
    for patient in [true, false] {
        driver.log.clear();
        let [one, other] = if patient { ["a", "b"] } else { ["c", "d"] };
        driver.fault = Box::new(move |action| {
            let Action::WriteRoute {
                change: RouteChange::Create { route, .. },
                ..
            } = action
            else {
                return None;
            };
            (&*route.node.name == other).then_some(Answer::Held)
        });
        driver.add(node(other, &[]));
        driver.add(node(one, &[]));
        driver.pass(Duration::from_millis(200));
        assert_eq!((driver.writes().len(), listings(&driver)), (2, 0));
        if !patient {
            driver.pass(Duration::from_millis(100));
            assert_eq!(listings(&driver), 1);
        }
        driver.release();
        driver.pass(Duration::from_millis(200));
        assert_eq!(listings(&driver), if patient { 1 } else { 2 });
        for name in [one, other] {
            assert_eq!(driver.phase(name), Some(Phase::Routed), "{name}");
        }
        driver.pass(Duration::from_secs(10));
    }
}
