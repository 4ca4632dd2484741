//! What an engine was told and what it has begun, kept beside it to judge what it does.

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;
use signpost_core::{
    Action, Config, Event, Node, NodeKey,
    cloud::{InstanceState, ObservedRoute, RouteChange, TableId, TableListing},
};

/// So many listings are remembered.
const KEPT: usize = 20;

/// What a listing said of one table.
#[derive(Debug, Clone)]
pub(crate) struct SeenTable {
    /// When that listing was begun.
    pub(crate) begun: u64,
    pub(crate) routes: Vec<ObservedRoute>,
}

/// What an engine was told, and what it has under way.
#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    pub(crate) config: Option<Config>,
    /// By name.
    pub(crate) nodes: BTreeMap<Arc<str>, Node>,
    /// Pod CIDRs by UID. They never change.
    cidrs: BTreeMap<Arc<str>, Vec<IpNet>>,
    /// By UID.
    pub(crate) instances: BTreeMap<Arc<str>, InstanceState>,
    /// The tables of the last listing, each as the last listings showed it, the latest last.
    pub(crate) tables: BTreeMap<TableId, Vec<SeenTable>>,
    /// The listing under way and when it was begun.
    pub(crate) listing: Option<(u64, u64)>,
    /// The route writes under way.
    pub(crate) route_writes: BTreeMap<u64, RouteChange>,
    /// When the last write of a route was begun, and when it ended.
    pub(crate) written: BTreeMap<(TableId, IpNet), (u64, u64)>,
    /// Since when the guard counts: the election, or a change of the configuration.
    pub(crate) guarded_since: u64,
    /// Destinations whose routes were deleted lately, and when.
    pub(crate) deleted: Vec<(u64, IpNet)>,
    /// Tables that the last listing said to be full for a family (IPv4 or not), and when a route
    /// was tried all the same.
    pub(crate) full: BTreeMap<(TableId, bool), Option<u64>>,
    /// The nodes whose pod CIDRs are being written.
    pub(crate) cidr_writes: BTreeMap<NodeKey, Vec<IpNet>>,
    /// The nodes whose condition is being written.
    pub(crate) status_writes: Vec<NodeKey>,
}

impl Knowledge {
    /// Nothing, at the beginning of a leadership.
    pub(crate) fn new(now: u64) -> Self {
        Self {
            guarded_since: now,
            ..Self::default()
        }
    }

    /// Takes note of what the engine is told.
    pub(crate) fn learn(&mut self, event: &Event, now: u64) {
        match event {
            Event::Configured(config) => {
                self.config.clone_from(config);
                self.deleted.clear();
                self.guarded_since = now;
            }
            Event::NodesListed(nodes) => {
                self.nodes.clear();
                // Who is absent is gone.
                let there = |uid: &Arc<str>| nodes.iter().any(|node| node.key.uid == *uid);
                self.cidrs.retain(|uid, _| there(uid));
                for node in nodes {
                    self.see(node.clone());
                }
            }
            Event::NodeSeen(node)
            | Event::NodeRead {
                node: Some(node), ..
            } => self.see(node.clone()),
            Event::NodeGone(key) | Event::NodeRead { key, node: None } => {
                if self.knows(key).is_some() {
                    self.nodes.remove(&key.name);
                }
            }
            Event::PodCidrsSet { node, result } => {
                let cidrs = self.cidr_writes.remove(node);
                if let (Ok(()), Some(cidrs)) = (result, cidrs) {
                    self.cidrs.insert(node.uid.clone(), cidrs.clone());
                    let known = self.nodes.get_mut(&node.name);
                    if let Some(known) = known.filter(|known| known.key == *node) {
                        known.pod_cidrs = cidrs;
                    }
                }
            }
            Event::NetworkStatusSet { node, .. } => {
                if let Some(index) = self.status_writes.iter().position(|key| key == node) {
                    self.status_writes.swap_remove(index);
                }
            }
            Event::InstancesRead {
                answers: instances, ..
            } => {
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
                        self.learn_usage(table);
                        let mut seen = before.remove(&table.table).unwrap_or_default();
                        if let Ok(routes) = &table.routes {
                            if seen.len() == KEPT {
                                seen.remove(0);
                            }
                            let routes = routes.clone();
                            seen.push(SeenTable { begun, routes });
                        }
                        self.tables.insert(table.table.clone(), seen);
                    }
                }
            }
            Event::RouteWritten { write, result } => {
                if let Some(change) = self.route_writes.remove(write) {
                    // There may be room now, or the limit may be none.
                    if result.is_ok() {
                        let v4 = matches!(change.destination(), IpNet::V4(_));
                        self.full.remove(&(change.table().clone(), v4));
                    }
                    let place = (change.table().clone(), change.destination());
                    if let Some((_, ended)) = self.written.get_mut(&place) {
                        *ended = now;
                    }
                }
            }
            Event::ForwardingEnabled { .. } | Event::RoutesMayHaveChanged | Event::Wake => {}
        }
    }

    fn learn_usage(&mut self, table: &TableListing) {
        for (v4, usage) in [(true, table.usage.v4), (false, table.usage.v6)] {
            let place = (table.table.clone(), v4);
            let full = usage.is_some_and(|it| it.limit.is_some_and(|limit| it.used >= limit));
            if full && table.routes.is_ok() {
                self.full.entry(place).or_default();
            } else {
                self.full.remove(&place);
            }
        }
    }

    fn see(&mut self, mut node: Node) {
        // What was read before the pod CIDRs were set does not take them away.
        if !node.pod_cidrs.is_empty() {
            self.cidrs
                .insert(node.key.uid.clone(), node.pod_cidrs.clone());
        } else if let Some(cidrs) = self.cidrs.get(&node.key.uid) {
            node.pod_cidrs.clone_from(cidrs);
        }
        self.nodes.insert(node.key.name.clone(), node);
    }

    /// Takes note of what the engine begins.
    pub(crate) fn began(&mut self, action: &Action, now: u64) {
        match action {
            Action::SetPodCidrs { node, cidrs } => {
                self.cidr_writes.insert(node.clone(), cidrs.clone());
            }
            Action::SetNetworkStatus { node, .. } => self.status_writes.push(node.clone()),
            Action::ListRoutes { listing, .. } => self.listing = Some((*listing, now)),
            Action::WriteRoute { write, change } => {
                let place = (change.table().clone(), change.destination());
                self.written.insert(place, (now, now));
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
