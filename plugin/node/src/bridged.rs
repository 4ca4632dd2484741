//! What pods on the node's bridge need, kept as their claims say.
//!
//! The bridge, that their interfaces are its ports, where it sends their frames, what they may send: all that
//! follows from claims and labels, so it is restored when somebody takes it away, and what is left of pods whose
//! DEL was lost is removed.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::path::Path;

use anyhow::Context as _;
use ipnet::IpNet;
use signpost_api::DatapathMode;
use signpost_netlink::bridged::{self, BRIDGE, port_table};
use signpost_netlink::nftables::{self, Batch};
use signpost_netlink::{Family, Link, PodLabel, Socket};
use tracing::info;

use crate::plan::Settings;

/// MTU of a bridge that has no port yet; each port lowers it to its own.
const LARGEST_MTU: u32 = 65_535;

/// Restores it, and tells which interfaces are ports. Without `settings` the bridge is not made, since it is not
/// known for which subnets.
pub fn restore(
    socket: &mut Socket,
    netfilter: &mut nftables::Socket,
    settings: Option<&Settings>,
    folder: &Path,
) -> anyhow::Result<BTreeSet<u32>> {
    let mut node = Node { socket, netfilter };
    let mode = settings.map(|settings| settings.mode);
    // Read before the interfaces: what an interface that is not there then has is left over.
    let admitted = bridged::admitted(node.netfilter)?;
    let bridge = node.socket.link_by_name(BRIDGE)?.filter(|link| link.bridge);
    let known = match &bridge {
        Some(bridge) => node.socket.neighbours(bridge.index)?,
        None => Vec::new(),
    };
    let links = node.socket.links()?;
    let is_port = |link: &&Link| {
        link.master.is_some() && link.master == bridge.as_ref().map(|bridge| bridge.index)
            || admitted.iter().any(|(name, _)| *name == link.name)
    };
    let ports: Vec<&Link> = links
        .iter()
        .filter(|link| PodLabel::of(link).is_some())
        .filter(is_port)
        .collect();
    let indices = ports.iter().map(|link| link.index).collect();
    let wanted = mode == Some(DatapathMode::Bridge) || !ports.is_empty();
    if wanted && let Some(settings) = settings {
        let sources = &settings.node_addresses;
        let source = |subnet: &IpNet| {
            let mut of_family = sources.iter().copied();
            of_family.find(|it| Family::of(*it) == Family::of(subnet.addr()))
        };
        let subnets = settings.subnets.iter();
        let subnets: Vec<_> = subnets.map(|subnet| (*subnet, source(subnet))).collect();
        let index = bridged::ensure(node.socket, folder, LARGEST_MTU, &subnets)
            .context("mode bridge of spec.datapath")?;
        node.admit_all(&ports, &admitted)?;
        for port in &ports {
            node.connect(port, index)?;
        }
    }
    let there: HashSet<&str> = links.iter().map(|link| link.name.as_str()).collect();
    for (name, address) in admitted
        .iter()
        .filter(|(name, _)| !there.contains(name.as_str()))
    {
        bridged::dismiss(node.netfilter, name, [*address])?;
    }
    if let Some(bridge) = bridge {
        let claimed: HashSet<IpAddr> = links.iter().flat_map(Link::claims).collect();
        let left_over = known
            .iter()
            .filter(|it| it.permanent && !claimed.contains(&it.address));
        for entry in left_over {
            node.socket.remove_neighbour(bridge.index, entry.address)?;
        }
    }
    Ok(indices)
}

struct Node<'a> {
    socket: &'a mut Socket,
    netfilter: &'a mut nftables::Socket,
}

impl Node<'_> {
    /// Lets all ports send from what they claim, by the table as it should be.
    fn admit_all(
        &mut self,
        ports: &[&Link],
        admitted: &[(String, IpAddr)],
    ) -> signpost_netlink::Result<()> {
        let table = port_table();
        let stands = self.netfilter.stands(&table)?;
        if !stands {
            let mut batch = Batch::new();
            batch.replace_table(&table);
            self.netfilter.commit(batch)?;
            info!("wrote the rules for ports of the bridge");
        }
        for port in ports {
            let lacks =
                |address: &IpAddr| !stands || !admitted.contains(&(port.name.clone(), *address));
            let lacking: Vec<IpAddr> = port.claims().filter(lacks).collect();
            if !lacking.is_empty() {
                bridged::admit(self.netfilter, &port.name, &lacking)?;
            }
        }
        if stands {
            return Ok(());
        }
        // Whom the plugin admitted to the table of before, after the interfaces were listed.
        for link in self.socket.links()? {
            let is_new = ports.iter().all(|port| port.index != link.index);
            if is_new && link.master.is_some() && PodLabel::of(&link).is_some() {
                bridged::admit(
                    self.netfilter,
                    &link.name,
                    &link.claims().collect::<Vec<_>>(),
                )?;
            }
        }
        Ok(())
    }

    /// Makes the interface a port of the bridge to which packets for its pod go.
    fn connect(&mut self, port: &Link, bridge: u32) -> signpost_netlink::Result<()> {
        if port.master != Some(bridge) {
            info!(interface = port.name, "made it a port of the bridge again");
            self.socket.join_bridge(port.index, bridge)?;
        }
        let Some(mac) = PodLabel::of(port).map(|label| label.mac) else {
            return Ok(());
        };
        self.socket.pin(port.index, mac)?;
        for address in port.claims() {
            self.socket.set_neighbour(bridge, address, mac)?;
        }
        Ok(())
    }
}
