//! What an engine says of itself when all is well.

use signpost_core::{
    PoolConfig,
    action::{Reason, Subject},
    cloud::Range,
    summary::NodeView,
};

use crate::{api::ApiNode, brain::Brain, scenario::blocks, world::World};

impl World<'_> {
    /// The engine knows all nodes and no others.
    pub(super) fn views_are_well(&self) -> Result<(), String> {
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
    pub(super) fn figures_are_well(&self) -> Result<(), String> {
        let Some(leader) = self.leader() else {
            return Ok(());
        };
        let summary = leader.summary();
        let mut programmed = self.cloud.tables.values();
        let programmed = programmed.any(|table| self.now >= table.untagged);
        if !summary.recovered && programmed {
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
            // A table that listings lack is one that nobody knows to be empty.
            let sure = self.cloud.tables.values().all(|table| !table.doubtful);
            if !routed && sure && figures.quarantined > 0 {
                return Err(format!("{figures:?} has a quarantine without a route"));
            }
        }
        if summary.pools.len() < self.wishes.pools.len() {
            return Err(format!("there are {} pools", summary.pools.len()));
        }
        Ok(())
    }

    /// Who has blocks of a pool that was removed is named, and tables that are gone are forgotten.
    pub(super) fn changes_are_told(&self) -> Result<(), String> {
        let Some(leader) = self.shells.iter().find(|shell| shell.leads()) else {
            return Ok(());
        };
        let Some(brain) = &leader.brain else {
            return Ok(());
        };
        let summary = brain.summary();
        let config = leader.known.config.as_ref();
        let now: Vec<_> = config
            .iter()
            .flat_map(|it| it.pools.iter().map(PoolConfig::range))
            .collect();
        for (gone, name) in &leader.known.ever {
            // A pool of which nobody was known to have a block is forgotten at once.
            if now.contains(gone) || !leader.known.removed_in_use.contains(gone) {
                continue;
            }
            let holder = self.api.nodes.values().find(|node| {
                let mut cidrs = node.node.pod_cidrs.iter();
                let covered = |cidr| now.iter().any(|range| range.has(cidr));
                !node.node.excluded && cidrs.any(|cidr| gone.has(cidr) && !covered(cidr))
            });
            let named = |pool: &signpost_core::summary::PoolUse| {
                pool.name.starts_with(&**name) && pool.problem.is_some()
            };
            if let Some(holder) = holder
                && !summary.pools.iter().any(named)
            {
                let holder = &holder.node.key.uid;
                return Err(format!(
                    "{holder} has a block of {name}, removed, and is not named: {:?}",
                    summary.pools
                ));
            }
        }
        let settle = self.scenario.limits.settle;
        for (id, known) in &leader.known.tables.by_id {
            if known.counts(settle) || !known.sure || known.seen.is_empty() {
                continue;
            }
            let about = (Subject::Part(id.0.clone()), Reason::TableForgotten);
            if !leader.known.said.notices.contains_key(&about) {
                return Err(format!("{id} is gone, and nobody was told"));
            }
        }
        Ok(())
    }

    /// Ranges of pools that were removed in this leadership and of which a node has a block.
    fn removed_and_held(&self) -> Vec<Range> {
        let Some(leader) = self.shells.iter().find(|shell| shell.leads()) else {
            return Vec::new();
        };
        let ever = leader.known.ever.iter().map(|(range, _)| *range);
        let removed = ever.filter(|gone| {
            let mut pools = self.wishes.pools.iter();
            let holds = |node: &ApiNode| node.node.pod_cidrs.iter().any(|cidr| gone.has(cidr));
            !pools.any(|pool| pool.range() == *gone) && self.api.nodes.values().any(holds)
        });
        removed.collect()
    }

    pub(super) fn has_removed_pool_held(&self) -> bool {
        !self.removed_and_held().is_empty()
    }

    pub(super) fn has_removed_pool_overlapped(&self) -> bool {
        let removed = self.removed_and_held();
        let overlaps = |gone: &Range| {
            let mut pools = self.wishes.pools.iter();
            pools.any(|pool| pool.cidr.contains(&gone.cidr) || gone.cidr.contains(&pool.cidr))
        };
        removed.iter().any(overlaps)
    }
}
