//! Something else is desired than what failed.

use super::*;
use CloudErrorKind as Kinds;

fn creating() -> Rig {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(20).list(main(&[]));
    rig.work();
    rig
}

#[test]
fn what_failed_before_says_nothing_of_another_next_hop() {
    let mut rig = creating();
    rig.at(21).end(Err(Kinds::Denied));
    assert_eq!(rig.trouble(A), Some(Reason::CloudDenied));
    rig.at(22).lead(A, 1, "b");
    assert_eq!(rig.trouble(A), None);
    assert_eq!(rig.work().len(), 1, "at once");
}

#[test]
fn that_an_answer_was_lost_is_remembered_when_the_next_hop_changes() {
    let mut rig = creating();
    rig.at(21).end(Err(Kinds::Unknown));
    rig.list(main(&[]));
    rig.at(22).lead(A, 1, "b");
    for second in [22, 23, 25] {
        assert_eq!(rig.at(second).work().len(), 1);
        rig.end(Err(Kinds::AlreadyExists));
        rig.list(main(&[]));
        assert_eq!(rig.trouble(A), None, "the first write may have made it");
    }
}

#[test]
fn a_replacement_that_did_not_happen_left_the_route_as_it_was() {
    for (kind, routed) in [(Kinds::Denied, true), (Kinds::Unknown, false)] {
        let mut rig = Rig::routed();
        rig.at(21).lead(A, 1, "b");
        rig.work();
        rig.end(Err(kind));
        rig.lead(A, 1, "a");
        assert_eq!(rig.is_routed(A), routed, "{kind:?}");
    }
}

#[test]
fn what_is_to_go_already_is_not_to_go_anew() {
    let mut rig = Rig::routed();
    rig.orphan(A);
    rig.work();
    rig.at(21).end(Err(Kinds::Denied));
    rig.orphan(A);
    assert_eq!(rig.work(), [""; 0], "its back-off goes on");
}

#[test]
fn whose_a_block_is_counts_also_while_nobody_knows_where_it_leads() {
    let mut rig = Rig::new();
    rig.keep(A, 1);
    rig.keep(A, 2);
    assert_eq!(rig.routes(A).owner(), Some(id(2)));
}
