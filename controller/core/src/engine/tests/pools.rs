//! Pools that are added, removed, barred or claimed by one node for itself.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Config, Handover, Node, PoolConfig, action::Reason, cloud::CloudErrorKind,
    node::NetworkCondition, summary::Phase,
};

fn pool(name: &str, cidr: &str) -> PoolConfig {
    PoolConfig {
        name: name.into(),
        cidr: net(cidr),
        ..config(16).pools[0].clone()
    }
}

/// The pool of one block is full, and the node b waits.
fn full() -> Driver {
    let mut driver = Driver::leading(LIMITS, config(24), vec![node("a", &[]), node("b", &[])]);
    assert_eq!(driver.problem("b"), Some(Reason::PoolExhausted));
    driver.pass(Duration::from_secs(60));
    driver.log.clear();
    driver
}

fn add_pool(driver: &mut Driver) {
    driver.configure(|config| config.pools.push(pool("more", "10.1.0.0/23")));
}

#[test]
fn a_pool_that_is_added_is_handed_out_only_when_a_listing_has_looked_into_it() {
    let mut driver = full();
    // Was there all the time; listings leave out what lies in no pool.
    driver.put("main", foreign("10.1.0.0/24"));
    add_pool(&mut driver);
    assert_eq!(driver.cidrs("b"), [], "nobody has looked");
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("b"), [net("10.1.1.0/24")]);
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
}

#[test]
fn nobody_is_taken_out_of_service_before_a_listing_has_looked_into_a_pool_that_comes_back() {
    let mut driver = Driver::leading(LIMITS, config(24), vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.statuses("a"), [(true, Reason::RouteCreated)]);
    // Another leader, which lists the tables before the nodes and never knew the pool.
    driver.config.pools = vec![pool("other", "10.1.0.0/16")];
    driver.handover = Handover::Clean;
    driver.elect(vec![]);
    driver.log.clear();
    driver.fault = Box::new(|action| {
        let tables = matches!(
            action,
            Action::WriteRoute { .. } | Action::ListRoutes { .. }
        );
        tables.then_some(Answer::Cloud(CloudErrorKind::Throttled))
    });
    driver.configure(|config| config.pools.push(pool("main", "10.0.0.0/24")));
    driver.pass(Duration::from_secs(60));
    assert!(
        !driver.writes().is_empty(),
        "its route is not known to be there"
    );
    assert_eq!(driver.statuses("a"), []);
    driver.fault = Box::new(|_| None);
    driver.pass(Duration::from_secs(300));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.statuses("a"), []);
}

#[test]
fn a_block_under_an_orphaned_route_in_a_pool_that_is_added_is_not_handed_out() {
    let mut driver = full();
    driver.put("main", route("10.1.0.0/24", "dead"));
    add_pool(&mut driver);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.cidrs("b"), [net("10.1.1.0/24")]);
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    let left = driver.tables[&table("main")].contains_key(&net("10.1.0.0/24"));
    assert!(!left, "it is removed as all orphans are");
}

#[test]
fn a_write_of_before_that_shows_late_in_a_pool_that_is_added_is_waited_for() {
    let mut driver = full();
    driver.put("main", foreign("10.1.0.0/24"));
    driver.hidden = Some(net("10.1.0.0/24"));
    add_pool(&mut driver);
    driver.pass(Duration::from_millis(900));
    assert_eq!(driver.cidrs("b"), [], "the world has not settled");
    driver.hidden = None;
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("b"), [net("10.1.1.0/24")]);
}

/// The node b has a block of the pool "more", which is removed then.
fn removed() -> Driver {
    let mut two = config(24);
    two.pools.push(pool("more", "10.1.0.0/24"));
    let mut driver = Driver::leading(LIMITS, two, vec![node("a", &[]), node("b", &[])]);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.cidrs("b"), [net("10.1.0.0/24")]);
    driver.log.clear();
    driver.configure(|config| config.pools.truncate(1));
    driver
}

#[test]
fn a_node_with_a_block_of_a_removed_pool_stays_routed_and_in_service() {
    let mut driver = removed();
    driver.pass(Duration::from_secs(1_800));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    assert_eq!(driver.nodes["b"].network, NetworkCondition::Available);
    assert_eq!(driver.statuses("b"), []);
    assert!(driver.writes().is_empty());
    assert_eq!(driver.notices(Reason::DriftMended), 0);
    let listings = driver.log.iter();
    let listings = listings.filter(|it| matches!(it, Action::ListRoutes { .. }));
    assert!(listings.count() < 70, "no closer than the check period");
}

#[test]
fn the_holders_of_a_removed_pool_are_named() {
    let mut driver = removed();
    driver.pass(Duration::from_secs(500));
    assert_eq!(driver.notices(Reason::PoolRemoved), 1);
    let named = |action: &Action| match action {
        Action::Notify(notice) => {
            notice.message == "pool more: removed, but kept while it has blocks of b"
        }
        _ => false,
    };
    assert!(driver.log.iter().any(named));
    let pools = driver.engine.summary().pools;
    assert_eq!(&*pools[1].name, "more");
    assert!(pools[1].problem.is_some());
}

#[test]
fn a_route_of_a_removed_pool_is_put_back_while_its_node_lives_and_removed_with_it() {
    let mut driver = removed();
    let block = net("10.1.0.0/24");
    driver.table("main").remove(&block);
    driver.pass(Duration::from_secs(60));
    assert!(driver.tables[&table("main")].contains_key(&block));
    driver.delete("b");
    driver.pass(Duration::from_secs(60));
    assert!(!driver.tables[&table("main")].contains_key(&block));
    assert_eq!(driver.engine.summary().pools.len(), 1, "the pool goes");
    assert_eq!(driver.phase("b"), None);
}

#[test]
fn the_route_of_a_pod_cidr_outside_all_pools_goes_with_its_node() {
    let mut driver = Driver::new(LIMITS, config(16));
    driver.put("main", route("192.168.7.0/24", "odd"));
    driver.elect(vec![node("a", &[]), node("odd", &["192.168.7.0/24"])]);
    driver.pass(Duration::from_secs(100));
    assert_eq!(driver.problem("odd"), Some(Reason::PodCIDROutOfRange));
    let odd = net("192.168.7.0/24");
    assert!(driver.tables[&table("main")].contains_key(&odd));
    driver.delete("odd");
    driver.pass(Duration::from_secs(60));
    assert!(!driver.tables[&table("main")].contains_key(&odd));
}

/// A retired pool around a new one, and a route of others for just the new pool.
fn retired(length: u8, inner: &str) -> Driver {
    let mut wide = config(16);
    wide.pools[0].cidr = net(&format!("10.0.0.0/{length}"));
    let mut driver = Driver::leading(LIMITS, wide, vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    driver.put("main", foreign(inner));
    driver.configure(|config| config.pools = vec![pool("new", inner)]);
    driver.pass(Duration::from_secs(60));
    driver.log.clear();
    driver
}

#[test]
fn a_retired_pool_around_a_new_one_and_a_route_for_just_that_stop_nobody() {
    let mut driver = retired(16, "10.0.128.0/20");
    driver.add(node("b", &[]));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("b"), [net("10.0.128.0/24")]);
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    let sets = driver.log.iter();
    let sets = sets.filter(|it| matches!(it, Action::SetPodCidrs { .. }));
    assert_eq!(sets.count(), 1);
}

#[test]
fn a_retired_pool_around_a_large_one_costs_no_listings() {
    let mut driver = retired(8, "10.128.0.0/9");
    driver.add(node("b", &[]));
    driver.pass(Duration::from_secs(300));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    let listings = driver.log.iter();
    let listings = listings.filter(|it| matches!(it, Action::ListRoutes { .. }));
    assert!(listings.count() < 20);
}

#[test]
fn one_node_cannot_take_a_pool_from_all_others() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.add(node("greedy", &["10.0.0.0/15"]));
    driver.add(node("b", &[]));
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
    assert_eq!(driver.problem("greedy"), Some(Reason::PodCIDROutOfRange));
    let pools = driver.engine.summary().pools;
    let problem = pools[0].problem.as_deref().unwrap_or_default();
    assert!(problem.contains("node greedy") && problem.contains("10.0.0.0/15"));
}

fn ranges_barred(driver: &Driver) -> usize {
    driver.notices(Reason::RangeBarred)
}

#[test]
fn a_pool_that_a_barred_range_touches_is_refused_with_a_sentence() {
    let mut driver = Driver::new(LIMITS, config(16));
    driver.barred = vec![net("10.0.200.0/24")];
    driver.elect(vec![node("a", &[]), node("old", &["10.0.7.0/24"])]);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.cidrs("a"), []);
    assert_eq!(driver.problem("a"), Some(Reason::PoolExhausted));
    assert_eq!(ranges_barred(&driver), 1);
    let pools = driver.engine.summary().pools;
    let problem = pools[0].problem.as_deref().unwrap_or_default();
    assert!(problem.contains("10.0.200.0/24"), "{problem}");
    assert_eq!(driver.phase("old"), Some(Phase::Routed), "it has its block");
    driver.barred.clear();
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
}

#[test]
fn no_route_is_created_in_a_barred_range_even_for_a_block_that_a_node_has() {
    let mut driver = Driver::new(LIMITS, config(16));
    driver.barred = vec![net("10.0.7.128/25")];
    driver.elect(vec![node("old", &["10.0.7.0/24"])]);
    driver.pass(Duration::from_secs(60));
    assert!(driver.writes().is_empty());
    assert_eq!(driver.problem("old"), Some(Reason::RangeBarred));
}

#[test]
fn a_pool_that_holds_a_nodes_own_address_is_refused() {
    let inside = Node {
        internal_ips: vec!["10.1.0.5".parse().expect("an address")],
        ..node("inside", &[])
    };
    let mut driver = Driver::leading(LIMITS, config(24), vec![inside, node("b", &[])]);
    add_pool(&mut driver);
    driver.pass(Duration::from_secs(60));
    let waits = ["inside", "b"].map(|name| driver.cidrs(name).is_empty());
    assert_eq!(waits.into_iter().filter(|it| *it).count(), 1);
    assert_eq!(ranges_barred(&driver), 1);
    let pools = driver.engine.summary().pools;
    let problem = pools[1].problem.as_deref().unwrap_or_default();
    assert!(problem.contains("10.1.0.5") && problem.contains("inside"));
    driver.delete("inside");
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
}

#[test]
fn a_full_cluster_is_served_again_when_a_block_is_free() {
    let mut driver = full();
    driver.configure(|config: &mut Config| config.max_deletion_percent = 100);
    driver.delete("a");
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("b"), [net("10.0.0.0/24")]);
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
}
