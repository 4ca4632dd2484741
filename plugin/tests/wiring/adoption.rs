//! A node that had another network, whose pods live still.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use signpost_netlink::{Socket, VethEnd};

use crate::node::{Node, Pod, addresses, run};

/// The folder of `host-local` for a network that gave these addresses to containers.
struct Earlier(PathBuf);

impl Earlier {
    fn new(node: &mut Node, given: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        node.config["hostLocalDirs"] = json!(["/nonexistent", &folder]);
        let network = folder.join("cbr0");
        fs::create_dir(&network).unwrap();
        fs::write(network.join("last_reserved_ip.0"), "10.244.1.3").unwrap();
        fs::write(network.join("lock"), "").unwrap();
        for (address, container) in given {
            fs::write(network.join(address), format!("{container}\r\neth0")).unwrap();
        }
        Self(folder)
    }

    fn left(&self) -> Vec<String> {
        let files = fs::read_dir(self.0.join("cbr0")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut left: Vec<String> = names
            .filter(|name| name.contains("10.") || name.contains("fd00"))
            .collect();
        left.sort();
        left
    }
}

impl Drop for Earlier {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn pods_of_an_earlier_network_keep_their_addresses_until_they_go() {
    let mut node = Node::new();
    node.config["subnets"] = json!(["10.244.1.0/29", "fd00:0:0:1::/125"]);
    let given = [
        ("10.244.1.2", "old1"),
        ("fd00:0:0:1::2", "old1"),
        ("10.244.1.4", "old2"),
        ("10.88.0.2", "podmans"),
    ];
    let earlier = Earlier::new(&mut node, &given);
    let first = Pod::new("first");
    assert_eq!(
        addresses(&node.add(&first)),
        ["10.244.1.3", "fd00:0:0:1::3"]
    );
    let second = Pod::new("second");
    assert_eq!(
        addresses(&node.add(&second)),
        ["10.244.1.5", "fd00:0:0:1::4"]
    );
    let third = Pod::new("third");
    node.add(&third);
    let refused = node.call("ADD", &Pod::new("fourth"), &node.config);
    assert_eq!(refused.json["code"], 11, "{}", refused.json);
    let message = refused.json["msg"].as_str().unwrap();
    assert!(message.contains("5 are in use"), "{message}");
    let mut asked = node.config.clone();
    asked["runtimeConfig"] = json!({"ips": ["10.244.1.4"]});
    let taken = node.call("ADD", &Pod::new("asks"), &asked);
    assert_eq!(taken.json["code"], 103, "{}", taken.json);
    assert!(
        taken.json["msg"].as_str().unwrap().contains("host-local"),
        "{}",
        taken.json
    );
    let mut status = node.config.clone();
    status["cniVersion"] = json!("1.1.0");
    status["fullIsUnavailable"] = json!(true);
    assert!(!node.call_bare("STATUS", &status).success);

    // The runtime removes the old one by the configuration of today.
    node.del(&Pod::new("old1"));
    node.del(&Pod::new("old1"));
    assert_eq!(earlier.left(), ["10.244.1.4", "10.88.0.2"]);
    assert!(node.call_bare("STATUS", &status).success);
    assert_eq!(addresses(&node.add(&Pod::new("fifth")))[0], "10.244.1.2");
    // One that is ours leaves theirs alone.
    node.del(&first);
    assert_eq!(earlier.left(), ["10.244.1.4", "10.88.0.2"]);
}

#[test]
fn pods_on_an_earlier_bridge_and_new_ones_reach_each_other() {
    let mut node = Node::new();
    let _earlier = Earlier::new(&mut node, &[("10.244.1.2", "old")]);
    for command in [
        "ip link add cni0 type bridge",
        "ip link set cni0 up",
        "ip address add 10.244.1.1/24 dev cni0",
        "busybox sysctl -qw net.ipv4.conf.cni0.proxy_arp=1 net.ipv4.neigh.cni0.proxy_delay=0",
    ] {
        run(&node.netns, command);
    }
    let old = Pod::new("old");
    let end = |name, netns| VethEnd {
        name,
        netns,
        mac: None,
        mtu: None,
    };
    let inner = end("eth0", Some(&old.netns));
    let mut socket = Socket::open_in(&node.netns).unwrap();
    socket.create_veth(&end("vethold", None), &inner).unwrap();
    run(&node.netns, "ip link set vethold master cni0");
    for command in [
        "ip link set eth0 up",
        "ip address add 10.244.1.2/24 dev eth0",
        "ip route add default via 10.244.1.1",
    ] {
        run(&old.netns, command);
    }
    let new = Pod::new("new");
    let given = addresses(&node.add(&new));
    assert_eq!(given[0], "10.244.1.3");
    assert!(new.pings("10.244.1.2"), "new to old");
    assert!(old.pings(&given[0]), "old to new");
    assert!(old.pings("192.0.2.10"));
}
