//! From which pool a block may come, and where no route may lie.

use ipnet::IpNet;
use signpost_core::{NodeKey, PoolState, cloud::RouteChange};

use super::Invariant;
use crate::world::World;

impl World<'_> {
    /// An engine is about to give a node these blocks: its pools hand out, to such nodes.
    pub(crate) fn check_chosen(&mut self, shell: usize, node: &NodeKey, cidrs: &[IpNet]) {
        let known = &self.shells[shell].known;
        let present = self.api.get(node);
        let had = present.is_some_and(|present| present.node.pod_cidrs == cidrs);
        let lost = known.knows(node).is_some_and(|it| it.pod_cidrs == cidrs);
        if had || lost || known.claims.may_have(node, cidrs) {
            // Tried again after a lost answer, or since an etcd that was restored forgot it.
            return;
        }
        let complaint = cidrs
            .iter()
            .find_map(|cidr| self.pool_complaint(shell, node, cidr));
        if let Some(complaint) = complaint {
            self.broken(Invariant::Contract, || {
                format!("{node} is to get {cidrs:?}, but {complaint}")
            });
        }
    }

    fn pool_complaint(&self, shell: usize, node: &NodeKey, cidr: &IpNet) -> Option<String> {
        let known = &self.shells[shell].known;
        let config = known.config.as_ref()?;
        let Some(pool) = config.pools.iter().find(|pool| pool.range().has(cidr)) else {
            return Some(format!("no pool has {cidr}"));
        };
        let name = &pool.name;
        let node = known.knows(node)?;
        let selects = |pool: &signpost_core::PoolConfig| {
            let mut wanted = pool.node_selector.iter();
            wanted.all(|(key, value)| node.labels.get(key) == Some(value))
        };
        if node.uninitialized
            && config
                .pools
                .iter()
                .any(|pool| !pool.node_selector.is_empty())
        {
            return Some("its labels are not there yet".into());
        }
        if !selects(pool) {
            return Some(format!("pool {name} is not for such nodes"));
        }
        if pool.state != PoolState::Active {
            return Some(format!("pool {name} is drained"));
        }
        let touches = |net: &&IpNet| net.contains(cidr) || cidr.contains(*net);
        if let Some(reserved) = config.reserved.iter().find(touches) {
            return Some(format!("{reserved} is reserved"));
        }
        let settle = self.scenario.limits.settle;
        let mut tables = known.tables.counting(settle);
        let barred = tables.find_map(|(id, _)| known.tables.barred(id, &pool.cidr));
        if let Some(range) = barred {
            return Some(format!("{range}, which pool {name} overlaps, is barred"));
        }
        let addresses = known
            .nodes
            .values()
            .flat_map(|node| node.internal_ips.iter());
        let mut inside = addresses.filter(|address| pool.cidr.contains(*address));
        let inside = inside.next();
        inside.map(|address| format!("pool {name} contains the node address {address}"))
    }

    /// An engine is about to change a route. None is created where none may lie.
    pub(crate) fn check_not_barred(&mut self, shell: usize, change: &RouteChange) {
        let RouteChange::Create { table, route } = change else {
            return;
        };
        let known = &self.shells[shell].known;
        if let Some(range) = known.tables.barred(table, &route.destination) {
            self.broken(Invariant::Contract, || {
                format!(
                    "{}, in the barred range {range}",
                    crate::trail::change(change)
                )
            });
        }
    }
}
