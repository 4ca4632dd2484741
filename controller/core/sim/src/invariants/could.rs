//! Whether there is a block for a node.

use ipnet::IpNet;
use signpost_core::{Config, PoolConfig, PoolState};

use crate::{
    api::ApiNode,
    cloud::MachineState,
    scenario::{CloudKind, blocks},
    world::World,
};

impl World<'_> {
    /// Nothing stands in the way of the node, and there is a block for it if it has none.
    pub(crate) fn must_be_served(&self, node: &ApiNode) -> bool {
        let all: Vec<&ApiNode> = self.api.nodes.values().collect();
        if node.node.pod_cidrs.is_empty() {
            self.could_have(node, &self.wishes, &all)
        } else {
            self.must_be_routed(node, &self.wishes, &all)
        }
    }

    /// There is a block for the node in each family.
    pub(super) fn could_have(&self, node: &ApiNode, config: &Config, all: &[&ApiNode]) -> bool {
        let mut programmed = self.cloud.tables.values();
        let programmed = programmed.any(|table| self.now >= table.untagged);
        if self.scenario.limits.routes && !programmed {
            return false;
        }
        let machine = node.node.provider_id.as_ref();
        let machine = machine.and_then(|id| self.cloud.machines.get(id));
        let there = machine.is_some_and(|machine| machine.state == MachineState::Running);
        if !there && self.scenario.cloud == CloudKind::Cloud {
            return false;
        }
        let selects = config
            .pools
            .iter()
            .any(|pool| !pool.node_selector.is_empty());
        if node.node.uninitialized && selects {
            return false;
        }
        let matching: Vec<&PoolConfig> = config
            .pools
            .iter()
            .filter(|pool| {
                let mut wanted = pool.node_selector.iter();
                wanted.all(|(key, value)| node.node.labels.get(key) == Some(value))
            })
            .collect();
        let of_family = |v4: bool| {
            let mut pools = matching
                .iter()
                .filter(move |pool| matches!(pool.cidr, IpNet::V4(_)) == v4)
                .peekable();
            pools.peek().is_none() || pools.any(|pool| self.has_free_block(pool, config, all))
        };
        !matching.is_empty() && of_family(true) && of_family(false)
    }

    fn has_free_block(&self, pool: &PoolConfig, config: &Config, all: &[&ApiNode]) -> bool {
        let touches = |a: &IpNet, b: &IpNet| a.contains(b) || b.contains(a);
        let addresses = all.iter().flat_map(|node| node.node.internal_ips.iter());
        let mut inside = addresses.filter(|address| pool.cidr.contains(*address));
        let barred = self.cloud.tables.values().any(|table| {
            let mut barred = table.barred.iter();
            barred.any(|(range, until)| self.now < *until && touches(range, &pool.cidr))
        });
        if inside.next().is_some() || barred {
            return false;
        }
        // Whoever waits may have a block in mind already.
        let waits = |node: &&&ApiNode| node.node.pod_cidrs.is_empty() && !node.node.excluded;
        let waiting = all.iter().filter(waits).count();
        let free = blocks(pool).into_iter().filter(|block| {
            let owned = |node: &&ApiNode| {
                let mut cidrs = node.node.pod_cidrs.iter();
                cidrs.any(|cidr| touches(cidr, block) && !covers_much(cidr, pool))
            };
            let routed = self.cloud.tables.values().any(|table| {
                let mut routes = table.routes.keys();
                // Whether a block may be given out for which somebody has a route that ours take
                // precedence over is left open.
                let mut propagated = table.propagated.iter();
                routes.any(|destination| touches(destination, block))
                    || propagated.any(|destination| touches(destination, block))
            });
            let reserved = config.reserved.iter().any(|range| touches(range, block));
            !all.iter().any(owned) && !routed && !reserved
        });
        pool.state == PoolState::Active && free.count() >= waiting.max(1)
    }
}

/// A pod CIDR made by hand that covers so much of a pool does not keep others from it.
pub(crate) fn covers_much(cidr: &IpNet, pool: &PoolConfig) -> bool {
    let blocks = u32::from(pool.node_prefix_length - pool.cidr.prefix_len());
    let all = 1_u64 << blocks.min(20);
    let covered = if cidr.contains(&pool.cidr) {
        all
    } else if pool.cidr.contains(cidr) && cidr.prefix_len() < pool.node_prefix_length {
        1 << (pool.node_prefix_length - cidr.prefix_len()).min(20)
    } else {
        0
    };
    !pool.range().has(cidr) && covered >= 4 && covered * 4 > all
}
