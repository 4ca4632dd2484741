//! ADD: wires a pod, or leaves nothing behind.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, json};
use signpost_netlink::bridged::BRIDGE_MAC;
use signpost_netlink::{Netns, Scope, Socket, table};

use crate::attachment::Attachment;
use crate::config::Config;
use crate::datapath::{Assigned, Datapath};
use crate::error::{Error, ErrorCode, Result};
use crate::log::Log;
use crate::result::{CniResult, Interface, Ip, Route};
use crate::{carrier, host, panics, pod, ready, removal};

/// Serves ADD.
///
/// `asked` are addresses that somebody wants the pod to have.
pub(crate) fn add(
    attachment: &Attachment,
    config: &Config,
    asked: &[IpAddr],
    log: &Log,
) -> Result<CniResult> {
    if let Some(file) = &config.ready_file {
        ready::check(file, &config.subnets, ErrorCode::TryLater)?;
    }
    let netns = pod::open(attachment)?;
    let mut node = Socket::open()?;
    let mtu = host::mtu(&mut node, config)?;
    let datapath = Datapath::prepare(&mut node, config, mtu)?;
    let mut pair = Pair::create(&mut node, attachment, &netns, mtu, log)?;
    let name = &attachment.host_interface;
    let link = pair.node.link_by_name(name)?;
    let link = link.ok_or_else(|| Error::vanished(name))?;
    datapath.join(pair.node, &link)?;
    let assigned = host::connect(pair.node, attachment, config, datapath, &link, asked, log)?;
    let gateway_mac = datapath.gateway_mac(attachment);
    let routes = pod::connect(&netns, attachment, link.peer, &assigned, gateway_mac, log)?;
    let link = carrier::wait(pair.node, name, log)?.ok_or_else(|| Error::vanished(name))?;
    let shared = datapath.shared_interface();
    if let Some(name) = shared {
        carrier::wait(pair.node, name, log)?;
    }
    // The state shows before the kernel's notifiers have run, IPv6 among them. A change, even to what is so
    // already, waits for the lock under which they run, whichever interface they run for.
    pair.node.set_link_up(link.index)?;
    datapath.introduce(pair.node, &link, attachment.mac, &assigned)?;
    let result = CniResult {
        dns: config.dns.clone(),
        ..result(attachment, mtu, shared, &assigned, &routes)
    };
    let result = result.after(config.previous.clone());
    pair.is_wanted = true;
    panics::forget();
    Ok(result)
}

/// The pair of interfaces. Unless it is wanted in the end it goes, and with it its addresses and routes on
/// both sides, and the rules in the pod. Where this program panics, [`panics`] takes care of that.
struct Pair<'a> {
    node: &'a mut Socket,
    attachment: &'a Attachment,
    netns: &'a Netns,
    log: &'a Log,
    is_wanted: bool,
}

impl<'a> Pair<'a> {
    fn create(
        node: &'a mut Socket,
        attachment: &'a Attachment,
        netns: &'a Netns,
        mtu: u32,
        log: &'a Log,
    ) -> Result<Self> {
        let mut pair = Self {
            node,
            attachment,
            netns,
            log,
            is_wanted: false,
        };
        match host::create_pair(pair.node, attachment, netns, mtu) {
            Ok(()) => {
                panics::undo(attachment)?;
                Ok(pair)
            }
            Err(error) => {
                // What the kernel refused is not there, or is another call's. Where its answer was lost, the
                // pair may be there: one that nothing was claimed for is no other's.
                pair.is_wanted = error.is_kernel_s() || pair.has_claims();
                Err(host::refusal(error, attachment, netns))
            }
        }
    }

    fn has_claims(&mut self) -> bool {
        let link = self.node.link_by_name(&self.attachment.host_interface);
        !link.is_ok_and(|link| link.is_none_or(|link| link.alternative_names.is_empty()))
    }
}

impl Drop for Pair<'_> {
    fn drop(&mut self) {
        if self.is_wanted {
            return;
        }
        let name = &self.attachment.host_interface;
        let link = self.node.link_by_name(name).map_err(Error::from);
        let forgotten =
            link.and_then(|link| link.map_or(Ok(()), |link| removal::forget(self.node, &link)));
        if let Err(left) = forgotten {
            self.log
                .warn(&format!("what belongs to {name} is left behind: {left}"));
        }
        if let Err(left) = self.node.delete_link(name) {
            self.log.warn(&format!("{name} is left behind: {left}"));
        }
        let rules = Socket::open_in(self.netns)
            .map_err(Error::from)
            .and_then(|mut pod| pod::remove_rules(&mut pod, self.attachment));
        if let Err(left) = rules {
            self.log.warn(&format!("rules are left behind: {left}"));
        }
    }
}

fn result(
    attachment: &Attachment,
    mtu: u32,
    shared: Option<&str>,
    assigned: &[Assigned],
    routes: &[signpost_netlink::Route],
) -> CniResult {
    let shared = shared.map(|name| Interface {
        name: name.to_owned(),
        mac: BRIDGE_MAC.to_string(),
        ..Interface::default()
    });
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
    let interfaces: Vec<Interface> = shared.into_iter().chain([host, pod]).collect();
    let ips = assigned.iter().map(|it| Ip {
        version: None,
        interface: Some(interfaces.len() - 1),
        address: IpNet::from(it.address),
        gateway: Some(it.gateway),
        rest: Map::new(),
    });
    CniResult {
        ips: ips.collect(),
        routes: routes.iter().map(told).collect(),
        interfaces,
        ..CniResult::default()
    }
}

/// A route as the result tells it.
fn told(route: &signpost_netlink::Route) -> Route {
    let mut newer = Map::new();
    if route.scope == Scope::Link {
        // RT_SCOPE_LINK.
        newer.insert("scope".into(), json!(253));
    }
    if route.table != table::MAIN {
        newer.insert("table".into(), json!(route.table));
    }
    Route {
        dst: route.destination,
        gw: route.gateway,
        newer,
        rest: Map::new(),
    }
}
