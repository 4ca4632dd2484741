//! The state as the data plane uses it now: without delays of readers, for those who move packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signpost_emulator::View;

use crate::model::World;
use crate::{links, warnings};

/// Everything that decides where packets go. Networks, subnetworks and instances are named by their
/// paths, such as `projects/P/global/networks/N`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Grows with every change.
    pub version: u64,
    /// VPC networks.
    pub networks: Vec<NetworkState>,
    /// Subnetworks.
    pub subnetworks: Vec<SubnetworkState>,
    /// Routes, also those that come with subnetworks.
    pub routes: Vec<RouteState>,
    /// Instances.
    pub instances: Vec<InstanceState>,
}

/// A VPC network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkState {
    /// Its path.
    pub path: String,
    /// Its project's id.
    pub project: String,
    /// Its name.
    pub name: String,
    /// Its number.
    pub id: String,
}

/// A subnetwork.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubnetworkState {
    /// Its path.
    pub path: String,
    /// Its network's path.
    pub network: String,
    /// Its region.
    pub region: String,
    /// Its primary range.
    pub range: IpNet,
    /// Its secondary ranges, by their names.
    pub secondary: Vec<(String, IpNet)>,
    /// Its range of IPv6.
    pub ipv6: Option<IpNet>,
}

/// A route. Of several for one destination that of the lowest priority counts; those of the same
/// priority share the packets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteState {
    /// Its project's id.
    pub project: String,
    /// Its name.
    pub name: String,
    /// Its number.
    pub id: String,
    /// Its description.
    pub description: String,
    /// Its network's path.
    pub network: String,
    /// Where packets want to go.
    pub destination: IpNet,
    /// The lowest one wins.
    pub priority: u32,
    /// Where they are sent.
    pub next_hop: NextHop,
    /// The path of the instance that they come to, if there is one.
    pub instance: Option<String>,
    /// Only packets from instances with one of these tags follow it; all do if empty.
    pub tags: Vec<String>,
    /// Whether packets get through: to an instance that runs, forwards and is on the network.
    pub usable: bool,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NextHop {
    /// The path of an instance, whether it exists or not.
    Instance(String),
    /// An address in the network.
    Address(IpAddr),
    /// The internet.
    Gateway,
    /// The network itself: a subnetwork's own route.
    Network,
    /// Something of which there is nothing else here.
    Other(String),
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceState {
    /// Its path.
    pub path: String,
    /// Its project's id.
    pub project: String,
    /// Its zone.
    pub zone: String,
    /// Its name.
    pub name: String,
    /// Its number.
    pub id: String,
    /// `RUNNING`, `TERMINATED` and so on.
    pub status: String,
    /// Whether packets that are neither from nor for it pass.
    pub can_ip_forward: bool,
    /// Its network tags.
    pub tags: Vec<String>,
    /// Its network interfaces; the first is the primary one.
    pub interfaces: Vec<InterfaceState>,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceState {
    /// Its name, such as `nic0`.
    pub name: String,
    /// Its network's path.
    pub network: String,
    /// Its subnetwork's path.
    pub subnetwork: String,
    /// Its address.
    pub address: Option<Ipv4Addr>,
    /// Its address of IPv6.
    pub ipv6: Option<Ipv6Addr>,
    /// Its further ranges.
    pub aliases: Vec<IpNet>,
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

fn parsed<T: std::str::FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(|of| of.as_str().map(str::to_owned))
        .collect()
}

impl Snapshot {
    pub(crate) fn of(world: &World) -> Self {
        let networks = world.every(View::Truth, "networks");
        let networks = networks.map(|(path, value)| NetworkState {
            path: path.clone(),
            project: links::project(path).to_owned(),
            name: text(value, "name"),
            id: text(value, "id"),
        });
        let subnetworks = world.every(View::Truth, "subnetworks");
        let routes = world.every(View::Truth, "routes");
        let instances = world.every(View::Truth, "instances");
        Self {
            version: world.version(),
            networks: networks.collect(),
            subnetworks: subnetworks
                .filter_map(|(path, value)| subnetwork(path, value))
                .collect(),
            routes: routes
                .filter_map(|(path, value)| route(world, path, value))
                .collect(),
            instances: instances
                .map(|(path, value)| instance(path, value))
                .collect(),
        }
    }

    /// The routes that somebody made, without those that come with networks and subnetworks, whose names
    /// begin with `default-route-`.
    pub fn static_routes(&self) -> impl Iterator<Item = &RouteState> {
        self.routes
            .iter()
            .filter(|route| !route.name.starts_with("default-route-"))
    }
}

fn subnetwork(path: &str, value: &Value) -> Option<SubnetworkState> {
    let secondary = value["secondaryIpRanges"].as_array().into_iter().flatten();
    let secondary = secondary
        .filter_map(|range| Some((text(range, "rangeName"), parsed(&range["ipCidrRange"])?)));
    Some(SubnetworkState {
        path: path.to_owned(),
        network: text(value, "network"),
        region: links::name(&text(value, "region")).to_owned(),
        range: parsed(&value["ipCidrRange"])?,
        secondary: secondary.collect(),
        ipv6: parsed(&value["ipv6CidrRange"]),
    })
}

fn route(world: &World, path: &str, value: &Value) -> Option<RouteState> {
    let network = text(value, "network");
    let next_hop = if let Some(instance) = value["nextHopInstance"].as_str() {
        NextHop::Instance(instance.to_owned())
    } else if let Some(address) = parsed(&value["nextHopIp"]) {
        NextHop::Address(address)
    } else if !value["nextHopGateway"].is_null() {
        NextHop::Gateway
    } else if !value["nextHopNetwork"].is_null() {
        NextHop::Network
    } else {
        NextHop::Other(text(value, "nextHopIlb") + &text(value, "nextHopVpnTunnel"))
    };
    let instance = match &next_hop {
        NextHop::Instance(instance) => world.get(instance).map(|_| instance.clone()),
        NextHop::Address(address) => {
            let holder = warnings::holder(world, View::Truth, &network, &address.to_string());
            holder.map(|(path, _)| path.clone())
        }
        _ => None,
    };
    Some(RouteState {
        project: links::project(path).to_owned(),
        name: text(value, "name"),
        id: text(value, "id"),
        description: text(value, "description"),
        network,
        destination: parsed(&value["destRange"])?,
        priority: value["priority"]
            .as_u64()
            .and_then(|priority| u32::try_from(priority).ok())
            .unwrap_or_default(),
        usable: warnings::of(world, View::Truth, value).is_empty(),
        next_hop,
        instance,
        tags: texts(&value["tags"]),
    })
}

fn instance(path: &str, value: &Value) -> InstanceState {
    let interfaces = value["networkInterfaces"].as_array().into_iter().flatten();
    let interfaces = interfaces.map(|interface| {
        let aliases = interface["aliasIpRanges"].as_array().into_iter().flatten();
        InterfaceState {
            name: text(interface, "name"),
            network: text(interface, "network"),
            subnetwork: text(interface, "subnetwork"),
            address: parsed(&interface["networkIP"]),
            ipv6: parsed(&interface["ipv6Address"]),
            aliases: aliases
                .filter_map(|of| parsed(&of["ipCidrRange"]))
                .collect(),
        }
    });
    InstanceState {
        path: path.to_owned(),
        project: links::project(path).to_owned(),
        zone: links::name(&text(value, "zone")).to_owned(),
        name: text(value, "name"),
        id: text(value, "id"),
        status: text(value, "status"),
        can_ip_forward: value["canIpForward"] == true,
        tags: texts(&value["tags"]["items"]),
        interfaces: interfaces.collect(),
    }
}
