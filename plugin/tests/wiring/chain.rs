//! Among other plugins of a chain, and on to the runtime.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::node::{Node, Pod, addresses, run};

#[test]
fn add_passes_on_the_name_service_and_what_it_does_not_know() {
    let mut node = Node::new();
    let dns = json!({
        "nameservers": ["10.96.0.10", "fd96::10"],
        "domain": "example",
        "search": ["svc.example", "example"],
        "options": ["ndots:5"],
    });
    node.config["dns"] = dns.clone();
    assert_eq!(node.add(&Pod::new("one"))["dns"], dns);
    // Others know more keys, in later versions too.
    let previous = json!({
        "cniVersion": "1.1.0",
        "interfaces": [
            {"name": "dummy0", "mac": "02:00:00:00:00:01", "mtu": 9000, "sandbox": "/run/x",
             "socketPath": "/run/s", "pciID": "0000:00:1f.6", "future": {"a": [1]}},
        ],
        "ips": [
            {"address": "198.51.100.7/24", "gateway": "198.51.100.1", "interface": 0, "future": 1},
        ],
        "routes": [
            {"dst": "198.51.100.0/25", "gw": "198.51.100.1", "mtu": 1400, "advmss": 1360,
             "priority": 7, "table": 100, "scope": 253, "future": true},
        ],
        "dns": {},
        "future": {"b": "c"},
    });
    node.config["prevResult"] = previous.clone();
    for version in ["1.0.0", "1.1.0"] {
        node.config["cniVersion"] = json!(version);
        let result = node.add(&Pod::new(version));
        let mut known = previous.clone();
        known["cniVersion"] = json!(version);
        if version < "1.1.0" {
            known["interfaces"][0]
                .as_object_mut()
                .unwrap()
                .remove("mtu");
        }
        for key in ["cniVersion", "future"] {
            assert_eq!(result[key], known[key], "{version}");
        }
        for key in ["interfaces", "ips", "routes"] {
            assert_eq!(result[key][0], known[key][0], "{version}");
        }
        assert_eq!(result["dns"], dns, "{version}");
    }
    node.config["prevResult"]["dns"] = json!({"nameservers": ["198.51.100.1"]});
    let result = node.add(&Pod::new("two"));
    assert_eq!(result["dns"], node.config["prevResult"]["dns"]);
}

/// What the plugin `tuning` does, and bonds and virtual machines in a pod.
#[test]
fn a_pod_whose_hardware_address_changes_keeps_its_gateway_and_stays_reachable() {
    let node = Node::new();
    run(&node.netns, "ip route add default via 192.0.2.1");
    let pod = Pod::new("one");
    let mut result = node.add(&pod);
    let pod_addresses = addresses(&result);
    let node_addresses = ["192.0.2.10", "2001:db8::10"];
    let from_node = || {
        for address in &pod_addresses {
            assert!(node.pings(address), "{address}");
        }
    };
    let from_pod = || {
        for address in node_addresses {
            assert!(pod.pings(address), "{address}");
        }
    };
    for address in node_addresses {
        assert!(pod.pings(address), "{address}");
    }
    from_node();
    // Whoever speaks first is heard at once.
    run(&pod.netns, "ip link set eth0 address 02:00:00:00:00:71");
    from_node();
    from_pod();
    let changed = "02:00:00:00:00:72";
    run(&pod.netns, &format!("ip link set eth0 address {changed}"));
    from_pod();
    from_node();
    result["interfaces"][1]["mac"] = json!(changed);
    let checked = node.check(&pod, &result);
    assert!(checked.success, "{}", checked.json);
    // One that got lost on the way does not stay wrong either.
    let host = node.pod_interfaces().remove(0);
    run(&node.netns, &format!("ip neighbour flush dev {host}"));
    from_node();
    // Nor does one grow old: the node can ask.
    for address in &pod_addresses {
        let ask = format!("ip neighbour change {address} dev {host} nud probe");
        run(&node.netns, &ask);
    }
    let show = format!("ip neighbour show dev {host} nud reachable");
    let begun = Instant::now();
    while run(&node.netns, &show).lines().count() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(10), "no answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    // DEL finds the pair though neither name nor hardware address is what it was.
    run(&node.netns, &format!("ip link set {host} down"));
    run(&node.netns, &format!("ip link set {host} name strange"));
    node.del(&pod);
    assert!(!run(&node.netns, "ip -o link show").contains("strange"));
}

#[test]
fn a_gateway_that_leads_elsewhere_is_damage_whatever_hardware_address_the_pod_has() {
    let node = Node::new();
    let pod = Pod::new("one");
    let result = node.add(&pod);
    run(&pod.netns, "ip link set eth0 address 02:00:00:00:00:71");
    let wrong = "ip neighbour replace 169.254.1.1 lladdr 02:00:00:00:00:99 dev eth0";
    run(&pod.netns, wrong);
    let checked = node.check(&pod, &result);
    let details = checked.json["details"].as_str().unwrap();
    assert!(details.contains("169.254.1.1 leads elsewhere"), "{details}");
}
