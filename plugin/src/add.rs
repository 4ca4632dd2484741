//! ADD: wires a pod, or leaves nothing behind.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Map;
use signpost_netlink::{Family, Socket};

use crate::attachment::Attachment;
use crate::config::Config;
use crate::error::Result;
use crate::log::Log;
use crate::result::{CniResult, Interface, Ip, Route};
use crate::{carrier, host, pod, ready};

/// Serves ADD.
pub(crate) fn add(attachment: &Attachment, config: &Config, log: &Log) -> Result<CniResult> {
    if let Some(file) = &config.ready_file {
        ready::check(file, &config.subnets)?;
    }
    let netns = pod::open(attachment)?;
    let mut node = Socket::open()?;
    let mtu = host::mtu(&mut node, config)?;
    host::create_pair(&mut node, attachment, &netns, mtu)?;
    let connected = host::connect(&mut node, attachment, config, log).and_then(|addresses| {
        pod::connect(&netns, attachment, &addresses, log)?;
        carrier::wait(&mut node, &attachment.host_interface, log)?;
        Ok(addresses)
    });
    match connected {
        Ok(addresses) => Ok(result(attachment, mtu, &addresses).after(config.previous.clone())),
        Err(error) => {
            // With the pair go its addresses and routes on both sides.
            if let Err(left) = node.delete_link(&attachment.host_interface) {
                log.warn(&format!(
                    "{} is left behind: {left}",
                    attachment.host_interface
                ));
            }
            Err(error)
        }
    }
}

fn result(attachment: &Attachment, mtu: u32, addresses: &[IpAddr]) -> CniResult {
    let host = Interface {
        name: attachment.host_interface.clone(),
        mac: attachment.host_mac.to_string(),
        mtu: Some(mtu),
        ..Interface::default()
    };
    let pod = Interface {
        name: attachment.interface.clone(),
        mac: attachment.mac.to_string(),
        mtu: Some(mtu),
        sandbox: attachment.netns.clone(),
        ..Interface::default()
    };
    let ips = addresses.iter().map(|address| Ip {
        version: None,
        interface: Some(1),
        address: IpNet::from(*address),
        gateway: Some(pod::gateway(Family::of(*address))),
        rest: Map::new(),
    });
    let routes = addresses.iter().map(|address| {
        let family = Family::of(*address);
        Route {
            dst: family.default_destination(),
            gw: Some(pod::gateway(family)),
            rest: Map::new(),
        }
    });
    CniResult {
        ips: ips.collect(),
        routes: routes.collect(),
        interfaces: vec![host, pod],
        ..CniResult::default()
    }
}
