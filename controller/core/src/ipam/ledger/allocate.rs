//! Which blocks a node gets.

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;

use super::Ledger;
use crate::ipam::{
    bitmap::Mark,
    pool::{Coverage, Pool},
    types::{AllocateError, Claimant, Family},
};

impl Ledger {
    /// Chooses blocks for a node that claims nothing, and claims them in its name: for each family
    /// among the pools that match its labels one block, from the first such pool that has a free
    /// one. The family of the first matching pool comes first. All families or none.
    pub(crate) fn allocate(
        &mut self,
        claimant: &Claimant,
        labels: &BTreeMap<Arc<str>, Arc<str>>,
    ) -> Result<Vec<IpNet>, AllocateError> {
        let mut chosen = Vec::with_capacity(2);
        for family in self.families(labels)? {
            let matching = self.matching(labels, family);
            let usable = matching.filter(|(_, pool)| self.hands_out(pool));
            let found = usable.filter_map(|(place, pool)| Some((place, pool.next_free()?)));
            chosen.push(
                found
                    .into_iter()
                    .next()
                    .ok_or_else(|| self.why_none(labels, family))?,
            );
        }
        let mut cidrs = Vec::with_capacity(chosen.len());
        for (place, index) in chosen {
            let pool = &mut self.pools[place];
            pool.advance(index);
            let cidr = pool.block(index);
            self.enter(claimant.clone(), cidr);
            cidrs.push(cidr);
        }
        Ok(cidrs)
    }

    /// Whether a block that was chosen for a node with these labels, and that nobody else claims, would
    /// be handed out to it still: its pool may be another by now, or be removed, and something may have
    /// come to stand in its way.
    pub(crate) fn would_give(&self, cidr: IpNet, labels: &BTreeMap<Arc<str>, Arc<str>>) -> bool {
        let cidr = cidr.trunc();
        let home = self.home(cidr).map(|home| &self.pools[home]);
        home.is_some_and(|pool| {
            let index = pool.index_of(cidr);
            let kept_back = |mark| index.is_none_or(|index| pool.blocks.has(index, mark));
            self.hands_out(pool)
                && pool.matches(labels)
                && !kept_back(Mark::Barred)
                && !kept_back(Mark::Reserved)
        })
    }

    /// Whether it matters which labels a node has.
    pub(crate) fn selects(&self) -> bool {
        let mut configured = self.pools.iter().filter(|pool| !pool.removed);
        configured.any(|pool| !pool.config.node_selector.is_empty())
    }

    /// The families that a node with these labels gets, in order.
    fn families(
        &self,
        labels: &BTreeMap<Arc<str>, Arc<str>>,
    ) -> Result<Vec<Family>, AllocateError> {
        let mut families = Vec::with_capacity(2);
        let configured = self.pools.iter().filter(|pool| !pool.removed);
        for pool in configured.filter(|pool| pool.matches(labels)) {
            if !families.contains(&pool.family()) {
                families.push(pool.family());
            }
        }
        if families.is_empty() {
            return Err(AllocateError::NoMatchingPool);
        }
        Ok(families)
    }

    fn matching(
        &self,
        labels: &BTreeMap<Arc<str>, Arc<str>>,
        family: Family,
    ) -> impl Iterator<Item = (usize, &Pool)> {
        let configured = self.pools.iter().enumerate();
        configured.filter(move |(_, pool)| {
            !pool.removed && pool.family() == family && pool.matches(labels)
        })
    }

    /// The pool is active, and known to hold nothing that makes it unusable.
    fn hands_out(&self, pool: &Pool) -> bool {
        pool.is_active() && pool.coverage == Coverage::Covered && self.unusable(pool).is_none()
    }

    fn why_none(&self, labels: &BTreeMap<Arc<str>, Arc<str>>, family: Family) -> AllocateError {
        let waits =
            |(_, pool): (usize, &Pool)| pool.is_active() && pool.coverage != Coverage::Covered;
        if self.matching(labels, family).any(waits) {
            return AllocateError::NotCovered(family);
        }
        let pools = self.matching(labels, family);
        AllocateError::PoolExhausted {
            family,
            pools: pools.map(|(_, pool)| self.usage(pool)).collect(),
        }
    }
}
