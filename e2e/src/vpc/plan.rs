//! What the router's kernel has to do so that packets go as in the VPC.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use signpost_ec2::{InterfaceState, RouteState, Snapshot, TargetState};

use crate::addresses::{EXTERNAL_V4, EXTERNAL_V6, Link};
use crate::topology::EXTERNAL_DEVICE;

/// Where kernel tables begin that stand for route tables.
const FIRST_TABLE: u32 = 1000;

/// The kernel's devices that are up, and their indexes: a device that went and came has another.
pub(super) type Devices = BTreeMap<String, u32>;

/// Kernel tables of route tables, in the order in which these were first seen.
#[derive(Debug, Default)]
pub(super) struct Numbers(BTreeMap<String, u32>);

impl Numbers {
    pub(super) fn of(&mut self, table: &str) -> u32 {
        let next = FIRST_TABLE + u32::try_from(self.0.len()).unwrap_or_default();
        *self.0.entry(table.to_owned()).or_insert(next)
    }
}

/// Where a packet goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nowhere, and nobody is told.
    Drop,
    /// Out of a device.
    Out {
        device: String,
        index: u32,
        /// The neighbour that gets it; without one, whoever has the destination's address.
        via: Option<IpAddr>,
    },
}

/// The whole state of the kernel that follows from the VPC's.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Routes of kernel tables.
    pub(super) routes: BTreeMap<(u32, IpNet), Way>,
    /// The kernel table that decides about what comes in by a device.
    pub(super) rules: BTreeMap<String, u32>,
    /// Addresses of the interface behind a device.
    pub(super) own: BTreeSet<(String, IpAddr)>,
    /// Devices whose interface may send from and receive for other addresses than its own.
    pub(super) unchecked: BTreeSet<String>,
}

impl Plan {
    pub(super) fn of(state: &Snapshot, devices: &Devices, numbers: &mut Numbers) -> Self {
        let ports = ports(state, devices);
        let mut plan = Self::default();
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
}

/// An interface of an instance that runs, and the device behind which its machine is.
struct Port<'a> {
    interface: &'a InterfaceState,
    device: &'a str,
    index: u32,
}

impl Port<'_> {
    fn out(&self, via: Option<IpAddr>) -> Way {
        Way::Out {
            device: self.device.to_owned(),
            index: self.index,
            via,
        }
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
        let link = interface
            .addresses
            .iter()
            .find_map(|address| match address {
                IpAddr::V4(address) => Link::of_node(*address),
                IpAddr::V6(_) => None,
            });
        let (device, index) = devices.get_key_value(&link?.router_device())?;
        Some(Port {
            interface,
            device,
            index: *index,
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
        TargetState::Gateway(_) => match devices.get(EXTERNAL_DEVICE) {
            Some(index) => Way::Out {
                device: EXTERNAL_DEVICE.to_owned(),
                index: *index,
                via: Some(if v4 {
                    EXTERNAL_V4.into()
                } else {
                    EXTERNAL_V6.into()
                }),
            },
            None => Way::Drop,
        },
        // Whoever has an address gets a route of its own; nobody has the others.
        TargetState::Local | TargetState::Peering(_) | TargetState::Other(_) => Way::Drop,
    }
}
