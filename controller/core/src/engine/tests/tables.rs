//! Tables that are out of sight, full, or cannot be read, and second families.

use std::{collections::BTreeMap, time::Duration};

use super::driver::*;
use crate::{
    Action, Event, IpNet, Limits, PoolConfig,
    action::Reason,
    cloud::{CloudErrorKind, Instance, InstanceState, ObservedRoute, RouteChange},
    node::NetworkCondition,
    summary::Phase,
};

/// Two tables that lead both blocks there are to a and b.
fn two_tables() -> Driver {
    let settle = Duration::from_secs(10);
    let limits = Limits { settle, ..LIMITS };
    let mut driver = Driver::new(limits, config(23));
    driver.table("second");
    driver.elect(vec![node("a", &[]), node("b", &[])]);
    driver.pass(Duration::from_secs(100));
    assert_eq!(driver.engine.summary().nodes_routed, 2);
    driver.log.clear();
    driver
}

/// From now on listings lack the second table, and one was read.
fn out_of_sight(driver: &mut Driver) -> BTreeMap<IpNet, ObservedRoute> {
    let second = driver.tables.remove(&table("second"));
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_secs(1));
    second.expect("it was there")
}

#[test]
fn a_block_is_not_used_again_while_a_table_is_out_of_sight_that_may_lead_elsewhere() {
    let mut driver = two_tables();
    let block = driver.cidrs("a");
    let second = out_of_sight(&mut driver);
    driver.delete("a");
    driver.add(node("c", &[]));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("c"), []);
    driver.tables.insert(table("second"), second);
    driver.pass(Duration::from_secs(100));
    assert_eq!(driver.cidrs("c"), block);
    let route = driver.tables[&table("second")][&block[0]].clone();
    assert_eq!(route.next_hop, Some(hop("c")));
    assert_eq!(driver.notices(Reason::TableForgotten), 0);
}

#[test]
fn a_table_that_stays_out_of_sight_is_forgotten_told_of_and_waited_for_no_more() {
    let mut driver = two_tables();
    out_of_sight(&mut driver);
    driver.delete("a");
    driver.add(node("c", &[]));
    driver.pass(Duration::from_secs(100));
    assert_eq!(driver.notices(Reason::TableForgotten), 1);
    assert_eq!(driver.phase("c"), Some(Phase::Routed));
    assert_eq!(driver.engine.summary().tables.len(), 1);
}

#[test]
fn no_block_is_handed_out_while_a_table_that_was_never_read_may_lead_it_elsewhere() {
    let mut driver = two_tables();
    let block = driver.cidrs("a");
    let second = out_of_sight(&mut driver);
    driver.delete("a");
    driver.pass(Duration::from_secs(100));
    assert_eq!(driver.notices(Reason::TableForgotten), 1);
    driver.tables.insert(table("second"), second);
    driver.unreadable = Some(table("second"));
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_secs(100));
    driver.add(node("c", &[]));
    driver.pass(Duration::from_secs(100));
    assert_eq!(driver.cidrs("c"), [], "its route in the second leads to a");
    assert_eq!(driver.notices(Reason::CloudUnavailable), 1);
    driver.unreadable = None;
    driver.pass(Duration::from_secs(100));
    assert_eq!(driver.cidrs("c"), block);
    let route = driver.tables[&table("second")][&block[0]].clone();
    assert_eq!(route.next_hop, Some(hop("c")));
}

#[test]
fn a_table_that_was_read_once_keeps_no_block_back_when_it_cannot_be_read_again() {
    let mut driver = two_tables();
    driver.configure(|config| config.pools[0].cidr = net("10.0.0.0/22"));
    driver.pass(Duration::from_secs(100));
    driver.unreadable = Some(table("second"));
    driver.pass(Duration::from_secs(100));
    driver.add(node("c", &[]));
    driver.pass(Duration::from_secs(1));
    assert_eq!(driver.cidrs("c").len(), 1);
}

#[test]
fn a_full_table_that_appears_takes_nobody_out_of_service() {
    let nodes = (0..5).map(|n| node(&format!("n{n}"), &[])).collect();
    let mut driver = Driver::leading(LIMITS, config(16), nodes);
    driver.pass(Duration::from_secs(60));
    driver.log.clear();
    driver.table("second");
    driver.fault = Box::new(|action| match action {
        Action::WriteRoute { change, .. } if *change.table().0 == *"second" => {
            Some(Answer::Cloud(CloudErrorKind::QuotaExceeded))
        }
        _ => None,
    });
    driver.pass(Duration::from_secs(600));
    for n in 0..5 {
        let name = format!("n{n}");
        assert_eq!(driver.statuses(&name), []);
        assert_eq!(driver.nodes[&*name].network, NetworkCondition::Available);
        assert_eq!(driver.problem(&name), Some(Reason::QuotaExceeded));
    }
    assert_eq!(driver.notices(Reason::QuotaExceeded), 1);
    driver.fault = Box::new(|_| None);
    driver.pass(Duration::from_secs(300));
    assert_eq!(driver.engine.summary().nodes_routed, 5);
}

#[test]
fn a_node_that_a_second_table_stops_leading_to_is_taken_out_of_service() {
    let mut driver = two_tables();
    driver.fault = Box::new(|action| {
        let write = matches!(action, Action::WriteRoute { .. });
        write.then_some(Answer::Cloud(CloudErrorKind::Denied))
    });
    driver.table("second").clear();
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.statuses("a"), [(false, Reason::CloudDenied)]);
}

#[test]
fn one_throttled_repair_does_not_take_a_node_out_of_service() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    driver.log.clear();
    let mut times = 0;
    driver.fault = Box::new(move |action| {
        let write = matches!(action, Action::WriteRoute { .. });
        times += u32::from(write);
        (write && times == 1).then_some(Answer::Cloud(CloudErrorKind::Throttled))
    });
    driver.table("main").clear();
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.statuses("a"), []);
}

#[test]
fn tables_that_cannot_be_read_after_an_election_are_told_of() {
    let mut driver = Driver::new(LIMITS, config(16));
    driver.fault = Box::new(|action| {
        let listing = matches!(action, Action::ListRoutes { .. });
        listing.then_some(Answer::Cloud(CloudErrorKind::Transient))
    });
    driver.elect(vec![node("b", &[])]);
    driver.pass(Duration::from_secs(120));
    assert_eq!(driver.notices(Reason::CloudUnavailable), 1);
    assert_eq!(driver.statuses("b"), []);
    driver.fault = Box::new(|_| None);
    driver.pass(Duration::from_secs(120));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
}

/// Pools of both families, one block each.
fn dual() -> Driver {
    let mut config = config(24);
    config.max_deletion_percent = 100;
    config.pools.push(PoolConfig {
        name: "six".into(),
        cidr: net("fd00::/64"),
        node_prefix_length: 64,
        ..config.pools[0].clone()
    });
    let mut driver = Driver::new(LIMITS, config);
    for name in ["a", "b"] {
        let InstanceState::Found(instance) = found(name) else {
            unreachable!("found() finds")
        };
        let both = Instance {
            next_hop_v6: Some(hop(name)),
            ..instance
        };
        driver
            .instances
            .insert(name.into(), InstanceState::Found(both));
    }
    driver
}

fn is_six(change: &RouteChange) -> bool {
    matches!(change.destination(), IpNet::V6(_))
}

#[test]
fn a_node_is_routed_when_the_routes_of_both_families_are_read_back() {
    let mut driver = dual();
    driver.fault = Box::new(|action| match action {
        Action::WriteRoute { change, .. } if is_six(change) => Some(Answer::Held),
        _ => None,
    });
    driver.elect(vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.tables[&table("main")].len(), 1);
    assert_eq!(driver.phase("a"), Some(Phase::Routing));
    driver.release();
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
}

#[test]
fn the_loss_of_one_family_is_not_hidden_by_less_trouble_with_the_other() {
    let mut driver = dual();
    driver.table("second");
    driver.elect(vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    let cidrs = driver.cidrs("a");
    // A new leader finds it so: one table leads its IPv4 block elsewhere, both do its IPv6 block.
    for (name, cidr) in [("main", 0), ("main", 1), ("second", 1)] {
        driver.put(name, foreign(&cidrs[cidr].to_string()));
    }
    driver.log.clear();
    driver.elect(vec![]);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.statuses("a"), [(false, Reason::RouteConflict)]);
}

#[test]
fn a_block_of_one_family_that_is_out_of_range_does_not_hide_the_loss_of_the_other() {
    let mut driver = dual();
    let mut half = node("a", &["10.9.0.0/24", "fd00::/64"]);
    half.network = NetworkCondition::Available;
    driver.put("main", foreign("fd00::/64"));
    driver.elect(vec![half]);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.statuses("a"), [(false, Reason::RouteConflict)]);
}

#[test]
fn an_ipv6_block_is_handed_out_again_only_when_its_route_is_gone() {
    let mut driver = dual();
    driver.elect(vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.cidrs("a").len(), 2);
    driver.fault = Box::new(|action| match action {
        Action::WriteRoute { change, .. } if is_six(change) => Some(Answer::Held),
        _ => None,
    });
    driver.delete("a");
    driver.add(node("b", &[]));
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.cidrs("b"), []);
    driver.release();
    driver.pass(Duration::from_millis(900));
    assert_eq!(driver.cidrs("b"), [], "the deletion has to settle");
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("b").len(), 2);
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
}
