//! Making instances forward.

use super::*;
use CloudErrorKind as Kinds;

fn must_switch(rig: &Rig) -> bool {
    rig.instances.must_switch(&rig.turn, id(1))
}

#[test]
fn an_instance_that_does_not_forward_is_made_to_once() {
    let mut rig = Rig::new();
    assert!(!must_switch(&rig), "nothing is known of it");
    rig.found(1, false);
    assert!(must_switch(&rig));
    rig.ensure(1);
    assert_eq!(rig.switches(), [1]);
    rig.ensure(1);
    assert_eq!(rig.switches(), [0; 0], "it is under way");
    rig.switched(1, Ok(()));
    assert!(!must_switch(&rig));
    assert_eq!(rig.instances.take_dirty(), [id(1)].into());
    rig.ensure(1);
    assert_eq!(rig.switches(), [0; 0]);
}

#[test]
fn an_instance_that_forwards_is_left_alone() {
    let mut rig = Rig::new();
    rig.found(1, true);
    rig.ensure(1);
    assert_eq!(rig.switches(), [0; 0]);
}

#[test]
fn where_instances_need_no_switch_none_is_made() {
    let mut rig = Rig::with(Limits::LOCAL);
    rig.found(1, false);
    rig.ensure(1);
    assert!(!must_switch(&rig));
    assert_eq!(rig.switches(), [0; 0]);
}

#[test]
fn so_many_are_switched_at_once() {
    let mut rig = Rig::with(Limits {
        forwarding: true,
        route_writes: 2,
        ..Limits::LOCAL
    });
    for number in 0..3 {
        rig.found(number, false);
        rig.ensure(number);
    }
    assert_eq!(rig.switches(), [0, 1]);
    rig.switched(0, Ok(()));
    assert_eq!(rig.switches(), [2]);
}

#[test]
fn a_switch_that_fails_is_tried_again_ever_more_rarely_and_told() {
    let mut rig = Rig::new();
    rig.at(10).found(1, false);
    let mut second = 10;
    let mut waits = Vec::new();
    for failures in 1..=6 {
        rig.ensure(1);
        assert_eq!(rig.switches(), [1]);
        rig.switched(1, Err(Kinds::Transient));
        assert_eq!(
            rig.trouble(1),
            Some((Reason::CloudUnavailable, failures == 6))
        );
        rig.ensure(1);
        assert_eq!(rig.switches(), [0; 0]);
        let next = rig.instances.next_wake().expect("another try");
        waits.push(next.since(Time(second * 1_000)));
        second = next.0.div_ceil(1_000);
        rig.at(second);
        rig.instances.tick(&rig.turn, PERIOD);
        assert_eq!(rig.instances.take_dirty(), [id(1)].into());
    }
    assert!(waits.is_sorted(), "{waits:?}");
    rig.ensure(1);
    assert_eq!(rig.switches(), [1]);
    rig.switched(1, Ok(()));
    assert_eq!(rig.trouble(1), None);
}

#[test]
fn a_switch_that_is_denied_waits_longer() {
    let mut rig = Rig::new();
    rig.at(10).found(1, false);
    rig.ensure(1);
    rig.switches();
    rig.switched(1, Err(Kinds::Denied));
    assert_eq!(rig.trouble(1), Some((Reason::CloudDenied, true)));
    rig.ensure(1);
    let next = rig.instances.next_wake().expect("another try");
    assert!((Time(25_000)..=Time(40_000)).contains(&next), "{next:?}");
}

#[test]
fn an_instance_that_turned_out_to_forward_meanwhile_is_not_switched() {
    let mut rig = Rig::new();
    rig.found(1, false);
    rig.ensure(1);
    rig.instances.want(&rig.turn, id(1));
    let (batch, _) = rig.read().expect("asked");
    rig.answer(batch, vec![(1, Ok(found(true)))]);
    assert_eq!(rig.switches(), [0; 0]);
}

#[test]
fn the_answer_for_a_node_that_is_forgotten_is_dropped() {
    let mut rig = Rig::new();
    rig.found(1, false);
    rig.ensure(1);
    rig.switches();
    rig.instances.forget(id(1));
    rig.switched(1, Ok(()));
    assert_eq!(rig.instances.state(id(1)), None);
    assert_eq!(rig.instances.take_dirty(), [].into());
}
