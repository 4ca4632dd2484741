//! How nodes are reached.

use super::*;

#[tokio::test]
async fn nodes_are_reached_by_their_internal_addresses() {
    let world = World::new();
    let query = |addresses: &[&str]| InstanceQuery {
        node: NodeKey::new("n1", "u1"),
        provider_id: None,
        internal_ips: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
    };
    let queries = [
        query(&[
            "127.0.0.1",
            "192.0.2.11",
            "192.0.2.99",
            "fe80::1",
            "::",
            "2001:db8::11",
        ]),
        query(&["fe80::1", "::1", "127.0.0.1", "0.0.0.0", "224.0.0.9"]),
    ];
    let mut answers = world.cloud.read_instances(&queries).await;
    assert_eq!(answers.len(), 2);
    let hop = |ip: &str| Some(NextHop::Address(ip.parse().unwrap()));
    let unreachable = answers.pop().unwrap().1.unwrap();
    assert!(matches!(unreachable, InstanceState::Unsupported(text) if text.contains("--node-ip")));
    let Ok(InstanceState::Found(instance)) = answers.pop().unwrap().1 else {
        panic!("not found")
    };
    assert_eq!(instance.id, Arc::from("n1"));
    assert_eq!(
        (instance.next_hop_v4, instance.next_hop_v6),
        (hop("192.0.2.11"), hop("2001:db8::11"))
    );
    assert!(instance.forwarding);
}

#[tokio::test]
async fn an_address_of_two_nodes_is_told_with_the_remedy() {
    let world = World::new();
    let query = |name: &str, address: &str| InstanceQuery {
        node: NodeKey::new(name, name),
        provider_id: None,
        internal_ips: vec![address.parse().unwrap()],
    };
    let queries = [
        query("n1", "192.0.2.11"),
        query("n2", "192.0.2.11"),
        query("n3", "192.0.2.13"),
    ];
    let answers = world.cloud.read_instances(&queries).await;
    let [n1, n2, n3] = <[_; 3]>::try_from(answers).unwrap();
    for (answer, words) in [
        (n1, ["node n2 has", "--node-ip"]),
        (n2, ["node n1 has", "--node-ip"]),
    ] {
        let Ok(InstanceState::Unsupported(why)) = answer.1 else {
            panic!("{answer:?}");
        };
        assert!(words.iter().all(|word| why.contains(word)), "{why}");
    }
    assert!(matches!(n3.1, Ok(InstanceState::Found(_))), "{n3:?}");
}

/// With kubeadm the control plane's machine is a node, and may be the router.
#[tokio::test]
async fn a_node_may_be_the_router_itself() {
    let world = World::new();
    for (block, own, other, pod) in [
        ("10.244.1.0/24", "192.0.2.1", "192.0.2.11", "10.244.1.2"),
        (
            "fd00:0:0:1::/64",
            "2001:db8::1",
            "2001:db8::11",
            "fd00:0:0:1::2",
        ),
    ] {
        let hop = |ip: &str| Some(NextHop::Address(ip.parse().unwrap()));
        world.create(block, own).await.unwrap();
        world.create(block, own).await.expect("it is there");
        let here = world.observed(block).await;
        assert_eq!(here.next_hop, hop(own));
        assert_eq!(here.ownership, Ownership::Ours);
        assert_eq!(here.blackhole, None);
        assert!(world.shown(block)[0].starts_with("unreachable"));

        // A pod has a route of its own, and the rest of the block leads nowhere.
        world.ip(&format!("route add {pod} dev nodes"));
        assert!(world.ip(&format!("route get {pod}")).contains("dev nodes"));
        assert_eq!(
            world.list().await,
            std::slice::from_ref(&here),
            "it is nobody else's"
        );

        // The node gets another machine, and its old one back.
        assert_eq!(
            world.create(block, other).await,
            Err(CloudErrorKind::AlreadyExists)
        );
        world.replace(&here, other).await.unwrap();
        let there = world.observed(block).await;
        assert_eq!((&there.next_hop, there.blackhole), (&hop(other), None));
        world.replace(&there, own).await.unwrap();
        assert_eq!(world.observed(block).await, here);
        world.delete(&here).await.unwrap();
        let left = world.list().await;
        assert_eq!(
            left.len(),
            1,
            "it keeps the block from being given to others"
        );
        assert_eq!(left[0].ownership, Ownership::Foreign);
        world.ip(&format!("route del {pod} dev nodes"));
    }
}

#[tokio::test]
async fn an_unreachable_route_that_names_no_node_drops_packets() {
    let world = World::new();
    for block in ["10.244.1.0/24", "fd00:0:0:1::/64"] {
        world.ip(&format!("route add unreachable {block} proto 143"));
        let route = world.observed(block).await;
        assert_eq!(
            (route.next_hop, route.blackhole),
            (None, Some(Blackhole::Other))
        );
    }
}
