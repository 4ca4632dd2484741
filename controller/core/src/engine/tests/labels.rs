//! Which pool a node belongs to is known only when it has its labels.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Node, PoolConfig,
    action::Reason,
    cloud::{Instance, InstanceState},
    event::ApiErrorKind,
    node::NetworkCondition,
    summary::Phase,
};

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
    let pools = driver.engine.summary().pools;
    assert!(pools.iter().all(|pool| pool.quarantined == 0), "none was");
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
fn nothing_is_said_of_the_instance_of_a_node_that_is_not_initialized() {
    let none = InstanceState::Unsupported("no spec.providerID".into());
    for state in [none, InstanceState::Gone, without_address()] {
        let mut driver = Driver::leading(LIMITS, config(16), vec![]);
        driver.instances.insert("a".into(), state);
        driver.add(uninitialized());
        driver.pass(Duration::from_secs(100));
        let said = |driver: &Driver| {
            let notices = driver.log.iter().filter_map(|action| match action {
                Action::Notify(notice) => Some(notice.message.clone()),
                _ => None,
            });
            (notices.collect::<Vec<_>>(), driver.statuses("a"))
        };
        assert_eq!(said(&driver), (vec![], vec![]));
        assert_eq!(driver.phase("a"), Some(Phase::Routing));
        driver.pass(Duration::from_secs(60));
        let waits = "waiting for the cloud-controller-manager to initialize it";
        assert_eq!(said(&driver), (vec![waits.to_owned()], vec![]));
        driver.instances.insert("a".into(), found("a"));
        driver.add(Node {
            provider_id: Some("i-a".into()),
            ..node("a", &["10.0.0.0/24"])
        });
        driver.pass(Duration::from_secs(5));
        assert_eq!(driver.phase("a"), Some(Phase::Routed));
    }
}

#[test]
fn the_instance_of_a_node_in_service_is_told_of_in_any_case() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    driver.log.clear();
    driver.instances.insert("a".into(), without_address());
    driver.table("main").clear();
    driver.add(Node {
        network: NetworkCondition::Available,
        internal_ips: Vec::new(),
        pod_cidrs: driver.cidrs("a"),
        ..uninitialized()
    });
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.statuses("a"), [(false, Reason::NoNextHop)]);
}

/// There, and no route can lead to it.
fn without_address() -> InstanceState {
    InstanceState::Found(Instance {
        id: "i-a".into(),
        next_hop_v4: None,
        next_hop_v6: None,
        forwarding: true,
    })
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
