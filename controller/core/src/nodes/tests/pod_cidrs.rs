//! Writing pod CIDRs.

use super::*;

fn block(number: usize) -> IpNet {
    net(&format!("10.0.{number}.0/24"))
}

/// A node for which a block was chosen.
fn chosen() -> (Rig, NodeId) {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.nodes.assign(id, vec![block(0)]);
    (rig, id)
}

fn trouble_of(rig: &Rig, id: NodeId) -> Option<String> {
    let trouble = rig.nodes.get(id)?.assignment_trouble()?;
    assert_eq!(trouble.reason, Reason::WriteRefused);
    Some(trouble.message.clone())
}

#[test]
fn what_was_chosen_is_written_once() {
    let (mut rig, id) = chosen();
    let state = |rig: &Rig| {
        let state = rig.nodes.get(id).expect("it lives");
        (state.has_its_cidrs(), state.may_choose_anew())
    };
    assert_eq!(state(&rig), (false, true));
    assert_eq!(sets(&rig.work()), [("a".to_owned(), vec![block(0)])]);
    assert_eq!(state(&rig), (false, false));
    rig.see(node("a"));
    assert_eq!(sets(&rig.work()), [], "it is on its way");
    rig.set("a", Ok(()));
    assert!(rig.is_dirty(), "who waits for it is judged");
    assert_eq!(state(&rig), (true, false));
    assert_eq!(sets(&rig.work()), []);
}

#[test]
fn a_block_that_is_not_the_nodes_to_have_any_more_is_not_written() {
    let (mut rig, _) = chosen();
    assert_eq!(sets(&rig.work_if(|_| false)), []);
    assert!(rig.nodes.any_dirty(), "it is judged anew");
    assert_eq!(sets(&rig.work()).len(), 1);
}

#[test]
fn nothing_is_written_to_a_node_that_is_gone() {
    let (mut rig, id) = chosen();
    rig.nodes.lose(id, Departure::Deleted, Time(0));
    assert_eq!(sets(&rig.work()), []);
}

#[test]
fn so_many_writes_are_in_flight_at_once_and_pod_cidrs_come_first() {
    let mut rig = Rig::with(Limits {
        api_writes: 3,
        ..LIMITS
    });
    let routed = rig.add(having("routed", &["10.0.9.0/24"]));
    rig.stand(routed, Phase::Routed, None);
    for number in 0..4 {
        let id = rig.add(node(&format!("n{number}")));
        rig.nodes.assign(id, vec![block(number)]);
    }
    let begun = rig.work();
    assert_eq!((sets(&begun).len(), statuses(&begun).len()), (3, 0));
    assert!(rig.nodes.writes_wait());
    rig.set("n0", Ok(()));
    rig.set("n1", Ok(()));
    let begun = rig.work();
    assert_eq!((sets(&begun).len(), statuses(&begun).len()), (1, 1));
    assert!(!rig.nodes.writes_wait());
}

#[test]
fn what_ended_without_success_is_tried_again_after_a_back_off() {
    let (mut rig, _) = chosen();
    let mut waits = Vec::new();
    let mut second = 1;
    for _ in 0..5 {
        assert_eq!(sets(&rig.work()).len(), 1);
        rig.set("a", refused(ApiErrorKind::Transient));
        assert_eq!(sets(&rig.work()), []);
        let next = rig.nodes.next_wake().expect("another try");
        waits.push(next.since(Time(second * 1_000)));
        second = next.0.div_ceil(1_000);
        rig.at(second);
    }
    assert!(waits.is_sorted(), "{waits:?}");
}

#[test]
fn what_may_have_been_decided_by_others_makes_the_node_be_read() {
    for (kind, read) in [
        (ApiErrorKind::Conflict, true),
        (ApiErrorKind::NotFound, true),
        (ApiErrorKind::Denied, true),
        (ApiErrorKind::Invalid, true),
        (ApiErrorKind::Transient, false),
        (ApiErrorKind::Unknown, false),
    ] {
        let (mut rig, _) = chosen();
        rig.work();
        rig.set("a", refused(kind));
        assert_eq!(reads(&rig.turn.take()).len(), usize::from(read), "{kind:?}");
    }
}

#[test]
fn an_answer_to_what_is_no_longer_chosen_makes_the_node_be_read() {
    let (mut rig, id) = chosen();
    rig.work();
    rig.see(having("a", &["10.0.9.0/24"]));
    rig.set("a", Ok(()));
    assert_eq!(reads(&rig.turn.take()), [key("a")]);
    let state = rig.nodes.get(id).expect("it lives");
    assert_eq!(state.cidrs(), [block(9)]);
}

#[test]
fn a_permission_that_is_missing_is_named_at_once() {
    let (mut rig, id) = chosen();
    rig.work();
    rig.set("a", refused(ApiErrorKind::Denied));
    let told = "spec.podCIDRs cannot be set: as told; grant the controller the verb patch on nodes";
    assert_eq!(trouble_of(&rig, id).as_deref(), Some(told));
    rig.at(10).work();
    rig.set("a", Ok(()));
    assert_eq!(trouble_of(&rig, id), None);
}

#[test]
fn whatever_is_refused_for_long_is_told_in_the_words_of_who_refused() {
    for (kind, words) in [
        (ApiErrorKind::Conflict, "an admission policy"),
        (ApiErrorKind::Transient, "it is tried again"),
        (ApiErrorKind::Unknown, "it is tried again"),
    ] {
        let (mut rig, id) = chosen();
        for failures in 1..=6 {
            assert_eq!(trouble_of(&rig, id), None, "{failures}");
            rig.at(100 * failures).work();
            rig.set("a", refused(kind));
        }
        let told = trouble_of(&rig, id).expect("it lasts");
        assert!(told.contains("as told") && told.contains(words), "{told}");
    }
}

#[test]
fn failures_count_on_when_another_block_is_chosen() {
    let (mut rig, id) = chosen();
    for failures in 1..=6 {
        rig.at(100 * failures).work();
        rig.set("a", refused(ApiErrorKind::Conflict));
        let given = rig.nodes.withdraw(&mut rig.turn, id).expect("no doubt");
        assert_eq!(given.len(), 1);
        rig.nodes.assign(id, vec![block(0)]);
    }
    rig.at(700).work();
    rig.set("a", refused(ApiErrorKind::Conflict));
    assert!(trouble_of(&rig, id).is_some());
}

#[test]
fn a_node_seen_without_what_it_has_is_read_and_gets_it_again_if_it_lost_it() {
    let mut rig = Rig::new();
    rig.add(having("a", &["10.0.0.0/24"]));
    rig.at(10).see(node("a"));
    assert_eq!(rig.work(), []);
    assert_eq!(rig.nodes.next_wake(), Some(Time(15_000)));
    assert_eq!(reads(&rig.at(15).work()), [key("a")]);
    assert_eq!(rig.at(60).work(), [], "once");
    rig.at(61).read(node("a"));
    assert_eq!(sets(&rig.work()), [("a".to_owned(), vec![block(0)])]);
}

#[test]
fn a_node_that_was_seen_late_without_what_it_has_keeps_it() {
    let mut rig = Rig::new();
    rig.add(having("a", &["10.0.0.0/24"]));
    rig.at(10).see(node("a"));
    rig.at(12).see(having("a", &["10.0.0.0/24"]));
    assert_eq!(rig.at(15).work(), []);
}

#[test]
fn an_answer_for_a_node_that_is_gone_changes_nothing() {
    let (mut rig, id) = chosen();
    rig.work();
    rig.nodes.lose(id, Departure::Deleted, Time(0));
    rig.is_dirty();
    rig.set("a", Ok(()));
    assert!(!rig.is_dirty());
    assert_eq!(rig.turn.take(), []);
}

#[test]
fn a_trouble_with_a_write_ends_when_the_node_turns_out_to_have_what_was_chosen() {
    let (mut rig, id) = chosen();
    rig.work();
    rig.set("a", refused(ApiErrorKind::Denied));
    assert!(trouble_of(&rig, id).is_some());
    rig.see(having("a", &["10.0.0.0/24"]));
    assert_eq!(trouble_of(&rig, id), None);
}

#[test]
fn a_success_ends_the_failures_before_it() {
    let (mut rig, _) = chosen();
    for second in [100, 200, 300] {
        rig.at(second).work();
        rig.set("a", refused(ApiErrorKind::Transient));
    }
    rig.at(400).work();
    rig.set("a", Ok(()));
    // It loses them, and they are written again.
    rig.at(410).see(node("a"));
    rig.at(415).work();
    rig.at(416).read(node("a"));
    assert_eq!(sets(&rig.work()).len(), 1);
    rig.set("a", refused(ApiErrorKind::Transient));
    rig.work();
    let next = rig.nodes.next_wake().expect("another try");
    assert!(
        next <= Time(416_200),
        "as after the first failure: {next:?}"
    );
}

#[test]
fn what_a_node_turned_out_to_have_while_its_write_waited_is_not_written() {
    let mut rig = Rig::with(Limits {
        api_writes: 1,
        ..LIMITS
    });
    for number in 0..2 {
        let id = rig.add(node(&format!("n{number}")));
        rig.nodes.assign(id, vec![block(number)]);
    }
    assert_eq!(sets(&rig.work()).len(), 1);
    rig.see(having("n1", &["10.0.1.0/24"]));
    rig.set("n0", Ok(()));
    assert_eq!(sets(&rig.work()), []);
}

#[test]
fn a_node_that_was_read_without_what_was_on_its_way_to_it_is_read_again() {
    let (mut rig, _) = chosen();
    rig.work();
    rig.read(node("a"));
    rig.set("a", Ok(()));
    assert_eq!(reads(&rig.turn.take()), [key("a")], "it may have lost them");
    rig.at(2).read(node("a"));
    assert_eq!(sets(&rig.work()), [("a".to_owned(), vec![block(0)])]);
    rig.set("a", Ok(()));
    assert_eq!(reads(&rig.turn.take()), [], "not read meanwhile");
}

#[test]
fn a_late_sighting_while_the_write_is_on_its_way_means_nothing() {
    let (mut rig, _) = chosen();
    rig.work();
    rig.see(node("a"));
    rig.set("a", Ok(()));
    assert_eq!(reads(&rig.turn.take()), []);
}
