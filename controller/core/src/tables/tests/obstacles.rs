//! What keeps a route from being created or from working.

use super::*;

#[test]
fn no_route_is_created_beside_one_of_others_for_the_same_destination() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(20).list(main(&[foreign(A)]));
    assert_eq!(rig.write(), [""; 0]);
    assert_eq!(rig.trouble(A), Some(Reason::RouteConflict));
    rig.at(21).list(main(&[]));
    assert_eq!(rig.trouble(A), None);
    assert_eq!(rig.write(), [format!("create {A} in main")]);
}

#[test]
fn a_route_of_others_that_ours_wins_against_is_no_conflict() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(20).list(main(&[outranked(A)]));
    assert_eq!(rig.trouble(A), None);
    assert_eq!(rig.write(), [format!("create {A} in main")]);
    rig.at(21).list(main(&[outranked(A), ours(A, "a")]));
    assert!(rig.is_routed(A));
}

#[test]
fn one_route_of_others_that_wins_is_enough_for_a_conflict() {
    for shown in [[foreign(A), outranked(A)], [outranked(A), foreign(A)]] {
        let mut rig = Rig::new();
        rig.lead(A, 1, "a");
        rig.at(20).list(main(&shown));
        assert_eq!(rig.trouble(A), Some(Reason::RouteConflict));
    }
}

#[test]
fn a_route_of_others_that_rises_in_rank_makes_a_conflict() {
    let mut rig = Rig::routed();
    rig.at(21).list(main(&[outranked(A), ours(A, "a")]));
    assert!(rig.is_routed(A));
    rig.dirty();
    rig.at(22).list(main(&[foreign(A), ours(A, "a")]));
    assert_eq!(rig.dirty(), [net(A)].into());
    assert!(!rig.is_routed(A));
    assert_eq!(rig.trouble(A), Some(Reason::RouteConflict));
}

#[test]
fn no_route_is_created_where_none_may_lie() {
    for (range, cidr) in [
        ("10.0.0.0/16", A),
        (A, A),
        ("10.0.0.128/25", A),
        ("10.0.0.7/16", A),
        ("fd00::/56", SIX),
    ] {
        let mut rig = Rig::new();
        rig.lead(cidr, 1, "a");
        let barred = TableListing {
            barred: vec![net(range)],
            ..table("main", &[])
        };
        rig.at(20).list(vec![barred]);
        assert_eq!(rig.tables.barred(), [net(range).trunc()].into());
        assert_eq!(rig.write(), [""; 0], "{range}");
        assert_eq!(rig.trouble(cidr), Some(Reason::RangeBarred));
        rig.at(21).list(main(&[]));
        assert_eq!(rig.trouble(cidr), None);
        assert_eq!(rig.write().len(), 1, "the range is free again");
    }
}

#[test]
fn a_route_of_ours_beside_one_of_others_is_still_ours() {
    let mut rig = Rig::routed();
    rig.at(21).list(main(&[ours(A, "a"), foreign(A)]));
    assert_eq!(rig.dirty(), [net(A)].into());
    assert!(rig.tables.may_have_routes(net(A)));
    assert!(!rig.is_routed(A));
}

#[test]
fn a_barred_range_beside_a_block_bars_it_not() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    let barred = TableListing {
        barred: vec![net(B)],
        ..table("main", &[])
    };
    rig.at(20).list(vec![barred]);
    assert_eq!(rig.write().len(), 1);
}

#[test]
fn a_route_that_leads_where_it_should_and_drops_packets_is_not_replaced() {
    for (cause, why) in [
        (Blackhole::TargetGone, "exists no more"),
        (Blackhole::TargetStopped, "does not run"),
        (Blackhole::NotForwarding, "let it forward"),
        (Blackhole::NotOnNetwork, "not on the route's network"),
        (Blackhole::Other, "leads nowhere"),
    ] {
        let mut rig = Rig::routed();
        let hole = dropped(ours(A, "a"), cause);
        rig.at(21).list(main(std::slice::from_ref(&hole)));
        for second in 22..60 {
            assert_eq!(rig.at(second).work(), [""; 0]);
        }
        assert!(!rig.is_routed(A) && rig.is_lost(A));
        let trouble = rig.routes(A).trouble().expect("it is told");
        assert_eq!(trouble.reason, Reason::RouteBlackhole);
        assert!(trouble.message.contains(why), "{}", trouble.message);
        assert_eq!(rig.tables.take_suspects(), [net(A)].into());
        rig.at(60).list(main(&[hole]));
        assert_eq!(rig.tables.take_suspects(), [].into(), "asked once");
        rig.at(61).list(main(&[ours(A, "a")]));
        assert!(rig.is_routed(A));
    }
}

#[test]
fn a_route_that_drops_packets_elsewhere_is_replaced() {
    let mut rig = Rig::routed();
    let hole = dropped(ours(A, "elsewhere"), Blackhole::TargetGone);
    rig.at(21).list(main(&[hole]));
    assert_eq!(rig.write(), [format!("replace {A} in main")]);
}
