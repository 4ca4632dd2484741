//! Tables that listings lack, and tables that appear.

use super::*;

fn both(second: &[ObservedRoute]) -> Vec<TableListing> {
    vec![table("main", &[ours(A, "a")]), table("second", second)]
}

fn only_main() -> Vec<TableListing> {
    main(&[ours(A, "a")])
}

/// Two tables that lead `A` to `a`.
fn two() -> Rig {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(20).list(both(&[ours(A, "a")]));
    rig
}

#[test]
fn a_table_is_forgotten_only_after_listings_without_it_that_span_the_time_to_settle() {
    let mut rig = two();
    for second in [30, 39] {
        let listed = rig.at(second).list(only_main());
        assert_eq!(listed.complete, None, "a table is missing");
        assert_eq!(rig.tables.uses().len(), 2);
    }
    assert_eq!(rig.told(Reason::TableForgotten), 0);
    let listed = rig.at(40).list(only_main());
    assert!(listed.complete.is_some());
    assert_eq!(rig.tables.uses().len(), 1);
    assert_eq!(rig.told(Reason::TableForgotten), 1);
    let (_, message) = &rig.told[0];
    assert!(message.contains("table second") && message.contains("1 routes of ours"));
    assert!(rig.is_routed(A), "the other leads there");
}

#[test]
fn what_was_the_second_table_is_the_first_when_that_is_forgotten() {
    let mut rig = two();
    rig.lead(B, 2, "b");
    rig.at(30).list(vec![table("second", &[ours(A, "a")])]);
    rig.at(40).list(vec![table("second", &[ours(A, "a")])]);
    assert!(rig.is_routed(A));
    assert_eq!(rig.work(), [format!("create {B} in second")]);
}

#[test]
fn a_table_that_comes_back_in_time_was_never_away() {
    let mut rig = two();
    rig.at(30).list(only_main());
    let listed = rig.at(35).list(both(&[ours(A, "a")]));
    assert!(listed.complete.is_some());
    rig.at(36).list(only_main());
    rig.at(45).list(only_main());
    assert_eq!(rig.told(Reason::TableForgotten), 0, "since 36");
    rig.at(46).list(only_main());
    assert_eq!(rig.told(Reason::TableForgotten), 1);
}

#[test]
fn where_nothing_has_to_settle_two_listings_without_a_table_are_needed() {
    let mut rig = Rig::with(Limits {
        settle: Duration::ZERO,
        ..Limits::LOCAL
    });
    rig.lead(A, 1, "a");
    rig.at(20).list(both(&[ours(A, "a")]));
    rig.at(21).list(only_main());
    assert_eq!(rig.told(Reason::TableForgotten), 0);
    rig.at(22).list(only_main());
    assert_eq!(rig.told(Reason::TableForgotten), 1);
}

#[test]
fn another_listing_is_asked_for_when_the_time_to_settle_is_over() {
    let mut rig = two();
    rig.at(30).list(only_main());
    rig.at(39);
    assert!(!rig.is_due());
    rig.at(40);
    assert!(rig.is_due());
}

#[test]
fn listings_in_which_another_table_could_not_be_read_do_not_count() {
    let mut rig = two();
    for second in [30, 40, 50] {
        rig.at(second).list(vec![unreadable("main")]);
    }
    assert_eq!(rig.told(Reason::TableForgotten), 0);
}

#[test]
fn nothing_is_clear_and_nothing_is_written_to_a_table_while_listings_lack_it() {
    let mut rig = two();
    rig.at(21).orphan(A);
    rig.lead(B, 2, "b");
    rig.at(30).list(only_main());
    let written = [format!("create {B} in main"), format!("delete {A} in main")];
    assert_eq!(rig.write(), written);
    rig.at(35).list(main(&[ours(B, "b")]));
    assert!(!rig.is_clear(A, 1));
    assert!(rig.tables.may_have_routes(net(A)));
    let waits = rig.tables.waits_for(net(B)).expect("the table");
    assert!(waits.ends_with("listings lack the table"), "{waits}");
}

#[test]
fn a_table_that_appears_is_filled_and_everybody_is_judged_anew() {
    let mut rig = Rig::routed();
    rig.dirty();
    rig.at(30).list(both(&[]));
    assert_eq!(rig.dirty(), [net(A)].into());
    assert!(!rig.is_routed(A));
    assert_eq!(rig.write(), [format!("create {A} in second")]);
    rig.at(31).list(both(&[ours(A, "a")]));
    assert!(rig.is_routed(A));
}

#[test]
fn a_table_that_was_never_read_gets_nothing() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(20)
        .list(vec![table("main", &[]), unreadable("second")]);
    assert_eq!(rig.write(), [format!("create {A} in main")]);
    rig.at(21).list(both(&[]));
    assert_eq!(rig.write(), [format!("create {A} in second")]);
}

#[test]
fn writes_that_wait_find_their_table_when_tables_change_their_places() {
    let mut rig = Rig::with(Limits {
        settle: SETTLE,
        route_writes: 1,
        ..Limits::LOCAL
    });
    rig.lead(A, 1, "a");
    rig.lead(B, 2, "b");
    rig.at(20)
        .list(vec![table("main", &[]), table("second", &[])]);
    assert_eq!(rig.work(), [format!("create {A} in main")]);
    let second = || vec![table("second", &[])];
    rig.at(30).list(second());
    rig.at(40).list(second());
    rig.end(Ok(()));
    let mut written = rig.write();
    while let [more] = &rig.write()[..] {
        written.push(more.clone());
    }
    written.sort();
    let wanted = [A, B].map(|cidr| format!("create {cidr} in second"));
    assert_eq!(written, wanted);
}
