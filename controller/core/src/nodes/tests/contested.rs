//! Conditions that somebody else changes.

use super::*;
use NetworkCondition::{Available, Foreign, Unavailable};

/// A routed node whose condition was written at second 10.
fn told() -> (Rig, NodeId) {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.stand(id, Phase::Routed, None);
    rig.work();
    rig.at(10).told("a", Ok(()));
    rig.see(saying("a", Available));
    rig.work();
    (rig, id)
}

/// Somebody else writes the opposite; ours is written again when it is time. Says when.
fn change_back(rig: &mut Rig, second: u64) -> (u64, Vec<Reason>) {
    rig.at(second).see(saying("a", Unavailable));
    let mut notices = notices(&rig.turn.take());
    for next in second..second + 1_000 {
        let actions = rig.at(next).work();
        notices.extend(super::notices(&actions));
        if !statuses(&actions).is_empty() {
            rig.told("a", Ok(()));
            rig.see(saying("a", Available));
            return (next, notices);
        }
    }
    panic!("never written again");
}

#[test]
fn what_was_overwritten_is_written_again_at_once() {
    let (mut rig, _) = told();
    assert_eq!(change_back(&mut rig, 20), (20, vec![]));
}

#[test]
fn the_same_for_a_reason_of_somebody_else_s_is_written_over_too() {
    let (mut rig, _) = told();
    rig.at(20).see(saying("a", Foreign));
    assert_eq!(statuses(&rig.work()), [(true, Reason::RouteCreated)]);
}

#[test]
fn a_node_taken_out_of_service_that_somebody_puts_back_is_taken_out_again() {
    let mut rig = Rig::new();
    let id = rig.add(saying("a", Available));
    let blackhole = Some(trouble(Reason::RouteBlackhole));
    rig.stand_so(id, Phase::Routing, blackhole, true);
    assert_eq!(
        statuses(&rig.at(10).work()),
        [(false, Reason::RouteBlackhole)]
    );
    rig.told("a", Ok(()));
    rig.see(saying("a", Unavailable));
    rig.at(20).see(saying("a", Foreign));
    assert_eq!(statuses(&rig.work()), [(false, Reason::RouteBlackhole)]);
}

#[test]
fn a_contradiction_right_after_our_write_may_be_a_late_sighting() {
    let (mut rig, _) = told();
    rig.at(11).see(saying("a", Unavailable));
    assert_eq!(rig.work(), []);
    assert_eq!(rig.nodes.next_wake(), Some(Time(15_000)));
    rig.at(12).see(saying("a", Available));
    assert_eq!(rig.at(15).work(), [], "it was one");
}

#[test]
fn a_doubtful_sighting_makes_the_node_be_read() {
    let (mut rig, id) = told();
    rig.at(11).see(saying("a", Unavailable));
    assert_eq!(reads(&rig.at(15).work()), [key("a")]);
    rig.at(16).nodes.mark(id);
    assert_eq!(rig.work(), [], "once");
    rig.at(17).read(saying("a", Unavailable));
    assert_eq!(statuses(&rig.work()), [(true, Reason::RouteCreated)]);
}

#[test]
fn a_fresh_look_is_believed_at_once() {
    let (mut rig, _) = told();
    rig.at(11).read(saying("a", Unavailable));
    assert_eq!(statuses(&rig.work()), [(true, Reason::RouteCreated)]);
}

#[test]
fn somebody_who_does_it_again_and_again_is_told_of_once_and_backed_off_from() {
    let (mut rig, _) = told();
    let mut second = 20;
    let mut waits = Vec::new();
    let mut told = Vec::new();
    for _ in 0..6 {
        let (next, notices) = change_back(&mut rig, second);
        waits.push(next - second);
        told.push(notices.len());
        second = next + 6;
    }
    assert_eq!(told, [0, 0, 1, 0, 0, 0], "the third time");
    assert_eq!(waits[0], 0);
    assert!(waits[1..].is_sorted() && waits[5] >= 16, "{waits:?}");
}

#[test]
fn after_ten_quiet_minutes_it_counts_anew() {
    let (mut rig, _) = told();
    let (second, _) = change_back(&mut rig, 20);
    let (second, _) = change_back(&mut rig, second + 6);
    let (next, notices) = change_back(&mut rig, second + 700);
    assert_eq!((next - second, notices), (700, vec![]));
}

#[test]
fn somebody_who_says_the_same_contests_nothing() {
    let (mut rig, _) = told();
    for second in 20..40 {
        rig.at(second).see(saying("a", Available));
        assert_eq!(rig.work(), []);
    }
}

#[test]
fn what_the_answer_contradicts_is_looked_at_again() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.stand(id, Phase::Routed, None);
    rig.at(10).work();
    // Somebody else was later, and was seen before our answer came.
    rig.see(saying("a", Unavailable));
    rig.at(11).told("a", Ok(()));
    assert_eq!(rig.work(), []);
    assert_eq!(reads(&rig.at(16).work()), [key("a")]);
}

#[test]
fn ten_minutes_count_from_the_last_time() {
    let (mut rig, _) = told();
    let mut second = 20;
    let mut told = Vec::new();
    for _ in 0..3 {
        let (next, notices) = change_back(&mut rig, second);
        told.extend(notices);
        second = next + 400;
    }
    assert_eq!(told, [Reason::ConditionContested]);
}

#[test]
fn a_look_that_is_over_changes_nothing_later() {
    let (mut rig, id) = told();
    rig.at(11).see(saying("a", Unavailable));
    rig.at(12).read(saying("a", Unavailable));
    rig.work();
    rig.at(13).told("a", Ok(()));
    rig.see(saying("a", Available));
    rig.at(60).nodes.mark(id);
    assert_eq!(rig.work(), []);
}

#[test]
fn a_contradiction_after_the_answer_is_looked_at_when_its_time_has_come() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.stand(id, Phase::Routed, None);
    rig.at(9).work();
    rig.see(saying("a", Available));
    rig.at(10).told("a", Ok(()));
    assert_eq!(rig.nodes.next_wake(), None);
    rig.at(11).see(saying("a", Unavailable));
    assert_eq!(rig.nodes.next_wake(), Some(Time(15_000)));
}
