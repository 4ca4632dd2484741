//! Nodes that wait for their routes for long.

use super::*;

fn waits_long(rig: &Rig, id: NodeId) -> bool {
    rig.nodes.get(id).expect("it lives").waits_long()
}

/// Whether a node is judged anew at that second.
fn is_judged(rig: &mut Rig, second: u64) -> bool {
    rig.at(second);
    rig.nodes.tick(&rig.turn);
    rig.is_dirty()
}

#[test]
fn a_node_waits_long_after_two_minutes() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.at(10).stand(id, Phase::Routing, None);
    rig.is_dirty();
    assert_eq!(rig.nodes.next_wake(), Some(Time(130_000)));
    assert!(!is_judged(&mut rig, 129));
    assert!(!waits_long(&rig, id));
    assert!(is_judged(&mut rig, 130));
    assert!(waits_long(&rig, id));
    assert_eq!(rig.nodes.next_wake(), None);
}

#[test]
fn each_node_waits_from_its_own_beginning() {
    let mut rig = Rig::new();
    let (a, b) = (rig.add(node("a")), rig.add(node("b")));
    rig.at(10).stand(a, Phase::Routing, None);
    rig.at(15).stand(b, Phase::Routing, None);
    rig.is_dirty();
    is_judged(&mut rig, 130);
    assert_eq!((waits_long(&rig, a), waits_long(&rig, b)), (true, false));
    assert_eq!(rig.nodes.next_wake(), Some(Time(135_000)));
    is_judged(&mut rig, 135);
    assert!(waits_long(&rig, b));
}

#[test]
fn a_node_that_was_routed_meanwhile_waits_no_more() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.at(10).stand(id, Phase::Routing, None);
    rig.at(12).stand(id, Phase::Routed, None);
    rig.is_dirty();
    assert!(!is_judged(&mut rig, 130));
    rig.at(135).stand(id, Phase::Routing, None);
    rig.is_dirty();
    assert!(!is_judged(&mut rig, 254), "it counts from 135");
    assert!(is_judged(&mut rig, 255));
    rig.stand(id, Phase::Routed, None);
    assert!(!waits_long(&rig, id));
}

#[test]
fn a_node_that_is_still_to_be_written_does_not_wait_for_routes() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.at(10).stand(id, Phase::Allocated, None);
    assert_eq!(rig.nodes.next_wake(), None);
}

#[test]
fn a_node_that_begins_to_wait_anew_is_not_taken_for_one_that_waited_on() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.at(10).stand(id, Phase::Routing, None);
    rig.at(12).stand(id, Phase::Routed, None);
    rig.at(13).stand(id, Phase::Routing, None);
    rig.is_dirty();
    assert!(!is_judged(&mut rig, 130));
    assert!(is_judged(&mut rig, 133));
}

#[test]
fn a_node_that_is_judged_again_and_again_waits_once() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    for second in 10..15 {
        rig.at(second).stand(id, Phase::Routing, None);
    }
    assert_eq!(rig.nodes.waiting.len(), 1);
}
