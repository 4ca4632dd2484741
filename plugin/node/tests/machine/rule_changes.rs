//! Changes of rules that wake the agent.

use std::time::Duration;

use signpost_netlink::nftables;
use signpost_node::hand::Hand;
use signpost_node::rule_changes::RuleChanges;
use signpost_node::{forward, table};
use tokio::time::timeout;

use crate::{World, nets, run};

const GATHERING: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(5);
/// How long nothing has to happen to count as nothing.
const SILENCE: Duration = Duration::from_millis(500);

#[test]
fn changes_of_what_the_agent_keeps_wake_it_and_no_others() {
    let world = World::forwarding();
    let mut socket = nftables::Socket::open_in(&world.node).unwrap();
    run(&world.node, "iptables-nft -P FORWARD DROP");
    let pods = nets(&["10.244.0.0/16"]);
    let subnets = nets(&["10.244.1.0/24"]);
    let mut mend = || {
        let table = table::table(&subnets, Some(&pods));
        table::ensure(&mut socket, &table, &mut Hand::real()).unwrap();
        forward::ensure(&mut socket, &pods, &mut Hand::real()).unwrap();
        socket.port()
    };
    let mut test = async || {
        let port = mend();
        let mut changes = RuleChanges::follow();
        changes.ignore_changes_of(port);
        let wakes = async |changes: &mut RuleChanges, command: &str, patience| {
            run(&world.node, command);
            timeout(patience, changes.gathered(GATHERING)).await.is_ok()
        };
        for command in [
            "nft flush ruleset",
            "nft flush chain inet signpost postrouting",
            "nft add table inet signpost { flags dormant; }",
            "nft flush set inet signpost exempt4",
            "iptables-nft -P FORWARD DROP",
            "iptables-nft -A FORWARD -j REJECT",
            "iptables-nft -F FORWARD",
        ] {
            assert!(wakes(&mut changes, command, PATIENCE).await, "{command}");
            mend();
        }
        // What the agent did last itself does not wake it either.
        for command in [
            "iptables-nft -N KUBE-SERVICES",
            "iptables-nft -A KUBE-SERVICES -s 10.0.0.1 -j ACCEPT",
            "nft add table ip kube-proxy",
            "nft add chain ip kube-proxy services",
            "nft add chain ip kube-proxy forwarded { type filter hook forward priority 0 ; }",
            "nft add rule ip kube-proxy services accept",
        ] {
            assert!(!wakes(&mut changes, command, SILENCE).await, "{command}");
        }
    };
    let in_namespace = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(test());
    };
    world.node.run(in_namespace).unwrap();
}
