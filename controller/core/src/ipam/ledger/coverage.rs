//! What listings must cover, and what they have covered.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use ipnet::IpNet;

use super::{Coverage, Ledger};
use crate::{cloud::Range, ids::Stamp, node::NodeKey};

impl Ledger {
    /// What a listing has to cover: all pools, those too that were removed while somebody has a block
    /// of them, and every network outside the pools that a node claims, or that may have a route of
    /// ours left.
    pub(crate) fn ranges(&self) -> Arc<[Range]> {
        let pools = self.pools.iter().map(|pool| pool.config.range());
        let outside = self.outside.iter().map(|cidr| Range {
            cidr: *cidr,
            prefix_len: cidr.prefix_len(),
        });
        pools.chain(outside).collect()
    }

    /// Takes note that a complete listing of all [`ranges`](Self::ranges) was begun. Says whether a
    /// pool may hand out blocks from now on that might not before.
    pub(crate) fn covered(&mut self, begun: Stamp) -> bool {
        let mut news = false;
        for pool in &mut self.pools {
            if let Coverage::After(since, settle) = pool.coverage
                && begun.shows(since, settle)
            {
                pool.coverage = Coverage::Covered;
                pool.looked = true;
                news = true;
            }
        }
        self.drop_idle_pools();
        news
    }

    /// A listing that was begun at that moment named a table and could not read it: what lies there
    /// only a complete one will show.
    pub(crate) fn uncover(&mut self, begun: Stamp) {
        for pool in &mut self.pools {
            if pool.coverage == Coverage::Covered {
                pool.coverage = Coverage::After(begun, Duration::ZERO);
            }
        }
    }

    /// A listing has shown which routes there are for blocks of the pool that has this one, since that
    /// is configured. Before, a route that is not known may be there all the same.
    pub(crate) fn has_looked(&self, cidr: IpNet) -> bool {
        let home = self.home(cidr.trunc());
        home.is_some_and(|home| self.pools[home].looked)
    }

    /// When the next listing is needed so that every pool is covered.
    pub(crate) fn uncovered(&self) -> Option<crate::Time> {
        let pools = self.pools.iter().map(|pool| match pool.coverage {
            Coverage::After(since, settle) => Some(since.at.after(settle)),
            Coverage::Covered => None,
        });
        pools.flatten().min()
    }

    /// Without routes there is nothing to look for.
    pub(crate) fn cover_all(&mut self) {
        for pool in &mut self.pools {
            pool.coverage = Coverage::Covered;
        }
    }

    /// The destinations of all routes of others, in place of those named before. Says whether any
    /// came or went.
    ///
    /// A destination that covers a whole pool and more than one block stands in nobody's way: every
    /// block is more specific. Any other makes all blocks that it overlaps unavailable. The cost grows
    /// with the number of destinations, not with the size of pools.
    pub(crate) fn set_foreign(&mut self, destinations: &BTreeSet<IpNet>) -> bool {
        let changed = self.foreign.replace(destinations);
        self.mark_each(&changed);
        !changed.is_empty()
    }

    /// The ranges in which no route of ours may lie, in place of those named before. A pool that
    /// overlaps one hands out nothing. Says whether any came or went.
    pub(crate) fn set_barred(&mut self, ranges: &BTreeSet<IpNet>) -> bool {
        let changed = self.barred.replace(ranges);
        self.mark_each(&changed);
        !changed.is_empty()
    }

    /// Notes a node's own addresses, in place of those of before. A pool in which one lies hands out
    /// nothing. Says whether that changes anything.
    pub(crate) fn set_addresses(
        &mut self,
        key: &NodeKey,
        before: &[IpAddr],
        now: &[IpAddr],
    ) -> bool {
        let mut news = false;
        for address in before {
            news |= self.addresses.remove(&(*address, key.clone()));
        }
        for address in now {
            let net = IpNet::from(*address);
            if self.pools.iter().any(|pool| pool.overlap(net).is_some()) {
                news |= self.addresses.insert((*address, key.clone()));
            }
        }
        news
    }

    fn mark_each(&mut self, changed: &[IpNet]) {
        for cidr in changed {
            self.mark(*cidr);
        }
    }
}
