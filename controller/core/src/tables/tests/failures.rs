//! Writes that fail, and whom that is told.

use super::*;
use CloudErrorKind as Kinds;

/// A creation is in flight since second 20.
fn creating() -> Rig {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    rig.at(20).list(main(&[]));
    rig.work();
    rig
}

/// Fails the write in flight at that second and waits for the next try. Says when it came.
fn fail(rig: &mut Rig, second: u64, kind: Kinds) -> u64 {
    rig.at(second).end(Err(kind));
    for next in second.. {
        if !rig.at(next).work().is_empty() {
            return next;
        }
        assert!(next < second + 400, "never tried again");
    }
    unreachable!("the loop has no end")
}

fn message(rig: &Rig) -> Option<String> {
    rig.routes(A).trouble().map(|trouble| trouble.message)
}

fn lasts(rig: &Rig) -> bool {
    rig.routes(A)
        .trouble()
        .is_some_and(|trouble| trouble.lasting)
}

#[test]
fn a_failure_that_may_pass_is_told_when_it_lasts() {
    let mut rig = creating();
    let mut second = 21;
    for failures in 1..=6 {
        second = fail(&mut rig, second, Kinds::Transient) + 1;
        assert_eq!(rig.trouble(A), Some(Reason::CloudUnavailable));
        assert_eq!(lasts(&rig), failures == 6, "{failures}");
    }
    let told = format!("creating the route for {A} in table main failed: transient: as told");
    assert_eq!(message(&rig), Some(told));
    rig.at(second).end(Ok(()));
    assert_eq!(rig.trouble(A), None);
}

#[test]
fn a_denied_permission_is_told_at_once_and_tried_rarely() {
    let mut rig = creating();
    let next = fail(&mut rig, 21, Kinds::Denied);
    assert!((36..=51).contains(&next), "{next}");
    assert_eq!(rig.trouble(A), Some(Reason::CloudDenied));
    assert!(lasts(&rig));
}

#[test]
fn a_throttled_write_counts_for_three() {
    let mut rig = creating();
    fail(&mut rig, 21, Kinds::Throttled);
    assert!(!lasts(&rig));
    fail(&mut rig, 30, Kinds::Throttled);
    assert!(lasts(&rig));
}

#[test]
fn a_write_that_was_refused_as_invalid_makes_the_instance_suspect() {
    for (kind, suspect) in [
        (Kinds::Invalid, true),
        (Kinds::NotFound, true),
        (Kinds::Transient, false),
        (Kinds::Denied, false),
    ] {
        let mut rig = creating();
        rig.at(21).end(Err(kind));
        let suspects = rig.tables.take_suspects();
        assert_eq!(suspects.contains(&net(A)), suspect, "{kind:?}");
        assert_eq!(rig.tables.take_suspects().len(), 0);
    }
}

#[test]
fn a_route_that_exists_already_is_found_by_listing_and_told_the_third_time() {
    let mut rig = creating();
    for (second, told) in [(21, None), (30, None), (60, Some(Reason::RouteConflict))] {
        rig.at(second).end(Err(Kinds::AlreadyExists));
        assert_eq!(rig.trouble(A), told, "at {second}");
        assert_eq!(rig.work(), [""; 0], "a listing will tell");
        rig.at(second + 1).list(main(&[]));
        if told.is_none() {
            assert_eq!(rig.at(second + 8).work().len(), 1);
        }
    }
    assert_eq!(rig.at(69).work(), [""; 0], "ever more slowly");
    rig.at(90).work();
    rig.at(91).list(main(&[foreign(A)]));
    assert_eq!(rig.trouble(A), Some(Reason::RouteConflict));
}

#[test]
fn a_route_that_was_written_without_an_answer_and_exists_is_no_conflict() {
    let mut rig = creating();
    rig.at(21).end(Err(Kinds::Unknown));
    rig.at(22).list(main(&[]));
    for second in [23, 24, 26] {
        assert_eq!(rig.at(second).work().len(), 1);
        rig.end(Err(Kinds::AlreadyExists));
        assert_eq!(rig.trouble(A), None, "it may be ours");
        rig.list(main(&[]));
    }
    assert_eq!(rig.at(31).work().len(), 1);
    rig.end(Err(Kinds::AlreadyExists));
    rig.list(main(&[ours(A, "a")]));
    assert!(rig.is_routed(A));
}

#[test]
fn what_was_lost_and_has_not_come_when_all_has_settled_is_a_conflict_after_all() {
    let mut rig = creating();
    rig.at(21).end(Err(Kinds::Unknown));
    rig.at(31).list(main(&[]));
    let mut second = 31;
    for _ in 0..3 {
        while rig.at(second).work().is_empty() {
            second += 1;
        }
        rig.end(Err(Kinds::AlreadyExists));
        rig.list(main(&[]));
    }
    assert_eq!(rig.trouble(A), Some(Reason::RouteConflict));
}

#[test]
fn a_lost_answer_is_told_only_if_it_goes_on() {
    let mut rig = creating();
    for (second, told) in [(21, None), (30, None), (60, Some(Reason::CloudUnavailable))] {
        rig.at(second).end(Err(Kinds::Unknown));
        assert_eq!(rig.trouble(A), told, "at {second}");
        rig.list(main(&[]));
        rig.at(second + 8).work();
    }
}

#[test]
fn after_an_uncertain_write_tables_are_listed_at_once_and_when_it_has_settled() {
    let mut rig = creating();
    rig.at(21).end(Err(Kinds::Unknown));
    assert!(rig.is_due());
    rig.list(main(&[]));
    rig.work();
    rig.at(30);
    assert!(!rig.is_due());
    rig.at(31);
    assert!(rig.is_due());
}

#[test]
fn a_deletion_that_is_denied_is_complained_of() {
    let mut rig = Rig::routed();
    rig.at(21).orphan(A);
    rig.work();
    rig.at(22).end(Err(Kinds::Denied));
    let complaints = rig.tables.take_complaints();
    let told = format!("deleting the route for {A} in table main failed: denied: as told");
    assert_eq!(complaints.len(), 1);
    assert_eq!(complaints[0].reason, Reason::CloudDenied);
    assert_eq!(complaints[0].message, told);
    assert_eq!(rig.tables.take_complaints(), [], "once");
    assert_eq!(rig.tables.deletion_error(), Some(told));
}

#[test]
fn a_deletion_that_keeps_failing_is_complained_of_when_that_lasts() {
    let mut rig = Rig::routed();
    rig.at(21).orphan(A);
    rig.work();
    let mut second = 22;
    for failures in 1..=6 {
        assert_eq!(rig.tables.deletion_error(), None);
        second = fail(&mut rig, second, Kinds::Transient) + 1;
        let complaints = rig.tables.take_complaints().len();
        assert_eq!(complaints, usize::from(failures == 6), "{failures}");
    }
    assert!(rig.tables.deletion_error().is_some());
    rig.at(second).end(Ok(()));
    assert_eq!(rig.tables.deletion_error(), None);
}

#[test]
fn a_creation_that_fails_is_its_nodes_affair_and_no_complaint() {
    let mut rig = creating();
    rig.at(21).end(Err(Kinds::Denied));
    assert_eq!(rig.tables.take_complaints(), []);
    assert_eq!(rig.tables.deletion_error(), None);
}

#[test]
fn what_others_change_is_a_reason_to_try_again_a_second_later() {
    let mut rig = creating();
    let mut second = 21;
    for _ in 0..9 {
        second = fail(&mut rig, second, Kinds::Transient) + 1;
    }
    rig.at(second).end(Err(Kinds::Transient));
    rig.tables.prompt(&rig.turn);
    rig.list(main(&[]));
    assert_eq!(rig.work(), [""; 0], "not at once");
    assert_eq!(rig.at(second + 1).work().len(), 1);
}

#[test]
fn what_others_change_is_no_reason_to_try_what_is_denied() {
    let mut rig = creating();
    rig.at(21).end(Err(Kinds::Denied));
    rig.at(23);
    rig.tables.prompt(&rig.turn);
    rig.list(main(&[]));
    assert_eq!(rig.at(24).work(), [""; 0]);
}

#[test]
fn a_cloud_that_asks_for_time_before_the_next_write_gets_it() {
    let mut rig = creating();
    let (write, _) = rig.flights.remove(0);
    let throttled = CloudError {
        retry_after: Some(Duration::from_secs(77)),
        ..error(Kinds::Transient)
    };
    rig.at(21);
    rig.tables.write_ended(&mut rig.turn, write, Err(throttled));
    rig.at(50);
    rig.tables.prompt(&rig.turn);
    rig.list(main(&[]));
    assert_eq!(rig.at(97).work(), [""; 0]);
    assert_eq!(rig.at(98).work().len(), 1);
}

#[test]
fn an_answer_to_a_write_that_is_not_under_way_is_dropped() {
    let mut rig = creating();
    rig.tables.write_ended(&mut rig.turn, 99, Ok(()));
    assert_eq!(rig.flights.len(), 1);
    assert!(!rig.tables.may_have_routes(net(B)));
}

#[test]
fn what_is_written_again_and_again_is_written_ever_more_slowly() {
    let mut rig = Rig::new();
    rig.lead(A, 1, "a");
    let mut second = 20;
    let mut writes = 0;
    while second < 300 {
        rig.at(second).list(main(&[]));
        writes += rig.write().len();
        second += 11;
    }
    assert!((4..=14).contains(&writes), "{writes} writes in 25 listings");
}

#[test]
fn a_listing_of_our_own_is_no_reason_to_try_again() {
    let mut rig = creating();
    let mut second = 21;
    for _ in 0..9 {
        second = fail(&mut rig, second, Kinds::Transient) + 1;
    }
    rig.at(second).end(Err(Kinds::Transient));
    rig.list(main(&[]));
    assert_eq!(rig.at(second + 1).work(), [""; 0]);
}

#[test]
fn a_replacement_for_which_there_is_no_room_is_not_tried_again_at_once() {
    let mut rig = Rig::routed();
    rig.at(21).lead(A, 1, "b");
    rig.work();
    rig.end(Err(Kinds::QuotaExceeded));
    assert_eq!(rig.work(), [""; 0]);
}
