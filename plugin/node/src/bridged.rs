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
use signpost_netlink::bridged::{self, BRIDGE, BridgeFault, port_table};
use signpost_netlink::nftables::{self, Batch};
use signpost_netlink::{Family, Link, Neighbour, PodLabel, Socket};
use tracing::info;

use crate::hand::Hand;
use crate::plan::Settings;
use crate::retired::retire;

/// MTU of a bridge that has no port yet; each port lowers it to its own.
const LARGEST_MTU: u32 = 65_535;

/// Removes the bridge unless it has ports, and the table of what they may send. Tells what stays.
pub fn remove(
    socket: &mut Socket,
    netfilter: &mut nftables::Socket,
    hand: &mut Hand,
) -> signpost_netlink::Result<Vec<String>> {
    let bridge = socket.link_by_name(BRIDGE)?.filter(|link| link.bridge);
    let Some(bridge) = bridge else {
        return Ok(Vec::new());
    };
    let links = socket.links()?;
    if links.iter().any(|link| link.master == Some(bridge.index)) {
        return Ok(vec![format!("{BRIDGE}, the bridge of pods that live")]);
    }
    hand.make(
        format!("remove the bridge {BRIDGE} and its nftables table"),
        || {
            socket.delete_link_by_index(bridge.index)?;
            let mut batch = Batch::new();
            let table = port_table();
            batch.remove_table(table.family, &table.name);
            netfilter.commit(batch)
        },
    )?;
    Ok(vec![
        "net.ipv4.conf.all.send_redirects: it was set to 0 for the bridge, and there is no note of what it was"
            .to_owned(),
    ])
}

/// What restoring takes.
pub struct Restoration<'a> {
    /// Of the node.
    pub socket: &'a mut Socket,
    /// Of the node.
    pub netfilter: &'a mut nftables::Socket,
    /// Makes the changes.
    pub hand: &'a mut Hand,
    /// The kernel's settings for the network.
    pub folder: &'a Path,
}

impl Restoration<'_> {
    /// Restores it, and tells which interfaces are the bridge and its ports. Without `settings` the bridge is
    /// not made, since it is not known for which subnets.
    pub fn run(mut self, settings: Option<&Settings>) -> anyhow::Result<BTreeSet<u32>> {
        // Read before the interfaces: what an interface that is not there then has is left over.
        let admitted = bridged::admitted(self.netfilter)?;
        let bridge = self.socket.link_by_name(BRIDGE)?;
        let bridge = bridge.filter(|link| link.bridge);
        let known = match &bridge {
            Some(bridge) => self.socket.neighbours(bridge.index)?,
            None => Vec::new(),
        };
        let links = self.socket.links()?;
        let is_port = |link: &&Link| {
            link.master.is_some() && link.master == bridge.as_ref().map(|bridge| bridge.index)
                || admitted.iter().any(|(name, _)| *name == link.name)
        };
        let ports: Vec<&Link> = links
            .iter()
            .filter(|link| PodLabel::of(link).is_some())
            .filter(is_port)
            .collect();
        let mut routed = bridge.as_ref().map(|bridge| bridge.index);
        let is_wanted =
            |settings: &&Settings| settings.mode == DatapathMode::Bridge || !ports.is_empty();
        if let Some(settings) = settings.filter(is_wanted) {
            routed = self.bridge(bridge.as_ref(), settings)?;
            self.admit_all(&ports, &admitted)?;
            if let Some(index) = routed {
                for port in &ports {
                    self.connect(port, index)?;
                }
            }
        }
        if let (Some(settings), Some(index)) = (settings, routed) {
            retire(self.socket, self.hand, index, &settings.subnets)?;
        }
        self.forget(&links, &admitted, bridge.as_ref(), &known)?;
        let indices = ports.iter().map(|link| link.index);
        Ok(indices.chain(routed).collect())
    }

    /// Makes the bridge, and gives its index.
    fn bridge(&mut self, found: Option<&Link>, settings: &Settings) -> anyhow::Result<Option<u32>> {
        let source = |subnet: &IpNet| Family::of(subnet.addr()).first_of(&settings.node_addresses);
        let subnets = settings.subnets.iter();
        let subnets: Vec<_> = subnets.map(|subnet| (*subnet, source(subnet))).collect();
        let mut index = found.map(|link| link.index);
        let ensure = || {
            index = Some(bridged::ensure(
                self.socket,
                self.folder,
                LARGEST_MTU,
                &subnets,
            )?);
            Ok::<(), BridgeFault>(())
        };
        if found.is_some_and(|link| link.up) {
            // What it may lack is not worth a line.
            self.hand.quietly(ensure)
        } else {
            self.hand.make(format!("make the bridge {BRIDGE}"), ensure)
        }
        .context("mode bridge of spec.datapath")?;
        Ok(index)
    }

    /// Lets all ports send from what they claim, by the table as it should be.
    fn admit_all(
        &mut self,
        ports: &[&Link],
        admitted: &[(String, IpAddr)],
    ) -> signpost_netlink::Result<()> {
        let table = port_table();
        let Self {
            netfilter, socket, ..
        } = self;
        let stands = netfilter.stands(&table)?;
        let lacking = ports
            .iter()
            .flat_map(|port| port.claims().map(|claim| (&port.name, claim)));
        let lacking: Vec<(&String, IpAddr)> = lacking
            .filter(|(name, claim)| !stands || !admitted.contains(&((*name).clone(), *claim)))
            .collect();
        if stands && lacking.is_empty() {
            return Ok(());
        }
        self.hand
            .make("write the nftables table bridge signpost", || {
                if !stands {
                    let mut batch = Batch::new();
                    batch.replace_table(&table);
                    netfilter.commit(batch)?;
                }
                for (name, claim) in lacking {
                    bridged::admit(netfilter, name, &[claim])?;
                }
                info!("wrote the rules for ports of the bridge");
                // Whom the plugin admitted to the table of before, after the interfaces were listed.
                for link in socket.links()? {
                    let is_new = ports.iter().all(|port| port.index != link.index);
                    if !stands && is_new && link.master.is_some() && PodLabel::of(&link).is_some() {
                        let claims: Vec<IpAddr> = link.claims().collect();
                        bridged::admit(netfilter, &link.name, &claims)?;
                    }
                }
                Ok(())
            })
    }

    /// Makes the interface a port of the bridge to which packets for its pod go.
    fn connect(&mut self, port: &Link, bridge: u32) -> signpost_netlink::Result<()> {
        let Self { socket, hand, .. } = self;
        if port.master != Some(bridge) {
            let what = format!("make {} a port of {BRIDGE} again", port.name);
            hand.make(what, || {
                info!(interface = port.name, "made it a port of the bridge again");
                socket.join_bridge(port.index, bridge)
            })?;
        }
        let Some(mac) = PodLabel::of(port).map(|label| label.mac) else {
            return Ok(());
        };
        hand.quietly(|| {
            socket.pin(port.index, mac)?;
            for address in port.claims() {
                socket.set_neighbour(bridge, address, mac)?;
            }
            Ok(())
        })
    }

    /// Removes what is left of interfaces that are not there any more.
    fn forget(
        &mut self,
        links: &[Link],
        admitted: &[(String, IpAddr)],
        bridge: Option<&Link>,
        known: &[Neighbour],
    ) -> signpost_netlink::Result<()> {
        let there: HashSet<&str> = links.iter().map(|link| link.name.as_str()).collect();
        for (name, address) in admitted {
            if !there.contains(name.as_str()) {
                self.hand
                    .quietly(|| bridged::dismiss(self.netfilter, name, [*address]))?;
            }
        }
        let Some(bridge) = bridge else {
            return Ok(());
        };
        let claimed: HashSet<IpAddr> = links.iter().flat_map(Link::claims).collect();
        for entry in known {
            if entry.permanent && !claimed.contains(&entry.address) {
                let removed = || self.socket.remove_neighbour(bridge.index, entry.address);
                self.hand.quietly(removed)?;
            }
        }
        Ok(())
    }
}
