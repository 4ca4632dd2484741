//! What a sighting changes.

use super::*;

#[test]
fn a_list_numbers_older_nodes_first_and_those_of_one_second_by_name() {
    let mut rig = Rig::new();
    let created = |name: &str, created| Node {
        created,
        ..node(name)
    };
    let mut list = [created("c", 5), created("b", 9), created("a", 9)];
    assert_eq!(rig.nodes.begin_list(&mut list), []);
    let names: Vec<&str> = list.iter().map(|node| &*node.key.name).collect();
    assert_eq!(names, ["c", "a", "b"]);
    let ids: Vec<NodeId> = list.into_iter().map(|node| rig.add(node)).collect();
    assert!(ids.is_sorted());
    assert!(rig.nodes.is_listed());
    let living: Vec<NodeId> = rig.nodes.living().map(|(id, _)| id).collect();
    assert_eq!(living, ids);
}

#[test]
fn a_list_names_those_that_it_lacks() {
    let mut rig = Rig::new();
    let (a, b) = (rig.add(node("a")), rig.add(node("b")));
    assert_eq!(rig.nodes.begin_list(&mut [node("b")]), [a]);
    let reborn = Node {
        key: NodeKey::new("b", "another"),
        ..node("b")
    };
    assert_eq!(rig.nodes.begin_list(&mut [node("a"), reborn]), [b]);
}

#[test]
fn a_node_that_was_not_known_is_new_and_judged() {
    let mut rig = Rig::new();
    let sighting = rig.see(node("a")).expect("it lives");
    assert!(sighting.new && !sighting.moved);
    assert!(rig.is_dirty());
    let sighting = rig.see(node("a")).expect("it lives");
    assert!(!sighting.new && !sighting.moved);
    assert!(rig.is_dirty(), "whatever was seen");
}

#[test]
fn another_node_of_the_name_is_a_namesake_whichever_was_created_first() {
    for created in [-1, 0, 1] {
        let mut rig = Rig::new();
        let first = rig.add(node("a"));
        assert_eq!(rig.nodes.namesake(&key("a")), None, "itself");
        assert_eq!(rig.nodes.namesake(&key("b")), None);
        let another = Node {
            key: NodeKey::new("a", "another"),
            created,
            ..node("a")
        };
        assert_eq!(rig.nodes.namesake(&another.key), Some(first));
    }
}

#[test]
fn what_identifies_the_instance_is_compared() {
    let mut rig = Rig::new();
    let first = Node {
        provider_id: Some("one".into()),
        internal_ips: vec!["10.9.0.1".parse().expect("an address")],
        ..node("a")
    };
    rig.add(first.clone());
    let other_id = Node {
        provider_id: Some("two".into()),
        ..first.clone()
    };
    let sighting = rig.see(other_id.clone()).expect("it lives");
    assert!(sighting.moved);
    assert_eq!(sighting.addresses_before, first.internal_ips);
    let other_address = Node {
        internal_ips: Vec::new(),
        ..other_id
    };
    assert!(rig.see(other_address.clone()).is_some_and(|it| it.moved));
    assert!(rig.see(other_address).is_some_and(|it| !it.moved));
}

#[test]
fn pod_cidrs_that_a_node_turns_out_to_have_are_claimed_and_the_chosen_ones_released() {
    let mut rig = Rig::new();
    let id = rig.add(node("a"));
    rig.nodes
        .assign(id, vec![net("10.0.0.0/24"), net("fd00::/64")]);
    let seen = having("a", &["10.0.9.0/24", "fd00::7/64"]);
    let sighting = rig.see(seen).expect("it lives");
    assert_eq!(sighting.released[..], [net("10.0.0.0/24")]);
    assert_eq!(sighting.claimed[..], [net("10.0.9.0/24")]);
    let state = rig.nodes.get(id).expect("it lives");
    assert_eq!(state.cidrs(), [net("10.0.9.0/24"), net("fd00::/64")]);
    assert!(state.has_its_cidrs());
}

#[test]
fn a_node_that_comes_with_its_pod_cidrs_claims_them() {
    let mut rig = Rig::new();
    let sighting = rig.see(having("a", &["10.0.0.0/24"])).expect("it lives");
    assert_eq!(sighting.claimed[..], [net("10.0.0.0/24")]);
    assert_eq!(sighting.released[..], []);
    let again = rig.see(having("a", &["10.0.0.0/24"])).expect("it lives");
    assert_eq!(again.claimed[..], []);
}

fn relabelled() -> [Node; 2] {
    let labelled = Node {
        labels: [("zone".into(), "b".into())].into(),
        ..node("a")
    };
    let initialized = Node {
        uninitialized: true,
        ..node("a")
    };
    [labelled, initialized]
}

#[test]
fn a_block_that_was_not_sent_is_chosen_anew_when_labels_change() {
    for other in relabelled() {
        let mut rig = Rig::new();
        let id = rig.add(node("a"));
        rig.nodes.assign(id, vec![net("10.0.0.0/24")]);
        let same = rig.see(node("a")).expect("it lives");
        assert_eq!(same.released[..], []);
        let sighting = rig.see(other).expect("it lives");
        assert_eq!(sighting.released[..], [net("10.0.0.0/24")]);
        assert_eq!(rig.nodes.get(id).map(|it| it.cidrs().len()), Some(0));
    }
}

#[test]
fn a_block_that_was_sent_stays_when_labels_change() {
    for other in relabelled() {
        let mut rig = Rig::new();
        let id = rig.add(node("a"));
        rig.nodes.assign(id, vec![net("10.0.0.0/24")]);
        assert_eq!(sets(&rig.work()).len(), 1);
        let sighting = rig.see(other.clone()).expect("it lives");
        assert_eq!(sighting.released[..], [], "on its way");
        rig.set("a", refused(ApiErrorKind::Unknown));
        let sighting = rig.see(node("a")).expect("it lives");
        assert_eq!(sighting.released[..], [], "it may have come");
        rig.set("a", Ok(()));
        let sighting = rig.see(other).expect("it lives");
        assert_eq!(sighting.released[..], [], "it has come");
    }
}

#[test]
fn pod_cidrs_that_a_node_lost_stay_its_own_when_labels_change() {
    for other in relabelled() {
        let mut rig = Rig::new();
        rig.add(having("a", &["10.0.0.0/24"]));
        rig.at(2).see(node("a"));
        assert_eq!(reads(&rig.at(7).work()), [key("a")]);
        rig.read(node("a"));
        let sighting = rig.see(other).expect("it lives");
        assert_eq!(sighting.released[..], [], "pods have addresses of them");
        assert_eq!(sets(&rig.work()), [("a".into(), vec![net("10.0.0.0/24")])]);
    }
}
