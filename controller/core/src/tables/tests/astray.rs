//! Routes that somebody else led elsewhere: perhaps since the instance is another one.

use super::*;

/// That it leads there is known from a reading begun in that second.
fn vouch(rig: &mut Rig, told: u64) -> Option<Stamp> {
    rig.tables.vouch(&rig.turn, net(A), at_first(told))
}

/// A routed block that a listing of second 40 shows to lead elsewhere.
fn astray() -> Rig {
    let mut rig = Rig::routed();
    rig.at(40).list(main(&[ours(A, "b")]));
    rig
}

#[test]
fn a_route_that_was_led_elsewhere_stays_until_the_instance_was_read_again() {
    let mut rig = astray();
    assert_eq!(rig.work_unread(), [""; 0]);
    let since = vouch(&mut rig, 39);
    assert_eq!(
        since,
        Some(rig.turn.now),
        "read before the listing was answered"
    );
    assert_eq!(rig.work_unread(), [""; 0]);
    let now = rig.at(41).turn.now;
    assert_eq!(rig.tables.vouch(&rig.turn, net(A), now), None);
    assert_eq!(rig.work_unread(), [format!("replace {A} in main")]);
}

#[test]
fn where_another_instance_is_found_the_route_is_right() {
    let mut rig = astray();
    rig.at(41).lead(A, 1, "b");
    assert_eq!(vouch(&mut rig, 20), None, "whenever that was read");
    assert_eq!(rig.work(), [""; 0]);
    assert!(rig.is_routed(A));
}

#[test]
fn a_route_is_not_asked_about_a_second_time() {
    let mut rig = astray();
    rig.work();
    rig.at(42).end(Err(CloudErrorKind::Denied));
    rig.at(60).list(main(&[ours(A, "b")]));
    assert_eq!(vouch(&mut rig, 1), None, "it is as it was");
    rig.at(80).list(main(&[ours(A, "c")]));
    assert_eq!(vouch(&mut rig, 1), Some(rig.turn.now), "it changed again");
}

#[test]
fn the_other_of_two_routes_stays_too() {
    let mut rig = Rig::routed();
    rig.at(40)
        .list(main(&[named("1", ours(A, "a")), named("2", ours(A, "b"))]));
    assert_eq!(rig.work_unread(), [""; 0]);
    assert_eq!(rig.work(), [format!("delete {A} in main")]);
}

#[test]
fn it_is_said_what_a_route_waits_for() {
    let rig = astray();
    let said = rig.tables.waits_for(net(A)).unwrap_or_default();
    assert!(said.contains("once its instance was read again"), "{said}");
}

/// In a network whose changes others carry out too.
#[test]
fn what_is_shown_while_it_is_carried_out_counts() {
    let mut rig = Rig::routed();
    let pending = TableListing {
        pending: vec![net(A)],
        ..table("main", &[ours(A, "b")])
    };
    rig.at(40).list(vec![pending]);
    rig.at(50).list(main(&[ours(A, "b")]));
    assert_eq!(rig.work_unread(), [""; 0]);
    assert_eq!(rig.work(), [format!("replace {A} in main")]);
}

/// Another instance was read: nobody else led the route where it leads.
#[test]
fn a_route_follows_its_instance_at_once() {
    let mut rig = Rig::routed();
    rig.at(40).lead(A, 1, "b");
    assert_eq!(vouch(&mut rig, 1), None);
    assert_eq!(rig.work_unread(), [format!("replace {A} in main")]);
}

/// One that nothing was known of may be that of an instance that was replaced before we led.
#[test]
fn a_route_of_another_leadership_stays_until_the_instance_was_read_again() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[ours(A, "b")]));
    rig.lead(A, 1, "a");
    assert_eq!(vouch(&mut rig, 19), Some(rig.turn.now));
    assert_eq!(rig.work_unread(), [""; 0]);
    assert_eq!(rig.work(), [format!("replace {A} in main")]);
}

#[test]
fn an_orphan_goes_wherever_it_leads() {
    let mut rig = astray();
    rig.orphan(A);
    assert_eq!(rig.work_unread(), [format!("delete {A} in main")]);
}
