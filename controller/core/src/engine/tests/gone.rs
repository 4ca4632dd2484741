//! Nodes that are gone, and what becomes of their block.

use std::time::Duration;

use super::driver::*;
use crate::{Action, summary::Phase};

#[test]
fn a_node_that_is_gone_is_forgotten_once_its_block_is_led_to_another() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.configure(|config| config.max_deletion_percent = 0);
    driver.delete("a");
    driver.pass(Duration::from_secs(10));
    assert_eq!(driver.phase("a"), Some(Phase::Draining));
    driver.add(node("b", &["10.0.0.0/24"]));
    driver.pass(Duration::from_secs(10));
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
    assert_eq!(driver.phase("a"), None);
}

/// An etcd that is restored brings back who was gone, maybe with another address.
#[test]
fn of_a_node_that_is_back_only_the_later_life_is_asked_about() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.configure(|config| config.max_deletion_percent = 0);
    driver.delete("a");
    driver.pass(Duration::from_secs(10));
    driver.log.clear();
    let back = crate::Node {
        internal_ips: vec!["192.0.2.99".parse().expect("an address")],
        ..node("a", &[])
    };
    driver.nodes.insert("a".into(), back.clone());
    driver.list_nodes();
    driver.pass(Duration::from_secs(100));
    assert_eq!(driver.cidrs("a").len(), 1);
    let read = driver.log.iter().filter_map(|action| match action {
        Action::ReadInstances { queries, .. } => Some(queries),
        _ => None,
    });
    let asked: Vec<_> = read.flatten().map(|query| &query.internal_ips).collect();
    assert!(!asked.is_empty());
    assert!(
        asked.iter().all(|asked| **asked == back.internal_ips),
        "{asked:?}"
    );
}
