//! Taking back a block that was chosen for a node.

use super::*;

fn block() -> IpNet {
    net("10.0.0.0/24")
}

/// A node for which a block was chosen; the answer to its write was lost at second 10.
fn uncertain() -> (Rig, NodeId) {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.nodes.assign(id, vec![block()]);
    rig.at(9).work();
    rig.at(10).set("a", refused(ApiErrorKind::Unknown));
    rig.is_dirty();
    (rig, id)
}

fn withdraw(rig: &mut Rig, id: NodeId) -> bool {
    let withdrawn = rig.nodes.withdraw(&mut rig.turn, id);
    if let Some(cidrs) = &withdrawn {
        assert_eq!(cidrs[..], [block()]);
        assert_eq!(rig.nodes.get(id).map(|it| it.cidrs().len()), Some(0));
    }
    withdrawn.is_some()
}

#[test]
fn what_was_not_sent_is_taken_back_at_once() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.nodes.assign(id, vec![block()]);
    assert!(withdraw(&mut rig, id));
}

#[test]
fn what_was_refused_is_taken_back_at_once() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.nodes.assign(id, vec![block()]);
    rig.work();
    rig.set("a", refused(ApiErrorKind::Transient));
    assert!(withdraw(&mut rig, id));
}

#[test]
fn what_may_have_been_written_stays_until_the_node_is_read_when_it_can_land_no_more() {
    let (mut rig, id) = uncertain();
    assert!(!withdraw(&mut rig, id));
    assert_eq!(reads(&rig.turn.take()), [], "it could land after that");
    assert_eq!(rig.nodes.next_wake(), Some(Time(60_000)));
    rig.at(59).read(node("a"));
    assert!(!withdraw(&mut rig, id), "it was read too early");
    rig.at(60);
    assert!(!withdraw(&mut rig, id));
    assert_eq!(reads(&rig.turn.take()), [key("a")]);
    rig.see(node("a"));
    assert!(!withdraw(&mut rig, id), "that may be a late sighting");
    rig.at(61).read(node("a"));
    assert!(withdraw(&mut rig, id));
}

#[test]
fn what_has_landed_is_the_nodes() {
    let (mut rig, id) = uncertain();
    rig.at(20).see(having("a", &["10.0.0.0/24"]));
    let state = rig.nodes.get(id).expect("it lives");
    assert!(state.has_its_cidrs() && !state.may_choose_anew());
}

#[test]
fn a_read_without_an_answer_is_asked_for_again_and_not_all_the_time() {
    let (mut rig, id) = uncertain();
    let mut asked = 0;
    for second in 60..360 {
        rig.at(second);
        rig.nodes.tick(&rig.turn);
        if rig.is_dirty() {
            assert!(!withdraw(&mut rig, id));
        } else if second == 60 {
            withdraw(&mut rig, id);
        }
        asked += reads(&rig.turn.take()).len();
    }
    assert!((3..=60).contains(&asked), "{asked} reads in five minutes");
}

#[test]
fn a_second_lost_answer_begins_the_wait_anew() {
    let (mut rig, id) = uncertain();
    rig.nodes.mark(id);
    assert_eq!(sets(&rig.at(40).work()).len(), 1);
    rig.at(41).set("a", refused(ApiErrorKind::Unknown));
    rig.at(90).read(node("a"));
    assert!(!withdraw(&mut rig, id));
    rig.at(91).read(node("a"));
    assert!(withdraw(&mut rig, id));
}

#[test]
fn a_refusal_after_a_lost_answer_says_nothing_of_the_first_write() {
    let (mut rig, id) = uncertain();
    rig.nodes.mark(id);
    rig.at(20).work();
    rig.at(21).set("a", refused(ApiErrorKind::Transient));
    rig.at(22).read(node("a"));
    assert!(!withdraw(&mut rig, id), "the first may land yet");
}
