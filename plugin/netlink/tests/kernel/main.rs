//! The crate against the running kernel, in fresh network namespaces, verified with what the
//! independent clients `ip` and `nft` print. Needs root, iproute2, nftables and iptables.

#![expect(clippy::unwrap_used, reason = "a test fails where its set-up fails")]

mod bridge;
mod default_route;
mod link;
mod monitor;
mod nftables;
mod request;
mod route;
mod routing_rule;
mod rules;
mod settings;

use std::process::Command;

use ipnet::IpNet;
use serde_json::Value;
use signpost_netlink::{Netns, Socket, VethEnd};

/// Runs a program in `netns` and returns what it prints.
fn run(netns: &Netns, command: &str) -> String {
    let mut words = command.split_whitespace();
    let mut program = Command::new(words.next().unwrap());
    program.args(words);
    let output = netns.run(move || program.output()).unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a program in `netns` that prints JSON.
fn json(netns: &Netns, command: &str) -> Value {
    let text = run(netns, command);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{command}: {error}: {text}"))
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// A namespace with one interface `eth0` that is up, has a peer and the addresses `192.0.2.1/24` and
/// `2001:db8::1/64`; returns its index too.
fn wired() -> (Netns, Socket, u32) {
    let netns = Netns::create().unwrap();
    let mut socket = Socket::open_in(&netns).unwrap();
    let end = |name| VethEnd {
        name,
        netns: None,
        mac: None,
        mtu: None,
    };
    socket.create_veth(&end("eth0"), &end("peer0")).unwrap();
    let peer = socket.link_by_name("peer0").unwrap().unwrap();
    socket.set_link_up(peer.index).unwrap();
    let index = socket.link_by_name("eth0").unwrap().unwrap().index;
    socket.add_address(index, net("192.0.2.1/24")).unwrap();
    socket.add_address(index, net("2001:db8::1/64")).unwrap();
    (netns, socket, index)
}
