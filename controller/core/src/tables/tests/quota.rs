//! Tables that have room for so many routes.

use super::*;
use crate::{cloud::Usage, summary::QuotaLevel};

fn used(used: u32, limit: Option<u32>, routes: &[ObservedRoute]) -> Vec<TableListing> {
    let usage = Some(Usage { used, limit });
    vec![TableListing {
        usage: TableUsage {
            v4: usage,
            ..TableUsage::default()
        },
        ..table("main", routes)
    }]
}

#[test]
fn a_table_with_a_known_limit_is_filled_to_it_by_the_oldest_nodes() {
    let mut rig = Rig::new();
    for (cidr, number) in [(A, 3), (B, 1), (C, 2)] {
        rig.lead(cidr, number, "x");
    }
    rig.at(20).list(used(8, Some(10), &[]));
    let two = [format!("create {A} in main"), format!("create {B} in main")];
    assert_eq!(rig.write(), two, "in the order in which they were queued");
    assert_eq!(rig.trouble(C), Some(Reason::QuotaExceeded));
    let full = rig.routes(C).trouble().expect("no room").message;
    assert!(full.contains("raise its quota of 10 IPv4 routes"), "{full}");
}

/// Both families count against one quota.
fn common(used: u32, routes: &[ObservedRoute]) -> Vec<TableListing> {
    let limit = Some(10);
    let usage = Some(Usage { used, limit });
    vec![TableListing {
        usage: TableUsage {
            v4: usage,
            v6: usage,
            common: true,
        },
        ..table("main", routes)
    }]
}

#[test]
fn a_quota_of_both_families_is_filled_by_the_oldest_nodes_of_either() {
    let mut rig = Rig::new();
    for (cidr, number) in [(A, 3), (SIX, 1), (B, 2)] {
        rig.lead(cidr, number, "x");
    }
    rig.at(20).list(common(10, &[]));
    assert_eq!(rig.write(), [""; 0]);
    let full = rig.routes(SIX).trouble().expect("no room").message;
    assert!(full.contains("raise its quota of 10 routes"), "{full}");
    assert_eq!(rig.told(Reason::QuotaExceeded), 1, "of one quota");
    rig.at(21).list(common(8, &[]));
    let two = [
        format!("create {SIX} in main"),
        format!("create {B} in main"),
    ];
    assert_eq!(rig.write(), two);
    assert_eq!(rig.trouble(A), Some(Reason::QuotaExceeded));
}

#[test]
fn a_deletion_makes_room_for_the_other_family_of_one_quota() {
    let mut rig = Rig::new();
    rig.lead(SIX, 1, "b");
    rig.at(20).list(common(10, &[ours(A, "a")]));
    assert_eq!(rig.write(), [""; 0]);
    rig.orphan(A);
    assert_eq!(rig.write(), [format!("delete {A} in main")]);
    assert_eq!(rig.work(), [format!("create {SIX} in main")]);
}

#[test]
fn room_that_appears_goes_to_the_oldest_nodes() {
    let mut rig = Rig::new();
    for (cidr, number) in [(A, 3), (B, 1), (C, 2)] {
        rig.lead(cidr, number, "x");
    }
    rig.at(20).list(used(10, Some(10), &[]));
    assert_eq!(rig.write(), [""; 0]);
    rig.at(21).list(used(8, Some(10), &[]));
    assert_eq!(rig.dirty().len(), 3, "whoever waits is judged");
    let two = [format!("create {B} in main"), format!("create {C} in main")];
    assert_eq!(rig.write(), two);
}

#[test]
fn a_deletion_of_our_own_makes_room() {
    let mut rig = Rig::new();
    rig.lead(B, 1, "b");
    rig.at(20).list(used(10, Some(10), &[ours(A, "a")]));
    assert_eq!(rig.write(), [""; 0]);
    rig.orphan(A);
    assert_eq!(rig.write(), [format!("delete {A} in main")]);
    assert_eq!(rig.work(), [format!("create {B} in main")]);
}

#[test]
fn a_creation_into_room_that_we_made_disproves_no_limit() {
    let mut rig = Rig::new();
    rig.lead(B, 1, "b");
    rig.at(20).list(used(5, Some(5), &[ours(A, "a")]));
    rig.orphan(A);
    rig.write();
    rig.write();
    // The deleted route still shows beside the new one.
    rig.at(21)
        .list(used(6, Some(5), &[ours(A, "a"), ours(B, "b")]));
    let quota = rig.tables.uses()[0].v4.expect("it is known");
    assert_eq!(quota.limit, Some(5));
    assert_eq!(quota.level, QuotaLevel::Full);
}

#[test]
fn a_full_table_is_tried_once_in_two_minutes() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.lead(B, 2, "b");
    rig.at(20).list(used(10, Some(10), &[]));
    assert_eq!(rig.at(139).work(), [""; 0]);
    assert_eq!(rig.at(140).work(), [format!("create {A} in main")], "one");
    rig.at(141).end(Err(CloudErrorKind::QuotaExceeded));
    assert_eq!(rig.work(), [""; 0]);
    assert_eq!(rig.trouble(A), Some(Reason::QuotaExceeded));
}

#[test]
fn where_no_limit_is_known_a_refusal_closes_the_table_for_a_while() {
    let mut rig = Rig::new();
    for (cidr, number) in [(A, 1), (B, 2), (C, 3)] {
        rig.lead(cidr, number, "x");
    }
    rig.at(20).list(main(&[]));
    assert_eq!(rig.work().len(), 3);
    (0..3).for_each(|_| {
        rig.at(21).end(Err(CloudErrorKind::QuotaExceeded));
    });
    assert_eq!(rig.at(30).work(), [""; 0]);
    let mut tries = Vec::new();
    for second in 31..120 {
        tries.extend(rig.at(second).work());
        if !rig.flights.is_empty() {
            rig.end(Err(CloudErrorKind::QuotaExceeded));
        }
    }
    let one = format!("create {A} in main");
    assert!(!tries.is_empty() && tries.len() < 5, "{tries:?}");
    assert!(
        tries.iter().all(|it| *it == one),
        "one at a time: {tries:?}"
    );
}

#[test]
fn a_full_table_for_one_family_takes_routes_of_the_other() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.lead(SIX, 1, "a");
    rig.at(20).list(used(10, Some(10), &[]));
    assert_eq!(rig.write(), [format!("create {SIX} in main")]);
}

#[test]
fn people_hear_when_the_limit_comes_near() {
    let mut rig = Rig::new();
    for (second, used_up) in [(20, 79), (21, 80), (22, 94), (23, 95), (24, 99), (25, 100)] {
        rig.at(second).list(used(used_up, Some(100), &[]));
    }
    let told: Vec<Reason> = rig.told.iter().map(|(reason, _)| *reason).collect();
    let expected = [
        Reason::QuotaLow,
        Reason::QuotaCritical,
        Reason::QuotaExceeded,
    ];
    assert_eq!(told, expected);
    assert!(rig.told[0].1.contains("80 of 100 IPv4 routes"));
    assert!(
        rig.told[0]
            .1
            .ends_with("without room nodes that join get no route")
    );
    assert!(rig.told[2].1.ends_with(": nodes that join get no route"));
}

#[test]
fn routes_that_were_written_and_do_not_show_yet_take_room() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.lead(B, 2, "b");
    rig.at(20).list(used(9, Some(10), &[]));
    assert_eq!(rig.write(), [format!("create {A} in main")]);
    rig.at(21).list(used(9, Some(10), &[]));
    assert_eq!(rig.write(), [""; 0], "that for A is on its way");
}

#[test]
fn routes_of_the_other_family_that_do_not_show_yet_take_none() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.lead(SIX, 1, "a");
    rig.at(20).list(used(8, Some(10), &[]));
    assert_eq!(rig.write().len(), 2);
    rig.lead(B, 2, "b");
    rig.at(21).list(used(8, Some(10), &[]));
    assert_eq!(rig.write(), [format!("create {B} in main")]);
}

#[test]
fn whoever_was_refused_is_tried_at_once_when_there_is_room() {
    let mut rig = Rig::new();
    rig.lead(B, 1, "b");
    rig.at(20).list(main(&[ours(A, "a")]));
    rig.work();
    rig.at(21).end(Err(CloudErrorKind::QuotaExceeded));
    assert_eq!(rig.work(), [""; 0]);
    rig.orphan(A);
    assert_eq!(rig.write(), [format!("delete {A} in main")]);
    assert_eq!(rig.write(), [format!("create {B} in main")]);
}
