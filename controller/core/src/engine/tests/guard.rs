//! The deletion guard.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Config, Event,
    action::Reason,
    cloud::{Blackhole, InstanceState},
};

fn ten() -> Driver {
    let nodes = (0..10).map(|number| node(&format!("n{number}"), &[]));
    let mut driver = Driver::leading(LIMITS, config(16), nodes.collect());
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.engine.summary().nodes_routed, 10);
    driver.log.clear();
    driver
}

fn routes(driver: &Driver) -> usize {
    driver.tables[&table("main")].len()
}

#[test]
fn a_few_nodes_may_go_at_once() {
    let mut driver = ten();
    for name in ["n1", "n2", "n3"] {
        driver.delete(name);
    }
    driver.pass(Duration::from_secs(5));
    assert_eq!(routes(&driver), 7);
}

#[test]
fn a_mass_deletion_is_held_until_the_limit_is_raised() {
    let mut driver = ten();
    driver.nodes.clear();
    driver.list_nodes();
    driver.pass(Duration::from_secs(300));
    assert_eq!(routes(&driver), 10);
    assert_eq!(driver.engine.summary().deletions_held, 10);
    assert_eq!(driver.notices(Reason::DeletionsHeld), 1);
    let raised = Config {
        max_deletion_percent: 100,
        ..config(16)
    };
    driver.tell(Event::Configured(Some(raised)));
    driver.pass(Duration::from_secs(5));
    assert_eq!(routes(&driver), 0);
    assert_eq!(driver.engine.summary().deletions_held, 0);
}

#[test]
fn a_mass_deletion_is_forgotten_when_the_nodes_return() {
    let mut driver = ten();
    let nodes = std::mem::take(&mut driver.nodes);
    driver.list_nodes();
    driver.pass(Duration::from_secs(10));
    driver.nodes = nodes;
    driver.list_nodes();
    driver.pass(Duration::from_secs(100));
    assert!(driver.writes().is_empty());
    let summary = driver.engine.summary();
    assert_eq!(summary.deletions_held, 0);
    assert_eq!(summary.nodes_routed, 10);
}

#[test]
fn deletions_one_after_the_other_count_together_for_a_minute() {
    let mut driver = ten();
    for number in 0..5 {
        driver.delete(&format!("n{number}"));
        driver.pass(Duration::from_secs(1));
    }
    assert_eq!(routes(&driver), 7, "three of ten are 30 %");
    driver.pass(Duration::from_secs(70));
    assert_eq!(routes(&driver), 5);
}

#[test]
fn routes_to_instances_that_are_gone_are_not_held() {
    let mut driver = ten();
    for number in 0..8 {
        let name = format!("n{number}");
        driver.delete(&name);
        if number < 6 {
            driver.instances.insert(name.into(), InstanceState::Gone);
        }
    }
    let asked = |action: &Action| matches!(action, Action::ReadInstances { .. });
    assert!(driver.log.iter().any(asked));
    driver.pass(Duration::from_secs(40));
    assert_eq!(routes(&driver), 4, "six are gone for certain");
    driver.pass(Duration::from_secs(40));
    assert_eq!(routes(&driver), 2, "and two may always go");
}

#[test]
fn a_route_that_is_alive_in_one_table_counts_though_it_leads_nowhere_in_another() {
    let mut driver = Driver::new(LIMITS, config(16));
    for number in 0..3 {
        let cidr = format!("10.0.{number}.0/24");
        driver.put("main", route(&cidr, "x"));
        let mut hole = route(&cidr, "x");
        hole.blackhole = Some(Blackhole::TargetGone);
        driver.put("second", hole);
    }
    driver.elect(vec![]);
    driver.pass(Duration::from_secs(30));
    assert_eq!(routes(&driver), 3);
    assert_eq!(driver.engine.summary().deletions_held, 3);
}

#[test]
fn a_route_is_not_dead_because_one_is_gone_to_whom_it_never_led() {
    let mut driver = ten();
    driver.configure(|config| config.max_deletion_percent = 0);
    let block = driver.cidrs("n3")[0].to_string();
    driver.tell(Event::Configured(None));
    driver.delete("n3");
    // Nobody looks at what it claims meanwhile.
    driver.add(node("other", &[&block]));
    driver.delete("other");
    driver.instances.insert("other".into(), InstanceState::Gone);
    driver.configure(|_| {});
    driver.pass(Duration::from_secs(300));
    assert_eq!(routes(&driver), 10);
    driver.instances.insert("n3".into(), InstanceState::Gone);
    driver.pass(Duration::from_secs(100));
    assert_eq!(routes(&driver), 9, "now it leads nowhere");
}

#[test]
fn at_zero_percent_no_route_goes_and_that_is_told() {
    let mut driver = ten();
    driver.configure(|config| config.max_deletion_percent = 0);
    for minute in 0..5 {
        driver.delete(&format!("n{}", 2 * minute));
        driver.delete(&format!("n{}", 2 * minute + 1));
        driver.pass(Duration::from_secs(65));
    }
    assert_eq!(routes(&driver), 10);
    assert_eq!(driver.notices(Reason::DeletionsHeld), 1);
    assert_eq!(driver.engine.summary().deletions_held, 10);
}

#[test]
fn a_list_without_nodes_does_not_take_the_route_of_the_only_one() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.pass(Duration::from_secs(100));
    driver.nodes.clear();
    driver.list_nodes();
    driver.pass(Duration::from_secs(300));
    assert_eq!(routes(&driver), 1);
    assert_eq!(driver.notices(Reason::DeletionsHeld), 1);
}

#[test]
fn a_new_leadership_does_not_begin_a_new_minute_for_many() {
    let mut driver = ten();
    driver.configure(|config| config.max_deletion_percent = 50);
    for number in 0..3 {
        driver.delete(&format!("n{number}"));
    }
    driver.pass(Duration::from_secs(5));
    assert_eq!(routes(&driver), 7);
    for number in 3..6 {
        driver.nodes.remove(format!("n{number}").as_str());
    }
    driver.elect(vec![]);
    driver.pass(Duration::from_secs(50));
    assert_eq!(routes(&driver), 7, "three are more than two");
    driver.pass(Duration::from_secs(50));
    assert_eq!(routes(&driver), 4, "and less than half of seven");
}

#[test]
fn an_instance_of_which_something_new_is_known_is_not_gone_for_that() {
    let mut driver = ten();
    driver.configure(|config| config.max_deletion_percent = 0);
    driver.instances.insert("n3".into(), found("elsewhere"));
    driver.delete("n3");
    driver.pass(Duration::from_secs(300));
    assert_eq!(routes(&driver), 10);
}
