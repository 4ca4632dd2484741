//! What listings change in what is known.

use super::*;

/// One table; a route to `a` whose creation ended at 20 s.
fn written() -> Rig {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(10).list(main(&[]));
    rig.at(11).work();
    rig.at(20).end(Ok(()));
    rig.dirty();
    rig
}

/// As far as is known, the table has it.
fn is_right(rig: &Rig) -> bool {
    rig.tables.uses()[0].programmed == 1
}

#[test]
fn a_listing_begun_before_the_write_ended_proves_nothing() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(10).list(main(&[]));
    rig.at(11).work();
    let listing = rig.at(19).begin_list();
    rig.at(20).end(Ok(()));
    rig.dirty();
    rig.at(21).end_list(listing, main(&[ours(A, "a")]));
    assert_eq!(rig.dirty(), [].into());
    assert!(!rig.is_routed(A));
}

#[test]
fn a_listing_begun_before_the_write_was_begun_does_not_undo_it() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(10).list(main(&[]));
    let listing = rig.at(11).begin_list();
    rig.at(12).write();
    rig.at(40).end_list(listing, main(&[]));
    assert!(is_right(&rig));
}

#[test]
fn while_a_write_is_in_flight_listings_say_nothing_of_it() {
    let mut rig = Rig::routed();
    rig.at(21).lead(A, 1, "b");
    rig.work();
    rig.at(40).list(main(&[ours(A, "b")]));
    assert!(!rig.is_routed(A));
    rig.at(41).end(Ok(()));
    rig.at(42).list(main(&[ours(A, "b")]));
    assert!(rig.is_routed(A));
}

#[test]
fn a_listing_begun_after_the_write_proves_what_it_shows() {
    let mut rig = written();
    rig.at(21).list(main(&[ours(A, "a")]));
    assert_eq!(rig.dirty(), [net(A)].into());
    assert!(rig.is_routed(A));
    rig.at(22).list(main(&[ours(A, "a")]));
    assert_eq!(rig.dirty(), [].into());
}

#[test]
fn a_fresh_route_is_missing_only_in_a_listing_that_had_to_show_it() {
    let mut rig = written();
    rig.at(29).list(main(&[]));
    assert_eq!(rig.dirty(), [].into());
    assert!(is_right(&rig));
    assert!(rig.is_due(), "it is looked for again");
    rig.at(30).list(main(&[]));
    assert_eq!(rig.dirty(), [net(A)].into());
    assert!(!is_right(&rig));
    assert_eq!(rig.told(Reason::DriftMended), 0, "it never was proven");
}

#[test]
fn a_proven_route_that_vanishes_or_leads_elsewhere_has_drifted() {
    for shown in [vec![], vec![ours(A, "b")]] {
        let mut rig = written();
        rig.at(31).list(main(&[ours(A, "a")]));
        rig.at(40).list(main(&shown));
        assert_eq!(rig.told(Reason::DriftMended), 1);
        assert!(!is_right(&rig));
    }
}

#[test]
fn a_route_that_became_a_blackhole_was_changed_by_nobody() {
    let mut rig = written();
    rig.at(31).list(main(&[ours(A, "a")]));
    let hole = dropped(ours(A, "a"), Blackhole::TargetStopped);
    rig.at(40).list(main(&[hole]));
    assert_eq!(rig.told(Reason::DriftMended), 0);
    assert!(!is_right(&rig));
}

#[test]
fn drift_of_a_table_is_told_once_a_minute() {
    let mut rig = Rig::routed();
    for (second, told) in [(30, 1), (60, 1), (89, 1), (91, 2)] {
        rig.at(second).list(main(&[]));
        assert_eq!(rig.told(Reason::DriftMended), told, "at {second}");
        rig.at(second).list(main(&[ours(A, "a")]));
    }
}

#[test]
fn a_foreign_route_in_its_place_is_believed_at_once() {
    let mut rig = written();
    rig.at(21).list(main(&[foreign(A)]));
    assert!(!is_right(&rig));
    assert!(!rig.tables.may_have_routes(net(A)));
    assert_eq!(rig.tables.foreign(), [net(A)].into());
    assert_eq!(rig.trouble(A), Some(Reason::RouteConflict));
}

#[test]
fn a_second_route_of_ours_that_turns_up_is_noticed_and_removed() {
    let mut rig = Rig::routed();
    rig.at(21)
        .list(main(&[ours(A, "a"), named("2", ours(A, "b"))]));
    assert_eq!(rig.work(), [format!("delete {A} in main")]);
}

#[test]
fn a_route_that_was_desired_all_along_in_the_end_is_read_back() {
    let mut rig = written();
    rig.keep(A, 1);
    rig.lead(A, 1, "a");
    rig.at(31).list(main(&[ours(A, "a")]));
    assert!(rig.is_routed(A));
}

#[test]
fn a_route_of_ours_beside_one_of_others_is_there_until_a_listing_lacks_it() {
    let mut rig = written();
    rig.at(21).list(main(&[ours(A, "a"), foreign(A)]));
    assert!(rig.tables.may_have_routes(net(A)));
    rig.at(22).list(main(&[foreign(A)]));
    assert_eq!(rig.dirty(), [net(A)].into());
    assert!(!rig.tables.may_have_routes(net(A)));
}

#[test]
fn an_uncertain_write_is_settled_by_the_first_listing_after_it() {
    for (shown, landed) in [(vec![ours(A, "a")], true), (vec![], false)] {
        let mut rig = Rig::new();
        rig.lead(A, 1, "a");
        rig.at(10).list(main(&[]));
        rig.at(11).work();
        rig.at(20).end(Err(CloudErrorKind::Unknown));
        assert_eq!(rig.at(21).work(), [""; 0], "nobody knows what is there");
        assert!(rig.tables.may_have_routes(net(A)));
        rig.at(21).list(main(&shown));
        assert_eq!(rig.is_routed(A), landed);
        let again = if landed {
            vec![]
        } else {
            vec![format!("create {A} in main")]
        };
        assert_eq!(rig.at(22).work(), again);
    }
}

#[test]
fn only_the_order_of_two_routes_is_no_news() {
    let mut rig = Rig::routed();
    let (one, two) = (named("1", ours(A, "x")), named("2", ours(A, "y")));
    rig.allow(|policy| policy.deletes = false);
    rig.keep(A, 1);
    rig.at(21).list(main(&[one.clone(), two.clone()]));
    rig.dirty();
    rig.at(22).list(main(&[two, one]));
    assert_eq!(rig.dirty(), [].into());
}

#[test]
fn a_route_with_host_bits_is_the_one_without() {
    let mut rig = written();
    rig.at(21).list(main(&[ours("10.0.0.7/24", "a")]));
    assert!(rig.is_routed(A));
}

#[test]
fn listings_tell_what_is_foreign_and_was_not_shown_before() {
    let mut rig = Rig::new();
    let come = |listed: Listed| -> Vec<IpNet> {
        listed.foreign.into_iter().map(|(_, cidr)| cidr).collect()
    };
    assert_eq!(come(rig.at(20).list(main(&[foreign(A)]))), [net(A)]);
    assert_eq!(rig.tables.foreign(), [net(A)].into());
    let second = rig.at(21).list(main(&[foreign(A), foreign(B)]));
    assert_eq!(come(second), [net(B)]);
    assert_eq!(come(rig.at(22).list(main(&[]))), []);
    assert_eq!(rig.tables.foreign(), [].into());
}

#[test]
fn a_foreign_route_inside_a_block_is_found_and_one_for_all_of_it_is_not_inside() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[foreign(A)]));
    assert_eq!(rig.tables.foreign_inside(net(A)), None);
    rig.at(21).list(main(&[foreign(A), foreign("10.0.0.8/32")]));
    let inside = rig.tables.foreign_inside(net(A)).map(|(cidr, _)| cidr);
    assert_eq!(inside, Some(net("10.0.0.8/32")));
    assert_eq!(rig.tables.foreign_inside(net(B)), None);
}

#[test]
fn the_order_of_a_listing_means_nothing() {
    let mut rig = Rig::new();
    for (cidr, number) in [(A, 1), (B, 2), (C, 3)] {
        rig.lead(cidr, number, "x");
    }
    let routes = [C, A, B].map(|cidr| ours(cidr, "x"));
    rig.at(20).list(main(&routes));
    assert!([A, B, C].iter().all(|cidr| rig.is_routed(cidr)));
    rig.at(21).list(main(&routes));
    assert_eq!(rig.told, [], "nothing has changed");
    rig.at(22).list(main(&routes[..1]));
    assert!(rig.is_routed(C) && !rig.is_routed(A));
    let (_, message) = &rig.told[0];
    assert!(message.contains("changed or removed 2 of our routes"));
}

#[test]
fn an_uncertain_write_is_settled_by_a_route_of_others_in_its_place_too() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(10).list(main(&[]));
    rig.at(11).work();
    rig.at(20).end(Err(CloudErrorKind::Unknown));
    rig.orphan(A);
    rig.at(40).list(main(&[foreign(A)]));
    assert!(!rig.tables.may_have_routes(net(A)));
    assert!(rig.is_clear(A, 20));
}

#[test]
fn what_was_read_back_and_has_settled_is_mended_at_once_however_often_it_goes() {
    let mut rig = Rig::routed();
    for round in 1..12 {
        let second = 100 * round;
        rig.at(second).list(main(&[]));
        assert_eq!(rig.work().len(), 1, "round {round}");
        rig.end(Ok(()));
        rig.at(second + 20).list(main(&[ours(A, "a")]));
    }
}

/// Of two routes of ours for one destination one is deleted, and the answer is lost. A listing that may
/// be older than that shows both, and the one that is left was led elsewhere meanwhile.
#[test]
fn the_other_of_two_routes_is_deleted_only_if_it_is_sure_that_one_is_left() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    let both = |other: &str| main(&[named("x", ours(A, "a")), named("y", ours(A, other))]);
    rig.at(10).list(both("a"));
    assert_eq!(rig.at(11).work().len(), 1);
    rig.at(12).end(Err(CloudErrorKind::Unknown));
    rig.at(13).list(both("b"));
    assert_eq!(rig.at(20).work(), [""; 0]);
    rig.at(22).list(both("b"));
    rig.at(90);
    assert_eq!(rig.work().len(), 1, "both are there");
}

#[test]
fn the_other_of_two_routes_goes_too_if_the_node_changed_meanwhile() {
    let mut rig = written();
    let both = main(&[named("x", ours(A, "a")), named("y", ours(A, "b"))]);
    rig.at(21).list(both.clone());
    rig.keep(A, 1);
    rig.lead(A, 1, "a");
    assert_eq!(rig.at(22).work(), [""; 0]);
    rig.at(30).list(both);
    assert_eq!(rig.work(), ["delete 10.0.0.0/24 in main"]);
}

/// It is deleted, and led elsewhere by hand meanwhile; the deletion is denied, and its node is back.
#[test]
fn what_was_shown_during_a_write_that_did_not_happen_is_looked_at_again() {
    let mut rig = Rig::routed();
    rig.allow(|policy| policy.max_deletion_percent = 100);
    rig.at(21).orphan(A);
    assert_eq!(rig.work().len(), 1);
    rig.at(40).list(main(&[ours(A, "elsewhere")]));
    assert!(!rig.is_due());
    rig.at(41).end(Err(CloudErrorKind::Denied));
    rig.lead(A, 1, "a");
    assert!(!rig.is_routed(A));
    assert!(rig.is_due(), "it is looked for");
    rig.at(42).list(main(&[ours(A, "a")]));
    assert!(rig.is_routed(A));
}
