//! What nobody knows for certain is waited for.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action, Event, Limits, Node, NodeKey,
    action::Reason,
    event::{ApiError, ApiErrorKind},
    summary::Phase,
};

/// A write to the API may land so long after its answer was given up.
const LIMITS_OF_A_LONG_LEASE: Limits = Limits {
    api_settle: Duration::from_secs(50),
    ..LIMITS
};

fn listing(action: &Action) -> bool {
    matches!(action, Action::ListRoutes { .. })
}

fn write(action: &Action) -> bool {
    matches!(action, Action::WriteRoute { .. })
}

/// One block; nobody knows whether the node a, which opted out then, got it. The node b waits.
fn in_doubt() -> Driver {
    let mut driver = Driver::leading(LIMITS_OF_A_LONG_LEASE, config(24), vec![]);
    driver.fault = Box::new(|action| {
        let set = matches!(action, Action::SetPodCidrs { .. });
        set.then_some(Answer::Api(ApiErrorKind::Unknown))
    });
    driver.add(node("a", &[]));
    driver.fault = Box::new(|_| None);
    driver.add(Node {
        excluded: true,
        ..node("a", &[])
    });
    driver.add(node("b", &[]));
    driver
}

#[test]
fn a_block_that_a_node_may_still_get_is_given_to_no_other() {
    let mut driver = in_doubt();
    driver.pass(Duration::from_secs(49));
    assert_eq!(driver.cidrs("b"), []);
    // The write lands as late as it can.
    let late = Node {
        excluded: true,
        ..node("a", &["10.0.0.0/24"])
    };
    driver.add(late);
    driver.pass(Duration::from_secs(300));
    assert_eq!(driver.cidrs("b"), [], "it is a's");
    assert_eq!(driver.problem("b"), Some(Reason::PoolExhausted));
}

#[test]
fn a_block_that_a_node_cannot_get_any_more_is_given_to_others() {
    let mut driver = in_doubt();
    driver.pass(Duration::from_secs(70));
    assert_eq!(driver.cidrs("b"), [net("10.0.0.0/24")]);
    assert_eq!(driver.phase("b"), Some(Phase::Routed));
}

#[test]
fn a_block_that_landed_unseen_is_found_when_the_node_is_read() {
    let mut driver = in_doubt();
    driver.nodes.get_mut("a").expect("it lives").pod_cidrs = vec![net("10.0.0.0/24")];
    driver.pass(Duration::from_secs(300));
    assert_eq!(driver.cidrs("b"), []);
}

#[test]
fn a_block_that_was_taken_back_is_in_quarantine_before_it_is_given_to_others() {
    let mut driver = Driver::leading(LIMITS, config(24), vec![]);
    driver.fault = Box::new(|action| {
        let set = matches!(action, Action::SetPodCidrs { .. });
        set.then_some(Answer::Api(ApiErrorKind::Transient))
    });
    driver.add(node("a", &[]));
    driver.fault = Box::new(|_| None);
    driver.add(node("b", &[]));
    driver.add(Node {
        excluded: true,
        ..node("a", &[])
    });
    assert_eq!(driver.cidrs("b"), []);
    assert_eq!(driver.engine.summary().pools[0].quarantined, 1);
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("b"), [net("10.0.0.0/24")]);
}

/// A first write is on its way, so the block of the node b is chosen and not sent.
fn chosen() -> Driver {
    let limits = Limits {
        api_writes: 1,
        ..LIMITS
    };
    let mut driver = Driver::leading(limits, config(16), vec![]);
    driver.fault = Box::new(|action| {
        let set = matches!(action, Action::SetPodCidrs { .. });
        set.then_some(Answer::Held)
    });
    driver.add(node("a", &[]));
    driver.add(node("b", &[]));
    assert_eq!(driver.phase("b"), Some(Phase::Allocated));
    driver
}

#[test]
fn a_block_that_another_node_turned_out_to_have_is_not_written() {
    let mut driver = chosen();
    driver.add(node("c", &["10.0.1.0/24"]));
    driver.release();
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("b"), [net("10.0.2.0/24")]);
    for name in ["a", "b", "c"] {
        assert_eq!(driver.phase(name), Some(Phase::Routed), "{name}");
    }
}

#[test]
fn a_block_that_a_route_of_others_came_to_lie_in_is_not_written() {
    let mut driver = chosen();
    driver.put("main", foreign("10.0.1.7/32"));
    driver.tell(Event::RoutesMayHaveChanged);
    driver.pass(Duration::from_secs(1));
    driver.release();
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.cidrs("b"), [net("10.0.2.0/24")]);
}

#[test]
fn a_block_that_waits_for_its_write_is_not_written_once_a_teardown_begins() {
    let mut driver = chosen();
    driver.configure(|config| config.teardown = true);
    driver.release();
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.cidrs("b"), []);
}

#[test]
fn of_two_lives_of_one_second_the_one_seen_last_lives() {
    for uid in ["aaa", "zzz"] {
        let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
        driver.pass(Duration::from_secs(60));
        let reborn = Node {
            key: NodeKey::new("a", uid),
            ..node("a", &[])
        };
        driver.add(reborn.clone());
        driver.pass(Duration::from_secs(5));
        assert_eq!(driver.engine.phase(&reborn.key), Some(Phase::Routed));
        assert_eq!(driver.cidrs("a"), [net("10.0.1.0/24")]);
        // What is still told of the one before is too late.
        driver.tell(Event::NodeSeen(node("a", &["10.0.0.0/24"])));
        assert_eq!(driver.engine.phase(&reborn.key), Some(Phase::Routed));
        assert_ne!(driver.phase("a"), Some(Phase::Routed));
    }
}

#[test]
fn a_node_that_is_gone_is_remembered_while_it_is_unknown_whether_it_has_a_route() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("other", &[])]);
    driver.pass(Duration::from_secs(60));
    driver.fault = Box::new(|action| {
        if write(action) {
            return Some(Answer::Lost);
        }
        listing(action).then_some(Answer::Held)
    });
    driver.add(node("a", &[]));
    driver.delete("a");
    driver.pass(Duration::from_secs(1));
    assert_eq!(driver.phase("a"), Some(Phase::Draining));
    driver.release();
    driver.pass(Duration::from_secs(40));
    assert_eq!(driver.phase("a"), None);
    assert_eq!(
        driver.tables[&table("main")].len(),
        1,
        "it was found and removed"
    );
}

#[test]
fn nothing_bad_is_said_of_nodes_before_all_was_read_and_has_settled() {
    let limits = Limits {
        settle: Duration::from_secs(10),
        ..LIMITS
    };
    let mut driver = Driver::new(limits, config(16));
    driver.put("main", foreign("10.0.0.0/24"));
    driver.elect(vec![node("a", &["10.0.0.0/24"])]);
    driver.pass(Duration::from_secs(9));
    assert_eq!(driver.problem("a"), Some(Reason::RouteConflict));
    assert_eq!(driver.statuses("a"), []);
    driver.pass(Duration::from_secs(3));
    assert_eq!(driver.statuses("a"), [(false, Reason::RouteConflict)]);
}

#[test]
fn a_teardown_is_done_only_when_no_write_can_make_a_route_any_more() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault = Box::new(|action| write(action).then_some(Answer::Held));
    driver.add(node("a", &[]));
    driver.configure(|config| config.teardown = true);
    let done = |driver: &Driver| driver.log.contains(&Action::TeardownDone);
    driver.pass(Duration::from_secs(300));
    assert!(!done(&driver));
    driver.release();
    assert!(!done(&driver));
    driver.pass(Duration::from_secs(60));
    assert!(done(&driver));
    assert_eq!(driver.tables[&table("main")].len(), 0);
}

#[test]
fn a_destination_is_considered_again_after_its_write() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault = Box::new(|action| write(action).then_some(Answer::Held));
    driver.add(node("a", &[]));
    driver.instances.insert("a".into(), found("elsewhere"));
    driver.add(Node {
        provider_id: Some("moved".into()),
        ..driver.nodes["a"].clone()
    });
    driver.pass(Duration::from_secs(1));
    driver.release();
    driver.pass(Duration::from_millis(100));
    let route = driver.tables[&table("main")][&net("10.0.0.0/24")].clone();
    assert_eq!(route.next_hop, Some(hop("elsewhere")));
}

#[test]
fn an_answer_to_a_write_of_pod_cidrs_that_nobody_sent_changes_nothing() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    let lost = ApiError::new(ApiErrorKind::Unknown, "as told");
    driver.tell(Event::PodCidrsSet {
        node: key("a"),
        result: Err(lost),
    });
    driver.pass(Duration::from_secs(60));
    assert_eq!(driver.phase("a"), Some(Phase::Routed));
}
