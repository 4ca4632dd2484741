//! What a state of a VPC means for packets.

use std::net::IpAddr;

use signpost_ec2::{Emulator, InterfaceState, RouteState, Snapshot, TargetState};

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

fn of(state: &Snapshot, devices: &Devices, numbers: &mut Numbers) -> Plan {
    let ports = ports(state, devices);
    let mut plan = Plan::default();
    for port in &ports {
        let device = || port.device.to_owned();
        let subnet = state
            .subnets
            .iter()
            .find(|subnet| subnet.id == port.interface.subnet);
        if let Some(table) = subnet.and_then(|subnet| subnet.route_table.as_ref()) {
            plan.rules.insert(device(), numbers.of(table));
        }
        let addresses = port.interface.addresses.iter();
        plan.own
            .extend(addresses.map(|address| (device(), *address)));
        if !port.interface.source_dest_check {
            plan.unchecked.insert(device());
        }
    }
    for table in &state.route_tables {
        let number = numbers.of(&table.id);
        for route in &table.routes {
            let way = way(route, &ports, devices);
            plan.routes.insert((number, route.destination), way);
        }
    }
    // After the routes of tables, so that an address that somebody has wins over a range of the
    // VPC in which nobody else answers.
    for table in &state.route_tables {
        let number = numbers.of(&table.id);
        let within = |address: IpAddr| {
            let local = |route: &&RouteState| route.target == TargetState::Local;
            let mut local = table.routes.iter().filter(local);
            local.any(|route| route.destination.contains(&address))
        };
        for port in ports.iter().filter(|port| port.interface.vpc == table.vpc) {
            for address in port.interface.addresses.iter().copied() {
                if within(address) {
                    let way = port.out(None);
                    plan.routes.insert((number, address.into()), way);
                }
            }
        }
    }
    plan
}

/// An interface of an instance that runs, and the device behind which its machine is.
struct Port<'a> {
    interface: &'a InterfaceState,
    device: &'a str,
    index: u32,
}

impl Port<'_> {
    fn out(&self, via: Option<IpAddr>) -> Way {
        Way::Out(Exit {
            device: self.device.to_owned(),
            index: self.index,
            via,
        })
    }
}

fn ports<'a>(state: &'a Snapshot, devices: &'a Devices) -> Vec<Port<'a>> {
    let runs = |interface: &&InterfaceState| {
        let instance = state
            .instances
            .iter()
            .find(|instance| Some(&instance.id) == interface.instance.as_ref());
        instance.is_some_and(|instance| matches!(&*instance.state, "pending" | "running"))
    };
    let port = |interface: &'a InterfaceState| {
        let (device, index) = device_of(interface.addresses.iter().copied(), devices)?;
        Some(Port {
            interface,
            device,
            index,
        })
    };
    state
        .interfaces
        .iter()
        .filter(runs)
        .filter_map(port)
        .collect()
}

fn way(route: &RouteState, ports: &[Port<'_>], devices: &Devices) -> Way {
    let v4 = route.destination.addr().is_ipv4();
    match &route.target {
        _ if !route.active => Way::Drop,
        TargetState::Interface(id) => {
            let port = ports.iter().find(|port| port.interface.id == *id);
            let neighbour = port.and_then(|port| {
                let addresses = port.interface.addresses.iter();
                let neighbour = addresses.copied().find(|address| address.is_ipv4() == v4);
                Some((port, neighbour?))
            });
            neighbour.map_or(Way::Drop, |(port, neighbour)| port.out(Some(neighbour)))
        }
        TargetState::Gateway(_) => outside(v4, devices),
        // Whoever has an address gets a route of its own; nobody has the others.
        TargetState::Local | TargetState::Peering(_) | TargetState::Other(_) => Way::Drop,
    }
}
