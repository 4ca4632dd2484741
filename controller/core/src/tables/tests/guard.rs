//! How many orphans may be deleted at once.

use super::*;

fn block(number: usize) -> String {
    format!("10.1.{number}.0/24")
}

/// That many nodes, routed; a share of 30 % may go; the first minute is over.
fn nodes(count: usize) -> Rig {
    let mut rig = Rig::new();
    rig.allow(|policy| policy.max_deletion_percent = 30);
    let routes: Vec<ObservedRoute> = (0..count)
        .map(|number| ours(&block(number), &format!("i{number}")))
        .collect();
    for number in 0..count {
        rig.lead(&block(number), number, &format!("i{number}"));
    }
    rig.at(20).list(main(&routes));
    rig.at(100).work();
    rig
}

fn orphan(rig: &mut Rig, numbers: std::ops::Range<usize>) {
    numbers.for_each(|number| rig.orphan(&block(number)));
}

#[test]
fn a_share_may_go_at_once() {
    let mut rig = nodes(10);
    orphan(&mut rig, 0..3);
    assert_eq!(rig.work().len(), 3);
    assert_eq!(rig.tables.held(), 0);
    assert!(!rig.tables.begins_to_hold());
}

#[test]
fn more_than_that_is_held_and_told_once() {
    let mut rig = nodes(10);
    orphan(&mut rig, 0..4);
    assert_eq!(rig.work(), [""; 0]);
    assert_eq!(rig.tables.held(), 4);
    for second in 101..300 {
        assert_eq!(rig.at(second).work(), [""; 0]);
    }
    assert_eq!(rig.told(Reason::DeletionsHeld), 1);
    let (_, message) = &rig.told[0];
    assert!(message.starts_with("4 of 10 node routes would be removed at once"));
    assert!(message.contains("(30 %)"));
}

#[test]
fn it_is_told_anew_when_it_happens_anew() {
    let mut rig = nodes(10);
    for second in [101, 301] {
        rig.at(second);
        orphan(&mut rig, 0..4);
        rig.work();
        (0..4).for_each(|number| rig.lead(&block(number), number, &format!("i{number}")));
        rig.at(second + 1).work();
        assert_eq!(rig.tables.held(), 0);
    }
    assert_eq!(rig.told(Reason::DeletionsHeld), 2);
}

#[test]
fn what_is_held_goes_when_the_limit_is_raised() {
    let mut rig = nodes(10);
    orphan(&mut rig, 0..10);
    rig.work();
    rig.allow(|policy| policy.max_deletion_percent = 100);
    assert_eq!(rig.work().len(), 10);
}

#[test]
fn whoever_asks_why_it_began_is_told_once_whose_they_are() {
    let mut rig = nodes(10);
    orphan(&mut rig, 0..4);
    assert_eq!(rig.tables.held_owners(), []);
    rig.work();
    assert!(rig.tables.begins_to_hold());
    assert!(!rig.tables.begins_to_hold());
    let held: Vec<NodeId> = (0..4).map(id).collect();
    assert_eq!(rig.tables.held_owners(), held);
    rig.at(101).work();
    assert!(!rig.tables.begins_to_hold(), "it goes on");
}

#[test]
fn deletions_count_together_for_a_minute_after_they_ended() {
    let mut rig = nodes(10);
    orphan(&mut rig, 0..3);
    rig.work();
    (0..3).for_each(|_| {
        rig.at(110).end(Ok(()));
    });
    orphan(&mut rig, 3..4);
    assert_eq!(rig.at(111).work(), [""; 0], "four of ten");
    assert_eq!(rig.at(169).work(), [""; 0]);
    assert_eq!(rig.tables.timers.first(), Some(at(170).at));
    assert_eq!(rig.at(170).work().len(), 1);
}

#[test]
fn in_the_first_minute_two_may_go_and_that_more_wait_is_no_news() {
    let mut rig = Rig::new();
    rig.allow(|policy| policy.max_deletion_percent = 30);
    let routes: Vec<ObservedRoute> = (0..10).map(|number| ours(&block(number), "x")).collect();
    rig.at(20).list(main(&routes));
    (3..10).for_each(|number| rig.lead(&block(number), number, "x"));
    orphan(&mut rig, 0..3);
    assert_eq!(rig.work(), [""; 0], "three of ten are 30 %");
    assert_eq!(rig.told(Reason::DeletionsHeld), 0);
    assert_eq!(rig.at(60).work(), [""; 0]);
    assert_eq!(rig.tables.next_wake(false), Some(at(61).at));
    assert_eq!(rig.at(61).work().len(), 3);
}

#[test]
fn in_the_first_minute_too_much_for_any_minute_is_told_at_once() {
    let mut rig = Rig::new();
    rig.allow(|policy| policy.max_deletion_percent = 30);
    let routes: Vec<ObservedRoute> = (0..10).map(|number| ours(&block(number), "x")).collect();
    rig.at(20).list(main(&routes));
    orphan(&mut rig, 0..10);
    rig.work();
    assert_eq!(rig.told(Reason::DeletionsHeld), 1);
}

#[test]
fn of_two_nodes_one_may_go_and_the_only_one_may_not() {
    let mut rig = nodes(2);
    orphan(&mut rig, 0..2);
    assert_eq!(rig.work(), [""; 0]);
    rig.lead(&block(1), 1, "i1");
    assert_eq!(rig.work().len(), 1);
    let mut rig = nodes(1);
    orphan(&mut rig, 0..1);
    assert_eq!(rig.work(), [""; 0]);
}

#[test]
fn at_zero_percent_nothing_goes_but_what_leads_nowhere() {
    let mut rig = nodes(10);
    rig.allow(|policy| policy.max_deletion_percent = 0);
    orphan(&mut rig, 0..1);
    for second in 101..400 {
        assert_eq!(rig.at(second).work(), [""; 0]);
    }
    let mut routes: Vec<ObservedRoute> = (0..10)
        .map(|number| ours(&block(number), &format!("i{number}")))
        .collect();
    routes[0] = dropped(routes[0].clone(), Blackhole::TargetGone);
    rig.at(400).list(main(&routes));
    assert_eq!(rig.work().len(), 1);
}

#[test]
fn routes_to_instances_that_are_gone_are_not_held() {
    let mut rig = nodes(10);
    orphan(&mut rig, 0..8);
    assert_eq!(rig.work(), [""; 0]);
    for number in 0..4 {
        rig.tables
            .set_dead(&rig.turn, id(number), net(&block(number)));
    }
    assert_eq!(rig.work().len(), 4);
    assert_eq!(rig.tables.held(), 4);
    assert_eq!(rig.told(Reason::DeletionsHeld), 1);
}

#[test]
fn a_route_that_somebody_led_elsewhere_is_held_though_the_instance_is_gone() {
    let mut rig = nodes(3);
    let mut routes: Vec<ObservedRoute> = (0..3)
        .map(|number| ours(&block(number), &format!("i{number}")))
        .collect();
    routes[0] = ours(&block(0), "elsewhere");
    rig.allow(|policy| policy.max_deletion_percent = 0);
    rig.at(101).orphan(&block(0));
    rig.tables.set_dead(&rig.turn, id(0), net(&block(0)));
    rig.at(102).list(main(&routes));
    assert_eq!(rig.work(), [""; 0]);
}

#[test]
fn what_has_an_owner_cannot_be_declared_dead() {
    let mut rig = nodes(3);
    rig.allow(|policy| policy.max_deletion_percent = 0);
    rig.tables.set_dead(&rig.turn, id(0), net(&block(0)));
    orphan(&mut rig, 0..1);
    assert_eq!(rig.work(), [""; 0]);
}

#[test]
fn a_node_in_five_tables_is_one_node() {
    let mut rig = Rig::new();
    rig.allow(|policy| policy.max_deletion_percent = 30);
    let routes: Vec<ObservedRoute> = (0..10).map(|number| ours(&block(number), "x")).collect();
    let tables = ["t1", "t2", "t3", "t4", "t5"].map(|name| table(name, &routes));
    (3..10).for_each(|number| rig.lead(&block(number), number, "x"));
    rig.at(20).list(tables.to_vec());
    orphan(&mut rig, 0..3);
    rig.at(100);
    assert_eq!(rig.work().len(), 15);
}

#[test]
fn a_teardown_is_not_held() {
    let mut rig = nodes(10);
    rig.allow(|policy| policy.teardown = true);
    orphan(&mut rig, 0..10);
    assert_eq!(rig.work().len(), 10);
    assert_eq!(rig.told(Reason::DeletionsHeld), 0);
}

#[test]
fn a_route_that_leads_to_nothing_that_is_known_is_held_though_the_instance_is_gone() {
    let mut rig = Rig::new();
    rig.allow(|policy| policy.max_deletion_percent = 0);
    let nowhere = ObservedRoute {
        next_hop: None,
        ..ours(A, "x")
    };
    rig.at(101).list(main(&[nowhere]));
    rig.keep(A, 0);
    rig.orphan(A);
    rig.tables.set_dead(&rig.turn, id(0), net(A));
    assert_eq!(rig.work(), [""; 0]);
}

#[test]
fn an_instance_that_was_gone_says_nothing_of_the_next_owner() {
    let mut rig = nodes(3);
    rig.allow(|policy| policy.max_deletion_percent = 0);
    // Another node has it, and then none, and an instance is gone.
    rig.keep(&block(0), 0);
    rig.keep(&block(0), 7);
    rig.orphan(&block(0));
    rig.tables.set_dead(&rig.turn, id(7), net(&block(0)));
    assert_eq!(rig.work(), [""; 0]);
    // One is gone to which it never led.
    rig.orphan(&block(2));
    rig.tables.set_dead(&rig.turn, id(7), net(&block(2)));
    assert_eq!(rig.work(), [""; 0]);
    // It was gone, its node came back, and left again.
    rig.lead(&block(1), 1, "i1");
    rig.orphan(&block(1));
    rig.allow(|policy| policy.writes = false);
    rig.tables.set_dead(&rig.turn, id(1), net(&block(1)));
    rig.lead(&block(1), 1, "i1");
    rig.orphan(&block(1));
    rig.allow(|policy| policy.writes = true);
    assert_eq!(rig.work(), [""; 0]);
}

#[test]
fn routes_that_lead_nowhere_do_not_make_the_share_larger() {
    let mut rig = nodes(10);
    let mut routes: Vec<ObservedRoute> = (0..10)
        .map(|number| ours(&block(number), &format!("i{number}")))
        .collect();
    let dead = (10..30).map(|number| dropped(ours(&block(number), "x"), Blackhole::TargetGone));
    routes.extend(dead);
    rig.at(101).list(main(&routes));
    rig.allow(|policy| policy.writes = false);
    orphan(&mut rig, 10..30);
    orphan(&mut rig, 0..4);
    rig.at(102).work();
    assert_eq!(rig.tables.held(), 4, "of ten");
}
