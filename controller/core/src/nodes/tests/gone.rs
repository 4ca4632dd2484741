//! Nodes that are gone.

use super::*;
use crate::nodes::NodeState;

#[test]
fn a_node_that_is_gone_stays_known_until_its_routes_are_gone() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.is_dirty();
    rig.nodes.lose(id, Departure::Deleted, Time(0));
    assert!(rig.is_dirty());
    assert_eq!(rig.nodes.id(&key("a")), None);
    assert_eq!(rig.nodes.any_id(&key("a")), Some(id));
    assert_eq!(rig.nodes.living().count(), 0);
    assert_eq!(rig.nodes.draining().count(), 1);
    assert!(rig.nodes.get(id).is_some_and(NodeState::is_gone));
    rig.nodes.remove(id);
    assert_eq!(rig.nodes.any_id(&key("a")), None);
    assert_eq!(rig.nodes.draining().count(), 0);
    assert!(rig.nodes.get(id).is_none());
}

#[test]
fn late_sightings_of_a_node_that_was_deleted_are_dropped() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.nodes.lose(id, Departure::Deleted, Time(0));
    assert!(rig.see(node("a")).is_none());
    assert!(rig.read(node("a")).is_none());
    rig.nodes.bury(&key("b"), Time(0));
    assert!(rig.see(node("b")).is_none(), "though it was never seen");
    assert_eq!(rig.nodes.living().count(), 0);
    assert_eq!(reads(&rig.turn.take()), []);
}

#[test]
fn a_node_that_was_deleted_displaces_nobody_of_its_name() {
    let mut rig = Rig::new();
    let former = NodeKey::new("a", "former");
    rig.nodes.bury(&former, Time(0));
    rig.add(node("a"));
    assert_eq!(rig.nodes.namesake(&former), None);
}

#[test]
fn a_node_that_a_list_lacked_and_that_is_seen_again_lives_and_is_read() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.nodes.lose(id, Departure::Unlisted, Time(0));
    let sighting = rig.see(node("a")).expect("it lives");
    assert!(sighting.new && sighting.id != id);
    assert_eq!(reads(&rig.turn.take()), [key("a")]);
    rig.see(node("a"));
    assert_eq!(reads(&rig.turn.take()), [], "once");
}

#[test]
fn a_node_that_a_list_lacked_and_that_was_read_anew_need_not_be_read() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.nodes.lose(id, Departure::Unlisted, Time(0));
    assert!(rig.read(node("a")).is_some());
    assert_eq!(reads(&rig.turn.take()), []);
}

#[test]
fn a_list_brings_a_node_back_that_was_deleted() {
    let mut rig = Rig::new();
    rig.nodes.bury(&key("a"), Time(0));
    rig.nodes.begin_list(&mut [node("a")]);
    assert!(rig.read(node("a")).is_some(), "etcd was restored");
}

#[test]
fn who_was_deleted_is_remembered_for_ten_minutes() {
    let mut rig = Rig::new();
    rig.nodes.bury(&key("a"), Time(0));
    rig.nodes.bury(&key("b"), Time(600_000));
    assert!(rig.see(node("a")).is_none());
    rig.nodes.bury(&key("c"), Time(600_001));
    assert!(rig.see(node("a")).is_some(), "nothing is as late as that");
    assert!(rig.see(node("b")).is_none());
}

#[test]
fn the_next_node_of_the_name_is_another_one() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.nodes.lose(id, Departure::Deleted, Time(0));
    let next = Node {
        key: NodeKey::new("a", "another"),
        ..node("a")
    };
    let another = rig.add(next.clone());
    assert_ne!(another, id);
    assert_eq!(rig.nodes.id(&next.key), Some(another));
    rig.nodes.remove(id);
    assert_eq!(rig.nodes.id(&next.key), Some(another));
    assert_eq!(rig.nodes.any_id(&key("a")), None);
}
