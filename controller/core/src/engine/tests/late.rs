//! What turns up late: routes, selectors, tables that go, answers to what is not wanted any more.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Event, Handover, Node,
    action::Reason,
    cloud::{CloudError, CloudErrorKind, RouteChange},
    event::ApiErrorKind,
    node::NetworkCondition,
};

/// A node for which a block is chosen that cannot be written yet.
fn chosen() -> Driver {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault = Box::new(|action| {
        let set = matches!(action, Action::SetPodCidrs { .. });
        set.then_some(Answer::Api(ApiErrorKind::Transient))
    });
    driver.add(Node {
        uninitialized: true,
        ..node("a", &[])
    });
    driver
}

#[test]
fn a_block_for_which_a_route_of_ours_turned_up_is_not_written_any_more() {
    let mut driver = chosen();
    driver.put("main", route("10.0.0.0/24", "elsewhere"));
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_millis(150));
    driver.fault = Box::new(|action| {
        let delete = matches!(action, Action::WriteRoute { .. });
        delete.then_some(Answer::Held)
    });
    driver.pass(Duration::from_secs(10));
    assert_eq!(driver.cidrs("a"), [net("10.0.1.0/24")]);
}

#[test]
fn a_block_is_not_written_to_an_uninitialized_node_once_a_pool_has_a_selector() {
    let mut driver = chosen();
    driver.configure(|config| {
        let mut zone = config.pools[0].clone();
        zone.name = "zone".into();
        zone.cidr = net("10.1.0.0/16");
        zone.node_selector = [("zone".into(), "b".into())].into();
        config.pools.insert(0, zone);
    });
    driver.fault = Box::new(|_| None);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.cidrs("a"), []);
    driver.add(Node {
        labels: [("zone".into(), "b".into())].into(),
        ..node("a", &[])
    });
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("a"), [net("10.1.0.0/24")]);
}

#[test]
fn a_teardown_has_looked_where_pod_cidrs_outside_all_pools_are() {
    let mut teardown = config(16);
    teardown.teardown = true;
    let mut driver = Driver::new(LIMITS, teardown);
    driver.handover = Handover::Clean;
    driver.put("main", route("10.9.0.0/24", "a"));
    // The first listing is answered before the nodes are known.
    driver.elect(vec![node("a", &["10.9.0.0/24"])]);
    driver.pass(Duration::from_secs(10));
    assert!(driver.tables[&table("main")].is_empty());
    let mut log = driver.log.iter();
    let done = log.position(|it| *it == Action::TeardownDone);
    let delete = |it: &Action| matches!(it, Action::WriteRoute { .. });
    assert!(done.is_some() && done > driver.log.iter().position(delete));
}

#[test]
fn a_teardown_ends_when_no_table_is_left() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.tables.clear();
    driver.fault = Box::new(|action| {
        let write = matches!(action, Action::WriteRoute { .. });
        write.then_some(Answer::Cloud(CloudErrorKind::NotFound))
    });
    driver.pass(Duration::from_secs(60));
    driver.configure(|config| config.teardown = true);
    driver.pass(Duration::from_secs(60));
    assert!(driver.log.contains(&Action::TeardownDone));
}

#[test]
fn the_denied_deletion_of_an_orphan_is_no_trouble_of_who_has_the_block_by_now() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[]), node("b", &[])]);
    let block = driver.cidrs("a")[0].to_string();
    driver.log.clear();
    driver.fault =
        Box::new(|action| matches!(action, Action::WriteRoute { .. }).then_some(Answer::Held));
    driver.delete("a");
    let write = driver.log.iter().find_map(|action| match action {
        Action::WriteRoute { write, change } => {
            assert!(matches!(change, RouteChange::Delete { .. }));
            Some(*write)
        }
        _ => None,
    });
    driver.add(Node {
        network: NetworkCondition::Available,
        ..node("heir", &[&block])
    });
    let result = Err(CloudError::new(CloudErrorKind::Denied, "as told"));
    let write = write.expect("a deletion");
    driver.tell(Event::RouteWritten { write, result });
    assert_eq!(driver.problem("heir"), None);
    assert_eq!(driver.statuses("heir"), []);
}

#[test]
fn a_route_that_exists_already_is_a_conflict_only_if_listings_go_on_to_lack_it() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault = Box::new(|action| {
        let write = matches!(action, Action::WriteRoute { .. });
        write.then_some(Answer::Cloud(CloudErrorKind::AlreadyExists))
    });
    driver.add(node("a", &[]));
    driver.pass(Duration::from_millis(900));
    assert!(driver.writes().len() > 1, "tried again");
    assert_eq!(driver.problem("a"), None, "it may be the former leader's");
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.problem("a"), Some(Reason::RouteConflict));
}
