//! Pods of an earlier network that live still, behind its bridge.
//!
//! They take the node's whole subnet for being on that bridge, and ask there for the hardware addresses of new
//! pods too, which are elsewhere. The node answers them, and routes.

use ipnet::IpNet;
use signpost_netlink::{HOST_INTERFACE_PREFIX, Link, Socket};

use crate::hand::Hand;
use crate::sysctl;

/// Has the node answer for new pods wherever a bridge of others has one of its subnets. Of IPv4 alone: for
/// neighbour discovery the kernel wants to be told each address.
pub fn answer(
    socket: &mut Socket,
    subnets: &[IpNet],
    sysctl: &sysctl::Settings,
    hand: &mut Hand,
) -> anyhow::Result<()> {
    let is_others = |link: &Link| link.bridge && !link.name.starts_with(HOST_INTERFACE_PREFIX);
    for link in socket.links()?.into_iter().filter(is_others) {
        let has_subnet = socket.addresses(link.index)?.iter().any(|address| {
            let net = address.net;
            net.addr().is_ipv4()
                && net.prefix_len() < net.max_prefix_len()
                && subnets.iter().any(|subnet| subnet.contains(&net.addr()))
        });
        if !has_subnet {
            continue;
        }
        for (setting, value) in [("neigh/{}/proxy_delay", "0"), ("conf/{}/proxy_arp", "1")] {
            let setting = format!("ipv4/{}", setting.replace("{}", &link.name));
            if sysctl.read(&setting)? != value {
                sysctl.set(&setting, value, Vec::new(), hand)?;
            }
        }
    }
    Ok(())
}
