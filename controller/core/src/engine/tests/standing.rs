//! Where nodes stand, and what can be seen of that.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Limits, Node, PoolConfig,
    action::Reason,
    cloud::{CloudErrorKind, InstanceState, RouteChange},
    ids::NodeId,
    node::NetworkCondition,
    summary::Phase,
};

const FORWARDING: Limits = Limits {
    forwarding: true,
    ..LIMITS
};

fn routed(names: &[&str]) -> Driver {
    let nodes = names.iter().map(|name| node(name, &[])).collect();
    let mut driver = Driver::leading(LIMITS, config(16), nodes);
    driver.pass(Duration::from_secs(100));
    driver.log.clear();
    driver
}

fn deletion(action: &Action) -> bool {
    match action {
        Action::WriteRoute { change, .. } => matches!(change, RouteChange::Delete { .. }),
        _ => false,
    }
}

#[test]
fn every_change_of_phase_is_counted_from_before_the_first_sight_until_the_last_route_is_gone() {
    let mut driver = routed(&["a", "b"]);
    driver.delete("a");
    driver.pass(Duration::from_secs(60));
    let counts: Vec<_> = driver.engine.transitions().iter().collect();
    let phases = [
        (None, Some(Phase::Pending), 2),
        (Some(Phase::Pending), Some(Phase::Allocated), 2),
        (Some(Phase::Allocated), Some(Phase::Routing), 2),
        (Some(Phase::Routing), Some(Phase::Routed), 2),
        (Some(Phase::Routed), Some(Phase::Draining), 1),
        (Some(Phase::Draining), None, 1),
    ];
    assert_eq!(counts, phases);
}

#[test]
fn nodes_are_shown_by_name_and_after_them_those_that_are_going() {
    let mut driver = routed(&["c", "b", "a"]);
    driver.fault = Box::new(|action| deletion(action).then_some(Answer::Held));
    driver.delete("a");
    driver.pass(Duration::from_secs(5));
    let views = driver.engine.nodes();
    let names: Vec<&str> = views.iter().map(|view| &*view.key.name).collect();
    assert_eq!(names, ["b", "c", "a"]);
    let phases = driver.engine.phases();
    assert_eq!(phases, [(Phase::Routed, 2), (Phase::Draining, 1)].into());
    driver.release();
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.engine.nodes().len(), 2);
}

#[test]
fn nothing_is_kept_of_a_node_whose_last_route_is_gone() {
    let mut driver = routed(&["a", "b"]);
    let first = NodeId::new(0);
    assert!(driver.engine.instances.state(first).is_some());
    driver.delete("a");
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.engine.instances.state(first), None);
    assert!(driver.engine.tables.routes(net("10.0.0.0/24")).is_none());
    assert_eq!(driver.engine.summary().pools[0].quarantined, 0);
}

#[test]
fn the_routes_of_a_node_that_opts_out_are_neither_mended_nor_removed() {
    let mut driver = routed(&["a", "b"]);
    let out = Node {
        excluded: true,
        ..driver.nodes["a"].clone()
    };
    driver.add(out);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.phase("a"), Some(Phase::Pending));
    assert_eq!(driver.engine.summary().nodes_total, 1);
    assert!(driver.writes().is_empty(), "it stays");
    let block = driver.cidrs("a")[0];
    driver.table("main").remove(&block);
    driver.pass(Duration::from_secs(60));
    assert!(driver.writes().is_empty(), "and is not put back");
    assert_eq!(driver.statuses("a"), []);
}

#[test]
fn instances_are_asked_for_only_for_nodes_that_get_routes() {
    let out = Node {
        excluded: true,
        ..node("out", &["10.0.7.0/24"])
    };
    let nodes = vec![node("a", &[]), node("waits", &[]), out];
    let driver = Driver::leading(LIMITS, config(24), nodes);
    let mut asked = Vec::new();
    for action in &driver.log {
        if let Action::ReadInstances { queries, .. } = action {
            asked.extend(queries.iter().map(|query| &*query.node.name));
        }
    }
    assert_eq!(asked, ["a"]);
}

#[test]
fn a_node_whose_instance_is_gone_is_not_routed_though_its_route_is_there() {
    let mut driver = routed(&["a"]);
    driver.instances.insert("a".into(), InstanceState::Gone);
    driver.pass(Duration::from_secs(400));
    assert_eq!(driver.tables[&table("main")].len(), 1);
    assert_eq!(driver.phase("a"), Some(Phase::Routing));
    assert_eq!(driver.statuses("a"), [(false, Reason::InstanceNotFound)]);
}

#[test]
fn a_node_is_routed_only_when_its_instance_forwards() {
    let mut driver = Driver::leading(FORWARDING, config(16), vec![]);
    driver.instances.insert("a".into(), not_forwarding("a"));
    driver.fault = Box::new(|action| {
        let switch = matches!(action, Action::EnableForwarding(_));
        switch.then_some(Answer::Held)
    });
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(130));
    assert_eq!(driver.tables[&table("main")].len(), 1);
    assert_eq!(driver.phase("a"), Some(Phase::Routing));
    assert_eq!(told(&driver), ["waiting for its instance to forward"]);
    driver.release();
    driver.pass(Duration::from_secs(1));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
}

/// What was said of nodes that wait for long.
fn told(driver: &Driver) -> Vec<&str> {
    let told = driver.log.iter().filter_map(|action| match action {
        Action::Notify(notice) if notice.reason == Reason::RoutePending => Some(&*notice.message),
        _ => None,
    });
    told.collect()
}

#[test]
fn what_a_node_has_been_waiting_for_is_said() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault = Box::new(|action| {
        let read = matches!(action, Action::ReadInstances { .. });
        read.then_some(Answer::Held)
    });
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(130));
    assert_eq!(told(&driver), ["waiting for its instance to be read"]);
}

#[test]
fn the_younger_of_two_nodes_with_one_pod_cidr_goes_out_of_service_when_the_older_comes() {
    let mut driver = routed(&["young"]);
    let old = Node {
        created: -1,
        ..node("old", &["10.0.0.0/24"])
    };
    driver.add(old);
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.problem("young"), Some(Reason::DuplicatePodCIDR));
    assert_eq!(driver.nodes["young"].network, NetworkCondition::Unavailable);
    assert_eq!(driver.phase("old"), Some(Phase::Routed));
    driver.delete("young");
    driver.pass(Duration::from_secs(1));
    assert_eq!(driver.phase("young"), None, "no route is left of it");
    assert_eq!(driver.phase("old"), Some(Phase::Routed));
}

#[test]
fn the_route_of_a_node_whose_instance_is_known_to_be_gone_is_not_held() {
    let mut driver = routed(&["a", "b", "c"]);
    driver.configure(|config| config.max_deletion_percent = 0);
    driver.instances.insert("a".into(), InstanceState::Gone);
    driver.pass(Duration::from_secs(400));
    driver.log.clear();
    driver.delete("a");
    assert!(driver.log.iter().any(deletion), "at once");
}

#[test]
fn an_instance_that_changed_unnoticed_is_found_by_the_regular_look() {
    let mut driver = routed(&["a"]);
    driver.instances.insert("a".into(), found("elsewhere"));
    // A configuration with the same period does not put it off.
    for _ in 0..4 {
        driver.configure(|config| config.generation += 1);
        driver.pass(Duration::from_secs(80));
    }
    let route = driver.tables[&table("main")][&net("10.0.0.0/24")].clone();
    assert_eq!(route.next_hop, Some(hop("elsewhere")));
}

fn at_home(name: &str, address: &str) -> Node {
    Node {
        internal_ips: vec![address.parse().expect("an address")],
        ..node(name, &[])
    }
}

#[test]
fn a_pool_is_refused_as_soon_as_a_node_has_an_address_in_it_and_no_longer() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.add(at_home("inside", "10.0.9.9"));
    driver.add(node("b", &[]));
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.cidrs("b"), []);
    driver.add(at_home("inside", "192.168.0.9"));
    driver.pass(Duration::from_millis(100));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    assert_eq!(driver.phase("inside"), Some(Phase::Routed));
    driver.add(at_home("moves", "192.168.0.8"));
    driver.add(Node {
        pod_cidrs: driver.cidrs("moves"),
        ..at_home("moves", "10.0.9.9")
    });
    driver.add(node("c", &[]));
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.cidrs("c"), []);
    driver.delete("moves");
    driver.pass(Duration::from_millis(100));
    assert_eq!(driver.phase("c"), Some(Phase::Routed));
}

#[test]
fn a_node_that_waited_for_labels_gets_a_block_when_they_matter_no_more() {
    let mut zone = config(16);
    zone.pools.push(PoolConfig {
        name: "zone".into(),
        cidr: net("10.1.0.0/16"),
        node_selector: [("zone".into(), "b".into())].into(),
        ..zone.pools[0].clone()
    });
    let waits = Node {
        uninitialized: true,
        ..node("a", &[])
    };
    let mut driver = Driver::leading(LIMITS, zone, vec![waits]);
    assert_eq!(driver.cidrs("a"), []);
    driver.configure(|config| config.pools.truncate(1));
    driver.pass(Duration::from_secs(1));
    assert_eq!(driver.cidrs("a"), [net("10.0.0.0/24")]);
}

#[test]
fn no_route_is_led_to_where_a_node_was_before_it_moved() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    driver.log.clear();
    driver.fault = Box::new(|action| {
        let read = matches!(action, Action::ReadInstances { .. });
        read.then_some(Answer::Cloud(CloudErrorKind::Throttled))
    });
    driver.add(Node {
        provider_id: Some("i-b".into()),
        network: NetworkCondition::Available,
        ..node("a", &["10.0.0.0/24"])
    });
    driver.table("main").clear();
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.writes().len(), 0, "where to is not known");
    driver.instances.insert("a".into(), found("b"));
    driver.fault = Box::new(|_| None);
    driver.pass(Duration::from_secs(120));
    let route = driver.tables[&table("main")][&net("10.0.0.0/24")].clone();
    assert_eq!(route.next_hop, Some(hop("b")));
}

#[test]
fn a_node_in_service_stays_so_while_its_instance_cannot_be_read() {
    let mut driver = routed(&["a"]);
    let again = driver.nodes["a"].clone();
    driver.fault = Box::new(|action| {
        let read = matches!(action, Action::ReadInstances { .. });
        read.then_some(Answer::Cloud(CloudErrorKind::Denied))
    });
    driver.elect(vec![again]);
    driver.pass(Duration::from_secs(600));
    assert_eq!(driver.problem("a"), Some(Reason::CloudDenied));
    assert_eq!(driver.statuses("a"), []);
}

#[test]
fn a_node_in_service_goes_out_of_it_when_its_instance_stops_to_forward_for_good() {
    let mut driver = Driver::leading(FORWARDING, config(16), vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    driver.log.clear();
    driver.instances.insert("a".into(), not_forwarding("a"));
    driver.fault = Box::new(|action| {
        let switch = matches!(action, Action::EnableForwarding(_));
        switch.then_some(Answer::Cloud(CloudErrorKind::Denied))
    });
    driver.pass(Duration::from_secs(400));
    assert_eq!(driver.statuses("a"), [(false, Reason::CloudDenied)]);
}
