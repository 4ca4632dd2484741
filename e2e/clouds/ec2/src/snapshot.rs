//! The state as the data plane uses it now: without propagation delays, for those who move packets.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::{Target, View, World};

/// Everything that decides where packets go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Grows with every change.
    pub version: u64,
    /// Virtual networks.
    pub vpcs: Vec<VpcState>,
    /// Subnets.
    pub subnets: Vec<SubnetState>,
    /// Route tables.
    pub route_tables: Vec<TableState>,
    /// Instances, terminated ones too for a while.
    pub instances: Vec<InstanceView>,
    /// Network interfaces.
    pub interfaces: Vec<InterfaceState>,
}

/// A virtual network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcState {
    /// Its identifier.
    pub id: String,
    /// Its ranges of both families; the first is the primary one.
    pub cidrs: Vec<IpNet>,
    /// The table of subnets that have none of their own.
    pub main_route_table: Option<String>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubnetState {
    /// Its identifier.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its ranges, one of IPv4 and perhaps one of IPv6.
    pub cidrs: Vec<IpNet>,
    /// Its availability zone.
    pub zone: String,
    /// The table that decides for packets from here: its own or the main one.
    pub route_table: Option<String>,
}

/// A route table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableState {
    /// Its identifier.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Whether it is its VPC's main table.
    pub main: bool,
    /// The subnets that were explicitly associated.
    pub subnets: Vec<String>,
    /// Its routes, ordered by destination.
    pub routes: Vec<RouteState>,
    /// Its tags.
    pub tags: std::collections::BTreeMap<String, String>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteState {
    /// Where packets want to go.
    pub destination: IpNet,
    /// Where they are sent instead.
    pub target: TargetState,
    /// Whether they arrive there; otherwise they are dropped.
    pub active: bool,
    /// Whether the route came with the table.
    pub implicit: bool,
}

/// The target of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "camelCase")]
pub enum TargetState {
    /// Whoever has the address in the VPC.
    Local,
    /// A network interface.
    Interface(String),
    /// An internet gateway.
    Gateway(String),
    /// A peering.
    Peering(String),
    /// Something of another kind.
    Other(String),
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceView {
    /// Its identifier.
    pub id: String,
    /// `pending`, `running`, `stopping`, `stopped`, `shutting-down` or `terminated`.
    pub state: String,
    /// Its availability zone.
    pub zone: String,
    /// Its interfaces; the first is the primary one.
    pub interfaces: Vec<String>,
    /// Its tags.
    pub tags: std::collections::BTreeMap<String, String>,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceState {
    /// Its identifier.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its subnet.
    pub subnet: String,
    /// Its hardware address.
    pub mac: String,
    /// Its addresses of both families; the first is the primary one.
    pub addresses: Vec<IpAddr>,
    /// The instance that it is attached to.
    pub instance: Option<String>,
    /// Its index there.
    pub device_index: Option<u32>,
    /// Whether packets are dropped that are neither from nor for its own addresses.
    pub source_dest_check: bool,
}

impl Snapshot {
    pub(crate) fn of(world: &World) -> Self {
        let tags = |id: &str| world.tags_of(View::Truth, id).into_iter().collect();
        let main = |vpc: &str| {
            world
                .main_association(vpc)
                .map(|(_, main)| main.table.clone())
        };
        let associated = |subnet: &str| {
            let mut all = world.associations.iter();
            all.find(|(_, association)| association.subnet.as_deref() == Some(subnet))
                .map(|(_, association)| association.table.clone())
        };
        let subnets = world.subnets.iter().map(|(id, subnet)| SubnetState {
            id: id.clone(),
            vpc: subnet.vpc.clone(),
            cidrs: std::iter::once(IpNet::V4(subnet.cidr))
                .chain(subnet.ipv6.iter().map(|block| block.net))
                .collect(),
            zone: subnet.zone.clone(),
            route_table: associated(id).or_else(|| main(&subnet.vpc)),
        });
        let instances = world.instances.iter().map(|(id, instance)| InstanceView {
            id: id.clone(),
            state: instance.state.name().to_owned(),
            zone: instance.zone.clone(),
            interfaces: instance.interfaces.clone(),
            tags: tags(id),
        });
        let interfaces = world
            .interfaces
            .iter()
            .map(|(id, interface)| InterfaceState {
                id: id.clone(),
                vpc: interface.vpc.clone(),
                subnet: interface.subnet.clone(),
                mac: interface.mac.clone(),
                addresses: (interface
                    .addresses
                    .iter()
                    .map(|address| IpAddr::V4(*address)))
                .chain(interface.ipv6.iter().map(|address| IpAddr::V6(*address)))
                .collect(),
                instance: interface.attachment.as_ref().map(|of| of.instance.clone()),
                device_index: interface.attachment.as_ref().map(|of| of.device_index),
                source_dest_check: interface.source_dest_check,
            });
        let vpcs = world.vpcs.iter().map(|(id, vpc)| VpcState {
            id: id.clone(),
            cidrs: vpc.blocks.iter().map(|block| block.net).collect(),
            main_route_table: main(id),
        });
        Self {
            version: world.version(),
            vpcs: vpcs.collect(),
            subnets: subnets.collect(),
            route_tables: tables(world, tags),
            instances: instances.collect(),
            interfaces: interfaces.collect(),
        }
    }
}

fn tables(
    world: &World,
    tags: impl Fn(&str) -> std::collections::BTreeMap<String, String>,
) -> Vec<TableState> {
    let tables = world.tables.iter().map(|(id, table)| {
        let associations: Vec<_> = world
            .associations
            .iter()
            .map(|(_, of)| of)
            .filter(|of| of.table == *id)
            .collect();
        let propagated = world.propagated_of(View::Truth, id);
        // Of two routes for one destination the one that was created wins.
        let propagated = propagated.filter(|(to, _)| {
            let key = (id.clone(), **to);
            world.routes.get(&key).is_none()
        });
        let propagated = propagated.map(|(to, gateway)| RouteState {
            destination: *to,
            target: TargetState::Gateway(gateway.clone()),
            active: true,
            implicit: false,
        });
        let routes = world
            .routes_of(View::Truth, id)
            .map(|(to, route)| RouteState {
                destination: *to,
                target: match &route.target {
                    Target::Local => TargetState::Local,
                    Target::Interface(id) => TargetState::Interface(id.clone()),
                    Target::Gateway(id) => TargetState::Gateway(id.clone()),
                    Target::Peering(id) => TargetState::Peering(id.clone()),
                    Target::Other { id, .. } => TargetState::Other(id.clone()),
                },
                active: world.is_active(View::Truth, &table.vpc, &route.target),
                implicit: route.implicit,
            });
        TableState {
            id: id.clone(),
            vpc: table.vpc.clone(),
            main: associations.iter().any(|association| association.is_main()),
            subnets: associations
                .iter()
                .filter_map(|of| of.subnet.clone())
                .collect(),
            routes: routes.chain(propagated).collect(),
            tags: tags(id),
        }
    });
    tables.collect()
}
