//! CHECK: whether a pod is still wired as ADD has left it.
//!
//! What later plugins of the chain add or change is tolerated; what ADD has made must be there.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;
use signpost_netlink::{
    Family, Link, RouteFilter, RouteKind, Socket, pod_gateway, pod_route, table,
};

use crate::attachment::Attachment;
use crate::config::Config;
use crate::error::{Error, ErrorCode, Result};
use crate::pod;
use crate::result::CniResult;
use crate::sysctl;

/// Serves CHECK.
pub(crate) fn check(attachment: &Attachment, config: &Config) -> Result<()> {
    let previous = config.previous.as_ref().ok_or_else(|| {
        Error::config(
            "prevResult",
            "is missing",
            "CHECK needs the result of ADD from the runtime",
        )
    })?;
    let addresses = recorded_addresses(attachment, previous)?;
    let mut host = Socket::open()?;
    let former = attachment.formerly();
    let attachment = match host.link_by_name(&former.host_interface)? {
        Some(_) => &former,
        None => attachment,
    };
    let netns = pod::open(attachment)?;
    let mut faults = Vec::new();
    let inner = check_pod(
        &mut Socket::open_in(&netns)?,
        attachment,
        &addresses,
        &recorded_routes(previous),
        &mut faults,
    )?;
    check_host(
        &mut host,
        attachment,
        &addresses,
        inner.as_ref(),
        &mut faults,
    )?;
    let ipv6 = addresses.iter().any(IpAddr::is_ipv6);
    let settings = sysctl::of_host_end(ipv6);
    faults.extend(settings.filter_map(|it| sysctl::fault(&attachment.host_interface, it)));
    if faults.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the wiring of container {} is damaged",
        attachment.container_id
    );
    let remedy = "; delete the pod to have it wired anew";
    Err(Error::new(ErrorCode::Damaged, message).with_details(faults.join("; ") + remedy))
}

/// The addresses that ADD has given to the pod's interface, according to the runtime.
fn recorded_addresses(attachment: &Attachment, previous: &CniResult) -> Result<Vec<IpAddr>> {
    let is_ours = |position: usize| {
        previous.interfaces.get(position).is_some_and(|interface| {
            interface.name == attachment.interface && !interface.sandbox.is_empty()
        })
    };
    let addresses: Vec<_> = previous
        .ips
        .iter()
        .filter(|ip| ip.interface.is_some_and(is_ours))
        .map(|ip| ip.address.addr())
        .collect();
    if addresses.is_empty() {
        let fault = format!("has no address of interface {}", attachment.interface);
        return Err(Error::config(
            "prevResult",
            &fault,
            "CHECK needs the result of ADD",
        ));
    }
    Ok(addresses)
}

/// A route in the pod that ADD has made, according to the runtime.
struct Recorded {
    destination: IpNet,
    gateway: Option<IpAddr>,
    table: u32,
}

impl Recorded {
    fn is_there(&self, pod: &mut Socket, interface: u32) -> Result<bool> {
        let filter = RouteFilter {
            table: Some(self.table),
            interface: Some(interface),
            ..RouteFilter::default()
        };
        let family = Family::of(self.destination.addr());
        Ok(pod.routes(family, filter)?.iter().any(|route| {
            route.destination == self.destination
                && route.gateway == self.gateway
                && route.kind == RouteKind::Unicast
        }))
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.destination)?;
        self.gateway
            .map_or(Ok(()), |gateway| write!(f, " via {gateway}"))?;
        if self.table == table::MAIN {
            return Ok(());
        }
        write!(f, " in table {}", self.table)
    }
}

/// The routes through the gateway and to it. Multus takes back those that it does not want, here as well as in
/// the pod.
fn recorded_routes(previous: &CniResult) -> Vec<Recorded> {
    let ours = previous.routes.iter().filter(|route| {
        let family = Family::of(route.dst.addr());
        let gateway = pod_gateway(family);
        let default = route.dst == family.default_destination();
        (default && route.gw == Some(gateway))
            || (route.gw.is_none() && route.dst == gateway.into())
    });
    ours.map(|route| {
        let table = route.rest.get("table").and_then(Value::as_u64);
        Recorded {
            destination: route.dst,
            gateway: route.gw,
            table: table
                .and_then(|it| it.try_into().ok())
                .unwrap_or(table::MAIN),
        }
    })
    .collect()
}

fn check_pod(
    pod: &mut Socket,
    attachment: &Attachment,
    addresses: &[IpAddr],
    routes: &[Recorded],
    faults: &mut Vec<String>,
) -> Result<Option<Link>> {
    if pod.link_by_name("lo")?.is_none_or(|link| !link.up) {
        faults.push("the pod's loopback interface is down".into());
    }
    let name = &attachment.interface;
    let Some(link) = pod.link_by_name(name)? else {
        faults.push(format!("the pod has no interface {name}"));
        return Ok(None);
    };
    if !link.up {
        faults.push(format!("the pod's interface {name} is down"));
    }
    let present = pod.addresses(link.index)?;
    let neighbours = pod.neighbours(link.index)?;
    for address in addresses {
        let family = Family::of(*address);
        match present.iter().find(|entry| entry.net.addr() == *address) {
            None => faults.push(format!(
                "the pod's interface {name} has lost address {address}"
            )),
            Some(entry) if entry.tentative => {
                faults.push(format!("the pod's address {address} is not usable"));
            }
            Some(_) => {}
        }
        let gateway = pod_gateway(family);
        let entry = neighbours.iter().find(|entry| entry.address == gateway);
        let leads = entry.and_then(|entry| entry.mac);
        if leads.is_some_and(|mac| mac != attachment.host_mac) {
            faults.push(format!(
                "the pod's neighbour entry for {gateway} leads elsewhere"
            ));
        } else if entry.is_none_or(|entry| !entry.permanent) && link.mac == Some(attachment.mac) {
            // A later plugin that gives the pod another hardware address makes the kernel drop the entry.
            faults.push(format!(
                "the pod has no permanent neighbour entry for {gateway}"
            ));
        }
    }
    for route in routes {
        if !route.is_there(pod, link.index)? {
            faults.push(format!("the pod has no route {route} over {name}"));
        }
    }
    Ok(Some(link))
}

fn check_host(
    host: &mut Socket,
    attachment: &Attachment,
    addresses: &[IpAddr],
    inner: Option<&Link>,
    faults: &mut Vec<String>,
) -> Result<()> {
    let name = &attachment.host_interface;
    let Some(link) = host.link_by_name(name)? else {
        faults.push(format!("the node has no interface {name}"));
        return Ok(());
    };
    if !link.up {
        faults.push(format!("the node's interface {name} is down"));
    }
    if link.mac != Some(attachment.host_mac) {
        faults.push(format!(
            "the node's interface {name} has lost its hardware address"
        ));
    }
    if inner.is_some_and(|inner| inner.peer != Some(link.index)) {
        let pod_side = &attachment.interface;
        faults.push(format!(
            "the pod's interface {pod_side} is not connected to {name}"
        ));
    }
    for address in addresses {
        if !link.alternative_names.contains(&address.to_string()) {
            faults.push(format!(
                "{name} has lost its claim to {address}, an alternative name"
            ));
        }
        let wanted = pod_route(*address, link.index, None);
        let filter = RouteFilter {
            table: Some(wanted.table),
            interface: wanted.interface,
            ..RouteFilter::default()
        };
        let routes = host.routes(Family::of(*address), filter)?;
        let found = routes
            .iter()
            .any(|route| route.destination == wanted.destination && route.kind == wanted.kind);
        if !found {
            faults.push(format!("the node has no route to {address} over {name}"));
        }
    }
    Ok(())
}
