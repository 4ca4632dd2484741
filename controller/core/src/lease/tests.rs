//! Who takes the lease, when, and what the next leadership has to reckon with.

use super::*;

fn record(holder: &str, version: &str) -> Record {
    Record {
        uid: "u".into(),
        holder: Some(holder.into()),
        duration: Duration::from_secs(15),
        version: version.into(),
        store: None,
        past: Past::Unsettled,
    }
}

/// The object as the manifests bring it.
fn shipped(uid: &str, version: &str, past: Past) -> Record {
    Record {
        uid: uid.into(),
        holder: None,
        duration: Duration::ZERO,
        past,
        ..record("", version)
    }
}

fn take(version: &str, handover: Handover) -> Step {
    Step::Take {
        version: version.into(),
        transition: true,
        handover,
    }
}

/// When the candidate takes the lease, looking every second from `from` on at what stays the same.
fn taken(election: &mut Election, record: &Record, from: u64) -> (u64, Handover) {
    for now in (from..from + 100_000).step_by(1_000) {
        if let Step::Take { handover, .. } = election.decide(Some(record.clone()), Time(now)) {
            return (now, handover);
        }
    }
    panic!("it never takes the lease");
}

/// Another one led in between, and the store was set back to before that.
#[test]
fn who_could_not_renew_for_long_does_not_trust_its_own_record() {
    let mut election = Election::new("a", Terms::default());
    election.decide(Some(record("", "1")), Time(0));
    election.renewed(Time(0));
    let ours = || Some(record("a", "2"));
    let take = |handover| Step::Take {
        version: "2".into(),
        transition: false,
        handover,
    };
    assert_eq!(election.decide(ours(), Time(14_000)), take(Handover::Clean));
    let back = 40_000;
    for now in (back..back + 15_000).step_by(2_000) {
        assert!(matches!(election.decide(ours(), Time(now)), Step::Wait(_)));
    }
    let step = election.decide(ours(), Time(back + 15_000));
    assert_eq!(step, take(Handover::Unclean));
}

#[test]
fn creates_what_stays_absent() {
    let mut election = Election::new("a", Terms::default());
    assert_eq!(election.decide(None, Time(0)), Step::Wait(Time(2_000)));
    for now in (2_000..=14_000).step_by(2_000) {
        assert!(matches!(election.decide(None, Time(now)), Step::Wait(_)));
    }
    assert_eq!(
        election.decide(None, Time(14_999)),
        Step::Wait(Time(15_000))
    );
    assert_eq!(election.decide(None, Time(15_000)), Step::Create);
    assert!(!election.may_write(Time(15_000)));
}

#[test]
fn a_deleted_record_may_have_been_renewed_after_the_last_look() {
    let mut election = Election::new("b", Terms::default());
    election.decide(Some(record("a", "1")), Time(0));
    assert_eq!(
        election.decide(None, Time(14_000)),
        Step::Wait(Time(16_000))
    );
    for now in (16_000..=28_000).step_by(2_000) {
        assert!(matches!(election.decide(None, Time(now)), Step::Wait(_)));
    }
    assert_eq!(election.decide(None, Time(29_000)), Step::Create);
}

#[test]
fn an_absent_record_may_have_been_there_while_nobody_looked() {
    let mut election = Election::new("b", Terms::default());
    election.decide(None, Time(0));
    assert_eq!(
        election.decide(None, Time(20_000)),
        Step::Wait(Time(22_000))
    );
}

#[test]
fn the_holder_creates_a_deleted_record_at_once() {
    let mut election = Election::new("a", Terms::default());
    election.renewed(Time(0));
    assert_eq!(election.decide(None, Time(3_000)), Step::Create);
}

#[test]
fn takes_over_only_after_the_record_stood_still_for_its_duration() {
    let mut election = Election::new("b", Terms::default());
    assert_eq!(
        election.decide(Some(record("a", "1")), Time(0)),
        Step::Wait(Time(2_000))
    );
    for now in (14_000..28_900).step_by(2_000) {
        assert_eq!(
            election.decide(Some(record("a", "2")), Time(now)),
            Step::Wait(Time(now + 2_000).min(Time(29_000)))
        );
    }
    assert_eq!(
        election.decide(Some(record("a", "2")), Time(28_900)),
        Step::Wait(Time(29_000))
    );
    let step = election.decide(Some(record("a", "2")), Time(29_000));
    assert_eq!(step, take("2", Handover::Unclean));
}

/// It was renewed while this one could not look, and the store was set back to before that.
#[test]
fn who_could_not_look_for_long_begins_to_wait_anew() {
    let mut election = Election::new("b", Terms::default());
    let seen = || Some(record("a", "1"));
    election.decide(seen(), Time(0));
    assert_eq!(
        election.decide(seen(), Time(15_000)),
        Step::Wait(Time(17_000))
    );
    let (at, handover) = taken(&mut election, &record("a", "1"), 16_000);
    assert_eq!((at, handover), (30_000, Handover::Unclean));
}

#[test]
fn a_record_that_is_renewed_is_never_taken() {
    let mut election = Election::new("b", Terms::default());
    for look in 0..30 {
        let renewed = record("a", &look.to_string());
        let step = election.decide(Some(renewed), Time(look * 2_000));
        assert!(matches!(step, Step::Wait(_)), "{look}: {step:?}");
    }
}

/// As after a store was set back, and written to as often as before.
#[test]
fn another_record_of_the_same_version_is_waited_for_from_its_first_sight() {
    let longer = Record {
        duration: Duration::from_secs(16),
        ..record("a", "1")
    };
    for other in [record("c", "1"), longer] {
        let mut election = Election::new("b", Terms::default());
        for now in (0..14_000).step_by(2_000) {
            election.decide(Some(record("a", "1")), Time(now));
        }
        let (at, _) = taken(&mut election, &other, 14_000);
        assert!(at >= 29_000, "{other:?}: {at}");
    }
}

#[test]
fn who_gave_the_lease_back_does_not_take_it_from_the_next() {
    let mut election = Election::new("a", Terms::default());
    election.renewed(Time(0));
    election.lost();
    let step = election.decide(Some(record("b", "2")), Time(3_000));
    assert!(matches!(step, Step::Wait(_)), "{step:?}");
}

#[test]
fn takes_a_released_lease_at_once() {
    let mut election = Election::new("b", Terms::default());
    let step = election.decide(Some(record("", "7")), Time(5));
    assert_eq!(step, take("7", Handover::Unclean));
}

/// As after etcd was restored from a snapshot.
#[test]
fn a_record_that_went_back_tells_nobody_who_holds_it() {
    for holder in ["b", "", "c"] {
        let mut election = Election::new("b", Terms::default());
        election.renewed(Time(0));
        election.decide(Some(record("a", "9")), Time(5_000));
        election.lost();
        let old = || Some(record(holder, "4"));
        // The leader may have renewed a record that is lost just before, and write until it knows.
        for now in (6_000..21_000).step_by(1_000) {
            let step = election.decide(old(), Time(now));
            assert!(matches!(step, Step::Wait(_)), "{holder:?}, {now}: {step:?}");
        }
        let step = election.decide(old(), Time(21_000));
        assert!(matches!(step, Step::Take { .. }), "{holder:?}: {step:?}");
    }
}

#[test]
fn the_holder_too_waits_when_its_record_went_back() {
    let mut election = Election::new("a", Terms::default());
    election.decide(Some(record("a", "9")), Time(0));
    election.renewed(Time(0));
    let step = election.decide(Some(record("a", "10")), Time(3_000));
    assert!(matches!(step, Step::Take { .. }), "{step:?}");
    assert_eq!(election.doubted(), None);
    let step = election.decide(Some(record("a", "8")), Time(4_000));
    assert!(matches!(step, Step::Wait(_)), "{step:?}");
    assert_eq!(election.doubted(), Some(Doubt::SetBack));
}

#[test]
fn versions_that_are_no_numbers_do_not_go_back() {
    let mut election = Election::new("b", Terms::default());
    election.renewed(Time(0));
    election.decide(Some(record("b", "y")), Time(0));
    let step = election.decide(Some(record("b", "x")), Time(1_000));
    assert!(matches!(step, Step::Take { .. }), "{step:?}");
}

#[test]
fn may_write_until_the_deadline_after_the_renewal_was_begun() {
    let mut election = Election::new("a", Terms::default());
    election.renewed(Time(1_000));
    assert!(election.may_write(Time(10_999)));
    assert!(!election.may_write(Time(11_000)));
    election.lost();
    assert!(!election.may_write(Time(1_001)));
}

#[test]
fn the_holder_stops_before_anybody_can_take_over() {
    let mut holder = Election::new("a", Terms::default());
    let mut other = Election::new("b", Terms::default());
    holder.renewed(Time(100));
    // The other sees the renewal at the earliest when it was begun.
    other.decide(Some(record("a", "1")), Time(100));
    let taken = (100..40_000).map(Time).find(|now| {
        matches!(
            other.decide(Some(record("a", "1")), *now),
            Step::Take { .. }
        )
    });
    let fence = holder.fence().expect("just renewed");
    assert_eq!(taken, Some(fence.after(Terms::default().longest_write())));
}

#[test]
fn a_lease_that_nobody_ever_held_is_taken_at_once_and_leaves_nothing_to_wait_for() {
    let mut election = Election::new("a", Terms::default());
    let record = shipped("u", "1", Past::Unused);
    assert_eq!(taken(&mut election, &record, 5), (5, Handover::Clean));
}

#[test]
fn a_lease_given_back_after_all_had_settled_leaves_nothing_to_wait_for() {
    let mut election = Election::new("b", Terms::default());
    election.decide(Some(record("a", "1")), Time(0));
    let record = Record {
        past: Past::Settled,
        ..record("", "2")
    };
    assert_eq!(taken(&mut election, &record, 9), (9, Handover::Clean));
}

#[test]
fn what_a_holder_says_of_its_past_counts_only_once_it_gave_the_lease_back() {
    let mut election = Election::new("b", Terms::default());
    let record = Record {
        past: Past::Settled,
        ..record("a", "2")
    };
    assert_eq!(
        taken(&mut election, &record, 0),
        (15_000, Handover::Unclean)
    );
}

/// `kubectl replace --force` of the object in the manifests.
#[test]
fn a_standby_does_not_take_an_object_put_in_the_place_of_a_held_one() {
    for past in [Past::Unused, Past::Replaced, Past::Settled] {
        let mut election = Election::new("b", Terms::default());
        election.decide(Some(record("a", "1")), Time(0));
        let record = shipped("v", "2", past);
        let (at, handover) = taken(&mut election, &record, 2_000);
        assert_eq!((at, handover), (17_000, Handover::Unclean), "{past:?}");
    }
}

/// `kubectl delete`, then `kubectl apply`.
#[test]
fn a_standby_does_not_take_an_object_created_after_a_held_one_was_deleted() {
    for uid in ["u", "v"] {
        let mut election = Election::new("b", Terms::default());
        election.decide(Some(record("a", "1")), Time(0));
        election.decide(None, Time(2_000));
        let record = shipped(uid, "3", Past::Unused);
        let (at, handover) = taken(&mut election, &record, 4_000);
        assert!(at >= 17_000, "{at}");
        assert_eq!(handover, Handover::Unclean);
    }
}

#[test]
fn a_new_process_does_not_take_an_object_that_nobody_held_if_somebody_led() {
    let mut election = Election::new("c", Terms::default());
    let record = shipped("v", "2", Past::Replaced);
    assert_eq!(
        taken(&mut election, &record, 0),
        (15_000, Handover::Unclean)
    );
}

#[test]
fn a_new_process_that_saw_no_object_does_not_take_the_one_that_comes() {
    let mut election = Election::new("c", Terms::default());
    election.decide(None, Time(0));
    let record = shipped("v", "2", Past::Unused);
    assert_eq!(taken(&mut election, &record, 2_000).1, Handover::Unclean);
    let mut election = Election::new("c", Terms::default());
    election.decide(None, Time(0));
    assert!(matches!(
        election.decide(Some(record), Time(14_999)),
        Step::Wait(_)
    ));
}

#[test]
fn the_holder_stops_when_its_object_is_replaced_and_not_when_it_created_it_itself() {
    let mut election = Election::new("a", Terms::default());
    election.decide(Some(record("a", "1")), Time(0));
    election.renewed(Time(0));
    let created = Record {
        uid: "v".into(),
        ..record("a", "3")
    };
    let step = election.decide(Some(created), Time(1_000));
    assert!(matches!(step, Step::Take { .. }), "{step:?}");
    let step = election.decide(Some(shipped("w", "4", Past::Unused)), Time(2_000));
    assert!(matches!(step, Step::Wait(_)), "{step:?}");
    assert_eq!(election.doubted(), Some(Doubt::Replaced));
}

#[test]
fn a_doubt_that_is_over_does_not_stain_the_leaders_that_follow() {
    let mut election = Election::new("b", Terms::default());
    election.decide(Some(record("a", "1")), Time(0));
    election.decide(Some(shipped("v", "2", Past::Unused)), Time(1_000));
    let other = |holder, version, past| Record {
        uid: "v".into(),
        past,
        ..record(holder, version)
    };
    election.decide(Some(other("c", "3", Past::Unsettled)), Time(20_000));
    let record = other("", "4", Past::Settled);
    assert_eq!(
        taken(&mut election, &record, 30_000),
        (30_000, Handover::Clean)
    );
}

/// The holder came back, renewed, and the store was set back to before that: all between two looks
/// of somebody else, to whom the record seems to have stood still.
#[test]
fn a_record_set_back_to_what_it_was_shows_by_the_version_of_the_store() {
    let looked = |store| Record {
        store: Some(store),
        ..record("a", "9")
    };
    let mut election = Election::new("b", Terms::default());
    let mut now = 0;
    for store in [100, 110, 120, 130, 140, 150, 160] {
        let step = election.decide(Some(looked(store)), Time(now));
        assert!(matches!(step, Step::Wait(_)), "{step:?}");
        now += 2_000;
    }
    // Set back while others go on writing.
    let back = now;
    for now in (back..back + 15_000).step_by(1_000) {
        let step = election.decide(Some(looked(136 + now / 1_000)), Time(now));
        assert!(matches!(step, Step::Wait(_)), "{now}: {step:?}");
        assert_eq!(election.doubted(), Some(Doubt::SetBack));
    }
    let step = election.decide(Some(looked(200)), Time(back + 15_000));
    assert_eq!(step, take("9", Handover::Unclean));
}

#[test]
fn a_store_older_than_our_own_renewal_was_set_back() {
    let mut election = Election::new("a", Terms::default());
    election.decide(Some(record("a", "90")), Time(0));
    election.renewed(Time(0));
    let old = Record {
        store: Some(80),
        ..record("a", "90")
    };
    let step = election.decide(Some(old), Time(1_000));
    assert!(matches!(step, Step::Wait(_)), "{step:?}");
}

#[test]
fn whoever_renews_without_anybody_between_has_nobodys_writes_to_wait_for() {
    let mut election = Election::new("a", Terms::default());
    election.decide(Some(record("a", "1")), Time(0));
    election.renewed(Time(0));
    let step = election.decide(Some(record("a", "2")), Time(3_000));
    let again = Step::Take {
        version: "2".into(),
        transition: false,
        handover: Handover::Clean,
    };
    assert_eq!(step, again);
}

#[test]
fn a_deletion_does_not_shorten_the_doubt_that_was_there_before() {
    let mut election = Election::new("b", Terms::default());
    let long = Record {
        duration: Duration::from_secs(60),
        ..record("a", "9")
    };
    election.decide(Some(long), Time(0));
    election.decide(Some(record("a", "4")), Time(1_000));
    election.decide(None, Time(2_000));
    let created = shipped("u", "10", Past::Unused);
    assert_eq!(taken(&mut election, &created, 4_000).0, 61_000);
}

#[test]
fn a_store_in_which_nobody_writes_was_not_set_back() {
    let mut election = Election::new("b", Terms::default());
    for now in [0, 2_000] {
        let quiet = Record {
            store: Some(100),
            ..record("a", "9")
        };
        election.decide(Some(quiet), Time(now));
    }
    assert_eq!(election.doubted(), None);
}
