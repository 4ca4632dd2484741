//! When the tables are listed, and listings that fail.

use super::*;

#[test]
fn tables_are_listed_regularly_and_more_often_after_drift() {
    let mut rig = Rig::new();
    rig.allow(|policy| policy.check_period = Duration::from_secs(50));
    rig.lead(A, 1, "a");
    rig.at(20).list(main(&[ours(A, "a")]));
    assert_eq!(rig.tables.next_wake(false), Some(at(70).at));
    rig.at(70).list(main(&[ours(A, "elsewhere")]));
    assert_eq!(rig.told(Reason::DriftMended), 1);
    assert_eq!(rig.tables.next_wake(false), Some(at(80).at), "a fifth");
    for second in [80, 90, 269] {
        rig.at(second).list(main(&[]));
    }
    assert_eq!(rig.tables.next_wake(false), Some(at(279).at));
    rig.at(270).list(main(&[]));
    assert_eq!(rig.tables.next_wake(false), Some(at(320).at));
}

#[test]
fn a_listing_that_is_wanted_later_comes_later_and_is_not_asked_for_twice() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[]));
    rig.tables.want_listing(at(30).at);
    rig.tables.want_listing(at(40).at);
    rig.at(29);
    assert!(!rig.is_due());
    rig.at(30);
    assert!(rig.is_due());
    rig.list(main(&[]));
    assert!(!rig.is_due());
    assert_eq!(rig.tables.next_wake(false), Some(at(40).at));
}

#[test]
fn a_write_that_ended_waits_a_moment_for_others_to_be_read_back_together() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.lead(B, 2, "b");
    rig.at(20).list(main(&[]));
    rig.work();
    rig.at_millis(21_000).end(Ok(()));
    assert_eq!(rig.tables.next_wake(false), Some(Time(21_250)));
    rig.at_millis(21_100);
    assert!(!rig.is_due(), "another write is in flight");
    rig.end(Ok(()));
    assert!(rig.is_due(), "none is any more");
}

#[test]
fn after_a_deletion_tables_are_listed_when_it_has_settled() {
    let mut rig = Rig::routed();
    rig.at(21).orphan(A);
    rig.write();
    assert_eq!(rig.tables.next_wake(false), Some(at(31).at));
}

#[test]
fn tables_are_left_alone_for_a_while_after_a_listing_and_longer_in_bulk() {
    let mut rig = Rig::with(Limits {
        listing_interval: Duration::from_secs(3),
        ..Limits::LOCAL
    });
    rig.at(20).list(main(&[]));
    rig.tables.want_listing(at(20).at);
    assert_eq!(rig.tables.next_wake(false), Some(at(23).at));
    let listing = rig.at(30).begin_list();
    rig.at(31).end_list(listing, main(&[]));
    rig.tables.want_listing(at(31).at);
    assert_eq!(rig.tables.next_wake(false), Some(at(35).at), "four times");
    assert_eq!(rig.tables.next_wake(true), Some(at(51).at), "five of that");
    let slow = rig.at(60).begin_list();
    rig.at(70).end_list(slow, main(&[]));
    rig.tables.want_listing(at(70).at);
    let most = at(75).at;
    assert_eq!(
        rig.tables.next_wake(false),
        Some(most),
        "no node waits longer for that"
    );
}

#[test]
fn while_many_writes_are_under_way_tables_are_listed_more_rarely() {
    let mut rig = Rig::with(Limits {
        listing_interval: Duration::from_secs(2),
        bulk_listing_interval: Duration::from_secs(8),
        ..Limits::LOCAL
    });
    for number in 0..33 {
        rig.lead(&format!("10.1.{number}.0/24"), number, "a");
    }
    rig.at(20).list(main(&[]));
    assert_eq!(rig.work().len(), 33);
    rig.tables.want_listing(at(20).at);
    assert_eq!(rig.tables.next_wake(false), Some(at(28).at));
    rig.end(Err(CloudErrorKind::Denied));
    assert_eq!(rig.tables.next_wake(false), Some(at(22).at), "few are left");
}

#[test]
fn tables_with_many_routes_are_listed_more_rarely() {
    let mut rig = Rig::new();
    let routes: Vec<ObservedRoute> = (0..100)
        .flat_map(|b| (0..100).map(move |c| ours(&format!("10.{b}.{c}.0/24"), "x")))
        .collect();
    rig.at(20).list(main(&routes));
    rig.list(main(&routes));
    rig.tables.want_listing(at(20).at);
    assert_eq!(
        rig.tables.next_wake(false),
        Some(Time(20_200)),
        "20 µs each"
    );
}

#[test]
fn a_listing_that_fails_is_tried_again_ever_more_rarely_and_told_when_that_lasts() {
    let mut rig = Rig::new();
    let mut second = 20;
    let mut waited = Vec::new();
    let told = loop {
        let listed = rig.at(second).fail_list(error(CloudErrorKind::Transient));
        assert_eq!(listed.complete, None);
        assert_eq!(rig.tables.listing_error(), Some("transient: as told"));
        let next = rig.tables.next_wake(false).expect("another try");
        waited.push(next.since(at(second).at));
        second = next.0.div_ceil(1_000);
        if let Some(told) = listed.trouble {
            break told;
        }
    };
    assert_eq!(told, "transient: as told");
    assert_eq!(waited.len(), 6);
    assert!(waited.is_sorted() && waited[0] < Duration::from_millis(201));
    rig.at(second).list(main(&[]));
    assert_eq!(rig.tables.listing_error(), None);
    let listed = rig
        .at(second + 1)
        .fail_list(error(CloudErrorKind::Transient));
    assert_eq!(listed.trouble, None, "it counts anew");
}

#[test]
fn a_cloud_that_asks_for_time_gets_it() {
    let mut rig = Rig::new();
    rig.at(20).fail_list(CloudError {
        retry_after: Some(Duration::from_secs(77)),
        ..error(CloudErrorKind::Throttled)
    });
    assert_eq!(rig.tables.next_wake(false), Some(at(97).at));
}

#[test]
fn a_table_that_cannot_be_read_is_named_and_the_others_are_taken_in() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    let listed = rig
        .at(20)
        .list(vec![table("main", &[ours(A, "a")]), unreadable("second")]);
    assert_eq!(listed.complete, None);
    assert_eq!(
        rig.tables.listing_error(),
        Some("denied: table second: as told")
    );
    assert_eq!(rig.tables.uses()[0].programmed, 1);
    assert!(!rig.is_routed(A), "the second may lead elsewhere");
}

#[test]
fn a_cloud_without_a_table_is_told_in_plain_words() {
    let mut rig = Rig::new();
    let listed = rig.at(20).list(vec![]);
    assert_eq!(listed.complete, None);
    assert_eq!(
        rig.tables.listing_error(),
        Some("there is no route table to write to")
    );
}

#[test]
fn a_cloud_that_suddenly_has_no_table_makes_none_forgotten() {
    let mut rig = Rig::routed();
    for second in [30, 40, 50] {
        rig.at(second).list(vec![]);
    }
    assert_eq!(rig.tables.uses().len(), 1);
    assert!(rig.is_routed(A));
}

#[test]
fn a_change_by_others_is_looked_at_at_once() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[]));
    assert!(!rig.is_due());
    rig.at(21);
    rig.tables.prompt(&rig.turn);
    assert!(rig.is_due());
}

#[test]
fn what_is_shown_is_what_ended_before_the_listing_began() {
    let mut rig = Rig::new();
    rig.at(20).list(main(&[]));
    assert!(rig.tables.shows(at_first(10), SETTLE));
    assert!(!rig.tables.shows(at_first(11), SETTLE));
    assert!(!rig.tables.shows(rig.turn.now, SETTLE));
}
