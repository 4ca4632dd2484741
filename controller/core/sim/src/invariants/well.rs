//! What "all is well" means.

use ipnet::IpNet;
use signpost_core::{Config, PoolConfig, PoolState, node::NetworkCondition, summary::NodeView};

use crate::{
    api::ApiNode,
    brain::Brain,
    cloud::{Held, MachineState},
    scenario::{CloudKind, blocks},
    world::World,
};

impl World<'_> {
    fn leader(&self) -> Option<&dyn Brain> {
        self.shells.iter().find_map(|shell| shell.brain.as_deref())
    }

    pub(super) fn held(&self) -> usize {
        self.leader()
            .map_or(0, |brain| brain.summary().deletions_held)
    }

    pub(super) fn leftover(&self, counts: impl Fn(&IpNet) -> bool) -> Option<String> {
        self.cloud.tables.iter().find_map(|(id, table)| {
            let mut routes = table.routes.iter();
            let left = routes.find(|(destination, held)| held.ours && counts(destination));
            left.map(|(destination, _)| format!("{destination} in {id}"))
        })
    }

    pub(super) fn well(&self) -> Result<(), String> {
        let leaders = self.shells.iter().filter(|shell| shell.leads()).count();
        if leaders != 1 {
            return Err(format!("there are {leaders} leaders"));
        }
        if self.wishes.teardown {
            return if self.rest.torn_down {
                Ok(())
            } else {
                Err("it is not torn down".into())
            };
        }
        let nodes: Vec<&ApiNode> = self.api.nodes.values().collect();
        for node in &nodes {
            self.node_is_well(node, &nodes)
                .map_err(|why| format!("{}: {why}", node.node.key.uid))?;
        }
        self.views_are_well()?;
        self.figures_are_well()?;
        if self.held() > 0 {
            return if self.rest.allowed {
                Err("deletions are held although the operator allowed them".into())
            } else {
                Ok(())
            };
        }
        let stale = self.leftover(|destination| {
            !nodes
                .iter()
                .any(|node| node.node.pod_cidrs.contains(destination))
        });
        match stale {
            Some(stale) => Err(format!("{stale} belongs to no node")),
            None => Ok(()),
        }
    }

    /// The engine knows all nodes and no others.
    fn views_are_well(&self) -> Result<(), String> {
        let views: Vec<NodeView> = self.leader().map(Brain::nodes).unwrap_or_default();
        let ghost = views.iter().find(|view| {
            self.api.get(&view.key).is_none()
                && view.phase != signpost_core::summary::Phase::Draining
        });
        match ghost {
            Some(ghost) => Err(format!("the engine believes in {}", ghost.key.uid)),
            None => Ok(()),
        }
    }

    /// The summary agrees with itself and with the world.
    fn figures_are_well(&self) -> Result<(), String> {
        let Some(leader) = self.leader() else {
            return Ok(());
        };
        let summary = leader.summary();
        if !summary.recovered {
            return Err("the engine has not recovered".into());
        }
        for (pool, figures) in self.wishes.pools.iter().zip(&summary.pools) {
            let sum = figures.allocated
                + figures.quarantined
                + figures.blocked
                + figures.reserved
                + figures.free;
            if figures.name != pool.name || figures.total != blocks(pool).len() {
                return Err(format!("{figures:?} is not what {} has", pool.name));
            }
            if figures.total != sum {
                return Err(format!("{figures:?} does not add up"));
            }
            let routed = self.cloud.tables.values().any(|table| {
                let mut routes = table.routes.keys();
                routes.any(|destination| pool.cidr.contains(destination))
            });
            if !routed && figures.quarantined > 0 {
                return Err(format!("{figures:?} has a quarantine without a route"));
            }
        }
        if summary.pools.len() < self.wishes.pools.len() {
            return Err(format!("there are {} pools", summary.pools.len()));
        }
        Ok(())
    }

    fn node_is_well(&self, node: &ApiNode, all: &[&ApiNode]) -> Result<(), String> {
        let config = &self.wishes;
        let key = &node.node.key;
        if node.node.excluded {
            return Ok(());
        }
        if node.node.pod_cidrs.is_empty() {
            return if self.could_have(node, config, all) {
                Err("it has no pod CIDR".into())
            } else {
                Ok(())
            };
        }
        if !self.must_be_routed(node, config, all) {
            return Ok(());
        }
        if self.scenario.limits.routes {
            for (id, table) in &self.cloud.tables {
                for cidr in &node.node.pod_cidrs {
                    let hop = self.hop_of(key, *cidr);
                    let held = table.routes.get(cidr);
                    let right = |held: &Held| held.ours && held.hop == hop && held.double.is_none();
                    if !held.is_some_and(right) {
                        return Err(format!(
                            "{cidr} in {id} is {held:?}, should lead to {hop:?}"
                        ));
                    }
                }
            }
        }
        if node.node.network != NetworkCondition::Available {
            return Err("its condition does not say that it is available".into());
        }
        let machine = node.node.provider_id.as_ref();
        let machine = machine.and_then(|id| self.cloud.machines.get(id));
        if self.scenario.limits.forwarding && machine.is_some_and(|machine| !machine.forwarding) {
            return Err("its instance does not forward".into());
        }
        Ok(())
    }

    /// Nothing stands in the way of the node's routes.
    fn must_be_routed(&self, node: &ApiNode, config: &Config, all: &[&ApiNode]) -> bool {
        let key = &node.node.key;
        node.node.pod_cidrs.iter().all(|cidr| {
            let in_pool = config.pools.iter().any(|pool| {
                pool.cidr.contains(cidr) && cidr.prefix_len() == pool.node_prefix_length
            });
            let alone = all.iter().all(|other| {
                other.node.key == *key
                    || !other.node.pod_cidrs.contains(cidr)
                    || (other.node.created > node.node.created && !other.node.excluded)
            });
            let clear = self.cloud.tables.values().all(|table| {
                let mut routes = table.routes.iter();
                !routes.any(|(destination, held)| !held.ours && cidr.contains(destination))
            });
            let reachable = self.hop_of(key, *cidr).is_some() || !self.scenario.limits.routes;
            in_pool && alone && clear && reachable
        })
    }

    /// There is a block for the node in each family.
    fn could_have(&self, node: &ApiNode, config: &Config, all: &[&ApiNode]) -> bool {
        let machine = node.node.provider_id.as_ref();
        let machine = machine.and_then(|id| self.cloud.machines.get(id));
        let there = machine.is_some_and(|machine| machine.state == MachineState::Running);
        if !there && self.scenario.cloud == CloudKind::Cloud {
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
        pool.state == PoolState::Active
            && blocks(pool).iter().any(|block| {
                let owned = |node: &&ApiNode| {
                    let mut cidrs = node.node.pod_cidrs.iter();
                    cidrs.any(|cidr| touches(cidr, block))
                };
                let routed = self.cloud.tables.values().any(|table| {
                    let mut routes = table.routes.keys();
                    routes.any(|destination| touches(destination, block))
                });
                let reserved = config.reserved.iter().any(|range| touches(range, block));
                !all.iter().any(owned) && !routed && !reserved
            })
    }
}
