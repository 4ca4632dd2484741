//! Nobody waits who need not.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Config, Event, Handover, Limits, Node, action::Reason, cloud::RouteChange,
    node::NetworkCondition, summary::Phase,
};

/// What is written shows after ten seconds.
const SLOW: Limits = Limits {
    settle: Duration::from_secs(10),
    ..LIMITS
};

fn twenty(with_cidrs: bool) -> Vec<Node> {
    let node = |number: usize| {
        let cidr = format!("10.0.{number}.0/24");
        let cidrs: &[&str] = if with_cidrs { &[&cidr] } else { &[] };
        node(&format!("n{number}"), cidrs)
    };
    (0..20).map(node).collect()
}

fn in_service(driver: &Driver) -> usize {
    let nodes = driver.nodes.values();
    let available = nodes.filter(|it| it.network == NetworkCondition::Available);
    available.count()
}

#[test]
fn nodes_that_have_their_pod_cidrs_are_in_service_as_soon_as_their_routes_are_read_back() {
    let mut driver = Driver::new(SLOW, config(16));
    driver.elect(twenty(true));
    driver.pass(Duration::from_secs(1));
    assert_eq!(driver.tables[&table("main")].len(), 20);
    assert_eq!(in_service(&driver), 20);
    assert_eq!(driver.engine.summary().nodes_routed, 20);
    assert!(!driver.engine.summary().recovered, "nothing has settled");
}

#[test]
fn new_nodes_wait_until_the_writes_of_another_leader_have_settled() {
    let mut driver = Driver::new(SLOW, config(16));
    driver.elect(twenty(false));
    driver.pass(Duration::from_millis(9_900));
    assert_eq!(driver.tables[&table("main")].len(), 0);
    driver.pass(Duration::from_secs(2));
    assert_eq!(in_service(&driver), 20);
}

#[test]
fn blocks_are_handed_out_at_once_where_no_write_of_another_leader_can_be_under_way() {
    let mut driver = Driver::new(SLOW, config(16));
    driver.handover = Handover::Clean;
    driver.put("main", foreign("10.0.0.0/24"));
    driver.put("main", route("10.0.1.0/24", "gone"));
    driver.elect(twenty(false));
    driver.pass(Duration::from_secs(1));
    assert_eq!(in_service(&driver), 20);
    let given: Vec<_> = (0..20)
        .flat_map(|number| driver.cidrs(&format!("n{number}")))
        .collect();
    assert!(!given.contains(&net("10.0.0.0/24")), "a listing was read");
    assert!(!given.contains(&net("10.0.1.0/24")));
}

#[test]
fn a_new_node_waits_for_no_deletion() {
    let limits = Limits {
        route_writes: 4,
        ..LIMITS
    };
    let all = Config {
        max_deletion_percent: 100,
        ..config(16)
    };
    let nodes = (0..100).map(|n| node(&format!("n{n}"), &[])).collect();
    let mut driver = Driver::leading(limits, all, nodes);
    driver.pass(Duration::from_secs(60));
    driver.log.clear();
    let deletion = |action: &Action| match action {
        Action::WriteRoute { change, .. } => matches!(change, RouteChange::Delete { .. }),
        _ => false,
    };
    driver.fault = Box::new(move |action| deletion(action).then_some(Answer::Held));
    for n in 0..100 {
        driver.delete(&format!("n{n}"));
    }
    driver.add(node("new", &[]));
    driver.pass(Duration::from_secs(2));
    assert_eq!(driver.phase("new"), Some(Phase::Routed));
    let deletions = driver.log.iter().filter(|it| deletion(it)).count();
    assert_eq!(deletions, 4, "they have slots of their own");
    driver.release();
    driver.pass(Duration::from_secs(10));
    assert_eq!(driver.tables[&table("main")].len(), 1);
}

#[test]
fn a_listing_that_hangs_keeps_nobody_from_being_routed_for_long() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    let mut listings = 0;
    driver.fault = Box::new(move |action| {
        let listing = matches!(action, Action::ListRoutes { .. });
        listings += u32::from(listing);
        (listing && listings == 1).then_some(Answer::Held)
    });
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_secs(1));
    driver.add(node("b", &[]));
    driver.pass(Duration::from_secs(13));
    assert_eq!(driver.phase("b"), Some(Phase::Routing));
    driver.pass(Duration::from_secs(2));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    driver.log.clear();
    driver.release();
    driver.pass(Duration::from_secs(10));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    assert_eq!(driver.notices(Reason::DriftMended), 0, "it was out of date");
    assert!(driver.writes().is_empty());
}

#[test]
fn a_node_whose_instance_is_found_later_is_routed_then() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault = Box::new(|action| {
        let read = matches!(action, Action::ReadInstances { .. });
        read.then_some(Answer::Held)
    });
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.phase("a"), Some(Phase::Routing));
    assert!(driver.writes().is_empty());
    driver.release();
    driver.pass(Duration::from_secs(1));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
}
