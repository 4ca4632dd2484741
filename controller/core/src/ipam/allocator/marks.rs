//! What claims, quarantines and routes mean for the blocks of each pool.

use ipnet::IpNet;

use super::Allocator;
use crate::ipam::{bitmap::Mark, types::OutOfRange};

impl Allocator {
    /// Position of the pool of which this is a block.
    pub(super) fn home(&self, cidr: IpNet) -> Option<usize> {
        self.pools
            .iter()
            .position(|pool| pool.index_of(cidr).is_some())
    }

    pub(super) fn out_of_range(&self, cidr: IpNet) -> OutOfRange {
        let mut pools = self.pools.iter();
        pools
            .find(|pool| pool.overlap(cidr).is_some())
            .map_or(OutOfRange::NoPool, |pool| OutOfRange::NotABlock {
                pool: pool.config.name.clone(),
                node_prefix_length: pool.config.node_prefix_length,
            })
    }

    /// Marks what is claimed from now on: a new entry, or one that was in quarantine (whose mark may
    /// stay: it returns with the last claimant, and until then the block is held).
    pub(super) fn occupy(&mut self, cidr: IpNet, new: bool) {
        let home = self.home(cidr);
        for position in 0..self.pools.len() {
            let pool = &mut self.pools[position];
            if home == Some(position) {
                pool.entries += usize::from(new);
                if let Some(index) = pool.index_of(cidr) {
                    pool.set(index..=index, Mark::Held);
                }
            } else if let Some(blocks) = pool.overlap(cidr) {
                pool.set(blocks, Mark::Barred);
            }
        }
    }

    /// Removes an entry that nobody claims, and its marks.
    pub(super) fn vacate(&mut self, cidr: IpNet) {
        let home = self.home(cidr);
        self.entries.remove(cidr);
        for position in 0..self.pools.len() {
            let pool = &mut self.pools[position];
            if home == Some(position) {
                pool.entries = pool.entries.saturating_sub(1);
            }
            self.bar_anew(position, cidr);
        }
    }

    /// Works out anew which of the blocks that overlap `cidr` have something in their way.
    pub(super) fn bar_anew(&mut self, position: usize, cidr: IpNet) {
        let pool = &self.pools[position];
        let Some((region, blocks)) = pool.region(cidr) else {
            return;
        };
        let entries = self.entries.overlapping(region);
        let entries = entries.filter(|(entry, claimants)| {
            claimants.is_empty() || self.home(*entry) != Some(position)
        });
        let routes = self.routes.overlapping(region);
        let barred: Vec<_> = entries
            .filter_map(|(entry, _)| pool.overlap(entry))
            .chain(routes.filter_map(|(route, ())| pool.obstructed_by(route)))
            .collect();
        let pool = &mut self.pools[position];
        pool.unset(blocks.clone(), Mark::Barred);
        for range in barred {
            let first = *range.start().max(blocks.start());
            let last = *range.end().min(blocks.end());
            pool.set(first..=last, Mark::Barred);
        }
    }

    /// Marks everything anew, for pools that were just configured.
    pub(super) fn rebuild(&mut self) {
        for pool in &mut self.pools {
            pool.clear();
            for range in &self.reserved {
                if let Some(blocks) = pool.overlap(*range) {
                    pool.set(blocks, Mark::Reserved);
                }
            }
            for (route, ()) in self.routes.iter() {
                if let Some(blocks) = pool.obstructed_by(route) {
                    pool.set(blocks, Mark::Barred);
                }
            }
        }
        for (cidr, claimants) in self.entries.iter() {
            let mut at_home = false;
            for pool in &mut self.pools {
                let home = pool.index_of(cidr).filter(|_| !at_home);
                if let Some(index) = home {
                    at_home = true;
                    pool.entries += 1;
                    if let Some(owner) = claimants.first() {
                        pool.set(index..=index, Mark::Held);
                        pool.learn(owner.created, index);
                        continue;
                    }
                }
                if let Some(blocks) = pool.overlap(cidr) {
                    pool.set(blocks, Mark::Barred);
                }
            }
        }
    }

    /// Lets go of pools that were removed and have no block left that anybody holds.
    pub(super) fn drop_idle_pools(&mut self) {
        self.pools.retain(|pool| !pool.retired || pool.entries > 0);
    }
}
