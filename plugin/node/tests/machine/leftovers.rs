//! What an earlier network has left.

use std::fs;
use std::path::Path;

use signpost_node::leftovers;

use crate::{World, nets, run};

fn find(world: &World, folder: &Path) -> Vec<String> {
    let subnets = nets(&["10.244.7.0/24", "fd00:7::/64"]);
    let look = || leftovers::find(&folder.join("conf"), &folder.join("networks"), &subnets);
    world.node.run(look).unwrap()
}

#[test]
fn leftovers_are_named_each_in_a_line_with_a_remedy() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(find(&world, folder), [""; 0]);
    for command in [
        "ip link add cni0 type bridge",
        "ip address add 10.244.7.1/24 dev cni0",
        "ip address add fd00:7::1/64 dev cni0 nodad",
        "ip link add kube-bridge type bridge",
        "ip link set kube-bridge up",
        "ip link add cbr0 type bridge",
        "ip link add mine type bridge",
        "ip address add 10.244.7.9/32 dev mine",
        // That of a pod, and one of others that are of no network.
        "ip link add sgnaaaaaaaaaaaa type bridge",
        "ip address add 10.244.7.5/32 dev sgnaaaaaaaaaaaa",
        "ip link add docker0 type bridge",
        "ip link set docker0 up",
        "iptables-nft -N FLANNEL-FWD",
        "iptables-nft -t nat -N FLANNEL-POSTRTG",
        "iptables-nft -N DOCKER-USER",
        "iptables-legacy -N cali-FORWARD",
        "nft add table inet signpost",
        "nft add chain inet signpost prerouting",
    ] {
        run(&world.node, command);
    }
    for (name, file) in [
        ("networks/cbr0", "10.244.7.3"),
        ("networks/cbr0", "fd00_7__3"),
        ("networks/cbr0", "last_reserved_ip.0"),
        ("networks/cbr0", "lock"),
        ("networks/empty", "lock"),
        ("conf", "10-flannel.conflist"),
        ("conf", "00-signpost.conflist"),
        // It is a remark for as long as it wins.
        ("conf", "00-multus.conf"),
    ] {
        fs::create_dir_all(folder.join(name)).unwrap();
        fs::write(folder.join(name).join(file), "").unwrap();
    }
    let found = find(&world, folder);
    let expected: [&[&str]; 7] = [
        &["conf/10-flannel.conflist", "Remove it"],
        &[
            "interface cni0 has 10.244.7.1/24 and fd00:7::1/64",
            "`ip link delete cni0`",
        ],
        &["interface kube-bridge", "`ip link delete kube-bridge`"],
        &["interface mine has 10.244.7.9/32", "other pod CIDRs"],
        &["networks/cbr0 keeps 2 addresses", "remove it"],
        &["2 chains", "FLANNEL-", "restart the node"],
        &["1 chains", "cali-"],
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (line, words) in found.iter().zip(expected) {
        assert!(
            words.iter().all(|word| line.contains(word)),
            "{line} lacks one of {words:?}"
        );
    }
}
