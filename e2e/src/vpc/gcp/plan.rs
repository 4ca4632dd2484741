//! What a state of the network means for packets.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use signpost_gce::{Emulator, InstanceState, NextHop, RouteState, Snapshot};

use super::scene::NETWORK;
use crate::vpc::fabric::Emulated;
use crate::vpc::plan::{Devices, Exit, Numbers, Plan, Way, device_of, outside};

impl Emulated for Emulator {
    fn plan(&self, devices: &Devices, numbers: &mut Numbers) -> (u64, Plan) {
        let state = self.snapshot();
        (state.version, of(&state, devices, numbers))
    }

    async fn changed(&self, since: u64) {
        Self::changed(self, since).await;
    }
}

/// An instance that runs, and the device behind which its machine is.
struct Port<'a> {
    instance: &'a InstanceState,
    addresses: Vec<IpAddr>,
    device: &'a str,
    index: u32,
}

impl Port<'_> {
    fn exit(&self, via: Option<IpAddr>) -> Exit {
        Exit {
            device: self.device.to_owned(),
            index: self.index,
            via,
        }
    }
}

fn ports<'a>(state: &'a Snapshot, devices: &'a Devices) -> Vec<Port<'a>> {
    let runs = |instance: &&InstanceState| matches!(&*instance.status, "STAGING" | "RUNNING");
    let port = |instance: &'a InstanceState| {
        let mut interfaces = instance.interfaces.iter();
        let interface = interfaces.find(|interface| interface.network == NETWORK)?;
        let v4 = interface.address.map(IpAddr::V4);
        let addresses: Vec<IpAddr> = v4
            .into_iter()
            .chain(interface.ipv6.map(IpAddr::V6))
            .collect();
        let (device, index) = device_of(addresses.iter().copied(), devices)?;
        Some(Port {
            instance,
            addresses,
            device,
            index,
        })
    };
    state
        .instances
        .iter()
        .filter(runs)
        .filter_map(port)
        .collect()
}

fn of(state: &Snapshot, devices: &Devices, numbers: &mut Numbers) -> Plan {
    let ports = ports(state, devices);
    let mut plan = Plan::default();
    for port in &ports {
        let device = || port.device.to_owned();
        // Which routes hold depends on the tags of the instance that sends.
        let table = numbers.of(&port.instance.path);
        plan.rules.insert(device(), table);
        plan.own
            .extend(port.addresses.iter().map(|address| (device(), *address)));
        if port.instance.can_ip_forward {
            plan.unchecked.insert(device());
        }
        for (to, routes) in best(state, port.instance) {
            plan.routes
                .insert((table, to), way(&routes, &ports, devices));
        }
        // An address that somebody has wins over the range of its subnet.
        for other in &ports {
            for address in &other.addresses {
                let way = Way::Out(other.exit(None));
                plan.routes.insert((table, (*address).into()), way);
            }
        }
    }
    plan
}

/// The routes that decide for packets from an instance, by destination: of those that hold for it the ones
/// with the lowest priority.
fn best<'a>(state: &'a Snapshot, from: &InstanceState) -> BTreeMap<IpNet, Vec<&'a RouteState>> {
    let mut best = BTreeMap::<IpNet, Vec<&RouteState>>::new();
    for route in state.routes.iter().filter(|route| route.network == NETWORK) {
        let mut tags = route.tags.iter();
        if !route.tags.is_empty() && !tags.any(|tag| from.tags.contains(tag)) {
            continue;
        }
        let routes = best.entry(route.destination).or_default();
        match routes.first() {
            Some(first) if first.priority < route.priority => {}
            Some(first) if first.priority == route.priority => routes.push(route),
            _ => *routes = vec![route],
        }
    }
    best
}

fn way(routes: &[&RouteState], ports: &[Port<'_>], devices: &Devices) -> Way {
    let v4 = routes
        .first()
        .is_none_or(|route| route.destination.addr().is_ipv4());
    if routes
        .iter()
        .any(|route| route.next_hop == NextHop::Gateway)
    {
        return outside(v4, devices);
    }
    // That an instance may not forward, its own device knows.
    let mut exits: Vec<Exit> = routes
        .iter()
        .filter_map(|route| {
            let instance = route.instance.as_ref()?;
            let port = ports.iter().find(|port| port.instance.path == *instance)?;
            let mut addresses = port.addresses.iter().copied();
            Some(port.exit(Some(addresses.find(|address| address.is_ipv4() == v4)?)))
        })
        .collect();
    match exits.len() {
        0 => Way::Drop,
        1 => Way::Out(exits.remove(0)),
        _ => Way::Spread(exits),
    }
}
