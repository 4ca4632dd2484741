//! Routes of others, routes that lead nowhere, and answers that were lost.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Event, Limits,
    action::Reason,
    cloud::{Blackhole, CloudErrorKind, ObservedRoute, Ownership},
    node::NetworkCondition,
    summary::Phase,
};

fn routed() -> Driver {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    driver.log.clear();
    driver
}

#[test]
fn a_route_of_others_inside_a_block_is_told_and_its_node_stays_in_service() {
    let mut driver = routed();
    driver.put("main", foreign("10.0.0.7/32"));
    driver.pass(Duration::from_secs(500));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.statuses("a"), []);
    assert_eq!(driver.problem("a"), None);
    assert_eq!(driver.notices(Reason::RouteConflict), 1);
}

#[test]
fn a_route_of_others_inside_a_block_is_told_too_if_the_node_comes_later() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.put("main", foreign("10.0.0.7/32"));
    driver.pass(Duration::from_secs(60));
    driver.add(node("a", &["10.0.0.0/24"]));
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.notices(Reason::RouteConflict), 1);
    driver.add(node("b", &[]));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("b"), [net("10.0.1.0/24")]);
}

#[test]
fn a_route_of_others_that_ours_wins_against_is_no_conflict_and_ours_is_put_beside_it() {
    let mut driver = Driver::new(LIMITS, config(16));
    let learnt = ObservedRoute {
        ownership: Ownership::Outranked,
        ..foreign("10.0.0.0/24")
    };
    let mut shown = true;
    driver.put("main", learnt);
    driver.elect(vec![node("a", &["10.0.0.0/24"])]);
    // The little table holds one route for each destination: ours takes its place.
    driver.fault = Box::new(move |action| {
        let write = matches!(action, Action::WriteRoute { .. });
        let first = write && std::mem::take(&mut shown);
        first.then_some(Answer::Cloud(CloudErrorKind::Transient))
    });
    driver.pass(Duration::from_millis(50));
    assert_eq!(driver.problem("a"), None);
    driver.table("main").clear();
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.notices(Reason::RouteConflict), 0);
}

#[test]
fn a_route_with_the_right_next_hop_that_drops_packets_is_told_and_not_replaced() {
    let mut driver = routed();
    let hole = |cause| ObservedRoute {
        blackhole: Some(cause),
        ..route("10.0.0.0/24", "a")
    };
    driver.put("main", hole(Blackhole::TargetStopped));
    driver.pass(Duration::from_secs(600));
    assert!(driver.writes().is_empty());
    assert_eq!(driver.problem("a"), Some(Reason::RouteBlackhole));
    assert_eq!(driver.statuses("a"), [(false, Reason::RouteBlackhole)]);
    driver.put("main", route("10.0.0.0/24", "a"));
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Available);
}

#[test]
fn a_route_that_drops_packets_because_the_instance_does_not_forward_leads_to_the_switch() {
    let limits = Limits {
        forwarding: true,
        ..LIMITS
    };
    let mut driver = Driver::leading(limits, config(16), vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    driver.log.clear();
    driver.instances.insert("a".into(), not_forwarding("a"));
    driver.put(
        "main",
        ObservedRoute {
            blackhole: Some(Blackhole::NotForwarding),
            ..route("10.0.0.0/24", "a")
        },
    );
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_secs(5));
    let switch = |action: &Action| matches!(action, Action::EnableForwarding(_));
    assert!(driver.log.iter().any(switch));
    assert!(driver.writes().is_empty());
}

#[test]
fn a_route_that_was_created_without_an_answer_and_shows_late_is_no_conflict() {
    let limits = Limits {
        settle: Duration::from_secs(10),
        ..LIMITS
    };
    let mut driver = Driver::leading(limits, config(16), vec![]);
    driver.pass(Duration::from_secs(60));
    driver.log.clear();
    let block = net("10.0.0.0/24");
    driver.hidden = Some(block);
    let mut lost = true;
    driver.fault = Box::new(move |action| {
        let write = matches!(action, Action::WriteRoute { .. });
        (write && std::mem::take(&mut lost)).then_some(Answer::Lost)
    });
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(8));
    assert_eq!(driver.problem("a"), None);
    driver.hidden = None;
    driver.pass(Duration::from_secs(12));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.notices(Reason::RouteConflict), 0);
    assert_eq!(driver.statuses("a"), [(true, Reason::RouteCreated)]);
}

#[test]
fn a_route_for_what_another_node_claims_is_not_told_to_be_somebody_elses() {
    for (claimed, told) in [("10.0.0.0/25", 0), ("10.0.7.0/25", 1)] {
        let mut driver = Driver::new(LIMITS, config(16));
        driver.put("main", foreign("10.0.0.0/25"));
        driver.elect(vec![node("a", &[claimed]), node("b", &["10.0.0.0/24"])]);
        driver.pass(Duration::from_secs(10));
        assert_eq!(driver.notices(Reason::RouteConflict), told, "{claimed}");
    }
}
