//! Routes that change without our doing.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Event,
    action::Reason,
    cloud::{Blackhole, CloudErrorKind, InstanceState, RouteChange},
    node::NetworkCondition,
    summary::Phase,
};

fn status(action: &Action) -> bool {
    matches!(action, Action::SetNetworkStatus { .. })
}

fn routed() -> Driver {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[]), node("b", &[])]);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.engine.summary().nodes_routed, 2);
    driver.log.clear();
    driver
}

#[test]
fn a_route_that_somebody_removed_is_put_back_without_a_change_of_status() {
    let mut driver = routed();
    driver.table("main").clear();
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.tables[&table("main")].len(), 2);
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.notices(Reason::DriftMended), 1);
    assert!(!driver.log.iter().any(status));
}

#[test]
fn drift_is_noticed_within_the_check_period() {
    let mut driver = routed();
    driver.put("main", route("10.0.0.0/24", "elsewhere"));
    driver.pass(Duration::from_secs(31));
    assert_eq!(
        driver.tables[&table("main")][&net("10.0.0.0/24")].next_hop,
        Some(hop("a"))
    );
}

/// Seen once, it is looked for more often, and for a while only.
#[test]
fn drift_that_comes_again_is_noticed_sooner() {
    let mut driver = routed();
    let change = |driver: &mut Driver| driver.put("main", route("10.0.0.0/24", "elsewhere"));
    let mended = |driver: &mut Driver| {
        driver.tables[&table("main")][&net("10.0.0.0/24")].next_hop == Some(hop("a"))
    };
    change(&mut driver);
    driver.pass(Duration::from_secs(31));
    assert!(mended(&mut driver));
    for _ in 0..10 {
        change(&mut driver);
        driver.pass(Duration::from_secs(7));
        assert!(mended(&mut driver));
    }
    driver.pass(Duration::from_secs(150));
    driver.log.clear();
    driver.pass(Duration::from_secs(300));
    let listing = |action: &&Action| matches!(action, Action::ListRoutes { .. });
    let listings = driver.log.iter().filter(listing).count();
    assert!((9..=11).contains(&listings), "{listings} in 300 s");
}

#[test]
fn a_repair_that_fails_makes_the_node_unavailable() {
    let mut driver = routed();
    driver.fault = Box::new(|action| {
        let write = matches!(action, Action::WriteRoute { .. });
        write.then_some(Answer::Cloud(CloudErrorKind::Transient))
    });
    driver.table("main").remove(&net("10.0.0.0/24"));
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Unavailable);
    assert_eq!(driver.nodes["b"].network, NetworkCondition::Available);
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    driver.release();
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Available);
}

#[test]
fn a_foreign_route_keeps_its_block_from_being_handed_out() {
    let mut driver = Driver::new(LIMITS, config(22));
    driver.put("main", foreign("10.0.0.0/23"));
    driver.put("main", foreign("10.0.3.128/25"));
    driver.elect(vec![node("a", &[]), node("b", &[])]);
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("a"), [net("10.0.2.0/24")]);
    assert_eq!(driver.problem("b"), Some(Reason::PoolExhausted));
    driver.table("main").remove(&net("10.0.3.128/25"));
    driver.pass(Duration::from_secs(35));
    assert_eq!(driver.cidrs("b"), [net("10.0.3.0/24")]);
    assert!(driver.tables[&table("main")].contains_key(&net("10.0.0.0/23")));
}

#[test]
fn a_foreign_route_for_an_owned_block_is_reported_and_left_alone() {
    let mut driver = Driver::new(LIMITS, config(16));
    driver.put("main", foreign("10.0.0.0/24"));
    driver.elect(vec![node("a", &["10.0.0.0/24"])]);
    driver.pass(Duration::from_secs(100));
    assert_eq!(driver.problem("a"), Some(Reason::RouteConflict));
    assert_eq!(driver.notices(Reason::RouteConflict), 1);
    assert!(driver.writes().is_empty());
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Unavailable);
    driver.table("main").clear();
    driver.pass(Duration::from_secs(35));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Available);
}

#[test]
fn a_table_that_appears_is_filled_and_one_that_goes_is_forgotten() {
    let mut driver = routed();
    driver.table("second");
    driver.pass(Duration::from_secs(35));
    assert_eq!(driver.tables[&table("second")].len(), 2);
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert!(!driver.log.iter().any(status));
    driver.tables.remove(&table("main"));
    driver.log.clear();
    driver.pass(Duration::from_secs(35));
    assert!(driver.writes().is_empty());
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.engine.summary().tables.len(), 1);
}

#[test]
fn an_instance_that_moved_has_its_route_led_over_in_one_step() {
    let mut driver = routed();
    driver.instances.insert("a".into(), found("new"));
    let mut moved = driver.nodes["a"].clone();
    moved.provider_id = Some("cloud://new".into());
    driver.add(moved);
    driver.pass(Duration::from_secs(1));
    assert!(matches!(driver.writes()[..], [RouteChange::Replace { .. }]));
    assert_eq!(
        driver.tables[&table("main")][&net("10.0.0.0/24")].next_hop,
        Some(hop("new"))
    );
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
}

#[test]
fn the_route_to_an_instance_that_is_gone_stays_until_the_node_goes() {
    let mut driver = routed();
    driver.instances.insert("a".into(), InstanceState::Gone);
    let cidr = net("10.0.0.0/24");
    driver
        .table("main")
        .get_mut(&cidr)
        .expect("routed")
        .blackhole = Some(Blackhole::TargetGone);
    driver.pass(Duration::from_secs(100));
    assert_eq!(driver.problem("a"), Some(Reason::InstanceNotFound));
    assert_eq!(driver.nodes["a"].network, NetworkCondition::Unavailable);
    assert!(driver.tables[&table("main")].contains_key(&cidr));
    driver.delete("a");
    driver.pass(Duration::from_secs(5));
    assert!(!driver.tables[&table("main")].contains_key(&cidr));
}
