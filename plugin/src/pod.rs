//! The pod's side: loopback, its end of the veth pair, addresses, routes.

use std::iter;
use std::net::IpAddr;

use ipnet::IpNet;
use signpost_netlink::{
    Errno, Family, Mac, Netns, Request, Route, RouteFilter, RouteKind, Scope, Socket, table,
};

use crate::attachment::Attachment;
use crate::carrier;
use crate::datapath::Assigned;
use crate::error::{Error, ErrorCode, Result};
use crate::log::Log;
use crate::sysctl;

/// The pod's routes over the interface with this index to this gateway and through it, in the order in which
/// they are added.
fn routes(gateway: IpAddr, interface: u32, table: u32) -> Vec<Route> {
    let family = Family::of(gateway);
    let route = |destination| Route {
        interface: Some(interface),
        table,
        // RTPROT_BOOT, what `ip route` uses: in the pod nobody asks whose a route is.
        protocol: 3,
        ..Route::to(destination)
    };
    let default = Route {
        gateway: Some(gateway),
        onlink: family == Family::V4,
        ..route(family.default_destination())
    };
    // A link-local address is on the link, as the kernel's own route to all of them says.
    if matches!(gateway, IpAddr::V6(ip) if ip.is_unicast_link_local()) {
        return vec![default];
    }
    // The gateway is in no subnet of the pod. Sandboxes that copy routes (Kata, gVisor) copy no `onlink`: this
    // one tells them the same.
    let scope = match family {
        Family::V4 => Scope::Link,
        Family::V6 => Scope::Universe,
    };
    let to_gateway = Route {
        scope,
        ..route(gateway.into())
    };
    vec![to_gateway, default]
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

/// The index of the loopback interface in every network namespace.
const LOOPBACK: u32 = 1;

/// Sets the pod's end up, of which the node's end tells the `index`, with what is assigned; tells the routes made.
pub(crate) fn connect(
    netns: &Netns,
    attachment: &Attachment,
    index: Option<u32>,
    assigned: &[Assigned],
    gateway_mac: Mac,
    log: &Log,
) -> Result<Vec<Route>> {
    netns.run(|| {
        let mut pod = Socket::open()?;
        let name = &attachment.interface;
        let index = index.ok_or_else(|| Error::vanished(name))?;
        let ipv6 = assigned.iter().any(|it| it.address.is_ipv6());
        let (mut requests, files) = Request::make_settings(index, sysctl::of_pod_end(ipv6));
        for setting in files {
            sysctl::set(name, setting)?;
        }
        requests.extend([Request::set_link_up(LOOPBACK), Request::set_link_up(index)]);
        let mut wanted = Vec::new();
        for Assigned { address, gateway } in assigned {
            requests.push(Request::add_address(index, IpNet::from(*address)));
            requests.push(Request::set_neighbour(index, *gateway, gateway_mac));
            let table = table_for(&mut pod, attachment, *address)?;
            wanted.extend(routes(*gateway, index, table));
        }
        let made = wire(&mut pod, requests, wanted)?;
        carrier::wait(&mut pod, name, log)?;
        Ok(made)
    })?
}

/// Makes all that and the routes in one go: where something is refused, what comes after it is tried in vain, and
/// goes with the interface.
fn wire(pod: &mut Socket, mut requests: Vec<Request>, routes: Vec<Route>) -> Result<Vec<Route>> {
    let no_routes = iter::repeat_n(None, requests.len());
    requests.extend(routes.iter().map(Request::add_route));
    let outcomes = pod.make_all(requests)?;
    let mut made = Vec::new();
    for (route, outcome) in no_routes.chain(routes.into_iter().map(Some)).zip(outcomes) {
        match (route, outcome) {
            (route, Ok(())) => made.extend(route),
            // Of another interface whose default route somebody has taken away. The default route does
            // without.
            (Some(route), Err(error)) if error.is_exists() && route.gateway.is_none() => {}
            (_, Err(error)) => return Err(error.into()),
        }
    }
    Ok(made)
}

/// The table for the routes of what the pod sends from `address`. A pod's further interfaces (Multus) leave its
/// default route alone: only what is sent from their addresses, such as answers, or by sockets bound to them goes
/// over them.
fn table_for(pod: &mut Socket, attachment: &Attachment, address: IpAddr) -> Result<u32> {
    let family = Family::of(address);
    if !has_default_route(pod, family)? {
        return Ok(table::MAIN);
    }
    // An earlier interface of this name may have gone without DEL.
    remove_rules_of(pod, family, attachment)?;
    let rules = pod
        .add_rule_from(address, attachment.table)
        .and_then(|()| pod.add_rule_over(&attachment.interface, family, attachment.table));
    rules.map_err(|error| {
        let missing = matches!(
            error.errno(),
            Some(Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT)
        );
        let error = Error::from(error);
        if missing {
            error.with_details(
                "the pod has a default route already, and for a further interface it takes a kernel \
                 with policy routing (CONFIG_IP_MULTIPLE_TABLES, CONFIG_IPV6_MULTIPLE_TABLES)",
            )
        } else {
            error
        }
    })?;
    Ok(attachment.table)
}

fn has_default_route(pod: &mut Socket, family: Family) -> Result<bool> {
    let filter = RouteFilter {
        table: Some(table::MAIN),
        ..RouteFilter::default()
    };
    let default = family.default_destination();
    let routes = pod.routes(family, filter)?;
    Ok(routes
        .iter()
        .any(|route| route.destination == default && route.kind == RouteKind::Unicast))
}

/// Removes the rules of the pod's interface, which do not go with it.
pub(crate) fn remove_rules(pod: &mut Socket, attachment: &Attachment) -> Result<()> {
    remove_rules_of(pod, Family::V4, attachment)?;
    remove_rules_of(pod, Family::V6, attachment)
}

fn remove_rules_of(pod: &mut Socket, family: Family, attachment: &Attachment) -> Result<()> {
    match pod.delete_rules(family, attachment.table) {
        // A kernel without policy routing, or without IPv6, has none.
        Err(error) if matches!(error.errno(), Some(Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT)) => {
            Ok(())
        }
        other => Ok(other?),
    }
}
