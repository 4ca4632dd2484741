use super::*;

fn list(room: &mut Room, used: u32, limit: Option<u32>, seconds: u64) -> bool {
    let usage = Some(Usage { used, limit });
    room.list(usage, 0, at(seconds), at(seconds).at).0
}

fn limit(room: &Room) -> Option<u32> {
    room.usage().and_then(|usage| usage.limit)
}

fn at(seconds: u64) -> Stamp {
    Stamp::of_second(seconds)
}

#[test]
fn a_known_limit_is_not_passed() {
    let mut room = Room::default();
    list(&mut room, 9, Some(10), 1);
    assert!(room.admits());
    let until = room.begin(at(2).at);
    assert_eq!(until, Some(at(2).at.after(PROBE)));
    assert!(!room.admits() && room.full());
    room.ended(Ended::Failed, at(2).at);
    assert!(room.admits() && !room.full());
    room.begin(at(3).at);
    room.ended(Ended::Created, at(2).at);
    assert!(!room.admits());
    assert!(list(&mut room, 9, Some(10), 4) && room.admits());
}

#[test]
fn a_limit_is_learnt_from_a_refusal_and_forgotten_when_it_was_raised() {
    let mut room = Room::default();
    list(&mut room, 10, None, 1);
    room.begin(at(2).at);
    room.ended(Ended::Failed, at(2).at);
    assert_eq!(room.refuse(at(2)), 1);
    room.close(at(100).at);
    assert!(!room.admits());
    list(&mut room, 10, None, 3);
    assert_eq!(limit(&room), Some(10));
    room.reopen();
    assert!(room.admits(), "one is tried");
    room.begin(at(101).at);
    assert!(!room.admits(), "and no other");
    room.ended(Ended::Created, at(102).at);
    assert!(room.admits(), "the limit was raised");
    list(&mut room, 11, None, 103);
    assert_eq!(limit(&room), None);
    assert!(room.admits());
}

#[test]
fn a_listing_of_more_than_the_learnt_limit_opens_the_table() {
    let mut room = Room::default();
    list(&mut room, 10, None, 1);
    room.begin(at(2).at);
    room.ended(Ended::Failed, at(2).at);
    room.refuse(at(2));
    room.close(at(100).at);
    assert!(!list(&mut room, 10, None, 3));
    assert!(list(&mut room, 11, None, 4) && room.admits());
}

#[test]
fn refusals_of_one_volley_are_one_and_as_many_successes_end_them() {
    let mut room = Room::default();
    let mut volley = |count: usize| {
        (0..count).for_each(|_| assert_eq!(room.begin(at(1).at), None));
        let refused = (0..count).map(|_| {
            room.ended(Ended::Failed, at(2).at);
            room.refuse(at(2))
        });
        refused.max()
    };
    assert_eq!(volley(8), Some(1));
    assert_eq!(volley(1), Some(2));
    for full in [true, false] {
        room.begin(at(3).at);
        room.ended(Ended::Created, at(4).at);
        assert_eq!(room.full(), full);
    }
}

#[test]
fn a_wrong_limit_counts_no_more() {
    let mut room = Room::default();
    list(&mut room, 10, Some(10), 1);
    assert!(room.full());
    room.reopen();
    room.begin(at(2).at);
    room.ended(Ended::Created, at(2).at);
    list(&mut room, 11, Some(10), 3);
    assert!(room.admits() && !room.full());
    list(&mut room, 11, Some(11), 4);
    assert!(room.full(), "another limit may be right");
}

#[test]
fn a_level_ends_below_where_it_begins() {
    let mut room = Room::default();
    let mut rise = |used| {
        list(&mut room, used, Some(100), 1);
        (room.rise(), room.level())
    };
    assert_eq!(rise(79), (None, QuotaLevel::Ample));
    assert_eq!(rise(80), (Some(QuotaLevel::Low), QuotaLevel::Low));
    assert_eq!(rise(76), (None, QuotaLevel::Low));
    assert_eq!(rise(80), (None, QuotaLevel::Low));
    assert_eq!(rise(100), (Some(QuotaLevel::Full), QuotaLevel::Full));
    assert_eq!(rise(99), (None, QuotaLevel::Critical));
    assert_eq!(rise(100), (None, QuotaLevel::Full));
    assert_eq!(rise(96), (None, QuotaLevel::Critical));
    assert_eq!(rise(94), (None, QuotaLevel::Critical));
    assert_eq!(rise(74), (None, QuotaLevel::Ample));
}

#[test]
fn a_route_in_room_that_a_deletion_made_is_no_try_beyond_the_limit() {
    let mut room = Room::default();
    list(&mut room, 5, Some(5), 1);
    room.deleted();
    room.begin(at(2).at);
    room.ended(Ended::Created, at(2).at);
    list(&mut room, 6, Some(5), 3);
    assert_eq!(limit(&room), Some(5), "somebody else added one");
    assert!(!room.admits());
}
