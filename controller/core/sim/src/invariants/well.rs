//! What "all is well" means.

use ipnet::IpNet;
use signpost_core::{
    Config,
    action::{Reason, Subject},
    cloud::TableId,
    node::NetworkCondition,
};

use crate::{
    api::ApiNode,
    brain::Brain,
    cloud::{Held, Table},
    world::World,
};

impl World<'_> {
    pub(super) fn leader(&self) -> Option<&dyn Brain> {
        self.shells.iter().find_map(|shell| shell.brain.as_deref())
    }

    pub(super) fn held(&self) -> usize {
        self.leader()
            .map_or(0, |brain| brain.summary().deletions_held)
    }

    fn leftover(&self, counts: impl Fn(&TableId, &IpNet) -> bool) -> Option<String> {
        let mut tables = self.cloud.tables.iter();
        tables.find_map(|(id, table)| {
            // What lies in a table that is not programmed any more is nobody's business.
            let mut routes = table.routes.iter().filter(|_| self.now >= table.untagged);
            let left = routes.find(|(destination, held)| held.ours && counts(id, destination));
            left.map(|(destination, _)| format!("{destination} in {id}"))
        })
    }

    /// Without a mark a route is known to be ours only by who was told of the pool or of the node.
    pub(super) fn is_knowable(&self, destination: &IpNet) -> bool {
        let leader = self.shells.iter().find(|shell| shell.leads());
        self.scenario.habits.marks
            || leader.is_some_and(|leader| {
                let known = &leader.known;
                let mut ever = known.ever.iter();
                known.held.contains(destination) || ever.any(|(range, _)| range.has(destination))
            })
    }

    /// The table was forgotten, and people were told to remove what lay in it; or a leader came that
    /// was never shown it before. Of a pool that is not there any more it does not show it again.
    fn was_given_up(&self, id: &TableId, destination: &IpNet) -> bool {
        let leader = self.shells.iter().find(|shell| shell.leads());
        let about = (Subject::Part(id.0.clone()), Reason::TableForgotten);
        let told = leader.is_some_and(|leader| leader.known.said.notices.contains_key(&about));
        let missed = self.cloud.tables.get(id).is_some_and(|it| it.doubtful);
        let mut pools = self.wishes.pools.iter();
        (told || missed) && !pools.any(|pool| pool.range().has(destination))
    }

    pub(super) fn well(&self) -> Result<(), String> {
        if self.has_operations() {
            return Err("the cloud carries something out".into());
        }
        let leaders = self.shells.iter().filter(|shell| shell.leads()).count();
        if leaders != 1 {
            return Err(format!("there are {leaders} leaders"));
        }
        if self.wishes.teardown {
            return match self.leftover(|id, net| !self.rest.excused.contains(&(id.clone(), *net))) {
                _ if !self.rest.torn_down => Err("it is not torn down".into()),
                Some(left) => Err(format!("it is torn down, but {left} is there")),
                None => Ok(()),
            };
        }
        let nodes: Vec<&ApiNode> = self.api.nodes.values().collect();
        for node in &nodes {
            self.node_is_well(node, &nodes)
                .map_err(|why| format!("{}: {why}", node.node.key.uid))?;
        }
        let leader = self.shells.iter().find(|shell| shell.leads());
        if leader.is_some_and(|leader| leader.known.tables.failed) {
            return Err("the last listing failed".into());
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
        self.changes_are_told()?;
        let stale = self.leftover(|id, destination| {
            let mut nodes = nodes.iter();
            self.is_knowable(destination)
                && !self.was_given_up(id, destination)
                && !nodes.any(|node| node.node.pod_cidrs.contains(destination))
        });
        match stale {
            Some(stale) => Err(format!("{stale} belongs to no node")),
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
            return self.says_so(node);
        }
        if self.scenario.limits.routes {
            let programmed = self.cloud.tables.iter();
            for (id, table) in programmed.filter(|(_, table)| self.now >= table.untagged) {
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

    /// A node that cannot be routed and that no table leads to does not say that it is available.
    fn says_so(&self, node: &ApiNode) -> Result<(), String> {
        let key = &node.node.key;
        let available = node.node.network == NetworkCondition::Available;
        let mut cidrs = node.node.pod_cidrs.iter();
        let in_pools = cidrs.all(|cidr| {
            let mut pools = self.wishes.pools.iter();
            pools.any(|pool| pool.range().has(cidr))
        });
        if !available || !self.scenario.limits.routes || !in_pools {
            return Ok(());
        }
        let leads = |table: &Table, cidr: &IpNet| {
            let held = table.routes.get(cidr);
            let mut held = held.into_iter().flat_map(Held::all);
            let hop = self.hop_of(key, *cidr);
            hop.is_some() && held.any(|held| held.ours && held.hop == hop)
        };
        let tables = self.cloud.tables.values();
        let programmed: Vec<&Table> = tables.filter(|table| self.now >= table.untagged).collect();
        let mut cidrs = node.node.pod_cidrs.iter();
        let reached = |cidr| programmed.iter().any(|table| leads(table, cidr));
        if programmed.is_empty() || cidrs.all(reached) {
            return Ok(());
        }
        Err("no table leads there and it says that it is available".into())
    }

    /// Nothing stands in the way of the node's routes.
    pub(super) fn must_be_routed(&self, node: &ApiNode, config: &Config, all: &[&ApiNode]) -> bool {
        let key = &node.node.key;
        let mut programmed = self.cloud.tables.values();
        let programmed = programmed.any(|table| self.now >= table.untagged);
        if self.scenario.limits.routes && !programmed {
            return false;
        }
        node.node.pod_cidrs.iter().all(|cidr| {
            let in_pool = config.pools.iter().any(|pool| pool.range().has(cidr));
            let alone = all.iter().all(|other| {
                other.node.key == *key
                    || !other.node.pod_cidrs.contains(cidr)
                    || (other.node.created > node.node.created && !other.node.excluded)
            });
            let clear = self.cloud.tables.values().all(|table| {
                table
                    .routes
                    .get(cidr)
                    .is_none_or(|held| held.all().all(|it| it.ours))
            });
            let reachable = self.hop_of(key, *cidr).is_some() || !self.scenario.limits.routes;
            in_pool && alone && clear && reachable
        })
    }
}
