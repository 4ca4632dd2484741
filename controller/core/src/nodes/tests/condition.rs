//! What the condition of a node says.

use super::*;
use NetworkCondition::{Available, Foreign, Unavailable, Unknown};

/// What is written of a node that says that and stands there.
fn written(
    network: NetworkCondition,
    phase: Phase,
    trouble: Option<Trouble>,
    unreachable: bool,
) -> Vec<(bool, Reason)> {
    let mut rig = Rig::new();
    let id = rig.add(saying("a", network));
    rig.stand_so(id, phase, trouble, unreachable);
    statuses(&rig.work())
}

#[test]
fn a_routed_node_is_put_into_service_unless_it_is() {
    let routed = |network| written(network, Phase::Routed, None, false);
    assert_eq!(routed(Unknown), [(true, Reason::RouteCreated)]);
    assert_eq!(routed(Unavailable), [(true, Reason::RouteCreated)]);
    assert_eq!(routed(Available), []);
}

#[test]
fn that_somebody_else_put_a_routed_node_into_service_is_not_enough() {
    let said = written(Foreign, Phase::Routed, None, false);
    assert_eq!(said, [(true, Reason::RouteCreated)]);
}

#[test]
fn a_node_in_service_for_somebody_else_is_no_worse_off() {
    let full = || Some(trouble(Reason::QuotaExceeded));
    let said = |unreachable| written(Foreign, Phase::Routing, full(), unreachable);
    assert_eq!(said(false), []);
    assert_eq!(said(true), [(false, Reason::QuotaExceeded)]);
}

#[test]
fn a_node_that_cannot_be_routed_and_is_not_in_service_says_why() {
    for network in [Unknown, Unavailable] {
        let conflict = Some(trouble(Reason::RouteConflict));
        let said = written(network, Phase::Routing, conflict, false);
        assert_eq!(said, [(false, Reason::RouteConflict)]);
    }
}

#[test]
fn a_node_in_service_stays_so_while_packets_arrive() {
    let full = || Some(trouble(Reason::QuotaExceeded));
    let said = |unreachable| written(Available, Phase::Routing, full(), unreachable);
    assert_eq!(said(false), []);
    assert_eq!(said(true), [(false, Reason::QuotaExceeded)]);
}

#[test]
fn that_a_node_waits_for_its_routes_is_never_written() {
    for network in [Unknown, Unavailable, Available] {
        for unreachable in [false, true] {
            let waits = Some(trouble(Reason::RoutePending));
            assert_eq!(written(network, Phase::Routing, waits, unreachable), []);
        }
    }
}

#[test]
fn what_may_pass_is_not_written() {
    let passing = Trouble {
        lasting: false,
        ..trouble(Reason::CloudUnavailable)
    };
    assert_eq!(
        written(Unknown, Phase::Routing, Some(passing.clone()), true),
        []
    );
    assert_eq!(written(Available, Phase::Routing, Some(passing), true), []);
}

#[test]
fn bad_news_waits_until_all_was_read_and_good_news_does_not() {
    let mut rig = Rig::new();
    rig.nodes.set_voice(Voice {
        speaks: true,
        bad_news: false,
        routes: true,
    });
    let (good, bad) = (rig.add(node("good")), rig.add(node("bad")));
    rig.stand(good, Phase::Routed, None);
    rig.stand(bad, Phase::Routing, Some(trouble(Reason::RouteConflict)));
    assert_eq!(statuses(&rig.work()), [(true, Reason::RouteCreated)]);
    rig.nodes.set_voice(Voice {
        speaks: true,
        bad_news: true,
        routes: true,
    });
    assert_eq!(statuses(&rig.work()), [(false, Reason::RouteConflict)]);
}

#[test]
fn without_a_network_to_speak_of_nothing_is_written() {
    let mut rig = Rig::new();
    rig.nodes.set_voice(Voice::default());
    let id = rig.add(node("a"));
    rig.stand(id, Phase::Routed, None);
    assert_eq!(statuses(&rig.work()), []);
}

#[test]
fn where_routes_are_somebody_elses_work_that_is_said() {
    let mut rig = Rig::new();
    rig.nodes.set_voice(Voice {
        speaks: true,
        bad_news: true,
        routes: false,
    });
    let id = rig.add(node("a"));
    rig.stand(id, Phase::Routed, None);
    assert_eq!(statuses(&rig.work()), [(true, Reason::PodCIDRAssigned)]);
}

#[test]
fn nothing_is_said_of_nodes_that_opted_out_or_are_gone() {
    let mut rig = Rig::new();
    let out = Node {
        excluded: true,
        ..node("out")
    };
    let (out, gone) = (rig.add(out), rig.add(node("gone")));
    rig.stand(out, Phase::Routed, None);
    rig.stand(gone, Phase::Routed, None);
    rig.nodes.lose(gone, Departure::Deleted, Time(0));
    assert_eq!(statuses(&rig.work()), []);
}

#[test]
fn a_cause_is_written_once_and_another_one_too() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    let mut say = |reason| {
        rig.stand(id, Phase::Routing, Some(trouble(reason)));
        let said = statuses(&rig.work());
        if !said.is_empty() {
            rig.told("a", Ok(()));
        }
        said
    };
    let (one, two) = (Reason::RouteConflict, Reason::QuotaExceeded);
    assert_eq!(say(one), [(false, one)]);
    assert_eq!(say(one), []);
    assert_eq!(say(two), [(false, two)]);
    assert_eq!(say(one), [(false, one)]);
}

#[test]
fn one_write_of_a_condition_is_in_flight_for_a_node() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.stand(id, Phase::Routing, Some(trouble(Reason::RouteConflict)));
    assert_eq!(statuses(&rig.work()).len(), 1);
    rig.stand(id, Phase::Routed, None);
    assert_eq!(statuses(&rig.work()), []);
    rig.told("a", Ok(()));
    assert_eq!(statuses(&rig.work()), [(true, Reason::RouteCreated)]);
}

#[test]
fn what_is_wanted_no_more_when_its_turn_comes_is_not_written() {
    let mut rig = Rig::with(Limits {
        api_writes: 1,
        ..LIMITS
    });
    let (a, b) = (rig.add(node("a")), rig.add(node("b")));
    rig.stand(a, Phase::Routed, None);
    rig.stand(b, Phase::Routed, None);
    assert_eq!(statuses(&rig.work()).len(), 1);
    rig.stand(b, Phase::Routing, None);
    rig.told("a", Ok(()));
    assert_eq!(rig.work(), []);
}

#[test]
fn a_write_that_is_refused_is_told_at_once_with_the_remedy() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.stand(id, Phase::Routed, None);
    rig.work();
    let told = rig.told("a", refused(ApiErrorKind::Denied));
    assert_eq!(
        told.as_deref(),
        Some(
            "the condition NetworkUnavailable cannot be written: as told; grant the controller the \
             verb patch on nodes/status"
        )
    );
    assert_eq!(rig.work(), [], "not at once");
    let next = rig.nodes.next_wake().expect("another try");
    assert!((Time(2_000)..=Time(3_000)).contains(&next), "{next:?}");
}

#[test]
fn a_write_that_fails_for_long_is_told() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.stand(id, Phase::Routed, None);
    for failures in 1..=6 {
        assert_eq!(statuses(&rig.at(100 * failures).work()).len(), 1);
        let told = rig.told("a", refused(ApiErrorKind::Transient));
        assert_eq!(told.is_some(), failures == 6, "{failures}");
    }
    rig.at(700).work();
    assert_eq!(rig.told("a", Ok(())), None);
}

#[test]
fn a_node_that_was_not_found_is_read() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.stand(id, Phase::Routed, None);
    rig.work();
    rig.told("a", refused(ApiErrorKind::NotFound));
    assert_eq!(reads(&rig.turn.take()), [key("a")]);
}

#[test]
fn a_success_ends_the_failures_before_it() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.stand(id, Phase::Routed, None);
    for second in [100, 200, 300] {
        rig.at(second).work();
        rig.told("a", refused(ApiErrorKind::Transient));
    }
    rig.at(400).work();
    rig.told("a", Ok(()));
    rig.at(500).read(saying("a", Unavailable));
    rig.work();
    rig.told("a", refused(ApiErrorKind::Transient));
    rig.work();
    let next = rig.nodes.next_wake().expect("another try");
    assert!(
        next <= Time(500_200),
        "as after the first failure: {next:?}"
    );
}

#[test]
fn a_node_that_comes_back_is_told_when_the_write_of_before_has_ended() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.stand(id, Phase::Routed, None);
    assert_eq!(statuses(&rig.work()).len(), 1);
    rig.nodes.lose(id, Departure::Unlisted, Time(0));
    let again = rig.add(node("a"));
    rig.stand(again, Phase::Routed, None);
    assert_eq!(statuses(&rig.work()), [], "one is in flight");
    rig.told("a", refused(ApiErrorKind::Transient));
    assert_eq!(statuses(&rig.at(10).work()).len(), 1);
}

#[test]
fn what_was_not_wanted_when_its_turn_came_is_said_when_it_is_wanted_again() {
    let mut rig = Rig::with(Limits {
        api_writes: 1,
        ..LIMITS
    });
    let (first, second) = (rig.add(node("first")), rig.add(node("second")));
    rig.stand(first, Phase::Routed, None);
    rig.stand(second, Phase::Routed, None);
    assert_eq!(statuses(&rig.work()).len(), 1);
    rig.stand(second, Phase::Routing, None);
    rig.told("first", Ok(()));
    assert_eq!(statuses(&rig.work()), []);
    rig.stand(second, Phase::Routed, None);
    assert_eq!(statuses(&rig.work()), [(true, Reason::RouteCreated)]);
}
