//! What an engine was told and what it has begun, kept beside it to judge what it does.

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;
use signpost_core::{
    Action, Config, Event, Node, NodeKey,
    cloud::{InstanceState, ObservedRoute, RouteChange, TableId},
};

/// What a listing said of one table.
#[derive(Debug, Clone)]
pub(crate) struct SeenTable {
    /// When that listing was begun.
    pub(crate) begun: u64,
    pub(crate) routes: Vec<ObservedRoute>,
}

/// What an engine was told since it was elected, and what it has under way.
#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    pub(crate) config: Option<Config>,
    /// By name.
    pub(crate) nodes: BTreeMap<Arc<str>, Node>,
    /// By UID.
    pub(crate) instances: BTreeMap<Arc<str>, InstanceState>,
    /// The tables of the last listing, each as it was last read.
    pub(crate) tables: BTreeMap<TableId, Option<SeenTable>>,
    /// The listing under way and when it was begun.
    pub(crate) listing: Option<(u64, u64)>,
    /// The route writes under way.
    pub(crate) route_writes: BTreeMap<u64, RouteChange>,
    /// When a route was last written.
    pub(crate) written: BTreeMap<(TableId, IpNet), u64>,
    /// The nodes whose pod CIDRs are being written.
    pub(crate) cidr_writes: BTreeMap<NodeKey, Vec<IpNet>>,
    /// The nodes whose condition is being written.
    pub(crate) status_writes: Vec<NodeKey>,
}

impl Knowledge {
    /// Takes note of what the engine is told.
    pub(crate) fn learn(&mut self, event: &Event) {
        match event {
            Event::Configured(config) => self.config.clone_from(config),
            Event::Elected => {
                self.nodes.clear();
                self.tables.clear();
            }
            Event::NodesListed(nodes) => {
                self.nodes = nodes
                    .iter()
                    .map(|node| (node.key.name.clone(), node.clone()))
                    .collect();
            }
            Event::NodeSeen(node) => {
                self.nodes.insert(node.key.name.clone(), node.clone());
            }
            Event::NodeGone(key) => {
                if self.knows(key).is_some() {
                    self.nodes.remove(&key.name);
                }
            }
            Event::PodCidrsSet { node, result } => {
                let cidrs = self.cidr_writes.remove(node);
                if let (Ok(()), Some(cidrs), Some(known)) =
                    (result, cidrs, self.nodes.get_mut(&node.name))
                    && known.key == *node
                {
                    known.pod_cidrs = cidrs;
                }
            }
            Event::NetworkStatusSet { node, .. } => {
                if let Some(index) = self.status_writes.iter().position(|key| key == node) {
                    self.status_writes.swap_remove(index);
                }
            }
            Event::InstancesRead(instances) => {
                for (key, state) in instances {
                    if let Ok(state) = state {
                        self.instances.insert(key.uid.clone(), state.clone());
                    }
                }
            }
            Event::RoutesListed { listing, result } => {
                let begun = self.listing.take_if(|(under_way, _)| under_way == listing);
                if let (Some((_, begun)), Ok(tables)) = (begun, result) {
                    let mut before = std::mem::take(&mut self.tables);
                    for table in tables {
                        let seen = match &table.routes {
                            Ok(routes) => Some(SeenTable {
                                begun,
                                routes: routes.clone(),
                            }),
                            Err(_) => before.remove(&table.table).flatten(),
                        };
                        self.tables.insert(table.table.clone(), seen);
                    }
                }
            }
            Event::RouteWritten { write, .. } => {
                self.route_writes.remove(write);
            }
            Event::Deposed
            | Event::ForwardingEnabled { .. }
            | Event::RoutesMayHaveChanged
            | Event::Wake => {}
        }
    }

    /// Takes note of what the engine begins.
    pub(crate) fn began(&mut self, action: &Action, now: u64) {
        match action {
            Action::SetPodCidrs { node, cidrs } => {
                self.cidr_writes.insert(node.clone(), cidrs.clone());
            }
            Action::SetNetworkStatus { node, .. } => self.status_writes.push(node.clone()),
            Action::ListRoutes { listing } => self.listing = Some((*listing, now)),
            Action::WriteRoute { write, change } => {
                self.written
                    .insert((change.table().clone(), change.destination()), now);
                self.route_writes.insert(*write, change.clone());
            }
            _ => {}
        }
    }

    /// The node, if the engine was told that it lives.
    pub(crate) fn knows(&self, key: &NodeKey) -> Option<&Node> {
        self.nodes.get(&key.name).filter(|node| node.key == *key)
    }
}
