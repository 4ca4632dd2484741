//! Listings that hang, and answers that come late.

use super::*;

/// A listing that was begun at 20 s and is not answered.
fn hanging() -> (Rig, u64) {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(20).tables.want_listing(at(20).at);
    let first = rig.begin_list();
    (rig, first)
}

#[test]
fn a_second_listing_is_begun_when_the_first_takes_too_long() {
    let (mut rig, _) = hanging();
    rig.at(34);
    assert!(!rig.is_due());
    assert_eq!(rig.tables.next_wake(false), Some(at(35).at));
    rig.at(35);
    assert!(rig.is_due());
    let second = rig.begin_list();
    assert!(!rig.is_due(), "two are enough for now");
    rig.at(36).end_list(second, main(&[])).expect("it counts");
    assert_eq!(rig.work(), [format!("create {A} in main")]);
}

#[test]
fn an_answer_older_than_one_that_was_taken_in_is_dropped() {
    let (mut rig, first) = hanging();
    let second = rig.at(35).begin_list();
    rig.at(36).end_list(second, main(&[ours(A, "a")]));
    assert!(rig.is_routed(A));
    assert!(rig.at(37).end_list(first, main(&[])).is_none());
    assert!(rig.is_routed(A), "it says nothing any more");
}

#[test]
fn an_answer_that_comes_before_that_of_the_second_counts() {
    let (mut rig, first) = hanging();
    let second = rig.at(35).begin_list();
    let listed = rig.at(36).end_list(first, main(&[])).expect("it counts");
    assert_eq!(listed.complete.map(|begun| begun.at), Some(at(20).at));
    let listed = rig.at(37).end_list(second, main(&[])).expect("it too");
    assert_eq!(listed.complete.map(|begun| begun.at), Some(at(35).at));
}

#[test]
fn the_first_is_given_up_when_a_third_begins_and_that_is_said() {
    let (mut rig, first) = hanging();
    rig.at(35).begin_list();
    rig.at(49);
    assert!(!rig.is_due());
    rig.at(50);
    assert!(rig.is_due());
    let third = rig.begin_list();
    assert_eq!(rig.tables.listing_error(), Some("no answer within 30 s"));
    assert!(rig.at(51).end_list(first, main(&[])).is_none());
    assert!(rig.at(52).end_list(third, main(&[])).is_some());
    assert_eq!(rig.tables.listing_error(), None);
}

#[test]
fn an_answer_to_what_was_never_asked_is_dropped() {
    let mut rig = Rig::new();
    assert!(rig.at(20).end_list(77, main(&[ours(A, "a")])).is_none());
    assert_eq!(rig.tables.uses().len(), 0);
}

#[test]
fn the_same_answer_counts_once() {
    let (mut rig, first) = hanging();
    assert!(rig.at(21).end_list(first, main(&[])).is_some());
    assert!(rig.at(22).end_list(first, main(&[])).is_none());
}

#[test]
fn a_second_listing_that_fails_leaves_the_first_its_answer() {
    let mut rig = Rig::new();
    let first = rig.at(20).begin_list();
    let second = rig.at(36).begin_list();
    let failure = Err(error(CloudErrorKind::Throttled));
    rig.tables
        .listing_ended(&mut rig.turn, second, failure)
        .expect("it was under way");
    let listed = rig.at(40).end_list(first, main(&[]));
    assert!(listed.is_some_and(|listed| listed.complete.is_some()));
}
