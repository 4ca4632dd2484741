//! When nothing of ours is left.

use super::*;

/// All routes are to go.
fn begin(rig: &mut Rig) {
    rig.allow(|policy| policy.teardown = true);
    rig.orphan(A);
}

fn is_done(rig: &Rig) -> bool {
    rig.tables.is_torn_down(SETTLE)
}

#[test]
fn a_teardown_removes_all_routes_and_is_done_when_a_listing_has_shown_it() {
    let mut rig = Rig::routed();
    begin(&mut rig);
    assert_eq!(rig.work(), [format!("delete {A} in main")]);
    assert!(!is_done(&rig));
    rig.at(40).end(Ok(()));
    assert!(!is_done(&rig), "nobody has looked");
    rig.at(49).list(main(&[]));
    assert!(!is_done(&rig), "it may show yet");
    rig.at(50).list(main(&[]));
    assert!(is_done(&rig));
}

#[test]
fn a_teardown_is_not_done_while_a_creation_is_in_flight() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[]));
    rig.lead(A, 1, "a");
    rig.work();
    begin(&mut rig);
    rig.at(40).list(main(&[]));
    assert!(!is_done(&rig), "it may land any time");
    rig.at(41).end(Ok(()));
    assert_eq!(rig.work(), [format!("delete {A} in main")]);
    rig.at(42).end(Ok(()));
    rig.at(60).list(main(&[]));
    assert!(is_done(&rig));
}

#[test]
fn a_creation_of_which_nobody_knows_has_to_settle() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[]));
    rig.lead(A, 1, "a");
    rig.work();
    begin(&mut rig);
    rig.at(40).end(Err(CloudErrorKind::Unknown));
    rig.at(41).list(main(&[]));
    assert!(!is_done(&rig));
    rig.at(50).list(main(&[ours(A, "a")]));
    assert!(!is_done(&rig), "it has come");
    assert_eq!(rig.write(), [format!("delete {A} in main")]);
}

#[test]
fn a_route_of_ours_in_a_table_that_listings_lack_keeps_it_from_being_done() {
    let mut rig = Rig::new();
    let route = [ours(A, "a")];
    rig.at(20)
        .list(vec![table("main", &[]), table("second", &route)]);
    begin(&mut rig);
    rig.at(60).list(main(&[]));
    assert!(!is_done(&rig));
}

#[test]
fn a_table_that_was_never_read_keeps_it_from_being_done() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[]));
    begin(&mut rig);
    assert!(is_done(&rig));
    rig.at(40)
        .list(vec![table("main", &[]), unreadable("second")]);
    assert!(!is_done(&rig), "something may lie in it");
    rig.at(60)
        .list(vec![table("main", &[]), table("second", &[])]);
    assert!(is_done(&rig));
}

#[test]
fn routes_that_are_to_go_count_as_stale_and_not_as_desired() {
    let mut rig = Rig::routed();
    let figures = |rig: &Rig| {
        let table = &rig.tables.uses()[0];
        [table.desired, table.programmed, table.missing, table.stale]
    };
    assert_eq!(figures(&rig), [1, 1, 0, 0]);
    begin(&mut rig);
    assert_eq!(figures(&rig), [0, 0, 0, 1]);
}
