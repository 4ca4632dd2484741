//! Whether a node that is in service has to be taken out of it.

use super::*;

fn is_lost(rig: &Rig) -> bool {
    rig.is_lost(A)
}

fn both(first: &[ObservedRoute], second: &[ObservedRoute]) -> Vec<TableListing> {
    vec![table("main", first), table("second", second)]
}

#[test]
fn what_no_table_leads_to_is_lost() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    assert!(is_lost(&rig), "nothing is known of it");
    rig.at(20).list(main(&[]));
    assert!(is_lost(&rig));
    rig.at(21).list(main(&[ours(A, "elsewhere")]));
    assert!(is_lost(&rig));
    rig.at(22).list(main(&[ours(A, "a")]));
    assert!(!is_lost(&rig));
}

#[test]
fn a_table_that_never_led_there_does_not_count() {
    let mut rig = Rig::routed();
    rig.at(30).list(both(&[ours(A, "a")], &[]));
    assert!(!rig.is_routed(A));
    assert!(!is_lost(&rig), "the first still leads there");
    rig.work();
    rig.at(31).end(Err(CloudErrorKind::QuotaExceeded));
    assert!(!is_lost(&rig));
}

#[test]
fn a_table_that_led_there_and_does_no_more_counts() {
    let route = ours(A, "a");
    for shown in [
        vec![],
        vec![ours(A, "elsewhere")],
        vec![foreign(A)],
        vec![route.clone(), foreign(A)],
        vec![dropped(route.clone(), Blackhole::TargetStopped)],
    ] {
        let mut rig = Rig::new();
        rig.lead(A, 1, "a");
        let route = std::slice::from_ref(&route);
        rig.at(20).list(both(route, route));
        assert!(!is_lost(&rig));
        rig.at(40).list(both(route, &shown));
        assert!(is_lost(&rig), "{shown:?}");
        rig.at(60).list(both(route, route));
        assert!(!is_lost(&rig));
    }
}

#[test]
fn while_a_write_has_not_ended_nothing_is_known_to_be_lost() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[]));
    rig.lead(A, 1, "a");
    rig.work();
    assert!(!is_lost(&rig), "it may be there by now");
    rig.at(21).end(Err(CloudErrorKind::AlreadyExists));
    assert!(!is_lost(&rig), "it is there, whosever it is");
    rig.at(60).list(main(&[foreign(A)]));
    assert!(is_lost(&rig));
}

#[test]
fn while_the_instance_is_not_known_a_table_that_leads_somewhere_may_lead_there() {
    let mut rig = Rig::new();
    rig.keep(A, 1);
    rig.at(20).list(both(&[ours(A, "a")], &[foreign(A)]));
    assert!(!is_lost(&rig), "the first may lead there");
    let hole = dropped(ours(A, "a"), Blackhole::TargetGone);
    rig.at(40).list(both(&[hole], &[foreign(A)]));
    assert!(is_lost(&rig));
    rig.at(60).list(both(&[foreign(A)], &[foreign(A)]));
    assert!(is_lost(&rig));
}

#[test]
fn it_makes_no_difference_whether_the_route_or_the_node_was_seen_first() {
    let mut rig = Rig::new();
    let route = [ours(A, "a")];
    rig.at(20).list(both(&route, &route));
    rig.lead(A, 1, "a");
    rig.at(40).list(both(&route, &[]));
    assert!(is_lost(&rig));
}

#[test]
fn what_a_table_did_for_the_owner_before_says_nothing_of_the_next() {
    let mut rig = Rig::new();
    let route = [ours(A, "a")];
    rig.lead(A, 1, "a");
    rig.at(20).list(both(&route, &route));
    rig.at(21).lead(A, 2, "b");
    rig.write();
    rig.at(40).list(both(&[ours(A, "b")], &[]));
    assert!(!rig.is_routed(A));
    assert!(!is_lost(&rig), "the second never led to it");
}

#[test]
fn a_table_that_does_not_follow_an_instance_that_moved_counts() {
    let mut rig = Rig::new();
    let (old, new) = ([ours(A, "a")], [ours(A, "b")]);
    rig.lead(A, 1, "a");
    rig.at(20).list(both(&old, &old));
    rig.at(21).lead(A, 1, "b");
    rig.work();
    rig.end(Ok(()));
    rig.end(Err(CloudErrorKind::Denied));
    rig.at(40).list(both(&new, &old));
    assert!(is_lost(&rig), "the second led to it");
}

#[test]
fn a_route_that_is_being_led_elsewhere_is_not_routed_though_it_should_stay_by_now() {
    let mut rig = Rig::routed();
    rig.at(21).lead(A, 1, "b");
    rig.work();
    rig.lead(A, 1, "a");
    assert!(!rig.is_routed(A), "the write is in flight");
    rig.at(22).end(Ok(()));
    assert_eq!(rig.write(), [format!("replace {A} in main")]);
}

#[test]
fn while_a_route_is_led_over_it_is_not_lost_for_longer_than_that_takes() {
    let mut rig = Rig::routed();
    rig.at(21).lead(A, 1, "moved");
    assert!(is_lost(&rig), "it leads to where the instance was");
    rig.write();
    assert!(!is_lost(&rig), "written; reading back is not waited for");
    assert!(!rig.is_routed(A));
}
