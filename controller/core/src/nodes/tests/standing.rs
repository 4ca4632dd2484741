//! What changes when a node is judged.

use super::*;
use crate::nodes::{Judged, NodeState};

fn stand(rig: &mut Rig, id: NodeId, phase: Phase, trouble: Option<Trouble>) -> Judged {
    let standing = Standing {
        phase,
        trouble,
        unreachable: false,
    };
    rig.nodes.set_standing(&mut rig.turn, id, standing)
}

#[test]
fn it_is_said_from_where_to_where_a_node_moved() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    assert_eq!(stand(&mut rig, id, Phase::Pending, None).moved, None);
    let moved = stand(&mut rig, id, Phase::Routing, None).moved;
    assert_eq!(moved, Some((Phase::Pending, Phase::Routing)));
    assert_eq!(stand(&mut rig, id, Phase::Routing, None).moved, None);
    assert_eq!(
        rig.nodes.get(id).map(NodeState::phase),
        Some(Phase::Routing)
    );
}

#[test]
fn a_lasting_trouble_is_news_when_it_is_another_one_than_before() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    let mut told = |trouble: Option<Reason>| {
        let phase = if trouble.is_some() {
            Phase::Routing
        } else {
            Phase::Routed
        };
        let judged = stand(&mut rig, id, phase, trouble.map(super::trouble));
        judged.news.map(|it| it.reason)
    };
    let (one, two) = (Reason::RouteConflict, Reason::QuotaExceeded);
    assert_eq!(told(Some(one)), Some(one));
    assert_eq!(told(Some(one)), None);
    assert_eq!(told(Some(two)), Some(two));
    assert_eq!(told(Some(two)), None);
    assert_eq!(told(None), None);
    assert_eq!(told(Some(two)), Some(two), "anew");
}

#[test]
fn other_words_for_the_same_cause_take_the_place_of_those_before() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    let words = |words: &str| Some(Trouble::lasting(Reason::RouteConflict, words.to_owned()));
    stand(&mut rig, id, Phase::Routing, words("one"));
    let judged = stand(&mut rig, id, Phase::Routing, words("two"));
    assert_eq!(judged.trouble_before, words("one"));
    let state = rig.nodes.get(id).expect("it lives");
    assert_eq!(state.trouble(), words("two").as_ref());
}

#[test]
fn what_may_pass_is_news_when_it_lasts() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    let passing = Trouble {
        lasting: false,
        ..trouble(Reason::CloudUnavailable)
    };
    assert_eq!(
        stand(&mut rig, id, Phase::Routing, Some(passing)).news,
        None
    );
    let lasting = Some(trouble(Reason::CloudUnavailable));
    assert_eq!(
        stand(&mut rig, id, Phase::Routing, lasting.clone()).news,
        lasting
    );
}

#[test]
fn the_trouble_of_before_is_handed_out_each_time_so_that_it_can_be_counted() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    let one = Some(trouble(Reason::RouteConflict));
    let before = |rig: &mut Rig, now: &Option<Trouble>| {
        stand(rig, id, Phase::Routing, now.clone()).trouble_before
    };
    assert_eq!(before(&mut rig, &one), None);
    assert_eq!(before(&mut rig, &one), one);
    assert_eq!(before(&mut rig, &None), one);
    assert_eq!(before(&mut rig, &None), None);
}

fn routed(actions: &[Action]) -> Vec<Duration> {
    let routed = actions.iter().filter_map(|action| match action {
        Action::NodeRouted { took, .. } => Some(*took),
        _ => None,
    });
    routed.collect()
}

#[test]
fn it_is_reported_once_how_long_a_node_took_to_be_routed() {
    let mut rig = Rig::new();
    let id = rig.at(5).add(node("a"));
    stand(rig.at(6), id, Phase::Routing, None);
    assert_eq!(routed(&rig.turn.take()), []);
    stand(rig.at(7), id, Phase::Routed, None);
    let two = Duration::from_secs(2);
    assert_eq!(routed(&rig.turn.take()), [two]);
    stand(rig.at(8), id, Phase::Routing, None);
    stand(rig.at(9), id, Phase::Routed, None);
    assert_eq!(routed(&rig.turn.take()), []);
    assert_eq!(rig.nodes.get(id).and_then(NodeState::took), Some(two));
}

#[test]
fn a_node_that_was_in_service_before_is_not_reported() {
    let mut rig = Rig::new();
    let id = rig.add(saying("a", NetworkCondition::Available));
    stand(&mut rig, id, Phase::Routed, None);
    assert_eq!(routed(&rig.turn.take()), []);
    assert!(rig.nodes.get(id).is_some_and(|it| it.took().is_some()));
}
