//! What the agent does to a machine, in real network namespaces: a node that forwards between a pod
//! and the outside. Needs root, iproute2, busybox, nftables and iptables (both variants).

#![expect(clippy::unwrap_used, reason = "a test fails where its set-up fails")]

mod adoption;
mod bridged;
mod claims;
mod forward;
mod leftovers;
mod legacy;
mod masquerade;
mod rule_changes;
mod spoofing;
mod sysctl;
mod uninstall;
mod uplink;
mod whole;

use std::process::{Command, Stdio};

use ipnet::IpNet;
use signpost_netlink::{LinkChange, Mac, Netns, PodLabel, Socket, VethEnd};

/// A pod, its node and a host outside, in a row: the pod has `10.244.1.2` and `fd00:1::2`, the node
/// outwards `192.0.2.1` and `2001:db8::1`, the outside `192.0.2.9` and `2001:db8::9`. The outside
/// knows the way to pods.
struct World {
    pod: Netns,
    node: Netns,
    outside: Netns,
}

impl World {
    fn new() -> Self {
        let world = Self {
            pod: Netns::create().unwrap(),
            node: Netns::create().unwrap(),
            outside: Netns::create().unwrap(),
        };
        // Otherwise IPv6 is silent for the first second, until duplicate address detection is over.
        for netns in [&world.pod, &world.node, &world.outside] {
            run(
                netns,
                "busybox sysctl -qw net.ipv6.conf.default.accept_dad=0",
            );
        }
        let mut socket = Socket::open_in(&world.node).unwrap();
        for (name, far) in [("pod0", &world.pod), ("uplink", &world.outside)] {
            let near = VethEnd {
                name,
                netns: None,
                mac: None,
                mtu: None,
            };
            let end = VethEnd {
                name: "eth0",
                netns: Some(far),
                mac: None,
                mtu: None,
            };
            socket.create_veth(&near, &end).unwrap();
        }
        for (netns, commands) in [
            (
                &world.pod,
                [
                    "address add 10.244.1.2/24 dev eth0",
                    "address add fd00:1::2/64 dev eth0 nodad",
                ],
            ),
            (
                &world.outside,
                [
                    "address add 192.0.2.9/24 dev eth0",
                    "address add 2001:db8::9/64 dev eth0 nodad",
                ],
            ),
        ] {
            run(netns, "ip link set eth0 up");
            for command in commands {
                run(netns, &format!("ip {command}"));
            }
        }
        for address in ["10.244.1.1/24 dev pod0", "192.0.2.1/24 dev uplink"] {
            run(&world.node, &format!("ip address add {address}"));
        }
        for address in ["fd00:1::1/64 dev pod0", "2001:db8::1/64 dev uplink"] {
            run(&world.node, &format!("ip address add {address} nodad"));
        }
        run(&world.pod, "ip route add default via 10.244.1.1");
        run(&world.pod, "ip route add default via fd00:1::1");
        run(&world.outside, "ip route add 10.244.0.0/16 via 192.0.2.1");
        run(&world.outside, "ip route add fd00::/16 via 2001:db8::1");
        world
    }

    fn forwarding() -> Self {
        let world = Self::new();
        run(
            &world.node,
            "busybox sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
        );
        world
    }

    /// Whether packets of the pod come to the outside and back, in both families. One of several is
    /// enough: IPv6 is silent until the interfaces have got their link-local addresses.
    fn pings(&self) -> (bool, bool) {
        let ping = |address: &str| {
            let mut command = Command::new("busybox");
            command
                .args(["ping", "-q", "-c4", "-i0.3", "-W1", address])
                .stdout(Stdio::null());
            self.pod.run(move || command.spawn()).unwrap().unwrap()
        };
        let (mut four, mut six) = (ping("192.0.2.9"), ping("2001:db8::9"));
        (
            four.wait().unwrap().success(),
            six.wait().unwrap().success(),
        )
    }
}

/// Runs a program in a namespace; it must succeed. Returns what it prints.
fn run(netns: &Netns, command: &str) -> String {
    let mut words = command.split_whitespace();
    let mut program = Command::new(words.next().unwrap());
    program.args(words);
    let output = netns.run(move || program.output()).unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// An interface of the node with this name whose pod, with an end `eth0` that is up, claims these addresses.
fn claiming(node: &Netns, pod: &Netns, name: &str, mac: Mac, claims: &[&str]) -> Socket {
    let mut socket = Socket::open_in(node).unwrap();
    let end = |name, netns, mac| VethEnd {
        name,
        netns,
        mac,
        mtu: Some(1400),
    };
    let inner = end("eth0", Some(pod), Some(mac));
    socket.create_veth(&end(name, None, None), &inner).unwrap();
    run(pod, "ip link set eth0 up");
    let index = socket.link_by_name(name).unwrap().unwrap().index;
    let label = PodLabel {
        mac,
        interface: "eth0".into(),
        container_id: "one".into(),
    };
    let alias = LinkChange {
        alias: Some(label.to_string()),
        ..LinkChange::default()
    };
    socket.change_link(index, &alias).unwrap();
    for claim in claims {
        socket.add_alternative_name(index, claim).unwrap();
    }
    socket
}
