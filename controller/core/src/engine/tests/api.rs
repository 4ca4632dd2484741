//! Trouble with nodes and with the Kubernetes API.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Event, Node, PoolConfig, action::Reason, event::ApiErrorKind, node::NetworkCondition,
    summary::Phase,
};

fn setting(action: &Action) -> bool {
    matches!(action, Action::SetPodCidrs { .. })
}

#[test]
fn pod_cidrs_that_somebody_else_wrote_first_are_kept_and_routed() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    let by_hand = node("a", &["10.0.7.0/24"]);
    driver.nodes.insert(by_hand.key.name.clone(), by_hand);
    // The watch is late.
    driver.tell(Event::NodeSeen(node("a", &[])));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("a"), [net("10.0.7.0/24")]);
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.tables[&table("main")].len(), 1);
    // What had been chosen is free again.
    assert_eq!(driver.engine.summary().pools[0].allocated, 1);
    assert_eq!(driver.engine.summary().pools[0].quarantined, 0);
}

#[test]
fn a_lost_answer_leads_to_the_same_pod_cidrs() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    let mut lost = 0;
    driver.fault = Box::new(move |action| {
        lost += u32::from(setting(action));
        (setting(action) && lost <= 2).then_some(Answer::Lost)
    });
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("a"), [net("10.0.0.0/24")]);
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.log.iter().filter(|it| setting(it)).count(), 3);
}

#[test]
fn a_late_sighting_without_pod_cidrs_changes_nothing() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.log.clear();
    driver.tell(Event::NodeSeen(node("a", &[])));
    driver.pass(Duration::from_millis(500));
    let fresh = driver.nodes["a"].clone();
    driver.tell(Event::NodeSeen(fresh));
    driver.pass(Duration::from_secs(20));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert!(!driver.log.iter().any(setting));
    assert!(driver.writes().is_empty());
    assert_eq!(driver.statuses("a"), []);
}

#[test]
fn a_node_restored_without_its_pod_cidrs_gets_the_same_again() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[]), node("b", &[])]);
    let before = driver.cidrs("a");
    driver.add(node("a", &[]));
    driver.add(node("c", &[]));
    driver.pass(Duration::from_secs(10));
    assert_eq!(driver.cidrs("a"), before);
    assert_ne!(driver.cidrs("c"), before);
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
}

#[test]
fn a_node_created_again_under_its_name_is_another_node() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    let mut again = node("a", &[]);
    again.key = crate::NodeKey::new("a", "another");
    again.created = 5;
    driver.add(again.clone());
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.phase("a"), None);
    assert_eq!(driver.engine.phase(&again.key), Some(Phase::Routed));
    assert_eq!(driver.cidrs("a"), [net("10.0.1.0/24")]);
    // A late sighting of the first is not taken for a third.
    driver.tell(Event::NodeSeen(node("a", &["10.0.0.0/24"])));
    assert_eq!(driver.engine.phase(&again.key), Some(Phase::Routed));
    assert_eq!(driver.phase("a"), None);
}

#[test]
fn of_two_nodes_with_one_pod_cidr_the_older_is_routed_and_the_other_follows_it() {
    let younger = Node {
        created: 9,
        ..node("b", &["10.0.0.0/24"])
    };
    let nodes = vec![younger, node("a", &["10.0.0.0/24"])];
    let mut driver = Driver::leading(LIMITS, config(16), nodes);
    let cidr = net("10.0.0.0/24");
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.problem("b"), Some(Reason::DuplicatePodCIDR));
    assert_eq!(driver.nodes["b"].network, NetworkCondition::Unavailable);
    driver.log.clear();
    driver.delete("a");
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    assert_eq!(
        driver.tables[&table("main")][&cidr].next_hop,
        Some(hop("b"))
    );
    assert!(
        matches!(
            driver.writes()[..],
            [crate::cloud::RouteChange::Replace { .. }]
        ),
        "led over in one step: {:?}",
        driver.writes()
    );
}

#[test]
fn a_pod_cidr_outside_all_pools_is_reported_and_its_route_left_alone() {
    let mut driver = Driver::new(LIMITS, config(16));
    driver.put("main", route("10.9.0.0/24", "a"));
    let available = Node {
        network: NetworkCondition::Available,
        ..node("a", &["10.9.0.0/24"])
    };
    driver.elect(vec![available, node("b", &[])]);
    driver.pass(Duration::from_secs(100));
    assert_eq!(driver.problem("a"), Some(Reason::PodCIDROutOfRange));
    assert_eq!(driver.notices(Reason::PodCIDROutOfRange), 1);
    assert_eq!(driver.writes().len(), 1, "that of b");
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Available);
    driver.delete("a");
    driver.pass(Duration::from_secs(5));
    let left = driver.tables[&table("main")].keys().copied();
    assert_eq!(left.collect::<Vec<_>>(), driver.cidrs("b"));
}

#[test]
fn a_node_that_no_pool_matches_is_served_once_it_is_labelled() {
    let mut zoned = config(16);
    zoned.pools[0].node_selector = [("zone".into(), "a".into())].into();
    let mut driver = Driver::leading(LIMITS, zoned, vec![node("a", &[])]);
    assert_eq!(driver.problem("a"), Some(Reason::NoMatchingPool));
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Unavailable);
    let mut labelled = driver.nodes["a"].clone();
    labelled.labels = [("zone".into(), "a".into())].into();
    driver.add(labelled);
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Available);
}

#[test]
fn a_node_that_waits_for_a_block_gets_it_when_a_pool_is_added() {
    let nodes = vec![node("a", &[]), node("b", &[])];
    let mut driver = Driver::leading(LIMITS, config(24), nodes);
    assert_eq!(driver.problem("b"), Some(Reason::PoolExhausted));
    let mut more = config(24);
    more.pools.push(PoolConfig {
        name: "more".into(),
        cidr: net("10.1.0.0/24"),
        ..more.pools[0].clone()
    });
    driver.tell(Event::Configured(Some(more)));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("b"), [net("10.1.0.0/24")]);
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
}

#[test]
fn a_node_that_opted_out_gets_nothing_and_loses_nothing() {
    let excluded = Node {
        excluded: true,
        ..node("a", &[])
    };
    let mut driver = Driver::leading(LIMITS, config(16), vec![excluded.clone(), node("b", &[])]);
    assert_eq!(driver.cidrs("a"), []);
    let out = Node {
        excluded: true,
        ..driver.nodes["b"].clone()
    };
    driver.log.clear();
    driver.add(out);
    driver.pass(Duration::from_secs(100));
    assert!(driver.writes().is_empty());
    assert_eq!(driver.engine.summary().nodes_total, 0);
    assert!(driver.engine.phases().is_empty(), "nobody waits for them");
    assert_eq!(driver.tables[&table("main")].len(), 1);
}

#[test]
fn denied_status_writes_are_told_once_and_delay_nobody() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault = Box::new(|action| {
        let status = matches!(action, Action::SetNetworkStatus { .. });
        status.then_some(Answer::Api(ApiErrorKind::Denied))
    });
    driver.add(node("a", &[]));
    driver.add(node("b", &[]));
    driver.pass(Duration::from_secs(120));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    assert_eq!(driver.notices(Reason::WriteRefused), 1);
    let status = |action: &&Action| matches!(action, Action::SetNetworkStatus { .. });
    // Seven tries for each within two minutes, and fewer from then on.
    assert!(driver.log.iter().filter(status).count() <= 14);
}

/// An API server that has just started denies everything until it has read its roles.
#[test]
fn a_refusal_that_passes_costs_seconds() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault = Box::new(|action| {
        let write = matches!(
            action,
            Action::SetPodCidrs { .. } | Action::SetNetworkStatus { .. }
        );
        write.then_some(Answer::Api(ApiErrorKind::Denied))
    });
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(1));
    driver.fault = Box::new(|_| None);
    driver.pass(Duration::from_secs(10));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Available);
}

#[test]
fn one_bad_node_does_not_delay_another() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault = Box::new(|action| {
        let bad = matches!(action, Action::SetPodCidrs { node, .. } if *node.name == *"bad");
        bad.then_some(Answer::Api(ApiErrorKind::Transient))
    });
    driver.add(node("bad", &[]));
    driver.pass(Duration::from_secs(30));
    driver.add(node("good", &[]));
    driver.pass(Duration::from_secs(1));
    assert_eq!(driver.phase("bad"), Some(Phase::Allocated));
    assert_eq!(driver.phase("good"), Some(Phase::Routed));
}

#[test]
fn a_status_that_somebody_overwrote_is_written_again() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.pass(Duration::from_secs(10));
    let overwritten = Node {
        network: NetworkCondition::Unavailable,
        ..driver.nodes["a"].clone()
    };
    driver.add(overwritten);
    driver.pass(Duration::from_secs(10));
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Available);
}
