//! Nodes that wait for their routes for long.

use super::*;
use crate::nodes::Wait;

fn wait(rig: &Rig, id: NodeId) -> Wait {
    rig.nodes.get(id).expect("it lives").wait()
}

/// Whether the node is judged anew at that second.
fn is_judged(rig: &mut Rig, second: u64) -> bool {
    rig.at(second);
    rig.nodes.tick(&rig.turn);
    rig.is_dirty()
}

#[test]
fn a_node_waits_long_after_ten_seconds_and_too_long_after_two_minutes() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.at(10).stand(id, Phase::Routing, None);
    rig.is_dirty();
    assert_eq!(wait(&rig, id), Wait::Short);
    assert_eq!(rig.nodes.next_wake(), Some(Time(20_000)));
    assert!(!is_judged(&mut rig, 19));
    assert!(is_judged(&mut rig, 20));
    assert_eq!(wait(&rig, id), Wait::Long);
    assert_eq!(rig.nodes.next_wake(), Some(Time(130_000)));
    assert!(!is_judged(&mut rig, 129));
    assert!(is_judged(&mut rig, 130));
    assert_eq!(wait(&rig, id), Wait::TooLong);
    assert_eq!(rig.nodes.next_wake(), None);
}

#[test]
fn each_node_waits_from_its_own_beginning() {
    let mut rig = Rig::new();
    let (a, b) = (rig.add(node("a")), rig.add(node("b")));
    rig.at(10).stand(a, Phase::Routing, None);
    rig.at(15).stand(b, Phase::Routing, None);
    rig.is_dirty();
    is_judged(&mut rig, 20);
    assert_eq!((wait(&rig, a), wait(&rig, b)), (Wait::Long, Wait::Short));
    assert_eq!(rig.nodes.next_wake(), Some(Time(25_000)));
    is_judged(&mut rig, 25);
    assert_eq!(wait(&rig, b), Wait::Long);
    is_judged(&mut rig, 130);
    assert_eq!((wait(&rig, a), wait(&rig, b)), (Wait::TooLong, Wait::Long));
    is_judged(&mut rig, 135);
    assert_eq!(wait(&rig, b), Wait::TooLong);
}

#[test]
fn a_node_that_was_routed_meanwhile_waits_no_more() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.at(10).stand(id, Phase::Routing, None);
    rig.at(12).stand(id, Phase::Routed, None);
    rig.is_dirty();
    assert!(!is_judged(&mut rig, 20));
    rig.at(25).stand(id, Phase::Routing, None);
    rig.is_dirty();
    assert!(!is_judged(&mut rig, 34), "it counts from 25");
    assert!(is_judged(&mut rig, 35));
}

#[test]
fn a_node_that_is_still_to_be_written_does_not_wait_for_routes() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.at(10).stand(id, Phase::Allocated, None);
    assert_eq!(rig.nodes.next_wake(), None);
}
