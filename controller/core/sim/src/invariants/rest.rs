//! I7: once faults stop, everything comes to rest.

use std::time::Duration;

use ipnet::IpNet;
use signpost_core::{
    Config, PoolConfig, PoolState, Time, node::NetworkCondition, summary::NodeView,
};

use super::Invariant;
use crate::{
    api::ApiNode,
    cloud::MachineState,
    queue::Message,
    scenario::{CloudKind, blocks},
    world::World,
};

/// From the end of the last fault to rest.
pub(crate) const BOUND: Duration = Duration::from_secs(600);
/// How often all is looked at then.
const LOOK_EVERY: u64 = 1_000;

/// How far the world has come to rest.
#[derive(Debug)]
pub(crate) struct Rest {
    /// When the last fault, or the last consent of the operator, was over.
    calm: u64,
    /// Since when all is well.
    well_since: Option<u64>,
    /// What stood in the way at the last look.
    waits_for: String,
    /// The operator allowed the deletions that were held back.
    allowed: bool,
    torn_down: bool,
    /// Listings begun since all is well.
    listings: u64,
    /// All is well and stays so.
    pub(crate) reached: bool,
}

impl Rest {
    pub(crate) fn new(calm: u64) -> Self {
        Self {
            calm,
            well_since: None,
            waits_for: String::new(),
            allowed: false,
            torn_down: false,
            listings: 0,
            reached: false,
        }
    }

    /// A controller wrote something: that is no rest.
    pub(crate) fn wrote(&mut self, now: u64) {
        if self.well_since.is_some() {
            self.well_since = None;
            self.waits_for = format!("a write at {now} ms");
        }
    }

    /// A controller listed the routes.
    pub(crate) fn listed(&mut self) {
        self.listings += 1;
    }
}

impl World<'_> {
    /// Looks whether all is well.
    pub(crate) fn inspect(&mut self) {
        match self.well() {
            Err(why) => {
                self.rest.well_since = None;
                self.rest.waits_for = why;
            }
            Ok(()) if self.rest.well_since.is_none() => {
                self.rest.well_since = Some(self.now);
            }
            Ok(()) => {}
        }
        // The last writes show in listings that are wanted for them; from then on all is routine.
        let settling = 2 * self.scenario.limits.settle + Duration::from_secs(10);
        let routine = 2 * self.wishes.check_period;
        match self.rest.well_since.map(Time) {
            Some(since) if self.now >= since.after(settling).after(routine).0 => {
                self.at_rest(since.0);
            }
            Some(since) if self.now <= since.after(settling).0 => {
                self.rest.listings = 0;
                self.not_yet();
            }
            _ => self.not_yet(),
        }
    }

    fn not_yet(&mut self) {
        let latest = Time(self.rest.calm).after(BOUND).0;
        if self.rest.well_since.unwrap_or(self.now) > latest {
            let why = std::mem::take(&mut self.rest.waits_for);
            let bound = BOUND.as_secs();
            return self.broken(Invariant::I7, || {
                format!("{bound} s after the last fault there is no rest: {why}")
            });
        }
        self.queue.push(self.now + LOOK_EVERY, Message::Inspect);
    }

    fn at_rest(&mut self, since: u64) {
        if self.rest.listings > 3 && self.scenario.limits.routes {
            let listings = self.rest.listings;
            return self.broken(Invariant::I7, || {
                format!("{listings} listings although all is well")
            });
        }
        let rest = since - self.rest.calm.min(since);
        self.coverage.longest_rest = self.coverage.longest_rest.max(rest);
        if self.held() > 0 && !self.rest.allowed {
            // The operator agrees to what is held back.
            self.coverage.held = 1;
            self.rest.allowed = true;
            self.rest.well_since = None;
            self.rest.calm = self.now;
            self.note(|| "======== the operator allows the deletions".into());
            self.configure(|config| config.max_deletion_percent = 100);
            return self.queue.push(self.now + LOOK_EVERY, Message::Inspect);
        }
        self.note(|| "======== at rest".into());
        self.rest.reached = true;
    }

    fn held(&self) -> usize {
        let leader = self.shells.iter().find(|shell| shell.leader);
        leader.map_or(0, |shell| shell.brain.summary().deletions_held)
    }

    /// A controller says that everything of ours is gone.
    pub(crate) fn torn_down(&mut self) {
        let left = self.leftover(|_| true);
        if let Some(left) = left {
            self.broken(Invariant::I5, || format!("torn down, but {left} is there"));
        }
        if !self.wishes.teardown {
            self.broken(Invariant::I5, || "torn down unasked".into());
        }
        self.rest.torn_down = true;
        self.config = None;
        self.config_changed();
    }

    fn leftover(&self, counts: impl Fn(&IpNet) -> bool) -> Option<String> {
        self.cloud.tables.iter().find_map(|(id, table)| {
            let mut routes = table.routes.iter();
            let left = routes.find(|(destination, held)| held.ours && counts(destination));
            left.map(|(destination, _)| format!("{destination} in {id}"))
        })
    }

    fn well(&self) -> Result<(), String> {
        let leaders = self.shells.iter().filter(|shell| shell.leader).count();
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
        let leader = self.shells.iter().find(|shell| shell.leader);
        let views: Vec<NodeView> = leader.map(|shell| shell.brain.nodes()).unwrap_or_default();
        let ghost = views.iter().find(|view| {
            self.api.get(&view.key).is_none()
                && view.phase != signpost_core::summary::Phase::Draining
        });
        match ghost {
            Some(ghost) => Err(format!("the engine believes in {}", ghost.key.uid)),
            None => Ok(()),
        }
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
                    if held.is_none_or(|held| !held.ours || held.hop != hop) {
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
