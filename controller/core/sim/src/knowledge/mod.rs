//! What an engine was told and what it has begun, kept beside it to judge what it does.

mod claims;
mod instances;
mod tables;
mod told;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ipnet::IpNet;
use signpost_core::{
    Action, Config, Event, Node, NodeKey, PoolConfig,
    cloud::{
        CloudError, CloudErrorKind, InstanceState, ObservedRoute, Range, RouteChange, TableId,
    },
};

pub(crate) use self::tables::{GIVEN_UP, SeenTable};
use self::{claims::Claims, instances::KnownInstances, told::Said};

/// What an engine was told, and what it has under way.
#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    pub(crate) config: Option<Config>,
    /// By name.
    pub(crate) nodes: BTreeMap<Arc<str>, Node>,
    /// Pod CIDRs by UID. They never change.
    cidrs: BTreeMap<Arc<str>, Vec<IpNet>>,
    pub(crate) instances: KnownInstances,
    pub(crate) tables: tables::KnownTables,
    /// The route writes under way.
    pub(crate) route_writes: BTreeMap<u64, RouteChange>,
    /// When the last write of a route was begun that may have happened, and when it ended.
    pub(crate) written: BTreeMap<(TableId, IpNet), (u64, u64)>,
    /// When the last write of a route was begun that did not happen, and when that was known.
    pub(crate) in_vain: BTreeMap<(TableId, IpNet), (u64, u64)>,
    /// When the answer to the last write of a route came, whatever it was.
    answered: BTreeMap<(TableId, IpNet), u64>,
    /// The same as `written` before each write under way.
    before: BTreeMap<u64, Option<(u64, u64)>>,
    /// When the leadership began.
    pub(crate) since: u64,
    /// Since when the guard counts: the election, or a change of the configuration.
    pub(crate) guarded_since: u64,
    /// Every pool that was ever configured in this leadership, with its name.
    pub(crate) ever: Vec<(Range, Arc<str>)>,
    /// Since when each pool is configured as it is.
    pub(crate) pools: BTreeMap<Range, u64>,
    /// The pools that were removed while a node was known to have a block of it, or to get one.
    pub(crate) removed_in_use: BTreeSet<Range>,
    /// Nodes whose deletion was told, by UID.
    deleted_nodes: BTreeSet<Arc<str>>,
    /// When all nodes were listed.
    pub(crate) listed: Vec<u64>,
    /// When the first configuration was told.
    pub(crate) configured: Option<u64>,
    /// Where the answer to a creation was lost.
    pub(crate) lost: BTreeSet<(TableId, IpNet)>,
    /// The UIDs of nodes of which the answer to a write of pod CIDRs was lost.
    pub(crate) doubtful: BTreeSet<Arc<str>>,
    /// The UIDs of nodes of which another one was once told to have a pod CIDR, or a part of it.
    pub(crate) contested: BTreeSet<Arc<str>>,
    /// Every block that a node was ever told to have.
    pub(crate) held: BTreeSet<IpNet>,
    /// When each node's condition was written, by UID.
    pub(crate) conditions: BTreeMap<Arc<str>, Vec<u64>>,
    /// When the last word of each node that is out of service was written, by UID.
    pub(crate) out_of_service: BTreeMap<Arc<str>, u64>,
    pub(crate) claims: Claims,
    pub(crate) said: Said,
    /// Destinations whose routes were deleted lately, and when.
    pub(crate) deleted: Vec<(u64, IpNet)>,
    /// Where the last deletion was begun while a node had the block: one of two routes, or one that leads
    /// elsewhere.
    pub(crate) deleted_of_node: BTreeSet<(TableId, IpNet)>,
    /// The nodes whose pod CIDRs are being written.
    pub(crate) cidr_writes: BTreeMap<NodeKey, Vec<IpNet>>,
    /// The nodes whose condition is being written.
    pub(crate) status_writes: Vec<NodeKey>,
}

impl Knowledge {
    /// Nothing, at the beginning of a leadership.
    pub(crate) fn new(now: u64) -> Self {
        Self {
            since: now,
            guarded_since: now,
            ..Self::default()
        }
    }

    /// Takes note of what the engine is told.
    pub(crate) fn learn(&mut self, event: &Event, now: u64) {
        match event {
            Event::Configured(config) => {
                self.said.reconfigured(self.config.as_ref());
                self.config.clone_from(config);
                if let Some(config) = config {
                    self.configured.get_or_insert(now);
                    let before = std::mem::take(&mut self.pools);
                    let now_configured: Vec<Range> =
                        config.pools.iter().map(PoolConfig::range).collect();
                    let gone = before.keys().filter(|pool| !now_configured.contains(pool));
                    gone.for_each(|pool| self.removed(*pool));
                    for pool in &config.pools {
                        let range = pool.range();
                        let since = before.get(&range).copied().unwrap_or(now);
                        self.pools.insert(range, since);
                        if !self.ever.iter().any(|(ever, _)| *ever == range) {
                            self.ever.push((range, pool.name.clone()));
                        }
                    }
                }
                self.deleted.clear();
                self.guarded_since = now;
            }
            Event::NodesListed(nodes) => {
                self.listed.push(now);
                let before = std::mem::take(&mut self.nodes);
                // Who is absent is gone.
                let there = |uid: &Arc<str>| nodes.iter().any(|node| node.key.uid == *uid);
                self.cidrs.retain(|uid, _| there(uid));
                for node in nodes {
                    self.deleted_nodes.remove(&node.key.uid);
                    self.instances.seen(before.get(&node.key.name), node);
                    self.see(node.clone());
                }
            }
            Event::NodeSeen(node)
            | Event::NodeRead {
                node: Some(node), ..
            } => self.shown(node),
            Event::NodeGone(key) | Event::NodeRead { key, node: None } => {
                self.cidrs.remove(&key.uid);
                self.deleted_nodes.insert(key.uid.clone());
                if self.knows(key).is_some() {
                    self.nodes.remove(&key.name);
                }
            }
            Event::PodCidrsSet { node, result } => {
                let cidrs = self.cidr_writes.remove(node);
                self.claims.written(node, cidrs.as_deref(), result);
                self.said.api_answered(node, result, now);
                // Nobody has anything who is gone, also if an etcd that is restored brings it back.
                let known = self.nodes.get_mut(&node.name);
                let known = known.filter(|known| known.key == *node);
                if let (Ok(()), Some(cidrs), Some(known)) = (result, cidrs, known) {
                    self.cidrs.insert(node.uid.clone(), cidrs.clone());
                    known.pod_cidrs = cidrs;
                }
            }
            Event::NetworkStatusSet { node, .. } => {
                if let Some(index) = self.status_writes.iter().position(|key| key == node) {
                    self.status_writes.swap_remove(index);
                }
            }
            Event::InstancesRead { batch, answers } => self.instances.read(*batch, answers),
            Event::RoutesListed { listing, result } => {
                let tables = result.as_deref().ok();
                let teardown = self.config.as_ref().is_some_and(|config| config.teardown);
                self.tables.listed(*listing, tables, teardown, now);
            }
            Event::RouteWritten { write, result } => self.route_written(*write, result, now),
            Event::ForwardingEnabled { .. } | Event::RoutesMayHaveChanged | Event::Wake => {}
        }
    }

    fn route_written(&mut self, write: u64, result: &Result<(), CloudError>, now: u64) {
        let Some(change) = self.route_writes.remove(&write) else {
            return;
        };
        // There may be room now, or the limit may be none.
        if result.is_ok() {
            let v4 = matches!(change.destination(), IpNet::V4(_));
            self.tables.has_room(change.table(), v4);
        }
        let place = (change.table().clone(), change.destination());
        let lost = result
            .as_ref()
            .is_err_and(|error| error.kind == CloudErrorKind::Unknown);
        if lost && matches!(change, RouteChange::Create { .. }) {
            self.lost.insert(place.clone());
        }
        self.said.route_answered(&change, result, now);
        self.answered.insert(place.clone(), now);
        let before = self.before.remove(&write).flatten();
        if may_have_happened(result) {
            if let Some((_, ended)) = self.written.get_mut(&place) {
                *ended = now;
            }
            return;
        }
        let vain = match before {
            Some(before) => self.written.insert(place.clone(), before),
            None => self.written.remove(&place),
        };
        let began = vain.map_or(now, |(begun, _)| begun);
        self.in_vain.insert(place, (began, now));
    }

    /// A pool is not configured any more.
    fn removed(&mut self, pool: Range) {
        let has = self.nodes.values().flat_map(|node| &node.pod_cidrs);
        let mut used = has.chain(self.cidr_writes.values().flatten());
        if used.any(|cidr| pool.has(cidr)) {
            self.removed_in_use.insert(pool);
        }
    }

    /// A watch or a read showed a node. After its deletion that is out of date.
    fn shown(&mut self, node: &Node) {
        if !self.deleted_nodes.contains(&node.key.uid) {
            self.instances.seen(self.nodes.get(&node.key.name), node);
            self.see(node.clone());
        }
    }

    fn see(&mut self, mut node: Node) {
        // What was read before the pod CIDRs were set does not take them away.
        if !node.pod_cidrs.is_empty() {
            self.held.extend(node.pod_cidrs.iter().copied());
            self.cidrs
                .insert(node.key.uid.clone(), node.pod_cidrs.clone());
        } else if let Some(cidrs) = self.cidrs.get(&node.key.uid) {
            node.pod_cidrs.clone_from(cidrs);
        }
        for other in self.nodes.values() {
            if other.key != node.key && overlaps(&other.pod_cidrs, &node.pod_cidrs) {
                self.contested.insert(other.key.uid.clone());
                self.contested.insert(node.key.uid.clone());
            }
        }
        self.nodes.insert(node.key.name.clone(), node);
    }

    /// Takes note of what the engine begins.
    pub(crate) fn began(&mut self, action: &Action, now: u64) {
        match action {
            Action::SetPodCidrs { node, cidrs } => {
                self.cidr_writes.insert(node.clone(), cidrs.clone());
            }
            Action::SetNetworkStatus { node, status } => {
                self.status_writes.push(node.clone());
                self.out_of_service.remove(&node.uid);
                if !status.available {
                    self.out_of_service.insert(node.uid.clone(), now);
                }
            }
            Action::ReadInstances { batch, queries } => self.instances.asked(*batch, queries),
            Action::ListRoutes { listing, ranges } => self.tables.begun(*listing, ranges, now),
            Action::Notify(notice) => self.said.notified(notice, now),
            Action::WriteRoute { write, change } => {
                let place = (change.table().clone(), change.destination());
                let before = self.written.insert(place, (now, now));
                self.before.insert(*write, before);
                self.route_writes.insert(*write, change.clone());
            }
            _ => {}
        }
    }

    /// How many route writes of that kind are under way.
    pub(crate) fn writes_like(&self, change: &RouteChange) -> usize {
        let kind = std::mem::discriminant(change);
        let writes = self.route_writes.values();
        writes
            .filter(|other| std::mem::discriminant(*other) == kind)
            .count()
    }

    /// The last listing showed that something is carried out for the destination, and it was begun after
    /// our own last write.
    pub(crate) fn is_pending(&self, change: &RouteChange) -> bool {
        let place = (change.table().clone(), change.destination());
        let ended = self.answered.get(&place).copied().unwrap_or_default();
        let table = self.tables.by_id.get(change.table());
        let seen = table.and_then(|table| table.seen.last());
        let seen = seen.filter(|seen| seen.prompt && seen.begun > ended);
        seen.is_some_and(|seen| seen.pending.contains(&change.destination()))
    }

    /// A route leads to the node's instance, as far as is known.
    pub(crate) fn leads_to(&self, node: &NodeKey, route: &ObservedRoute) -> bool {
        let Some(InstanceState::Found(found)) = self.instances.get(&node.uid) else {
            return false;
        };
        match route.destination {
            IpNet::V4(_) => found.next_hop_v4 == route.next_hop,
            IpNet::V6(_) => found.next_hop_v6 == route.next_hop,
        }
    }

    /// The node, if the engine was told that it lives.
    pub(crate) fn knows(&self, key: &NodeKey) -> Option<&Node> {
        self.nodes.get(&key.name).filter(|node| node.key == *key)
    }
}

pub(crate) fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b) || b.contains(&a)
}

pub(crate) fn overlaps(some: &[IpNet], others: &[IpNet]) -> bool {
    some.iter()
        .any(|one| others.iter().any(|other| overlap(*one, *other)))
}

/// It happened, or may have, or found that somebody else had done the same.
fn may_have_happened(result: &Result<(), CloudError>) -> bool {
    let error = result.as_ref().err();
    error.is_none_or(|error| {
        matches!(
            error.kind,
            CloudErrorKind::Unknown | CloudErrorKind::AlreadyExists | CloudErrorKind::NotFound
        )
    })
}
