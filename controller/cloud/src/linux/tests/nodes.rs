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
async fn an_address_of_two_nodes_or_of_the_router_is_told_with_the_remedy() {
    let world = World::new();
    let query = |name: &str, address: &str| InstanceQuery {
        node: NodeKey::new(name, name),
        provider_id: None,
        internal_ips: vec![address.parse().unwrap()],
    };
    let queries = [
        query("n1", "192.0.2.11"),
        query("n2", "192.0.2.11"),
        query("n3", "192.0.2.1"),
        query("n4", "192.0.2.14"),
    ];
    let answers = world.cloud.read_instances(&queries).await;
    let [n1, n2, n3, n4] = <[_; 4]>::try_from(answers).unwrap();
    for (answer, words) in [
        (n1, ["node n2 has", "--node-ip"]),
        (n2, ["node n1 has", "--node-ip"]),
        (n3, ["router itself", "signpost.dev/exclude"]),
    ] {
        let Ok(InstanceState::Unsupported(why)) = answer.1 else {
            panic!("{answer:?}");
        };
        assert!(words.iter().all(|word| why.contains(word)), "{why}");
    }
    assert!(matches!(n4.1, Ok(InstanceState::Found(_))), "{n4:?}");
}
