//! Routes of a pod, and its further interfaces, such as Multus adds.

use serde_json::json;

use crate::node::{Node, Pod, addresses, json as listing, run};

#[test]
fn the_gateway_is_on_the_link_for_those_who_do_not_see_onlink() {
    let mut node = Node::new();
    node.config["cniVersion"] = json!("1.1.0");
    let pod = Pod::new("one");
    let result = node.add(&pod);
    assert_eq!(
        result["routes"],
        json!([
            {"dst": "169.254.1.1/32", "scope": 253},
            {"dst": "0.0.0.0/0", "gw": "169.254.1.1"},
            {"dst": "::/0", "gw": "fe80::1"},
        ])
    );
    let shown = run(&pod.netns, "ip route show 169.254.1.1");
    assert!(shown.contains("dev eth0 scope link"), "{shown}");
    // As a sandbox makes them that copies routes and knows no `onlink`.
    let copy = Pod::new("copy");
    run(&copy.netns, "ip link add eth0 type bridge");
    run(&copy.netns, "ip link set eth0 up");
    run(&copy.netns, "ip -6 address add fd00::9/128 dev eth0");
    for route in result["routes"].as_array().unwrap() {
        let text = |key: &str| route[key].as_str().map(str::to_owned);
        let via = text("gw").map_or(String::new(), |gw| format!("via {gw}"));
        let add = format!("ip route add {} {via} dev eth0", text("dst").unwrap());
        run(&copy.netns, &add);
    }
    let checked = node.check(&pod, &result);
    assert!(checked.success, "{}", checked.json);
}

#[test]
fn a_further_interface_answers_over_itself_and_leaves_the_first_alone() {
    for (version, network) in [("1.1.0", "signpost"), ("1.0.0", "other")] {
        let mut node = Node::new();
        node.config["cniVersion"] = json!(version);
        let pod = Pod::new("one");
        let first = node.add(&pod);
        let routes = || {
            ["-4", "-6"].map(|family| run(&pod.netns, &format!("ip {family} route show default")))
        };
        let before = routes();
        node.interface = "net1";
        node.config["name"] = json!(network);
        let second = node.add(&pod);
        assert_eq!(routes(), before, "the pod's way out stays");
        assert_eq!(second["interfaces"][1]["name"], "net1");
        let told = second["routes"].as_array().cloned().unwrap_or_default();
        if version == "1.1.0" {
            let table = told[0]["table"].as_u64().unwrap();
            assert!(told.iter().all(|route| route["table"] == table), "{told:?}");
            for family in ["-4", "-6"] {
                let command = format!("ip -json {family} route show table {table}");
                let shown = listing(&pod.netns, &command);
                for route in shown.as_array().unwrap() {
                    assert_eq!(route["dev"], "net1", "{shown}");
                }
            }
        } else {
            assert!(
                told.is_empty(),
                "no version before 1.1.0 can say it: {told:?}"
            );
        }
        // Over both: where an answer left over the other one, the node would drop it.
        for address in addresses(&first).iter().chain(&addresses(&second)) {
            assert!(node.pings(address), "{address}");
        }
        for target in ["192.0.2.10", "2001:db8::10"] {
            for interface in ["eth0", "net1"] {
                let ping = format!("busybox ping -q -c1 -W2 -I {interface} {target}");
                run(&pod.netns, &ping);
            }
        }
        let checked = node.check(&pod, &second);
        assert!(checked.success, "{}", checked.json);
        // One goes, the other is whole, and nothing of it is left.
        node.del(&pod);
        for family in ["-4", "-6"] {
            let rules = run(&pod.netns, &format!("ip {family} rule show"));
            assert!(
                !rules.contains("proto 144") && !rules.contains("net1"),
                "{rules}"
            );
        }
        node.interface = "eth0";
        node.config["name"] = json!("signpost");
        let checked = node.check(&pod, &first);
        assert!(checked.success, "{}", checked.json);
        // The other way round.
        node.interface = "net1";
        let second = node.add(&pod);
        node.interface = "eth0";
        node.del(&pod);
        node.interface = "net1";
        let checked = node.check(&pod, &second);
        assert!(checked.success, "{}", checked.json);
        for address in addresses(&second) {
            assert!(node.pings(&address), "{address}");
        }
    }
}

#[test]
fn an_interface_takes_over_when_the_first_one_has_lost_its_default_route() {
    let mut node = Node::new();
    let pod = Pod::new("one");
    node.add(&pod);
    // What Multus does where another network is to have it.
    run(&pod.netns, "ip route del default");
    run(&pod.netns, "ip -6 route del default");
    node.interface = "net1";
    let result = node.add(&pod);
    let told = json!([{"dst": "0.0.0.0/0", "gw": "169.254.1.1"}, {"dst": "::/0", "gw": "fe80::1"}]);
    assert_eq!(result["routes"], told);
    for target in ["192.0.2.10", "2001:db8::10"] {
        assert!(pod.pings(target), "{target}");
    }
    let checked = node.check(&pod, &result);
    assert!(checked.success, "{}", checked.json);
}
