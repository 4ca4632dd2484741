//! A route from its creation to its deletion.

use super::*;

#[test]
fn a_missing_route_is_created_read_back_and_left_alone() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[]));
    rig.lead(A, 1, "a");
    assert_eq!(rig.work(), [format!("create {A} in main")]);
    assert!(!rig.is_routed(A));
    rig.at(21).end(Ok(()));
    assert!(!rig.is_routed(A), "not read back");
    rig.dirty();
    rig.at(22).list(main(&[ours(A, "a")]));
    assert!(rig.is_routed(A));
    assert_eq!(rig.dirty(), [net(A)].into(), "whose node is told");
    assert_eq!(rig.at(23).work(), [""; 0]);
    rig.at(24).list(main(&[ours(A, "a")]));
    assert_eq!(rig.dirty(), [].into(), "no news");
    assert_eq!(rig.at(25).work(), [""; 0]);
}

#[test]
fn the_creation_says_which_node_it_is_for() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[]));
    rig.lead(A, 7, "a");
    rig.work();
    let RouteChange::Create { route, .. } = rig.end(Ok(())) else {
        panic!("no creation");
    };
    assert_eq!(route.node, NodeKey::new("n7", "uid-n7"));
    assert_eq!(route.next_hop, hop("a"));
}

#[test]
fn a_route_that_leads_elsewhere_is_replaced_in_one_step() {
    let mut rig = Rig::routed();
    let old = named("7", ours(A, "a"));
    rig.at(21).list(main(std::slice::from_ref(&old)));
    rig.lead(A, 1, "b");
    assert!(!rig.is_routed(A));
    assert_eq!(rig.work(), [format!("replace {A} in main")]);
    let RouteChange::Replace { old: replaced, .. } = rig.at(22).end(Ok(())) else {
        panic!("no replacement");
    };
    assert_eq!(replaced, old, "as it was observed");
    rig.at(23).list(main(&[ours(A, "b")]));
    assert!(rig.is_routed(A));
    assert_eq!(rig.work(), [""; 0]);
}

#[test]
fn a_route_that_no_node_has_is_deleted() {
    let mut rig = Rig::routed();
    rig.at(21).orphan(A);
    assert_eq!(rig.write(), [format!("delete {A} in main")]);
    assert!(!rig.tables.may_have_routes(net(A)));
    rig.at(40).list(main(&[]));
    assert_eq!(rig.work(), [""; 0]);
}

#[test]
fn a_route_that_was_found_is_kept_until_somebody_says_that_no_node_has_it() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[ours(A, "a")]));
    assert_eq!(rig.dirty(), [net(A)].into());
    assert!(rig.tables.may_have_routes(net(A)));
    assert_eq!(rig.work(), [""; 0]);
    rig.orphan(A);
    assert_eq!(rig.write(), [format!("delete {A} in main")]);
}

#[test]
fn a_route_whose_nodes_place_is_unknown_stays_as_it_is() {
    let mut rig = Rig::routed();
    rig.at(21).keep(A, 1);
    rig.keep(B, 2);
    assert_eq!(rig.write(), [""; 0], "neither deleted nor created");
    rig.lead(A, 1, "b");
    assert_eq!(rig.write(), [format!("replace {A} in main")]);
}

#[test]
fn what_nobody_owns_and_was_never_routed_is_not_remembered() {
    let mut rig = Rig::new();
    rig.orphan(A);
    assert!(rig.tables.routes(net(A)).is_none());
    rig.lead(A, 1, "a");
    rig.orphan(A);
    assert!(rig.tables.routes(net(A)).is_some(), "it may be routed");
    rig.tables.forget(net(A));
    assert!(rig.tables.routes(net(A)).is_none());
}

#[test]
fn the_owner_of_a_destination_is_remembered_with_what_is_desired() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    assert_eq!(rig.routes(A).owner(), Some(NodeId::new(1)));
    rig.keep(A, 2);
    assert_eq!(rig.routes(A).owner(), Some(NodeId::new(2)));
}

#[test]
fn nothing_is_written_and_nothing_deleted_before_that_is_allowed() {
    let mut rig = Rig::new();
    rig.allow(|policy| {
        policy.writes = false;
        policy.deletes = false;
    });
    rig.at(20).list(main(&[ours(A, "a"), ours(B, "b")]));
    rig.orphan(A);
    rig.lead(B, 2, "moved");
    rig.lead(C, 3, "c");
    assert_eq!(rig.write(), [""; 0]);
    rig.allow(|policy| policy.writes = true);
    let written = [
        format!("create {C} in main"),
        format!("replace {B} in main"),
    ];
    assert_eq!(rig.write(), written);
    rig.allow(|policy| policy.deletes = true);
    assert_eq!(rig.write(), [format!("delete {A} in main")]);
}

#[test]
fn every_table_gets_the_route_and_has_to_be_read_back() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(20)
        .list(vec![table("main", &[]), table("second", &[])]);
    let both = [
        format!("create {A} in main"),
        format!("create {A} in second"),
    ];
    assert_eq!(rig.at(21).write(), both);
    let shown =
        |second: &[ObservedRoute]| vec![table("main", &[ours(A, "a")]), table("second", second)];
    rig.at(22).list(shown(&[]));
    assert!(!rig.is_routed(A), "the second does not show it");
    rig.at(23).list(shown(&[ours(A, "a")]));
    assert!(rig.is_routed(A));
    rig.at(40).list(shown(&[]));
    assert!(!rig.is_routed(A));
    assert_eq!(rig.work(), [format!("create {A} in second")]);
}

#[test]
fn ipv6_routes_are_written_and_read_back_as_others_are() {
    let mut rig = Rig::new();
    rig.lead(SIX, 1, "a");
    rig.lead(A, 1, "a");
    rig.at(20).list(main(&[]));
    let both = [
        format!("create {A} in main"),
        format!("create {SIX} in main"),
    ];
    assert_eq!(rig.write(), both);
    rig.at(21).list(main(&[ours(A, "a")]));
    assert!(rig.is_routed(A) && !rig.is_routed(SIX));
    rig.at(22).list(main(&[ours(A, "a"), ours(SIX, "a")]));
    assert!(rig.is_routed(SIX));
    rig.orphan(SIX);
    assert_eq!(rig.write(), [format!("delete {SIX} in main")]);
}

#[test]
fn of_two_routes_of_ours_the_right_one_stays_and_the_other_goes() {
    let mut rig = Rig::routed();
    let (right, wrong) = (named("2", ours(A, "a")), named("1", ours(A, "elsewhere")));
    rig.at(21).list(main(&[wrong.clone(), right.clone()]));
    assert!(!rig.is_routed(A), "packets may take the other");
    assert_eq!(rig.work(), [format!("delete {A} in main")]);
    let RouteChange::Delete { route, .. } = rig.at(22).end(Ok(())) else {
        panic!("no deletion");
    };
    assert_eq!(route, wrong);
    rig.at(23).list(main(&[right]));
    assert!(rig.is_routed(A));
}

#[test]
fn a_second_route_of_ours_stays_until_deletions_are_allowed() {
    let mut rig = Rig::routed();
    rig.allow(|policy| policy.deletes = false);
    rig.at(21)
        .list(main(&[named("2", ours(A, "a")), named("1", ours(A, "b"))]));
    assert_eq!(rig.work(), [""; 0]);
}

#[test]
fn without_tables_nothing_is_routed() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    assert!(!rig.is_routed(A));
    let waits = rig.tables.waits_for(net(A));
    assert_eq!(waits.as_deref(), Some("the route tables to be read"));
}

#[test]
fn it_is_said_what_a_destination_waits_for() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(20).list(main(&[]));
    let waits = |rig: &Rig| rig.tables.waits_for(net(A));
    let step = |step: &str| Some(format!("the route for {A} in table main to be {step}"));
    assert_eq!(waits(&rig), step("written"));
    rig.write();
    assert_eq!(waits(&rig), step("read back"));
    rig.at(21).list(main(&[ours(A, "a")]));
    assert_eq!(waits(&rig), None);
    rig.at(30).list(vec![table("other", &[])]);
    assert_eq!(
        waits(&rig).as_deref(),
        Some("the route for 10.0.0.0/24 in table other to be written")
    );
}
