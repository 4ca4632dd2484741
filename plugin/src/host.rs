//! The node's side of a pod: its end of the veth pair, the claimed addresses.

use std::net::IpAddr;

use ipnet::IpNet;
use signpost_netlink::{Family, Link, LinkChange, Netns, PodLabel, Request, Socket, VethEnd};

use crate::address::{Claimant, claim};
use crate::asked;
use crate::attachment::Attachment;
use crate::config::Config;
use crate::cursor::Cursor;
use crate::datapath::{Assigned, Datapath};
use crate::error::{Error, ErrorCode, Result};
use crate::host_local;
use crate::log::Log;
use crate::sysctl;

/// Creates the veth pair, each end in its final namespace: moving one there afterwards would cost some
/// 20 ms and make simultaneous requests wait for each other.
pub(crate) fn create_pair(
    host: &mut Socket,
    attachment: &Attachment,
    pod: &Netns,
    mtu: u32,
) -> signpost_netlink::Result<()> {
    let outer = VethEnd {
        name: &attachment.host_interface,
        netns: None,
        mac: Some(attachment.host_mac),
        mtu: Some(mtu),
    };
    let inner = VethEnd {
        name: &attachment.interface,
        netns: Some(pod),
        mac: Some(attachment.mac),
        mtu: Some(mtu),
    };
    host.create_veth(&outer, &inner)
}

/// Why the pair was not created, in words that tell which of the two names is taken.
pub(crate) fn refusal(
    error: signpost_netlink::Error,
    attachment: &Attachment,
    pod: &Netns,
) -> Error {
    if !error.is_exists() {
        return error.into();
    }
    let Attachment {
        interface,
        host_interface,
        netns,
        container_id,
        ..
    } = attachment;
    let inside = Socket::open_in(pod).and_then(|mut pod| pod.link_by_name(interface));
    let message = if inside.is_ok_and(|inside| inside.is_some()) {
        format!("interface {interface} exists already in {netns}")
    } else {
        format!("interface {host_interface} of container {container_id} exists already")
    };
    Error::new(ErrorCode::InterfaceExists, message)
        .with_details("call DEL for the container before another ADD")
}

/// The MTU for the pod: as configured, else what the node's default routes allow.
pub(crate) fn mtu(host: &mut Socket, config: &Config) -> Result<u32> {
    if let Some(mtu) = config.mtu {
        return Ok(mtu);
    }
    let families = config.families();
    let way = host.way_out(&families)?.ok_or_else(|| {
        Error::config(
            "mtu",
            "is 0, but the node has no default route to take it from",
            "set mtu, or add a default route",
        )
    })?;
    way.mtu_for(&families).map_err(|fault| {
        let remedy = "set mtu, or raise that of the interface or route";
        Error::config("mtu", &format!("is 0, but {fault}"), remedy)
    })
}

/// Claims an address of each subnet, the one that is asked for if there is, and sets the node's end up to
/// reach the pod.
pub(crate) fn connect(
    host: &mut Socket,
    attachment: &Attachment,
    config: &Config,
    datapath: Datapath,
    link: &Link,
    asked: &[IpAddr],
    log: &Log,
) -> Result<Vec<Assigned>> {
    let (name, index) = (&link.name, link.index);
    // People look for the pod behind an interface: `ip link` shows this.
    let label = PodLabel {
        mac: attachment.mac,
        interface: attachment.interface.clone(),
        container_id: attachment.container_id.clone(),
    };
    let label = LinkChange {
        alias: Some(label.to_string()),
        ..LinkChange::default()
    };
    // Before the pod's end gives it a carrier.
    let ipv6 = config.has_ipv6() && datapath.is_routed_over_links();
    let (mut requests, files) = Request::make_settings(index, sysctl::of_host_end(ipv6));
    requests.insert(0, Request::change_link(index, &label));
    let mut outcomes = host.make_all(requests)?.into_iter();
    if let Some(Err(error)) = outcomes.next() {
        log.warn(&format!("{name} gets no alias: {error}"));
    }
    for outcome in outcomes {
        outcome?;
    }
    for setting in files {
        sysctl::set(name, setting)?;
    }
    let reserved = host_local::given(&config.host_local_dirs);
    let mut assigned = Vec::new();
    for subnet in &config.subnets {
        let family = Family::of(subnet.addr());
        let pod = Claimant {
            interface: index,
            source: config.node_address(family),
            datapath,
            reserved: &reserved,
        };
        let address = match asked.iter().find(|address| subnet.contains(*address)) {
            Some(address) => asked::claim(host, *address, pod)?,
            None => next(host, config, *subnet, pod, log)?,
        };
        let gateway = datapath.gateway(*subnet);
        assigned.push(Assigned { address, gateway });
    }
    Ok(assigned)
}

/// Claims the next free address of the subnet.
fn next(
    host: &mut Socket,
    config: &Config,
    subnet: IpNet,
    pod: Claimant<'_>,
    log: &Log,
) -> Result<IpAddr> {
    let cursor = Cursor::take(&config.run_dir, &config.name, Family::of(subnet.addr()));
    let address = claim(host, subnet, pod, cursor.read())?;
    if let Err(fault) = cursor.write(address) {
        log.warn(&fault);
    }
    Ok(address)
}
