//! What people hear, how often, and about what.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Event,
    action::{Reason, Subject},
};

fn subjects(driver: &Driver, reason: Reason) -> Vec<Subject> {
    let told = driver.log.iter().filter_map(|action| match action {
        Action::Notify(notice) if notice.reason == reason => Some(notice.subject.clone()),
        _ => None,
    });
    told.collect()
}

fn routed() -> Driver {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[]), node("b", &[])]);
    driver.pass(Duration::from_secs(100));
    driver.log.clear();
    driver
}

/// Somebody puts a route there, and takes it away again.
fn flap(driver: &mut Driver, cidr: &str) {
    driver.put("main", foreign(cidr));
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_secs(10));
    driver.table("main").remove(&net(cidr));
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_secs(40));
}

#[test]
fn what_is_one_nodes_trouble_is_told_of_each_node() {
    let mut driver = routed();
    driver.put("main", foreign("10.0.0.0/24"));
    driver.put("main", foreign("10.0.1.0/24"));
    driver.pass(Duration::from_secs(60));
    let nodes = ["a", "b"].map(|name| Subject::Node(key(name)));
    assert_eq!(subjects(&driver, Reason::RouteConflict), nodes, "once each");
    let problems = driver.engine.summary().problems;
    assert_eq!(problems, [(Reason::RouteConflict, 2)]);
    driver.table("main").clear();
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.engine.summary().problems, []);
}

#[test]
fn what_all_have_in_common_is_told_once_of_the_network() {
    let nodes = vec![node("a", &[]), node("b", &[]), node("c", &[])];
    let driver = Driver::leading(LIMITS, config(24), nodes);
    let told = subjects(&driver, Reason::PoolExhausted);
    assert_eq!(told, [Subject::Network]);
}

#[test]
fn a_nodes_trouble_that_comes_and_goes_is_told_every_ten_minutes_at_most() {
    let mut driver = routed();
    for _ in 0..11 {
        flap(&mut driver, "10.0.0.0/24");
    }
    assert_eq!(driver.notices(Reason::RouteConflict), 1);
    for _ in 0..12 {
        flap(&mut driver, "10.0.0.0/24");
    }
    assert_eq!(driver.notices(Reason::RouteConflict), 2);
}

#[test]
fn a_route_inside_a_block_that_comes_and_goes_is_told_every_ten_minutes_at_most() {
    let mut driver = routed();
    for _ in 0..11 {
        flap(&mut driver, "10.0.0.7/32");
    }
    assert_eq!(driver.notices(Reason::RouteConflict), 1);
    for _ in 0..12 {
        flap(&mut driver, "10.0.0.7/32");
    }
    assert_eq!(driver.notices(Reason::RouteConflict), 2);
}

#[test]
fn what_is_wrong_with_a_pool_is_told_every_ten_minutes_while_it_lasts() {
    let mut driver = routed();
    driver.barred = vec![net("10.0.200.0/24")];
    driver.pass(Duration::from_secs(590));
    let told = subjects(&driver, Reason::RangeBarred);
    assert_eq!(told, [Subject::Part("main".into())]);
    driver.pass(Duration::from_secs(600));
    assert_eq!(driver.notices(Reason::RangeBarred), 2);
    driver.log.clear();
    driver.configure(|config| config.pools.clear());
    driver.pass(Duration::from_secs(60));
    assert_eq!(
        driver.notices(Reason::PoolRemoved),
        1,
        "another cause at once"
    );
}
