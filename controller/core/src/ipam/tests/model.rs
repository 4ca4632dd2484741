//! The ledger in plain lists: looks at everything each time, too simple to err.

use std::net::IpAddr;

use super::*;
use crate::{cloud::Range, ipam::Family};

/// Few nodes, so that they meet. When each was created, by number.
pub(super) const CREATED: [i64; 5] = [3, 1, 2, 2, 5];

pub(super) struct Model {
    pub(super) config: Config,
    pub(super) removed: Vec<PoolConfig>,
    pub(super) foreign: BTreeSet<IpNet>,
    pub(super) barred: BTreeSet<IpNet>,
    pub(super) addresses: BTreeMap<usize, Vec<IpAddr>>,
    /// Node and network, in the order they were made.
    pub(super) claims: Vec<(usize, IpNet)>,
    pub(super) quarantine: BTreeMap<IpNet, Stamp>,
    /// Pools that wait for a listing begun then or later.
    pub(super) uncovered: Vec<(PoolConfig, Stamp)>,
}

fn overlap(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

fn has_block(pool: &PoolConfig, cidr: IpNet) -> bool {
    pool.node_prefix_length == cidr.prefix_len() && pool.cidr.contains(&cidr)
}

pub(super) fn same_blocks(one: &PoolConfig, other: &PoolConfig) -> bool {
    (one.cidr, one.node_prefix_length) == (other.cidr, other.node_prefix_length)
}

pub(super) fn blocks(pool: &PoolConfig) -> Vec<IpNet> {
    let subnets = pool.cidr.subnets(pool.node_prefix_length);
    subnets.expect("a valid prefix length").collect()
}

impl Model {
    pub(super) fn new(config: Config, since: Stamp) -> Self {
        let uncovered = config.pools.iter().map(|pool| (pool.clone(), since));
        Self {
            removed: Vec::new(),
            foreign: BTreeSet::new(),
            barred: BTreeSet::new(),
            addresses: BTreeMap::new(),
            claims: Vec::new(),
            quarantine: BTreeMap::new(),
            uncovered: uncovered.collect(),
            config,
        }
    }

    pub(super) fn pools(&self) -> impl Iterator<Item = &PoolConfig> {
        self.config.pools.iter().chain(&self.removed)
    }

    fn is_removed(&self, pool: &PoolConfig) -> bool {
        self.removed.iter().any(|it| same_blocks(it, pool))
    }

    pub(super) fn home(&self, cidr: IpNet) -> Option<&PoolConfig> {
        self.pools().find(|pool| has_block(pool, cidr))
    }

    pub(super) fn first_claimant(&self, cidr: IpNet) -> Option<usize> {
        let claims = self.claims.iter().filter(|(_, claimed)| *claimed == cidr);
        let nodes = claims.map(|(node, _)| *node);
        nodes.min_by_key(|node| (CREATED[*node], *node))
    }

    pub(super) fn owner(&self, cidr: IpNet) -> Option<usize> {
        self.home(cidr)?;
        self.first_claimant(cidr)
    }

    pub(super) fn claims_of(&self, node: usize) -> Vec<IpNet> {
        let claims = self.claims.iter().filter(|(claimant, _)| *claimant == node);
        claims.map(|(_, cidr)| *cidr).collect()
    }

    /// All networks that somebody claims or claimed.
    pub(super) fn entries(&self) -> BTreeSet<IpNet> {
        let claimed = self.claims.iter().map(|(_, cidr)| *cidr);
        claimed.chain(self.quarantine.keys().copied()).collect()
    }

    fn is_oversized(&self, pool: &PoolConfig, cidr: IpNet) -> bool {
        let all = blocks(pool);
        let taken = all.iter().filter(|block| overlap(**block, cidr)).count();
        self.home(cidr).is_none() && taken >= 4 && taken * 4 > all.len()
    }

    /// Something stands in the way of a block that nobody has in this pool.
    pub(super) fn blocks_at(&self, pool: &PoolConfig, block: IpNet) -> bool {
        let by_foreign = |route: IpNet| {
            let only = pool.cidr == block && route == block;
            overlap(route, block) && (only || !route.contains(&pool.cidr))
        };
        let by_entry = |cidr: IpNet| {
            let held = self.first_claimant(cidr).is_some();
            let at_home = self.home(cidr).is_some_and(|it| same_blocks(it, pool));
            overlap(cidr, block) && !(held && at_home) && !self.is_oversized(pool, cidr)
        };
        self.entries().into_iter().any(by_entry)
            || self.foreign.iter().any(|route| by_foreign(*route))
            || self.barred.iter().any(|range| overlap(*range, block))
    }

    fn is_held(&self, pool: &PoolConfig, block: IpNet) -> bool {
        let at_home = self.home(block).is_some_and(|it| same_blocks(it, pool));
        at_home && self.owner(block).is_some()
    }

    /// What was chosen for a node would be handed out to it still.
    pub(super) fn would_give(&self, cidr: IpNet, zone: bool) -> bool {
        self.home(cidr).is_some_and(|pool| {
            self.hands_out(pool)
                && (zone || pool.node_selector.is_empty())
                && !self.blocks_at(pool, cidr)
                && !self.is_reserved(cidr)
        })
    }

    fn is_reserved(&self, block: IpNet) -> bool {
        let mut reserved = self.config.reserved.iter();
        reserved.any(|range| overlap(*range, block))
    }

    pub(super) fn free(&self, pool: &PoolConfig) -> Vec<IpNet> {
        let mut blocks = blocks(pool);
        blocks.retain(|block| {
            !self.is_held(pool, *block)
                && !self.blocks_at(pool, *block)
                && !self.is_reserved(*block)
        });
        blocks
    }

    pub(super) fn is_covered(&self, pool: &PoolConfig) -> bool {
        !self.uncovered.iter().any(|(it, _)| same_blocks(it, pool))
    }

    pub(super) fn is_unusable(&self, pool: &PoolConfig) -> bool {
        let mut addresses = self.addresses.values().flatten();
        self.barred.iter().any(|range| overlap(*range, pool.cidr))
            || addresses.any(|address| pool.cidr.contains(address))
    }

    pub(super) fn hands_out(&self, pool: &PoolConfig) -> bool {
        pool.state == PoolState::Active
            && !self.is_removed(pool)
            && self.is_covered(pool)
            && !self.is_unusable(pool)
    }

    pub(super) fn usage(&self, pool: &PoolConfig) -> [usize; 6] {
        let mut figures = [0; 6];
        for block in blocks(pool) {
            let state = if self.is_held(pool, block) {
                1
            } else if self.blocks_at(pool, block) {
                3
            } else if self.is_reserved(block) {
                4
            } else {
                5
            };
            figures[0] += 1;
            figures[state] += 1;
        }
        let here = |cidr: &&IpNet| self.home(**cidr).is_some_and(|it| same_blocks(it, pool));
        figures[2] = self.quarantine.keys().filter(here).count();
        figures[3] -= figures[2];
        figures
    }

    /// Whether people are told something of the pool.
    pub(super) fn has_problem(&self, pool: &PoolConfig) -> bool {
        if self.is_removed(pool) {
            return self.has_holders(pool);
        }
        let squats = |(_, cidr): &(usize, IpNet)| {
            let taken = blocks(pool).into_iter().filter(|it| overlap(*it, *cidr));
            self.home(*cidr).is_none() && taken.count() > 1
        };
        pool.state == PoolState::Draining || !self.hands_out(pool) || self.claims.iter().any(squats)
    }

    pub(super) fn has_holders(&self, pool: &PoolConfig) -> bool {
        let here = |cidr: IpNet| self.home(cidr).is_some_and(|it| same_blocks(it, pool));
        self.claims.iter().any(|(_, cidr)| here(*cidr))
    }

    pub(super) fn ranges(&self) -> BTreeSet<Range> {
        let pools = self.pools().map(|pool| Range {
            cidr: pool.cidr,
            prefix_len: pool.node_prefix_length,
        });
        let entries = self.entries().into_iter();
        let outside = entries.filter(|cidr| self.home(*cidr).is_none());
        let outside = outside.map(|cidr| Range {
            cidr,
            prefix_len: cidr.prefix_len(),
        });
        pools.chain(outside).collect()
    }

    /// The pools that a node may use, by family, in order.
    pub(super) fn matching(&self, zone: bool) -> Vec<(Family, Vec<PoolConfig>)> {
        let mut families: Vec<(Family, Vec<PoolConfig>)> = Vec::new();
        let pools = self.config.pools.iter();
        for pool in pools.filter(|pool| zone || pool.node_selector.is_empty()) {
            let family = Family::of(&pool.cidr);
            match families.iter_mut().find(|(it, _)| *it == family) {
                Some((_, pools)) => pools.push(pool.clone()),
                None => families.push((family, vec![pool.clone()])),
            }
        }
        families
    }

    pub(super) fn reconfigure(&mut self, config: Config, since: Stamp) {
        // What was removed is new when it is back.
        self.uncovered.retain(|(pool, _)| {
            !self.removed.iter().any(|it| same_blocks(it, pool))
                || !config.pools.iter().any(|it| same_blocks(it, pool))
        });
        let new = config.pools.iter().filter(|pool| {
            let mut known = self.config.pools.iter();
            !known.any(|it| same_blocks(it, pool))
        });
        self.uncovered.extend(new.map(|pool| (pool.clone(), since)));
        let before = std::mem::replace(&mut self.config, config).pools;
        self.removed.splice(0..0, before);
        let pools = &self.config.pools;
        self.removed
            .retain(|old| !pools.iter().any(|new| same_blocks(old, new)));
    }

    /// Forgets removed pools that nobody needs.
    pub(super) fn tidy(&mut self) {
        let entries = self.entries();
        let homes = entries.iter().filter_map(|cidr| self.home(*cidr).cloned());
        let homes: Vec<PoolConfig> = homes.collect();
        let uncovered = std::mem::take(&mut self.uncovered);
        self.removed.retain(|pool| {
            let mut needed = homes.iter().chain(uncovered.iter().map(|(pool, _)| pool));
            needed.any(|it| same_blocks(it, pool))
        });
        self.uncovered = uncovered;
        let pools: Vec<PoolConfig> = self.pools().cloned().collect();
        self.uncovered
            .retain(|(pool, _)| pools.iter().any(|it| same_blocks(it, pool)));
    }
}
