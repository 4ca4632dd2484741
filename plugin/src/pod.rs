//! The pod's side: loopback, its end of the veth pair, addresses, default routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use signpost_netlink::{Family, Netns, Route, Socket};

use crate::attachment::Attachment;
use crate::carrier;
use crate::error::{Error, ErrorCode, Result};
use crate::log::Log;
use crate::sysctl;

/// The gateway of every pod. No interface has this address: a permanent neighbour entry leads it to
/// the node's end of the pair, so that nobody is ever asked for it.
pub(crate) fn gateway(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
    }
}

/// The pod's default route of a family over the interface with this index.
pub(crate) fn default_route(family: Family, interface: u32) -> Route {
    Route {
        gateway: Some(gateway(family)),
        interface: Some(interface),
        // The gateway is in no subnet of the pod.
        onlink: family == Family::V4,
        // RTPROT_BOOT, what `ip route` uses: in the pod nobody asks whose a route is.
        protocol: 3,
        ..Route::to(family.default_destination())
    }
}

/// Opens the pod's namespace.
pub(crate) fn open(attachment: &Attachment) -> Result<Netns> {
    let netns = Netns::open(attachment.netns.as_ref()).map_err(|error| {
        Error::new(
            ErrorCode::Environment,
            format!("environment variable CNI_NETNS: {error}"),
        )
        .with_details("give the path of the pod's network namespace")
    })?;
    if netns.is_same(&Netns::current()?)? {
        let message = format!("CNI_NETNS {} is the node's own namespace", attachment.netns);
        return Err(Error::new(ErrorCode::Environment, message)
            .with_details("pods with hostNetwork need no plugin"));
    }
    Ok(netns)
}

/// Sets the pod's end up with `addresses`.
pub(crate) fn connect(
    netns: &Netns,
    attachment: &Attachment,
    addresses: &[IpAddr],
    log: &Log,
) -> Result<()> {
    netns.run(|| {
        let mut pod = Socket::open()?;
        if let Some(loopback) = pod.link_by_name("lo")? {
            pod.set_link_up(loopback.index)?;
        }
        let name = &attachment.interface;
        let link = pod
            .link_by_name(name)?
            .ok_or_else(|| Error::new(ErrorCode::Io, format!("interface {name} vanished")))?;
        if addresses.iter().any(IpAddr::is_ipv6) {
            // Some runtimes disable IPv6 in pods. Nobody else can have the pod's address, so it need
            // not wait a second and more for duplicate address detection.
            for (key, value) in [
                ("disable_ipv6", "0"),
                ("accept_dad", "0"),
                ("accept_ra", "0"),
            ] {
                sysctl::set(name, (Family::V6, key, value))?;
            }
        }
        pod.set_link_up(link.index)?;
        for address in addresses {
            let family = Family::of(*address);
            pod.add_address(link.index, IpNet::from(*address))?;
            pod.set_neighbour(link.index, gateway(family), attachment.host_mac)?;
            pod.add_route(&default_route(family, link.index))?;
        }
        carrier::wait(&mut pod, name, log)
    })?
}
