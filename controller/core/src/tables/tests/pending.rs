//! Changes that the cloud carries out while we look.

use super::*;

/// The table `main`, where something is carried out for these destinations.
fn pending(routes: &[ObservedRoute], pending: &[&str]) -> Vec<TableListing> {
    vec![TableListing {
        pending: pending.iter().map(|cidr| net(cidr)).collect(),
        ..table("main", routes)
    }]
}

#[test]
fn nothing_is_written_beside_what_is_carried_out() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(20).list(pending(&[], &[A]));
    assert_eq!(rig.work(), [""; 0]);
    assert!(rig.is_due(), "its end is to be seen");
    rig.at(25).list(main(&[]));
    assert_eq!(rig.work(), [format!("create {A} in main")]);
}

#[test]
fn a_creation_of_somebody_else_is_as_good_as_ours() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(20).list(pending(&[], &[A]));
    rig.at(25).list(main(&[ours(A, "a")]));
    assert_eq!(rig.work(), [""; 0]);
    assert!(rig.is_routed(A));
}

#[test]
fn a_network_for_which_something_is_carried_out_is_not_clear() {
    let mut rig = Rig::new();
    rig.at(20).list(pending(&[], &[A]));
    assert!(rig.dirty().contains(&net(A)), "somebody may have it");
    rig.at(60).list(pending(&[], &[A]));
    assert!(!rig.is_clear(A, 20));
    assert!(rig.is_clear(B, 20));
    rig.at(61).list(main(&[]));
    assert!(rig.is_clear(A, 20));
}

#[test]
fn a_route_that_is_being_removed_is_neither_read_back_nor_lost() {
    let mut rig = Rig::routed();
    rig.at(30).list(pending(&[ours(A, "a")], &[A]));
    assert!(!rig.is_routed(A) && !rig.is_lost(A));
    assert_eq!(rig.work(), [""; 0]);
    rig.at(40).list(main(&[ours(A, "a")]));
    assert!(rig.is_routed(A), "it did not come to that");
}

#[test]
fn a_route_that_was_removed_while_we_looked_was_removed_by_somebody_else() {
    let mut rig = Rig::routed();
    rig.at(30).list(pending(&[ours(A, "a")], &[A]));
    rig.at(40).list(main(&[]));
    assert_eq!(rig.told[0].0, Reason::DriftMended);
    assert_eq!(rig.work(), [format!("create {A} in main")]);
}

#[test]
fn what_is_carried_out_for_a_write_of_ours_says_nothing_of_its_end() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(10).list(main(&[]));
    rig.at(11).work();
    rig.at(12).list(pending(&[], &[A]));
    let listing = rig.at(13).begin_list();
    rig.at(14).end(Ok(()));
    rig.at(15).end_list(listing, pending(&[], &[A]));
    rig.at(16).list(main(&[ours(A, "a")]));
    assert!(rig.is_routed(A));
}

/// Without an answer nobody knows that it is ours; it takes longer than listings lag.
#[test]
fn a_creation_that_takes_long_is_no_conflict() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(10).list(main(&[]));
    rig.at(11).work();
    rig.at(12).end(Err(CloudErrorKind::Unknown));
    rig.at(13).list(main(&[]));
    rig.at(14).work();
    rig.end(Err(CloudErrorKind::AlreadyExists));
    for second in [15, 30, 45] {
        rig.at(second).list(pending(&[], &[A]));
        assert_eq!(rig.work(), [""; 0]);
        assert_eq!(rig.trouble(A), None, "at {second} s");
    }
    rig.at(46).list(main(&[ours(A, "a")]));
    assert!(rig.is_routed(A));
}

/// What is shown of the route may be older than our write, as may what is shown to be carried out.
#[test]
fn what_was_carried_out_does_not_make_a_late_listing_believed() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(10).list(main(&[]));
    rig.at(11).work();
    rig.at(20).end(Ok(()));
    rig.at(21).list(main(&[ours(A, "a")]));
    rig.at(22).list(pending(&[], &[A]));
    rig.at(24).list(main(&[]));
    assert_eq!(rig.work(), [""; 0]);
    rig.at(25).list(main(&[ours(A, "a")]));
    assert!(rig.is_routed(A));
    assert_eq!(rig.told, []);
}

#[test]
fn a_teardown_is_not_done_while_something_is_carried_out() {
    let mut rig = Rig::new();
    rig.allow(|policy| policy.teardown = true);
    rig.at(20).list(pending(&[], &[A]));
    assert!(!rig.tables.is_torn_down(SETTLE));
    rig.orphan(A);
    rig.at(60).list(main(&[ours(A, "a")]));
    assert_eq!(rig.write(), [format!("delete {A} in main")]);
    rig.at(80).list(main(&[]));
    assert!(rig.tables.is_torn_down(SETTLE));
}

/// A cloud that cannot lead a route elsewhere, and one to `a`.
fn removing() -> Rig {
    let mut rig = Rig::with(Limits {
        replaces: false,
        settle: SETTLE,
        ..Limits::LOCAL
    });
    rig.lead(A, 1, "a");
    rig.at(20).list(main(&[ours(A, "a")]));
    rig
}

#[test]
fn where_no_route_can_be_led_elsewhere_it_is_removed_and_made_anew() {
    let mut rig = removing();
    rig.at(21).lead(A, 1, "b");
    assert_eq!(rig.work(), [format!("delete {A} in main")]);
    rig.at(25).end(Ok(()));
    assert_eq!(rig.work(), [format!("create {A} in main")]);
    rig.at(30).end(Ok(()));
    rig.at(31).list(main(&[ours(A, "b")]));
    assert!(rig.is_routed(A));
}

#[test]
fn a_node_hears_why_the_route_in_its_way_cannot_be_removed() {
    let mut rig = removing();
    rig.at(21).lead(A, 1, "b");
    rig.work();
    rig.end(Err(CloudErrorKind::Denied));

    assert_eq!(rig.trouble(A), Some(Reason::CloudDenied));
}
