//! Reading instances.

use super::*;
use CloudErrorKind as Kinds;

#[test]
fn an_instance_is_asked_for_once_and_known_then() {
    let mut rig = Rig::new();
    rig.ensure(1);
    rig.ensure(1);
    let (batch, asked) = rig.read().expect("it is asked for");
    assert_eq!(asked, [1]);
    rig.ensure(1);
    assert_eq!(rig.read(), None, "it is on its way");
    assert_eq!(rig.instances.state(id(1)), None);
    rig.answer(batch, vec![(1, Ok(found(true)))]);
    assert_eq!(rig.instances.state(id(1)), Some(&found(true)));
    assert_eq!(rig.instances.take_dirty(), [id(1)].into());
    rig.ensure(1);
    assert_eq!(rig.read(), None);
}

#[test]
fn a_route_leads_to_the_next_hop_of_its_family() {
    let mut rig = Rig::new();
    let net = |text: &str| -> IpNet { text.parse().expect("a network") };
    assert_eq!(rig.instances.hop(id(1), net("10.0.0.0/24")), None);
    rig.found(1, true);
    let four = rig.instances.hop(id(1), net("10.0.0.0/24"));
    assert_eq!(four, Some(&NextHop::Target("four".into())));
    assert_eq!(rig.instances.hop(id(1), net("fd00::/64")), None);
}

#[test]
fn a_thousand_are_asked_for_together_and_four_times_that_at_once() {
    let mut rig = Rig::new();
    (0..4_500).for_each(|number| rig.ensure(number));
    let reads = rig.reads();
    let sizes: Vec<usize> = reads.iter().map(|(_, asked)| asked.len()).collect();
    assert_eq!(sizes, [1_000; 4]);
    let (batch, asked) = reads[0].clone();
    let answers = asked.into_iter().map(|it| (it, Ok(found(true))));
    rig.answer(batch, answers.collect());
    assert_eq!(rig.read().map(|(_, asked)| asked.len()), Some(500));
}

#[test]
fn an_answer_belongs_to_its_batch_by_number() {
    let mut rig = Rig::new();
    rig.ensure(1);
    let (first, _) = rig.read().expect("asked");
    rig.ensure(2);
    let (second, asked) = rig.read().expect("asked");
    assert_eq!(asked, [2]);
    rig.answer(77, vec![(1, Ok(found(true)))]);
    assert_eq!(rig.instances.state(id(1)), None, "of no batch");
    rig.answer(second, vec![(1, Ok(found(true))), (2, Ok(found(true)))]);
    assert_eq!(rig.instances.state(id(1)), None, "it was not asked there");
    assert!(rig.instances.state(id(2)).is_some());
    rig.answer(first, vec![(1, Ok(found(true)))]);
    assert!(rig.instances.state(id(1)).is_some());
    rig.answer(first, vec![(1, Ok(InstanceState::Gone))]);
    assert!(!rig.instances.is_gone(id(1)), "a batch is answered once");
}

#[test]
fn a_node_that_is_absent_from_the_answer_is_asked_for_again_later() {
    let mut rig = Rig::new();
    rig.at(10).ensure(1);
    let (batch, _) = rig.read().expect("asked");
    rig.answer(batch, vec![]);
    assert_eq!(rig.read(), None, "not at once");
    let next = rig.instances.next_wake().expect("another try");
    assert!((Time(10_100)..=Time(10_200)).contains(&next), "{next:?}");
    let (_, asked) = rig.at(11).read().expect("asked");
    assert_eq!(asked, [1]);
}

#[test]
fn a_read_that_fails_is_tried_again_and_told_when_it_lasts() {
    let mut rig = Rig::new();
    for failures in 1..=6 {
        rig.at(100 * failures).ensure(1);
        let (batch, _) = rig.read().expect("asked");
        rig.answer(batch, vec![(1, failed(Kinds::Transient))]);
        let trouble = (Reason::CloudUnavailable, failures == 6);
        assert_eq!(rig.trouble(1), Some(trouble));
    }
    let (batch, _) = rig.at(700).read().expect("asked");
    rig.answer(batch, vec![(1, Ok(found(true)))]);
    assert_eq!(rig.trouble(1), None);
}

#[test]
fn a_permission_that_is_missing_is_told_at_once_and_tried_rarely() {
    let mut rig = Rig::new();
    rig.at(10).ensure(1);
    let (batch, _) = rig.read().expect("asked");
    rig.answer(batch, vec![(1, failed(Kinds::Denied))]);
    assert_eq!(rig.trouble(1), Some((Reason::CloudDenied, true)));
    let next = rig.instances.next_wake().expect("another try");
    assert!((Time(25_000)..=Time(40_000)).contains(&next), "{next:?}");
}

#[test]
fn an_instance_that_is_gone_or_unfit_is_looked_for_again_while_its_node_lives() {
    for state in [
        InstanceState::Gone,
        InstanceState::Unsupported("why".into()),
    ] {
        for lives in [true, false] {
            let mut rig = Rig::new();
            rig.at(10).ensure(1);
            let (batch, _) = rig.read().expect("asked");
            if !lives {
                rig.gone.insert(1);
            }
            rig.answer(batch, vec![(1, Ok(state.clone()))]);
            assert_eq!(rig.instances.state(id(1)), Some(&state));
            assert_eq!(rig.instances.next_wake().is_some(), lives);
            assert_eq!(rig.at(11).read().is_some(), lives);
        }
    }
}

#[test]
fn an_answer_that_says_what_is_known_has_nobody_judged_anew() {
    let mut rig = Rig::new();
    rig.at(10).found(1, true);
    rig.instances.take_dirty();
    let mut second = 10;
    let mut is_news = |answer| {
        second += 100;
        rig.at(second);
        rig.instances.tick(&rig.turn, PERIOD);
        rig.instances.want(&rig.turn, id(1));
        rig.instances.take_dirty();
        let (batch, _) = rig.read().expect("asked");
        rig.answer(batch, vec![(1, answer)]);
        !rig.instances.take_dirty().is_empty()
    };
    assert!(!is_news(Ok(found(true))));
    assert!(is_news(Ok(found(false))));
    assert!(is_news(failed(Kinds::Transient)));
    assert!(is_news(Ok(found(false))), "it can be read again");
    assert!(!is_news(Ok(found(false))));
}

#[test]
fn what_was_known_stays_while_it_cannot_be_read_again() {
    let mut rig = Rig::new();
    rig.at(10).found(1, true);
    rig.instances.want(&rig.turn, id(1));
    let (batch, _) = rig.read().expect("asked");
    rig.answer(batch, vec![(1, failed(Kinds::Transient))]);
    assert_eq!(rig.instances.state(id(1)), Some(&found(true)));
    assert!(rig.trouble(1).is_some());
}

#[test]
fn an_instance_that_may_have_changed_meanwhile_is_asked_for_once_more() {
    let mut rig = Rig::new();
    rig.ensure(1);
    let (batch, _) = rig.read().expect("asked");
    rig.instances.moved(&rig.turn, id(1));
    assert_eq!(rig.read(), None);
    rig.answer(batch, vec![(1, Ok(found(true)))]);
    assert_eq!(rig.instances.state(id(1)), None, "that was another one");
    let (batch, asked) = rig.read().expect("asked again");
    assert_eq!(asked, [1]);
    rig.answer(batch, vec![(1, Ok(found(true)))]);
    assert_eq!(rig.read(), None);
}

#[test]
fn a_node_that_moved_does_not_wait_for_the_back_off_of_before() {
    let mut rig = Rig::new();
    rig.at(10).ensure(1);
    let (batch, _) = rig.read().expect("asked");
    rig.answer(batch, vec![(1, failed(Kinds::Denied))]);
    rig.at(11).ensure(1);
    assert_eq!(rig.read(), None);
    rig.instances.moved(&rig.turn, id(1));
    assert!(rig.read().is_some());
}

#[test]
fn a_node_that_moved_before_it_was_wanted_is_not_asked_for() {
    let mut rig = Rig::new();
    rig.instances.moved(&rig.turn, id(1));
    assert_eq!(rig.read(), None);
}

#[test]
fn all_instances_are_read_again_every_ten_check_periods() {
    let mut rig = Rig::new();
    rig.at(0).found(1, true);
    rig.ensure(2);
    let (batch, _) = rig.read().expect("asked");
    rig.answer(batch, vec![(2, failed(Kinds::Denied))]);
    rig.instances.schedule_refresh(&rig.turn, PERIOD);
    let all: Vec<_> = (1..900)
        .filter_map(|second| {
            let (batch, asked) = rig.at(second).read()?;
            let answers = asked.iter().map(|it| (*it, Ok(found(true))));
            rig.answer(batch, answers.collect());
            Some((second, asked))
        })
        .collect();
    let refreshed: Vec<u64> = all
        .iter()
        .filter(|(_, asked)| asked.contains(&1))
        .map(|(second, _)| *second)
        .collect();
    assert_eq!(refreshed, [300, 600]);
}

#[test]
fn a_node_that_is_forgotten_is_not_asked_for() {
    let mut rig = Rig::new();
    rig.found(1, true);
    rig.ensure(2);
    rig.instances.forget(id(1));
    rig.instances.forget(id(2));
    assert_eq!(rig.read(), None);
    assert_eq!(rig.instances.state(id(1)), None);
}

#[test]
fn an_answer_for_a_node_that_was_forgotten_is_dropped() {
    let mut rig = Rig::new();
    rig.ensure(1);
    let (batch, _) = rig.read().expect("asked");
    rig.instances.forget(id(1));
    rig.answer(batch, vec![(1, Ok(found(true)))]);
    assert_eq!(rig.instances.state(id(1)), None);
    assert_eq!(rig.instances.take_dirty(), [].into());
}

#[test]
fn a_node_that_is_unknown_when_its_turn_comes_is_left_out() {
    let mut rig = Rig::new();
    rig.ensure(1);
    rig.ensure(2);
    rig.unknown.insert(1);
    assert_eq!(rig.read().map(|(_, asked)| asked), Some(vec![2]));
}

#[test]
fn where_there_are_no_routes_no_instance_is_asked_for() {
    let mut rig = Rig::with(Limits {
        routes: false,
        ..Limits::LOCAL
    });
    rig.ensure(1);
    rig.instances.want(&rig.turn, id(1));
    assert_eq!(rig.read(), None);
}

#[test]
fn a_success_ends_the_failures_before_it() {
    let mut rig = Rig::new();
    for second in [100, 200, 300] {
        rig.at(second).ensure(1);
        let (batch, _) = rig.read().expect("asked");
        rig.answer(batch, vec![(1, failed(Kinds::Transient))]);
    }
    rig.at(400).found(1, true);
    rig.at(500);
    rig.instances.want(&rig.turn, id(1));
    let (batch, _) = rig.read().expect("asked");
    rig.answer(batch, vec![(1, failed(Kinds::Transient))]);
    let next = rig.instances.next_wake().expect("another try");
    assert!(
        next <= Time(500_200),
        "as after the first failure: {next:?}"
    );
}

#[test]
fn a_back_off_that_ends_while_the_instance_is_read_asks_for_nothing() {
    let mut rig = Rig::new();
    rig.at(10).ensure(1);
    let (batch, _) = rig.read().expect("asked");
    rig.answer(batch, vec![(1, failed(Kinds::Transient))]);
    rig.instances.moved(&rig.turn, id(1));
    let (batch, _) = rig.read().expect("asked");
    assert_eq!(rig.at(20).read(), None);
    rig.answer(batch, vec![(1, Ok(found(true)))]);
    assert_eq!(rig.at(30).read(), None);
}

#[test]
fn the_regular_look_is_put_off_when_the_period_is_set_anew() {
    let mut rig = Rig::new();
    rig.at(0).found(1, true);
    rig.instances.schedule_refresh(&rig.turn, PERIOD);
    rig.at(100);
    rig.instances.schedule_refresh(&rig.turn, PERIOD);
    assert_eq!(rig.at(300).read(), None);
    assert!(rig.at(400).read().is_some());
}

#[test]
fn a_node_that_goes_when_all_are_to_be_looked_at_is_left_out() {
    let mut rig = Rig::new();
    rig.at(0).found(1, true);
    rig.found(2, true);
    rig.instances.schedule_refresh(&rig.turn, PERIOD);
    rig.at(300);
    rig.instances.tick(&rig.turn, PERIOD);
    rig.instances.forget(id(1));
    assert_eq!(rig.read().map(|(_, asked)| asked), Some(vec![2]));
}

#[test]
fn what_is_asked_for_while_it_is_read_is_read_again() {
    let mut rig = Rig::new();
    rig.ensure(1);
    let (batch, _) = rig.read().expect("asked");
    rig.instances.want(&rig.turn, id(1));
    assert_eq!(rig.read(), None, "one after the other");
    rig.answer(batch, vec![(1, Ok(found(true)))]);
    assert_eq!(rig.read().map(|(_, asked)| asked), Some(vec![1]));
}
