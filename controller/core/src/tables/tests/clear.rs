//! When a network that nobody claims any more may be handed out again.

use super::*;

#[test]
fn what_was_never_routed_is_clear_once_a_listing_has_settled_since_it_was_released() {
    let mut rig = Rig::new();
    for (second, clear) in [(25, false), (29, false), (30, true)] {
        rig.at(second).list(main(&[]));
        assert_eq!(rig.is_clear(A, 20), clear, "begun at {second}");
    }
}

#[test]
fn a_listing_that_was_begun_before_the_release_shows_nothing() {
    let mut rig = Rig::with(Limits {
        settle: Duration::ZERO,
        ..Limits::LOCAL
    });
    rig.at(20).list(main(&[]));
    let (begun, released) = (rig.turn.now, rig.at(20).turn.now);
    assert!(rig.tables.is_clear(net(A), begun, Duration::ZERO));
    assert!(!rig.tables.is_clear(net(A), released, Duration::ZERO));
}

#[test]
fn a_network_is_clear_only_when_our_own_last_write_has_settled() {
    for cidr in [A, SIX] {
        let mut rig = Rig::new();
        rig.lead(cidr, 1, "a");
        rig.at(20).list(main(&[ours(cidr, "a")]));
        rig.at(21).orphan(cidr);
        rig.work();
        rig.at(40).end(Ok(()));
        for (second, clear) in [(41, false), (49, false), (50, true)] {
            rig.at(second).list(main(&[]));
            assert_eq!(rig.is_clear(cidr, 21), clear, "{cidr} begun at {second}");
        }
    }
}

#[test]
fn a_network_is_not_clear_while_a_route_of_ours_is_in_any_table() {
    let mut rig = Rig::new();
    rig.at(20)
        .list(vec![table("main", &[]), table("second", &[ours(A, "a")])]);
    rig.at(60)
        .list(vec![table("main", &[]), table("second", &[ours(A, "a")])]);
    assert!(!rig.is_clear(A, 20));
    rig.at(61)
        .list(vec![table("main", &[]), table("second", &[])]);
    assert!(rig.is_clear(A, 20));
}

#[test]
fn a_network_is_not_clear_while_a_write_for_it_is_in_flight() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[]));
    rig.lead(A, 1, "a");
    rig.work();
    rig.orphan(A);
    rig.at(60).list(main(&[]));
    assert!(!rig.is_clear(A, 20));
    // It lands all the same, and is found.
    rig.at(61).end(Err(CloudErrorKind::Unknown));
    assert!(!rig.is_clear(A, 20), "nobody knows");
    rig.at(62).list(main(&[]));
    assert!(!rig.is_clear(A, 20), "it may not show yet");
    rig.at(71).list(main(&[]));
    assert!(rig.is_clear(A, 20));
}

#[test]
fn what_another_leadership_may_have_written_has_to_settle_too() {
    let mut rig = Rig::new();
    let elected = rig.at(20).turn.now;
    rig.tables = Tables::new(elected, elected);
    rig.allow(|_| ());
    rig.at(21).list(main(&[ours(A, "a")]));
    rig.orphan(A);
    for (second, clear) in [(22, false), (29, false), (30, true)] {
        rig.at(second).list(main(&[]));
        assert_eq!(rig.is_clear(A, 1), clear, "begun at {second}");
    }
}

#[test]
fn a_listing_in_which_a_table_could_not_be_read_clears_nothing() {
    let mut rig = Rig::new();
    rig.at(40)
        .list(vec![table("main", &[]), unreadable("second")]);
    assert!(!rig.is_clear(A, 20));
    rig.at(41)
        .list(vec![table("main", &[]), table("second", &[])]);
    assert!(rig.is_clear(A, 20));
}
