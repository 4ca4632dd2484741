//! ADD.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::time::Duration;

use serde_json::{Value, json};

use crate::node::{Answer, Node, Pod, addresses, json as listing, run};

#[test]
fn add_connects_pods_with_each_other_and_with_the_node() {
    let node = Node::new();
    let (one, two) = (Pod::new("one"), Pod::new("two"));
    let first = addresses(&node.add(&one));
    let second = addresses(&node.add(&two));
    assert_eq!(first, ["10.244.1.2", "fd00:0:0:1::2"]);
    assert_eq!(second, ["10.244.1.3", "fd00:0:0:1::3"]);
    for address in &second {
        assert!(one.pings(address), "pod to pod {address}");
    }
    for address in ["192.0.2.10", "2001:db8::10"] {
        assert!(two.pings(address), "pod to node {address}");
    }
    for address in first.iter().chain(&second) {
        assert!(node.pings(address), "{address}");
    }
    assert!(one.pings("127.0.0.1"), "the pod's loopback interface is up");
}

#[test]
fn add_answers_what_it_has_made() {
    let node = Node::new();
    let pod = Pod::new("one");
    let result = node.add(&pod);
    let host = &result["interfaces"][0];
    let inner = &result["interfaces"][1];
    let shown = &listing(&pod.netns, "ip -json link show eth0")[0];
    assert_eq!(inner["mac"], shown["address"]);
    assert_eq!(inner["sandbox"], json!(pod.path()));
    assert_eq!(shown["mtu"], 1400);
    let name = host["name"].as_str().unwrap();
    let shown = &listing(&node.netns, &format!("ip -json link show {name}"))[0];
    assert_eq!(
        (&shown["address"], &shown["mtu"]),
        (&host["mac"], &json!(1400))
    );
    let label = format!("eth0 {} one", inner["mac"].as_str().unwrap());
    assert_eq!(shown["ifalias"], label);
    assert_eq!(
        result["ips"],
        json!([
            {"interface": 1, "address": "10.244.1.2/32", "gateway": "169.254.1.1"},
            {"interface": 1, "address": "fd00:0:0:1::2/128", "gateway": "fe80::1"},
        ])
    );
    assert_eq!(
        result["routes"],
        json!([
            {"dst": "169.254.1.1/32"},
            {"dst": "0.0.0.0/0", "gw": "169.254.1.1"},
            {"dst": "::/0", "gw": "fe80::1"},
        ])
    );
    // Both addresses are usable at once, and no side ever asks for the other's hardware address.
    // (The link-local one is the kernel's, which takes its time on a loaded machine; nothing needs it.)
    let inside = run(&pod.netns, "ip address show dev eth0 scope global");
    assert!(!inside.contains("tentative"), "{inside}");
    for (netns, interface, state) in [
        (&pod.netns, "eth0", "permanent"),
        (&node.netns, name, "reachable"),
    ] {
        let show = format!("ip neighbour show dev {interface} nud {state}");
        let shown = run(netns, &show);
        assert_eq!(shown.lines().count(), 2, "{shown}");
    }
}

#[test]
fn add_takes_the_mtu_of_the_nodes_default_route() {
    let mut node = Node::new();
    node.config["mtu"] = json!(0);
    let pod = Pod::new("one");
    let refused = node.call("ADD", &pod, &node.config);
    assert_eq!(refused.json["code"], 7, "{}", refused.json);
    assert!(
        refused.json["msg"]
            .as_str()
            .unwrap()
            .contains("default route")
    );
    // Two ways out: packets must fit through both.
    run(
        &node.netns,
        "ip link add second mtu 1430 type veth peer name far",
    );
    run(&node.netns, "ip link set far up");
    run(&node.netns, "ip link set second up");
    let ways = "ip route add default nexthop via 192.0.2.1 nexthop dev second";
    run(&node.netns, ways);
    node.add(&pod);
    assert_eq!(
        listing(&pod.netns, "ip -json link show eth0")[0]["mtu"],
        1430
    );
    run(
        &node.netns,
        "ip route replace default via 192.0.2.1 mtu 1200",
    );
    let refused = node.call("ADD", &Pod::new("two"), &node.config);
    assert_eq!(refused.json["code"], 7, "{}", refused.json);
    let message = refused.json["msg"].as_str().unwrap();
    assert!(
        message.contains("uplink") && message.contains("IPv6"),
        "{message}"
    );
}

#[test]
fn add_answers_in_the_version_asked_for() {
    let mut node = Node::new();
    for version in ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] {
        node.config["cniVersion"] = json!(version);
        let pod = Pod::new(version);
        let result = node.add(&pod);
        assert_eq!(result["cniVersion"], version);
        let old = version < "1.0.0";
        assert_eq!(
            result["ips"][0]["version"],
            if old { json!("4") } else { Value::Null }
        );
        let mtu = if version == "1.1.0" {
            json!(1400)
        } else {
            Value::Null
        };
        assert_eq!(result["interfaces"][1]["mtu"], mtu);
        node.del(&pod);
    }
    node.config["cniVersion"] = json!("0.2.0");
    let answer = node.call("ADD", &Pod::new("old"), &node.config);
    assert_eq!((answer.success, &answer.json["code"]), (false, &json!(1)));
    assert_eq!(answer.json["cniVersion"], "0.2.0");
}

#[test]
fn add_passes_on_what_came_before_in_the_chain() {
    let mut node = Node::new();
    node.config["prevResult"] = json!({
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "dummy0", "sandbox": "/run/x"}],
        "ips": [{"address": "198.51.100.7/24", "interface": 0}],
        "dns": {"nameservers": ["198.51.100.1"]},
    });
    let result = node.add(&Pod::new("one"));
    assert_eq!(result["interfaces"][0]["name"], "dummy0");
    assert_eq!(
        addresses(&result),
        ["198.51.100.7", "10.244.1.2", "fd00:0:0:1::2"]
    );
    assert_eq!(result["ips"][1]["interface"], 2);
    assert_eq!(result["dns"]["nameservers"][0], "198.51.100.1");
}

#[test]
fn add_refuses_an_interface_that_exists_and_leaves_it() {
    let node = Node::new();
    let pod = Pod::new("one");
    run(&pod.netns, "ip link add eth0 type bridge");
    let answer = node.call("ADD", &pod, &node.config);
    assert_eq!(
        (answer.success, &answer.json["code"]),
        (false, &json!(101)),
        "{}",
        answer.json
    );
    assert!(answer.json["msg"].as_str().unwrap().contains("eth0"));
    run(&pod.netns, "ip link show eth0");
    assert!(node.pod_interfaces().is_empty());

    run(&pod.netns, "ip link del eth0");
    let result = node.add(&pod);
    let again = node.call("ADD", &pod, &node.config);
    assert_eq!(again.json["code"], 101);
    assert!(
        node.check(&pod, &result).success,
        "the first ADD still stands"
    );
}

#[test]
fn add_that_fails_half_way_leaves_nothing() {
    let mut node = Node::new();
    // The IPv4 address is claimed before the IPv6 subnet turns out to be full.
    node.config["subnets"] = json!(["10.244.1.0/24", "fd00:0:0:1::/126"]);
    let pods = ["one", "two", "three"].map(Pod::new);
    node.add(&pods[0]);
    node.add(&pods[1]);
    let (interfaces, routes) = (node.pod_interfaces(), node.pod_routes());
    let answer = node.call("ADD", &pods[2], &node.config);
    assert_eq!(answer.json["code"], 11, "{}", answer.json);
    assert!(
        answer.json["msg"]
            .as_str()
            .unwrap()
            .contains("fd00:0:0:1::/126")
    );
    assert_eq!(
        (node.pod_interfaces(), node.pod_routes()),
        (interfaces, routes)
    );
    assert_eq!(
        run(&pods[2].netns, "ip -o link show").lines().count(),
        1,
        "only loopback"
    );
}

#[test]
fn add_refuses_when_addresses_are_exhausted_until_one_is_freed() {
    let mut node = Node::new();
    node.config["subnets"] = json!(["10.244.1.0/27"]);
    let pods: Vec<_> = (0..30)
        .map(|number| Pod::new(&format!("pod-{number}")))
        .collect();
    let given: HashSet<_> = pods[..29]
        .iter()
        .map(|pod| addresses(&node.add(pod)).remove(0))
        .collect();
    assert_eq!(given.len(), 29);
    for reserved in ["10.244.1.0", "10.244.1.1", "10.244.1.31"] {
        assert!(!given.contains(reserved), "{reserved}");
    }
    let answer = node.call("ADD", &pods[29], &node.config);
    assert_eq!((answer.success, &answer.json["code"]), (false, &json!(11)));
    assert_ne!(answer.json["details"], "");
    node.del(&pods[17]);
    assert_eq!(addresses(&node.add(&pods[29])), ["10.244.1.19"]);
}

#[test]
fn add_gives_a_freed_address_out_last() {
    let node = Node::new();
    let (one, two) = (Pod::new("one"), Pod::new("two"));
    let first = addresses(&node.add(&one));
    node.del(&one);
    assert_ne!(addresses(&node.add(&two)), first);
}

#[test]
fn add_needs_no_memory_of_the_last_address() {
    let mut node = Node::new();
    node.config["runDir"] = json!("/proc/no-such-folder");
    let pods = ["one", "two"].map(Pod::new);
    let given = pods.each_ref().map(|pod| addresses(&node.add(pod)));
    assert_ne!(given[0], given[1]);
}

#[test]
fn add_respects_addresses_that_others_use() {
    let node = Node::new();
    run(
        &node.netns,
        "ip route add 10.244.1.2/32 dev uplink proto static",
    );
    run(
        &node.netns,
        "ip -6 route add fd00:0:0:1::2/128 dev uplink proto static",
    );
    assert_eq!(
        addresses(&node.add(&Pod::new("one"))),
        ["10.244.1.3", "fd00:0:0:1::3"]
    );
}

#[test]
fn add_refuses_namespaces_that_are_none_and_the_nodes_own() {
    let node = Node::new();
    let pod = Pod::new("one");
    for path in [
        "/run/netns/no-such-namespace",
        "/etc/hostname",
        "/proc/thread-self/ns/net",
    ] {
        let child = node.spawn_with("ADD", &pod, &node.config, path);
        let answer = Answer::from(child.wait_with_output().unwrap());
        assert_eq!(
            (answer.success, &answer.json["code"]),
            (false, &json!(4)),
            "{path}"
        );
        assert!(
            answer.json["msg"].as_str().unwrap().contains("CNI_NETNS"),
            "{}",
            answer.json
        );
    }
    assert!(node.pod_interfaces().is_empty());
}

#[test]
fn add_logs_to_the_file_and_standard_output_carries_only_the_result() {
    let mut node = Node::new();
    let file = std::env::temp_dir().join(format!("signpost-cni-test-{}.log", std::process::id()));
    node.config["logFile"] = json!(file);
    node.add(&Pod::new("one"));
    node.config["subnets"] = json!(["10.244.1.0/24", "10.244.2.0/24"]);
    let refused = node.call("ADD", &Pod::new("two"), &node.config);
    assert_eq!(refused.json["code"], 7);
    let log = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(
        lines[0].contains("INFO") && lines[0].contains("container=one"),
        "{log}"
    );
    assert!(
        lines[1].contains("ERROR") && lines[1].contains("subnets[1]"),
        "{log}"
    );
}

/// What a service proxy does: destination NAT on the node, and masquerading of a pod that reaches
/// itself.
const SERVICE: &str = "
table inet service {
  chain prerouting {
    type nat hook prerouting priority -100
    ip daddr 10.96.0.1 udp dport 53 dnat ip to 10.244.1.2:5353
    ip6 daddr fd96::1 udp dport 53 dnat ip6 to [fd00:0:0:1::2]:5354
  }
  chain postrouting {
    type nat hook postrouting priority 100
    ip saddr 10.244.1.2 ip daddr 10.244.1.2 masquerade
    ip6 saddr fd00:0:0:1::2 ip6 daddr fd00:0:0:1::2 masquerade
  }
}";

#[test]
fn add_lets_a_pod_reach_itself_and_others_through_a_service() {
    let node = Node::new();
    let (one, two) = (Pod::new("one"), Pod::new("two"));
    node.add(&one);
    node.add(&two);
    // Nothing sends a question again here, so the way is tried out first.
    for address in ["10.244.1.2", "fd00:0:0:1::2"] {
        assert!(two.pings(address), "pod to pod {address}");
    }
    let rules = std::env::temp_dir().join(format!("signpost-cni-test-{}.nft", std::process::id()));
    std::fs::write(&rules, SERVICE).unwrap();
    run(&node.netns, &format!("nft -f {}", rules.display()));
    std::fs::remove_file(&rules).unwrap();
    for (listen, service) in [
        ("0.0.0.0:5353", "10.96.0.1:53"),
        ("[::]:5354", "[fd96::1]:53"),
    ] {
        let bind = |pod: &Pod, address: &'static str| {
            let socket = pod
                .netns
                .run(move || UdpSocket::bind(address))
                .unwrap()
                .unwrap();
            socket
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
            socket
        };
        let server = bind(&one, listen);
        for client in [&one, &two] {
            let any = if service.starts_with('[') {
                "[::]:0"
            } else {
                "0.0.0.0:0"
            };
            let client = bind(client, any);
            client.connect(service).unwrap();
            client.send(b"question").unwrap();
            let mut buffer = [0; 16];
            let (_, source) = server.recv_from(&mut buffer).unwrap();
            server.send_to(b"answer", source).unwrap();
            let length = client.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"answer", "{service}");
        }
        drop(server);
    }
}
