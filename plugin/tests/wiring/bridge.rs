//! Mode `bridge`: the links of the node's pods are ports of one bridge.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::{Node, Pod, addresses, json as listing, run};

const BRIDGE: &str = "sgnbr0";
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn node() -> Node {
    let mut node = Node::new();
    node.config["mode"] = json!("bridge");
    node
}

fn ports(node: &Node) -> usize {
    let ports = listing(&node.netns, &format!("ip -json link show master {BRIDGE}"));
    ports.as_array().unwrap().len()
}

/// How many addresses ports may send from.
fn admitted(node: &Node) -> usize {
    let table = run(&node.netns, "nft list table bridge signpost");
    table.matches("\"sgn").count() - table.matches("\"sgn*\"").count()
}

#[test]
fn pods_on_a_bridge_reach_each_other_the_node_and_beyond() {
    let node = node();
    let (one, two) = (Pod::new("one"), Pod::new("two"));
    let (first, second) = (node.add(&one), node.add(&two));
    assert_eq!(addresses(&first), ["10.244.1.2", "fd00:0:0:1::2"]);
    let names: Vec<&Value> = first["interfaces"].as_array().unwrap().iter().collect();
    assert_eq!(names[0]["name"], BRIDGE);
    assert_eq!(names[2]["name"], "eth0");
    assert_eq!(first["ips"][0]["interface"], 2);
    assert_eq!(first["ips"][0]["gateway"], "10.244.1.1");
    assert_eq!(first["ips"][1]["gateway"], "fd00:0:0:1::1");

    let bridge = listing(&node.netns, &format!("ip -json address show {BRIDGE}"));
    assert_eq!(bridge[0]["address"], names[0]["mac"]);
    assert_eq!(bridge[0]["mtu"], 1400);
    let own: Vec<&str> = bridge[0]["addr_info"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["local"].as_str().unwrap())
        .collect();
    assert_eq!(
        own,
        ["10.244.1.1", "fd00:0:0:1::1"],
        "the gateways, and no other"
    );
    assert_eq!(ports(&node), 2);
    assert_eq!(node.pod_routes(), ["10.244.1.0/24", "fd00:0:0:1::/64"]);

    for to in addresses(&second).iter().map(String::as_str).chain([
        "10.244.1.1",
        "fd00:0:0:1::1",
        "192.0.2.10",
        "2001:db8::10",
    ]) {
        assert!(one.pings(to), "{to}");
    }
    for to in addresses(&first).iter().chain(&addresses(&second)) {
        assert!(node.pings(to), "{to}");
    }
    for (pod, result) in [(&one, &first), (&two, &second)] {
        let checked = node.check(pod, result);
        assert!(checked.success, "{}", checked.json);
    }
    // What one sends to the other crosses the node, which tells nobody of a shorter way.
    let told = run(&node.netns, "busybox awk /Icmp:/ /proc/net/snmp");
    let mut lines = told.lines().map(|line| line.split_whitespace());
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let redirects = names.zip(values).find(|(name, _)| *name == "OutRedirects");
    assert_eq!(redirects.unwrap().1, "0");
}

#[test]
fn a_port_sends_from_its_pods_addresses_alone() {
    let node = node();
    let (one, two) = (Pod::new("one"), Pod::new("two"));
    node.add(&one);
    let second = node.add(&two);
    let victim = addresses(&second);
    let victims_mac = second["interfaces"][2]["mac"].as_str().unwrap();
    let known = || {
        let entries = run(&node.netns, &format!("ip neighbour show dev {BRIDGE}"));
        let ports = run(&node.netns, "bridge fdb show br sgnbr0");
        let of_pods = ports.lines().filter(|line| line.contains(" master "));
        let mut all: Vec<String> = entries.lines().chain(of_pods).map(str::to_owned).collect();
        all.sort();
        all
    };
    let before = known();
    let dropped = || {
        let table = run(&node.netns, "nft list table bridge signpost");
        let counter = table.split("counter packets ").nth(1).unwrap();
        counter.split(' ').next().unwrap().parse::<u32>().unwrap()
    };
    // The addresses of the other, then his hardware address too, and ARP that claims them.
    run(
        &one.netns,
        &format!("ip address add {}/32 dev eth0", victim[0]),
    );
    run(
        &one.netns,
        &format!("ip address add {}/128 dev eth0 nodad", victim[1]),
    );
    let pretend = |what: &str| {
        let count = dropped();
        for (family, source, to) in [
            ("-4", &victim[0], "192.0.2.10"),
            ("-6", &victim[1], "2001:db8::10"),
        ] {
            let mut ping = Command::new("busybox");
            ping.args(["ping", family, "-c1", "-W1", "-I", source, to])
                .stdout(Stdio::null());
            let answered = one
                .netns
                .run(move || ping.status())
                .unwrap()
                .unwrap()
                .success();
            assert!(!answered, "{what} from {source}");
        }
        let mut arping = Command::new("busybox");
        arping
            .args([
                "arping", "-U", "-c1", "-w1", "-I", "eth0", "-s", &victim[0], &victim[0],
            ])
            .stdout(Stdio::null());
        one.netns.run(move || arping.status()).unwrap().unwrap();
        assert!(
            dropped() >= count + 3,
            "{what}: {count} before, {} now",
            dropped()
        );
        assert_eq!(known(), before, "{what}");
        for to in &victim {
            assert!(
                two.pings("192.0.2.10") && two.pings("2001:db8::10"),
                "{what}: {to}"
            );
        }
    };
    pretend("with its own hardware address");
    run(
        &one.netns,
        &format!("ip link set eth0 address {victims_mac}"),
    );
    run(
        &one.netns,
        "ip neighbour replace 10.244.1.1 lladdr 02:73:67:6e:62:72 dev eth0",
    );
    run(
        &one.netns,
        "ip neighbour replace fd00:0:0:1::1 lladdr 02:73:67:6e:62:72 dev eth0",
    );
    pretend("with the hardware address of the other");
}

#[test]
fn nothing_is_left_of_pods_on_a_bridge() {
    let mut node = node();
    node.config["subnets"] = json!(["10.244.1.0/29"]);
    let pods: Vec<Pod> = (0..5)
        .map(|number| Pod::new(&format!("p{number}")))
        .collect();
    for pod in &pods {
        node.add(pod);
    }
    assert_eq!((ports(&node), admitted(&node)), (5, 5));
    // One more fails, and leaves nothing.
    let more = Pod::new("more");
    let refused = node.call("ADD", &more, &node.config);
    assert_eq!(refused.json["code"], 11);
    assert_eq!((ports(&node), admitted(&node)), (5, 5));

    for pod in &pods[..3] {
        node.del(pod);
        node.del(pod);
    }
    let neighbours = || {
        run(&node.netns, &format!("ip neighbour show dev {BRIDGE}"))
            .lines()
            .count()
    };
    assert_eq!((ports(&node), admitted(&node), neighbours()), (2, 2, 2));
    let mut gc = node.config.clone();
    gc["cniVersion"] = json!("1.1.0");
    gc["cni.dev/valid-attachments"] = json!([{"containerID": "p4", "ifname": "eth0"}]);
    assert!(node.call_bare("GC", &gc).success);
    assert_eq!((ports(&node), admitted(&node), neighbours()), (1, 1, 1));
    // A pod whose DEL was lost: its addresses are free, and its successor is known by its own hardware address.
    drop(pods);
    let deadline = Instant::now() + PATIENCE;
    while ports(&node) > 0 {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(20));
    }
    for number in 0..5 {
        let pod = Pod::new(&format!("next{number}"));
        let result = node.add(&pod);
        assert!(pod.pings("192.0.2.10"), "{}", addresses(&result)[0]);
    }
}

#[test]
fn pods_of_an_earlier_subnet_and_of_the_other_mode_stay_connected() {
    let mut node = node();
    let before = Pod::new("before");
    let first = node.add(&before);
    node.config["subnets"] = json!(["10.244.9.0/24", "fd00:0:0:9::/64"]);
    let after = Pod::new("after");
    let second = node.add(&after);
    node.config["mode"] = json!("ptp");
    let other = Pod::new("other");
    let third = node.add(&other);
    let all = [(&before, &first), (&after, &second), (&other, &third)];
    for (pod, _) in all {
        for (_, result) in all {
            for to in addresses(result) {
                assert!(pod.pings(&to), "{} to {to}", pod.id);
            }
        }
        assert!(pod.pings("192.0.2.10"), "{} to the node", pod.id);
    }
    // CHECK and DEL go by what is there.
    for (pod, result) in all {
        let checked = node.check(pod, result);
        assert!(checked.success, "{}: {}", pod.id, checked.json);
        node.del(pod);
    }
    assert_eq!((ports(&node), admitted(&node)), (0, 0));
}

#[test]
fn those_who_make_the_bridge_at_once_share_it() {
    let node = node();
    let pods: Vec<Pod> = (0..16)
        .map(|number| Pod::new(&format!("p{number}")))
        .collect();
    let calls: Vec<Child> = pods
        .iter()
        .map(|pod| node.spawn("ADD", pod, &node.config))
        .collect();
    for call in calls {
        let output = call.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    assert_eq!((ports(&node), admitted(&node)), (16, 32));
    for pod in &pods {
        assert!(
            pod.pings("192.0.2.10") && pod.pings("2001:db8::10"),
            "{}",
            pod.id
        );
    }
}

/// The agent goes by it: an interface with claims and without a bridge would get host routes.
#[test]
fn nobody_sees_a_pod_that_claims_an_address_and_is_not_on_the_bridge() {
    let node = node();
    let mut monitor = Command::new("ip");
    monitor.args(["-details", "-oneline", "monitor", "link"]);
    monitor.stdout(Stdio::piped());
    let mut monitor = node.netns.run(move || monitor.spawn()).unwrap().unwrap();
    for number in 0..5 {
        node.add(&Pod::new(&format!("p{number}")));
    }
    thread::sleep(Duration::from_millis(200));
    monitor.kill().unwrap();
    let seen = monitor.wait_with_output().unwrap().stdout;
    let seen = String::from_utf8(seen).unwrap();
    let claiming: Vec<&str> = seen
        .lines()
        .filter(|line| line.contains("altname 10.244.1.") && !line.starts_with("Deleted"))
        .collect();
    assert!(claiming.len() >= 5, "{seen}");
    for line in claiming {
        assert!(line.contains(" master sgnbr0 "), "{line}");
    }
}

#[test]
fn check_names_what_a_pod_on_a_bridge_has_lost() {
    for (damage, told) in [
        ("ip link set sgnbr0 down", "bridge sgnbr0 is down"),
        (
            "ip neighbour flush dev sgnbr0 nud permanent",
            "the node does not know that 10.244.1.2",
        ),
        (
            "ip route del 10.244.1.0/24",
            "the node has no route to 10.244.1.2 over sgnbr0",
        ),
        (
            "nft delete table bridge signpost",
            "the table bridge signpost",
        ),
        (
            "nft flush set bridge signpost ports6",
            "send from fd00:0:0:1::2",
        ),
        (
            "busybox sysctl -qw net.ipv6.conf.sgnbr0.accept_ra=2",
            "net/ipv6/conf/sgnbr0/accept_ra is 2",
        ),
    ] {
        let node = node();
        let pod = Pod::new("one");
        let result = node.add(&pod);
        run(&node.netns, damage);
        let checked = node.check(&pod, &result);
        let details = checked.json["details"].as_str().unwrap_or_default();
        assert!(details.contains(told), "{damage}: {}", checked.json);
    }
}

#[test]
fn a_name_or_a_subnet_that_is_somebody_elses_is_refused() {
    for (there, field) in [
        ("ip link add sgnbr0 type veth peer name x", "mode"),
        ("ip route add 10.244.1.0/24 dev uplink", "subnets"),
    ] {
        let node = node();
        run(&node.netns, there);
        let pod = Pod::new("one");
        let refused = node.call("ADD", &pod, &node.config);
        assert_eq!(refused.json["code"], 7, "{}", refused.json);
        let message = refused.json["msg"].as_str().unwrap();
        assert!(message.contains(&format!(": {field}: ")), "{message}");
        assert_eq!(
            node.pod_interfaces()
                .iter()
                .filter(|name| *name != BRIDGE)
                .count(),
            0
        );
    }
}
