//! How full the pools are, and what is wrong with them.

use ipnet::IpNet;

use super::{Claimant, Coverage, Entry, Ledger, Pool};
use crate::summary::PoolUse;

/// So many nodes are named; of the others only the number is told.
const NAMED: usize = 3;

impl Ledger {
    /// How full the pools are, in the order of the configuration; then those that were removed from
    /// it and still have holders.
    pub(crate) fn uses(&self) -> Vec<PoolUse> {
        self.pools.iter().map(|pool| self.usage(pool)).collect()
    }

    pub(super) fn usage(&self, pool: &Pool) -> PoolUse {
        let counts = pool.blocks.counts();
        let quarantined = self.quarantined.iter().filter(|cidr| {
            let home = self.home(**cidr);
            home.is_some_and(|home| self.pools[home].same_blocks(pool))
        });
        let quarantined = quarantined.count();
        let name = &pool.config.name;
        let namesakes = self.pools.iter().filter(|it| it.config.name == *name);
        PoolUse {
            name: if pool.removed && namesakes.count() > 1 {
                format!("{name} ({})", pool.config.cidr).into()
            } else {
                name.clone()
            },
            total: pool.blocks.len() as usize,
            allocated: counts.held as usize,
            quarantined,
            blocked: (counts.barred as usize).saturating_sub(quarantined),
            reserved: counts.reserved as usize,
            free: pool.blocks.free() as usize,
            problem: self.problem(pool),
        }
    }

    /// Pools of which nodes have blocks though they were removed: name and what to tell.
    pub(crate) fn removed(&self) -> impl Iterator<Item = (&std::sync::Arc<str>, String)> {
        let removed = self.pools.iter().filter(|pool| pool.removed);
        removed.filter_map(|pool| Some((&pool.config.name, self.holders(pool)?)))
    }

    /// Pools that must not be used as they are: name and what to tell.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (&std::sync::Arc<str>, String)> {
        let configured = self.pools.iter().filter(|pool| !pool.removed);
        configured.filter_map(|pool| Some((&pool.config.name, self.unusable(pool)?)))
    }

    fn problem(&self, pool: &Pool) -> Option<String> {
        if pool.removed {
            return self.holders(pool);
        }
        self.unusable(pool).or_else(|| {
            let waits = pool.is_active() && pool.coverage != Coverage::Covered;
            let draining = || (!pool.is_active()).then(|| "draining".to_owned());
            waits
                .then(|| "the route tables have yet to be read for it".to_owned())
                .or_else(draining)
                .or_else(|| self.squatter(pool))
        })
    }

    /// Why no route of ours should lie in a pool, if so.
    pub(super) fn unusable(&self, pool: &Pool) -> Option<String> {
        let range = self.barred.overlapping(pool.config.cidr).next();
        if let Some((range, ())) = range {
            return Some(format!(
                "{} overlaps {range}, where no route to a node may lie: choose another range",
                pool.config.cidr
            ));
        }
        let own = self.addresses.iter().find(|(address, _)| {
            let net = IpNet::from(*address);
            pool.overlap(net).is_some()
        });
        own.map(|(address, node)| {
            format!(
                "{} holds {address}, the own address of node {node}: choose another range",
                pool.config.cidr
            )
        })
    }

    /// Who keeps a removed pool.
    fn holders(&self, pool: &Pool) -> Option<String> {
        let inside = self.entries.overlapping(pool.config.cidr);
        let held = inside.filter(|(cidr, _)| {
            let home = self.home(*cidr);
            home.is_some_and(|home| self.pools[home].same_blocks(pool))
        });
        let mut names: Vec<&str> = held
            .filter_map(|(_, entry)| match entry {
                Entry::Held(claimants) => claimants.first().map(name),
                Entry::Quarantined { .. } => None,
            })
            .collect();
        names.sort_unstable();
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        let names = names.join(", ");
        match (names.is_empty(), more) {
            (true, _) => None,
            (false, 0) => Some(format!("removed, but kept while it has blocks of {names}")),
            (false, more) => Some(format!(
                "removed, but kept while it has blocks of {names} and {more} more"
            )),
        }
    }

    /// A node with a pod CIDR that is no block and keeps several blocks from being handed out.
    fn squatter(&self, pool: &Pool) -> Option<String> {
        let mut outside = self.outside.iter().filter_map(|cidr| {
            let blocks = pool.overlap(*cidr)?;
            let owner = self.owner_of_entry(*cidr)?;
            (blocks.start() < blocks.end()).then(|| (cidr, name(owner)))
        });
        outside.next().map(|(cidr, node)| {
            format!("node {node} registered with the pod CIDR {cidr}, which is no block of a pool")
        })
    }
}

fn name(claimant: &Claimant) -> &str {
    &claimant.key.name
}
