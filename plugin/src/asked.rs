//! Claiming the very address that somebody asks for.

use std::net::IpAddr;

use signpost_netlink::{RouteKind, Socket};

use crate::address::{Claimant, try_claim};
use crate::error::{Error, ErrorCode, Result};

/// Claims `address` for the pod and leads packets to it, or tells who has it.
pub(crate) fn claim(host: &mut Socket, address: IpAddr, pod: Claimant<'_>) -> Result<IpAddr> {
    if try_claim(host, address, pod)? {
        return Ok(address);
    }
    let holder = if pod.reserved.contains(&address) {
        "host-local keeps it for a pod of an earlier network".to_owned()
    } else {
        holder(host, address)?
    };
    let message = format!("address {address} is asked for, but taken: {holder}");
    Err(Error::new(ErrorCode::AddressTaken, message)
        .with_details("ask for another one, or remove who has it"))
}

fn holder(host: &mut Socket, address: IpAddr) -> Result<String> {
    let name = address.to_string();
    let links = host.links()?;
    if let Some(link) = links
        .iter()
        .find(|link| link.alternative_names.contains(&name))
    {
        let whose = link.alias.as_deref().unwrap_or("which has no alias");
        return Ok(format!("interface {} ({whose}) has it", link.name));
    }
    let route = host.route_to(address)?;
    let name_of = |index| links.iter().find(|link| Some(link.index) == index);
    Ok(match route {
        Some(route) if route.kind != RouteKind::Unicast => "it is the node's own".to_owned(),
        Some(route) => {
            let interface = name_of(route.interface).map_or("", |link| &link.name);
            format!("the node sends to it over interface {interface}")
        }
        None => "a route drops what is sent to it".to_owned(),
    })
}
