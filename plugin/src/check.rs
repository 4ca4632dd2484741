//! CHECK: whether a pod is still wired as ADD has left it.
//!
//! What later plugins of the chain add or change is tolerated; what ADD has made must be there.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;
use signpost_netlink::{Family, Link, Mac, RouteFilter, RouteKind, Socket, table};

use crate::attachment::Attachment;
use crate::config::Config;
use crate::datapath::{Assigned, Datapath};
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
    let mut host = Socket::open()?;
    let former = attachment.formerly();
    let attachment = match host.link_by_name(&former.host_interface)? {
        Some(_) => &former,
        None => attachment,
    };
    let link = host.link_by_name(&attachment.host_interface)?;
    // As it was added, whatever the configuration says by now.
    let datapath = match &link {
        Some(link) => Datapath::of(&mut host, link)?,
        None => Datapath::Ptp,
    };
    let gateway = |address: IpAddr| {
        let mut subnets = config.subnets.iter();
        let subnet = subnets.find(|subnet| subnet.contains(&address));
        datapath.gateway(subnet.copied().unwrap_or_else(|| address.into()))
    };
    let assigned = recorded_addresses(attachment, previous, gateway)?;
    let netns = pod::open(attachment)?;
    let mut faults = Vec::new();
    let inner = check_pod(
        &mut Socket::open_in(&netns)?,
        attachment,
        &assigned,
        &recorded_routes(previous, &assigned),
        datapath.gateway_mac(attachment),
        &mut faults,
    )?;
    match &link {
        Some(link) => {
            let outer = Outer {
                attachment,
                datapath,
                link,
            };
            outer.check(&mut host, &assigned, inner.as_ref(), &mut faults)?;
        }
        None => faults.push(format!(
            "the node has no interface {}",
            attachment.host_interface
        )),
    }
    let ipv6 = assigned.iter().any(|it| it.address.is_ipv6());
    let ends = sysctl::of_host_end(ipv6 && datapath.is_routed_over_links());
    faults.extend(ends.filter_map(|it| sysctl::fault(&attachment.host_interface, it)));
    if let Some(shared) = datapath.shared_interface() {
        faults.extend(sysctl::of_host_end(ipv6).filter_map(|it| sysctl::fault(shared, it)));
    }
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
fn recorded_addresses(
    attachment: &Attachment,
    previous: &CniResult,
    gateway: impl Fn(IpAddr) -> IpAddr,
) -> Result<Vec<Assigned>> {
    let is_ours = |position: usize| {
        previous.interfaces.get(position).is_some_and(|interface| {
            interface.name == attachment.interface && !interface.sandbox.is_empty()
        })
    };
    let assigned: Vec<_> = previous
        .ips
        .iter()
        .filter(|ip| ip.interface.is_some_and(is_ours))
        .map(|ip| {
            let address = ip.address.addr();
            // Multus takes it out of the result with the default route.
            let gateway = ip.gateway.unwrap_or_else(|| gateway(address));
            Assigned { address, gateway }
        })
        .collect();
    if assigned.is_empty() {
        let fault = format!("has no address of interface {}", attachment.interface);
        return Err(Error::config(
            "prevResult",
            &fault,
            "CHECK needs the result of ADD",
        ));
    }
    Ok(assigned)
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
fn recorded_routes(previous: &CniResult, assigned: &[Assigned]) -> Vec<Recorded> {
    let is_gateway = |address: &IpAddr| assigned.iter().any(|it| it.gateway == *address);
    let ours = previous.routes.iter().filter(|route| {
        let default = Family::of(route.dst.addr()).default_destination();
        match route.gw {
            Some(gateway) => route.dst == default && is_gateway(&gateway),
            None => route.dst == route.dst.addr().into() && is_gateway(&route.dst.addr()),
        }
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
    assigned: &[Assigned],
    routes: &[Recorded],
    gateway_mac: Mac,
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
    for Assigned { address, gateway } in assigned {
        match present.iter().find(|entry| entry.net.addr() == *address) {
            None => faults.push(format!(
                "the pod's interface {name} has lost address {address}"
            )),
            Some(entry) if entry.tentative => {
                faults.push(format!("the pod's address {address} is not usable"));
            }
            Some(_) => {}
        }
        let entry = neighbours.iter().find(|entry| entry.address == *gateway);
        let leads = entry.and_then(|entry| entry.mac);
        if leads.is_some_and(|mac| mac != gateway_mac) {
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

/// The node's side.
struct Outer<'a> {
    attachment: &'a Attachment,
    datapath: Datapath,
    link: &'a Link,
}

impl Outer<'_> {
    fn check(
        &self,
        host: &mut Socket,
        assigned: &[Assigned],
        inner: Option<&Link>,
        faults: &mut Vec<String>,
    ) -> Result<()> {
        let Self {
            attachment, link, ..
        } = self;
        let name = &link.name;
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
        let mac = inner.and_then(|inner| inner.mac).unwrap_or(attachment.mac);
        for it in assigned {
            let address = it.address;
            if !link.alternative_names.contains(&address.to_string()) {
                faults.push(format!(
                    "{name} has lost its claim to {address}, an alternative name"
                ));
            }
            faults.extend(self.datapath.faults(host, link, mac, address)?);
        }
        Ok(())
    }
}
