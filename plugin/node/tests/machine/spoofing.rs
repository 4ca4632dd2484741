//! Pods that send from addresses that are not theirs.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::Duration;

use signpost_netlink::{Netns, nftables};
use signpost_node::hand::Hand;
use signpost_node::table;

use crate::{nets, run};

/// As long as a packet may take that arrives.
const PATIENCE: Duration = Duration::from_millis(500);
/// Until an IPv6 address may be used its interface is silent for a second or two.
const MANY: u32 = 20;
const FEW: u32 = 2;
const PODS: [[&str; 2]; 2] = [["10.244.1.2", "fd00:1::2"], ["10.244.1.3", "fd00:1::3"]];

/// A node with two pods, wired by routes as the plugin does it.
fn world() -> (Netns, [Netns; 2]) {
    let node = Netns::create().unwrap();
    run(&node, "ip link set lo up");
    let pods = [0, 1].map(|number: usize| {
        let pod = Netns::create().unwrap();
        let name = format!("sgn{number}");
        let [four, six] = PODS[number];
        run(
            &node,
            &format!("ip link add {name} type veth peer name eth{number}"),
        );
        let path = format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            pod.as_fd().as_raw_fd()
        );
        run(&node, &format!("ip link set eth{number} netns {path}"));
        run(&node, &format!("ip link set {name} up"));
        for command in [
            format!("ip address add 10.244.1.1/32 dev {name}"),
            format!("ip address add fd00:1::1/128 dev {name} nodad"),
        ] {
            run(&node, &command);
        }
        for command in [
            format!("ip address add {four}/32 dev eth{number}"),
            format!("ip address add {six}/128 dev eth{number} nodad"),
            "ip link set lo up".to_owned(),
            format!("ip link set eth{number} up"),
            format!("ip route add 10.244.1.1 dev eth{number}"),
            "ip route add default via 10.244.1.1".to_owned(),
            format!("ip -6 route add fd00:1::1 dev eth{number}"),
            "ip -6 route add default via fd00:1::1".to_owned(),
        ] {
            run(&pod, &command);
        }
        run(&node, &format!("ip route add {four}/32 dev {name}"));
        run(&node, &format!("ip -6 route add {six}/128 dev {name}"));
        pod
    });
    run(
        &node,
        "busybox sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
    );
    (node, pods)
}

/// Whether one of several packets that the first pod sends from `source` comes to the second.
fn arrives(pods: &[Netns; 2], source: &str, destination: &str, several: u32) -> bool {
    let [sender, receiver] = pods;
    let bind = |netns: &Netns, address: &str| {
        let address = SocketAddr::new(address.parse().unwrap(), 0);
        netns.run(|| UdpSocket::bind(address)).unwrap().unwrap()
    };
    let receiver = bind(receiver, destination);
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let sender = bind(sender, source);
    (0..several).any(|_| {
        sender
            .send_to(b"hello", receiver.local_addr().unwrap())
            .unwrap();
        receiver.recv_from(&mut [0; 16]).is_ok()
    })
}

#[test]
fn pods_reach_others_from_their_own_addresses_only() {
    let (node, pods) = world();
    // Of no pod, in the pods' subnet and outside.
    let foreign = [
        ("10.244.1.99/32", 0),
        ("192.0.2.1/32", 0),
        ("fd00:1::99/128", 1),
        ("2001:db8::1/128", 1),
    ];
    for (address, _) in foreign {
        run(&pods[0], &format!("ip address add {address} dev lo"));
    }
    for (own, others) in PODS[0].iter().zip(PODS[1]) {
        assert!(arrives(&pods, own, others, MANY), "{own}");
    }
    for (address, family) in foreign {
        let source = address.split('/').next().unwrap();
        assert!(
            arrives(&pods, source, PODS[1][family], MANY),
            "without the rules {source} does"
        );
    }
    let mut socket = nftables::Socket::open_in(&node).unwrap();
    let table = table::table(&nets(&["10.244.1.0/24", "fd00:1::/64"]), None);
    table::ensure(&mut socket, &table, &mut Hand::real()).unwrap();
    for (own, others) in PODS[0].iter().zip(PODS[1]) {
        assert!(arrives(&pods, own, others, MANY), "{own}");
    }
    for (address, family) in foreign {
        let source = address.split('/').next().unwrap();
        assert!(!arrives(&pods, source, PODS[1][family], FEW), "{source}");
    }
    // What is written is what `nft` reads, and it stands.
    let listing = run(&node, "nft --stateless list ruleset");
    for words in [
        "iifname \"sgn*\" ip6 saddr fe80::/10 accept",
        "fib saddr . iif oif missing counter drop",
    ] {
        assert!(listing.contains(words), "{listing}");
    }
    let handles = || run(&node, "nft --handle --stateless list ruleset");
    let before = handles();
    table::ensure(&mut socket, &table, &mut Hand::real()).unwrap();
    assert_eq!(handles(), before);
}
