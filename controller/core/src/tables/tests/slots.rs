//! Which write comes next, and how many at once.

use super::*;

fn narrow() -> Rig {
    Rig::with(Limits {
        settle: SETTLE,
        listing_interval: Duration::ZERO,
        route_writes: 1,
        ..Limits::LOCAL
    })
}

#[test]
fn creations_come_before_replacements_and_those_before_deletions() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[ours(A, "a"), ours(B, "b")]));
    rig.orphan(A);
    rig.lead(B, 2, "moved");
    rig.lead(C, 3, "c");
    let order = [
        format!("create {C} in main"),
        format!("replace {B} in main"),
        format!("delete {A} in main"),
    ];
    assert_eq!(rig.work(), order);
}

#[test]
fn each_kind_of_write_has_its_own_slots() {
    let mut rig = narrow();
    let routes = [A, B, "10.0.3.0/24", "10.0.4.0/24"].map(|cidr| ours(cidr, "x"));
    rig.at(20).list(main(&routes));
    rig.orphan(A);
    rig.orphan(B);
    assert_eq!(rig.work(), [format!("delete {A} in main")]);
    assert_eq!(rig.at(21).work(), [""; 0], "one deletion at once");
    rig.lead(C, 3, "c");
    rig.lead("10.0.5.0/24", 5, "e");
    assert_eq!(rig.work(), [format!("create {C} in main")]);
    rig.lead("10.0.3.0/24", 4, "moved");
    assert_eq!(rig.work(), ["replace 10.0.3.0/24 in main"]);
    rig.at(22).end(Ok(()));
    assert_eq!(rig.work(), [format!("delete {B} in main")]);
    rig.at(23).end(Ok(()));
    assert_eq!(rig.work(), ["create 10.0.5.0/24 in main"]);
}

#[test]
fn a_node_that_joins_does_not_wait_for_a_hundred_that_leave() {
    let mut rig = narrow();
    let gone: Vec<String> = (0..100).map(|n| format!("10.1.{n}.0/24")).collect();
    let routes: Vec<ObservedRoute> = gone.iter().map(|cidr| ours(cidr, "x")).collect();
    rig.at(20).list(main(&routes));
    for cidr in &gone {
        rig.orphan(cidr);
    }
    rig.lead(A, 1, "a");
    assert_eq!(rig.work()[0], format!("create {A} in main"));
}

#[test]
fn what_is_no_longer_needed_when_its_turn_comes_is_not_begun() {
    let mut rig = narrow();
    rig.at(20).list(main(&[]));
    rig.lead(A, 1, "a");
    rig.lead(B, 2, "b");
    rig.work();
    rig.orphan(B);
    rig.at(21).end(Ok(()));
    assert_eq!(rig.work(), [""; 0]);
    rig.lead(B, 3, "c");
    assert_eq!(rig.work(), [format!("create {B} in main")], "but later");
}

#[test]
fn what_is_another_kind_of_write_when_its_turn_comes_waits_in_the_other_line() {
    let mut rig = narrow();
    rig.at(20).list(main(&[ours(A, "a"), ours(B, "b")]));
    rig.orphan(A);
    rig.orphan(B);
    rig.work();
    // Its address came back with another node.
    rig.lead(B, 2, "c");
    rig.at(21).end(Ok(()));
    assert_eq!(rig.work(), [format!("replace {B} in main")]);
    assert_eq!(rig.flights.len(), 1);
}

#[test]
fn at_most_one_write_is_in_flight_for_a_destination_in_a_table() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[]));
    rig.lead(A, 1, "a");
    rig.work();
    rig.lead(A, 1, "b");
    rig.orphan(A);
    rig.lead(A, 2, "c");
    assert_eq!(rig.work(), [""; 0]);
    rig.at(21).end(Ok(()));
    assert_eq!(rig.work(), [format!("replace {A} in main")]);
}
