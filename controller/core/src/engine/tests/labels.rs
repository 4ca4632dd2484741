//! Which pool a node belongs to is known only when it has its labels.

use std::time::Duration;

use super::driver::*;
use crate::{Action, Node, PoolConfig, event::ApiErrorKind};

/// A pool for zone b, then one for all.
fn zones() -> crate::Config {
    let mut two = config(16);
    let mut zone = PoolConfig {
        name: "zone".into(),
        cidr: net("10.1.0.0/16"),
        ..two.pools[0].clone()
    };
    zone.node_selector = [("zone".into(), "b".into())].into();
    two.pools.insert(0, zone);
    two
}

fn labelled() -> Node {
    Node {
        labels: [("zone".into(), "b".into())].into(),
        ..node("a", &[])
    }
}

fn uninitialized() -> Node {
    Node {
        uninitialized: true,
        ..node("a", &[])
    }
}

#[test]
fn a_node_that_is_not_initialized_waits_for_its_labels_where_they_decide() {
    let mut driver = Driver::leading(LIMITS, zones(), vec![uninitialized()]);
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.cidrs("a"), []);
    driver.add(labelled());
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("a"), [net("10.1.0.0/24")]);
}

#[test]
fn a_node_that_is_not_initialized_waits_for_nothing_where_labels_do_not_matter() {
    let driver = Driver::leading(LIMITS, config(16), vec![uninitialized()]);
    assert_eq!(driver.cidrs("a"), [net("10.0.0.0/24")]);
}

#[test]
fn a_block_that_was_not_written_is_chosen_anew_for_a_label_that_comes_late() {
    let mut driver = Driver::leading(LIMITS, zones(), vec![]);
    driver.fault = Box::new(|action| {
        let set = matches!(action, Action::SetPodCidrs { .. });
        set.then_some(Answer::Api(ApiErrorKind::Transient))
    });
    driver.add(node("a", &[]));
    driver.fault = Box::new(|_| None);
    driver.add(labelled());
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("a"), [net("10.1.0.0/24")]);
}

#[test]
fn a_block_that_was_not_written_is_chosen_anew_when_its_pool_is_drained() {
    let mut driver = Driver::leading(LIMITS, zones(), vec![]);
    driver.fault = Box::new(|action| {
        let set = matches!(action, Action::SetPodCidrs { .. });
        set.then_some(Answer::Api(ApiErrorKind::Transient))
    });
    driver.add(labelled());
    driver.fault = Box::new(|_| None);
    driver.configure(|config| config.pools[0].state = crate::PoolState::Draining);
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("a"), [net("10.0.0.0/24")]);
}
