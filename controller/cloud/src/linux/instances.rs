//! Where routes to nodes lead: to the nodes' own addresses.

use std::{collections::HashMap, net::IpAddr};

use signpost_core::{
    cloud::{CloudError, Instance, InstanceQuery, InstanceState, NextHop},
    node::NodeKey,
};

/// What nodes' addresses mean for routes.
pub(super) fn states(
    queries: &[InstanceQuery],
) -> Vec<(NodeKey, Result<InstanceState, CloudError>)> {
    let mut users: HashMap<IpAddr, Vec<&NodeKey>> = HashMap::new();
    for query in queries {
        for address in hops(query).into_iter().flatten() {
            users.entry(address).or_default().push(&query.node);
        }
    }
    let state = |query: &InstanceQuery| {
        let [v4, v6] = hops(query);
        for address in [v4, v6].into_iter().flatten() {
            let other = users.get(&address).into_iter().flatten();
            if let Some(other) = other.copied().find(|other| **other != query.node) {
                return unsupported(format!(
                    "node {other} has the same InternalIP {address}, so packets for both would \
                     go to one machine: delete the node that is no more, or give each its own \
                     with --node-ip"
                ));
            }
        }
        if v4.is_none() && v6.is_none() {
            return unsupported(
                "the node has no address of type InternalIP that routes could lead to: give the \
                 kubelet one with --node-ip"
                    .to_owned(),
            );
        }
        InstanceState::Found(Instance {
            id: query.node.name.clone(),
            next_hop_v4: v4.map(NextHop::Address),
            next_hop_v6: v6.map(NextHop::Address),
            forwarding: true,
        })
    };
    queries
        .iter()
        .map(|query| (query.node.clone(), Ok(state(query))))
        .collect()
}

fn unsupported(why: String) -> InstanceState {
    InstanceState::Unsupported(why.into())
}

/// The node's first address of each family that can be another machine's.
fn hops(query: &InstanceQuery) -> [Option<IpAddr>; 2] {
    let first = |wanted: fn(&IpAddr) -> bool| {
        let mut addresses = query.internal_ips.iter();
        addresses
            .find(|address| wanted(address) && is_a_machines(address))
            .copied()
    };
    [
        first(IpAddr::is_ipv4),
        // A link-local address means nothing without an interface.
        first(|address| matches!(address, IpAddr::V6(ip) if !ip.is_unicast_link_local())),
    ]
}

/// Whether it can be the address of another machine. The kernel takes a route by `127.0.0.1`.
fn is_a_machines(address: &IpAddr) -> bool {
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast())
}
