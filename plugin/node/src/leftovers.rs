//! What an earlier network has left on the node. It is named, with what to do, and left alone: it may be
//! in use, as a policy engine's chains are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ipnet::IpNet;
use signpost_netlink::{HOST_INTERFACE_PREFIX, Socket, nftables};
use tracing::warn;

use crate::conflist::FILE;
use crate::{iptables_legacy, rivals};

/// Where the plugin host-local keeps the addresses that it gave out. The `DaemonSet`'s container does not
/// have it: only an agent outside of one sees them.
const HOST_LOCAL: &str = "/var/lib/cni/networks";
/// Interfaces that networks make on each node.
const INTERFACES: [&str; 14] = [
    "antrea-gw0",
    "cbr0",
    "cilium_host",
    "cilium_net",
    "cilium_vxlan",
    "cni0",
    "flannel-v6.1",
    "flannel.1",
    "kube-bridge",
    "ovn-k8s-mp0",
    "tunl0",
    "vxlan-v6.calico",
    "vxlan.calico",
    "weave",
];
/// What names of networks' chains begin with, in nftables or iptables.
const CHAINS: [&str; 4] = ["CILIUM_", "FLANNEL-", "KUBE-ROUTER", "cali-"];

/// What was told already.
#[derive(Debug, Default)]
pub struct Told {
    /// For which subnets it was looked.
    subnets: Option<Vec<IpNet>>,
    lines: BTreeSet<String>,
}

impl Told {
    /// Logs what there is, once, and what more there is when the node has got subnets, or others.
    pub fn tell(&mut self, conf_dir: &Path, subnets: &[IpNet]) {
        let before = self.subnets.as_deref();
        if before.is_some_and(|before| before == subnets || subnets.is_empty()) {
            return;
        }
        for line in find(conf_dir, Path::new(HOST_LOCAL), subnets) {
            if self.lines.insert(line.clone()) {
                warn!("{line}");
            }
        }
        self.subnets = Some(subnets.to_vec());
    }
}

/// What there is beside a network with these subnets on this node: a line for each thing. What cannot be
/// looked into is left out.
pub fn find(conf_dir: &Path, host_local: &Path, subnets: &[IpNet]) -> Vec<String> {
    let mut found: Vec<_> = configurations(conf_dir).collect();
    found.extend(interfaces(subnets).unwrap_or_default());
    found.extend(given_addresses(host_local));
    found.extend(chains());
    found
}

/// Those that come before Signpost's are told of as long as they do.
fn configurations(folder: &Path) -> impl Iterator<Item = String> {
    let files = rivals::files(folder).into_iter();
    let later = files.filter(|path| path.file_name().is_some_and(|name| name > FILE));
    later.map(|path| {
        format!(
            "{} is another network's: as long as {FILE} is not there, the container runtime takes it. \
             Remove it",
            path.display()
        )
    })
}

fn interfaces(subnets: &[IpNet]) -> signpost_netlink::Result<Vec<String>> {
    let mut socket = Socket::open()?;
    let mut found = Vec::new();
    for link in socket.links()? {
        if link.loopback || link.name.starts_with(HOST_INTERFACE_PREFIX) {
            continue;
        }
        let addresses = socket.addresses(link.index)?;
        let here = addresses.iter().map(|address| address.net);
        let taken = here.filter(|net| subnets.iter().any(|subnet| subnet.contains(&net.addr())));
        let taken: Vec<_> = taken.map(|net| net.to_string()).collect();
        let name = &link.name;
        let is_known = INTERFACES.contains(&name.as_str());
        if !taken.is_empty() {
            let remedy = if is_known {
                format!("`ip link delete {name}` once no pod of that network lives here")
            } else {
                "take it away, or give the node other pod CIDRs".to_owned()
            };
            found.push(format!(
                "interface {name} has {} within this node's pod CIDRs, so packets to pods may go there: \
                 {remedy}",
                taken.join(" and ")
            ));
        } else if is_known && link.up {
            found.push(format!(
                "interface {name} is an earlier network's: `ip link delete {name}` once no pod of it \
                 lives here, or restart the node"
            ));
        }
    }
    Ok(found)
}

fn given_addresses(folder: &Path) -> Vec<String> {
    let networks = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<String> = networks
        .filter_map(|network| {
            let addresses = fs::read_dir(network.path()).ok()?.flatten();
            let is_address =
                |name: &str| name.replace('_', ":").parse::<std::net::IpAddr>().is_ok();
            let names = addresses.map(|it| it.file_name().to_string_lossy().into_owned());
            let count = names.filter(|name| is_address(name)).count();
            let path = network.path();
            (count > 0).then(|| {
                format!(
                    "{} keeps {count} addresses of pods of an earlier network: remove it once none of \
                     them lives here",
                    path.display()
                )
            })
        })
        .collect();
    found.sort();
    found
}

fn chains() -> Vec<String> {
    let mut names = iptables_legacy::chains();
    // Where netfilter cannot be asked, that is told of where it is needed.
    let natively = nftables::Socket::open().and_then(|mut socket| socket.chains());
    names.extend(natively.into_iter().flatten().map(|chain| chain.name));
    let mut counts = BTreeMap::<&str, usize>::new();
    for name in &names {
        if let Some(prefix) = CHAINS.iter().find(|prefix| name.starts_with(**prefix)) {
            *counts.entry(prefix).or_default() += 1;
        }
    }
    let told = counts.iter().map(|(prefix, count)| {
        format!(
            "{count} chains of nftables or iptables begin with {prefix}: unless a policy engine works \
             beside Signpost, restart the node, and see that nothing restores them"
        )
    });
    told.collect()
}
