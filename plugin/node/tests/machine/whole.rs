//! Everything together.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::Parser as _;
use ipnet::IpNet;
use serde_json::Value;
use signpost_node::machine::Machine;
use signpost_node::options::Options;
use signpost_node::plan::{Plan, Settings};

use crate::{World, nets, run};

pub(crate) fn machine(folder: &Path) -> Machine {
    fs::write(folder.join("plugin"), "the plugin").unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let (plugin, bin, conf, run) = (path("plugin"), path("bin"), path("conf"), path("run"));
    let flags = [
        "--plugin",
        &plugin,
        "--cni-bin-dir",
        &bin,
        "--cni-conf-dir",
        &conf,
        "--run-dir",
        &run,
    ];
    // Without it there would be something to remark.
    let portmap = r#"echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}'"#;
    fs::create_dir(&bin).unwrap();
    fs::write(format!("{bin}/portmap"), format!("#!/bin/sh\n{portmap}\n")).unwrap();
    fs::set_permissions(format!("{bin}/portmap"), Permissions::from_mode(0o755)).unwrap();
    let options = ["signpost-node", "--node-name", "n1"]
        .into_iter()
        .chain(flags);
    Machine::new(&Options::parse_from(options)).unwrap()
}

pub(crate) fn settings() -> Settings {
    Settings {
        mode: signpost_api::DatapathMode::Ptp,
        subnets: nets(&["10.244.1.0/24", "fd00:1::/64"]),
        node_addresses: nets(&["192.0.2.1/32"]).iter().map(IpNet::addr).collect(),
        mtu: 0,
        pods: nets(&["10.244.0.0/16", "fd00::/16"]),
        max_pods: None,
        exempt: Some(nets(&["10.244.0.0/16", "fd00::/16"])),
    }
}

fn conflist(folder: &Path) -> Option<Value> {
    let text = fs::read(folder.join("conf").join("00-signpost.conflist")).ok()?;
    Some(serde_json::from_slice(&text).unwrap())
}

#[test]
fn machine_gets_its_configuration_last_with_the_mtu_of_the_default_route() {
    let world = World::new();
    run(
        &world.node,
        "busybox sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0",
    );
    run(&world.node, "iptables-nft -P FORWARD DROP");
    run(&world.node, "ip link set uplink mtu 1460");
    let folder = tempfile::tempdir().unwrap();
    let mut machine = machine(folder.path());
    let plan = Plan::Apply(settings());
    let mut carry_out = |plan: &Plan| world.node.run(|| machine.carry_out(plan)).unwrap();

    let waiting = Plan::Wait {
        what: "routes".into(),
        stale_configuration: false,
    };
    carry_out(&waiting).unwrap();
    assert!(folder.path().join("bin").join("signpost-cni").exists());
    assert_eq!(conflist(folder.path()), None);

    let fault = carry_out(&plan).unwrap_err();
    assert!(fault.to_string().contains("spec.datapath.mtu"), "{fault:#}");
    assert_eq!(
        conflist(folder.path()),
        None,
        "pods must not start half prepared"
    );
    assert!(!folder.path().join("run/ready").exists());
    let ways = "nexthop via 192.0.2.9 nexthop via 192.0.2.8";
    run(
        &world.node,
        &format!("ip route add default mtu 1200 {ways}"),
    );
    let fault = carry_out(&plan).unwrap_err().to_string();
    for word in ["uplink", "IPv6", "spec.datapath.mtu"] {
        assert!(fault.contains(word), "{fault}");
    }
    run(&world.node, &format!("ip route replace default {ways}"));
    carry_out(&plan).unwrap();
    let written = conflist(folder.path()).unwrap();
    assert_eq!(written["plugins"][0]["mtu"], 1460);
    assert_eq!(world.pings(), (true, true));

    let stale = Plan::Wait {
        what: "routes".into(),
        stale_configuration: true,
    };
    carry_out(&stale).unwrap();
    assert_eq!(conflist(folder.path()), None);
    assert!(
        folder.path().join("conf").is_dir(),
        "the watched folder stays"
    );
}

#[test]
fn machine_remarks_on_firewalls_of_others_as_long_as_they_may_drop() {
    let world = World::forwarding();
    run(&world.node, "ip route add default via 192.0.2.9");
    let folder = tempfile::tempdir().unwrap();
    let mut machine = machine(folder.path());
    let plan = Plan::Apply(settings());
    let mut remarks = || -> Vec<String> {
        world
            .node
            .run(|| machine.carry_out(&plan))
            .unwrap()
            .unwrap();
        assert!(conflist(folder.path()).is_some(), "pods start all the same");
        machine.remarks().collect()
    };
    assert!(remarks().is_empty());
    run(&world.node, "nft add table inet firewalld");
    run(
        &world.node,
        "nft add chain inet firewalld filter_FORWARD { type filter hook forward priority 10 ; policy drop ; }",
    );
    let said = remarks();
    assert!(
        said.len() == 1 && said[0].contains("firewall-cmd"),
        "{said:?}"
    );
    run(&world.node, "nft delete table inet firewalld");
    assert!(remarks().is_empty());
}
