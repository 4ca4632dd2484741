//! How a range is cut into blocks.

use std::{collections::BTreeMap, ops::RangeInclusive, sync::Arc};

use ipnet::IpNet;

use super::{
    bitmap::{BlockMap, Mark},
    span::{Span, bits, network},
    types::Family,
};
use crate::{
    config::{PoolConfig, PoolState},
    summary::PoolUse,
};

/// Most blocks that a pool can have, as a power of two.
const MAX_BLOCK_BITS: u8 = 20;

/// One range with its blocks.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pub(super) config: PoolConfig,
    /// No longer configured; stays until its last block has no holder and no quarantine.
    pub(super) retired: bool,
    /// Claims and quarantines whose block is counted here.
    pub(super) entries: usize,
    pub(super) blocks: BlockMap,
    span: Span,
    /// Bits of an address below a block's prefix.
    shift: u32,
    cursor: u32,
    /// Before anything was handed out: creation time and index of the youngest node's block.
    youngest: Option<(i64, u32)>,
    handed_out: bool,
}

impl Pool {
    pub(super) fn new(mut config: PoolConfig) -> Self {
        config.cidr = config.cidr.trunc();
        let own = config.cidr.prefix_len();
        let longest = own
            .saturating_add(MAX_BLOCK_BITS)
            .min(bits(Family::of(&config.cidr)));
        debug_assert!(
            (own..=longest).contains(&config.node_prefix_length),
            "validated with the configuration"
        );
        config.node_prefix_length = config.node_prefix_length.clamp(own, longest);
        let shift = bits(Family::of(&config.cidr)) - config.node_prefix_length;
        Self {
            retired: false,
            entries: 0,
            blocks: BlockMap::new(1 << (config.node_prefix_length - own)),
            span: Span::of(config.cidr),
            shift: shift.into(),
            cursor: 0,
            youngest: None,
            handed_out: false,
            config,
        }
    }

    /// The same blocks with their marks, under the name and state of `other`.
    pub(super) fn configured_as(self, other: Self) -> Self {
        Self {
            config: other.config,
            retired: false,
            ..self
        }
    }

    pub(super) fn family(&self) -> Family {
        self.span.family
    }

    /// Cut the same way, whatever the name.
    pub(super) fn same_blocks(&self, other: &Self) -> bool {
        self.config.cidr == other.config.cidr
            && self.config.node_prefix_length == other.config.node_prefix_length
    }

    /// All labels of the selector are there.
    pub(super) fn matches(&self, labels: &BTreeMap<Arc<str>, Arc<str>>) -> bool {
        let mut wanted = self.config.node_selector.iter();
        wanted.all(|(name, value)| labels.get(name) == Some(value))
    }

    pub(super) fn hands_out(&self) -> bool {
        !self.retired && self.config.state == PoolState::Active
    }

    /// Index of the block that is exactly this network.
    pub(super) fn index_of(&self, cidr: IpNet) -> Option<u32> {
        (cidr.prefix_len() == self.config.node_prefix_length)
            .then(|| self.overlap(cidr))
            .flatten()
            .map(|blocks| *blocks.start())
    }

    /// The blocks that have addresses in common with a network.
    pub(super) fn overlap(&self, cidr: IpNet) -> Option<RangeInclusive<u32>> {
        let common = self.span.overlap(Span::of(cidr))?;
        Some(self.index_at(common.first)..=self.index_at(common.last))
    }

    /// The blocks that have addresses in common with a network, and the smallest network that
    /// contains them all: one network cuts another's blocks into aligned ranges only.
    pub(super) fn region(&self, cidr: IpNet) -> Option<(IpNet, RangeInclusive<u32>)> {
        let blocks = self.overlap(cidr)?;
        let region = if blocks.start() == blocks.end() {
            self.block(*blocks.start())
        } else if cidr.contains(&self.config.cidr) {
            self.config.cidr
        } else {
            cidr
        };
        Some((region, blocks))
    }

    /// The blocks that a route for `cidr` keeps from being handed out: none if every block is more
    /// specific than anything that could tell the route from the pool's surroundings.
    pub(super) fn obstructed_by(&self, cidr: IpNet) -> Option<RangeInclusive<u32>> {
        let covers = cidr.contains(&self.config.cidr);
        let is_the_block = cidr == self.config.cidr && self.blocks.len() == 1;
        if covers && !is_the_block {
            return None;
        }
        self.overlap(cidr)
    }

    fn index_at(&self, address: u128) -> u32 {
        let offset = address.saturating_sub(self.span.first);
        u32::try_from(offset.checked_shr(self.shift).unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// The network of a block.
    pub(super) fn block(&self, index: u32) -> IpNet {
        let offset = u128::from(index).checked_shl(self.shift).unwrap_or(0);
        let address = self.span.first.saturating_add(offset);
        network(self.span.family, address, self.config.node_prefix_length)
    }

    /// The next block to hand out.
    pub(super) fn next_free(&self) -> Option<u32> {
        self.blocks.next_free(self.cursor)
    }

    /// A block was handed out: the search goes on behind it, so that a block given back comes last.
    pub(super) fn advance(&mut self, index: u32) {
        self.handed_out = true;
        self.cursor = (index + 1) % self.blocks.len();
    }

    /// A node that existed before anything was handed out has this block. The youngest node's is
    /// the best guess of where the search stood before a restart.
    pub(super) fn learn(&mut self, created: i64, index: u32) {
        if !self.handed_out && self.youngest < Some((created, index)) {
            self.youngest = Some((created, index));
            self.cursor = (index + 1) % self.blocks.len();
        }
    }

    /// Forgets all marks and entries; keeps where the search stands.
    pub(super) fn clear(&mut self) {
        self.blocks = BlockMap::new(self.blocks.len());
        self.entries = 0;
    }

    pub(super) fn set(&mut self, blocks: RangeInclusive<u32>, mark: Mark) {
        self.blocks.mark(blocks, mark, true);
    }

    pub(super) fn unset(&mut self, blocks: RangeInclusive<u32>, mark: Mark) {
        self.blocks.mark(blocks, mark, false);
    }

    pub(super) fn usage(&self) -> PoolUse {
        let counts = self.blocks.counts();
        PoolUse {
            name: self.config.name.clone(),
            total: self.blocks.len() as usize,
            allocated: counts.held as usize,
            quarantined: counts.barred as usize,
            blocked: 0,
            reserved: counts.reserved as usize,
            free: self.blocks.free() as usize,
            problem: None,
        }
    }
}

/// Adds up what pools of one name hold (one that was removed, another in its place).
pub(super) fn add_usage(uses: &mut Vec<PoolUse>, more: PoolUse) {
    match uses.iter_mut().find(|known| known.name == more.name) {
        Some(known) => {
            known.total += more.total;
            known.allocated += more.allocated;
            known.quarantined += more.quarantined;
            known.reserved += more.reserved;
            known.free += more.free;
        }
        None => uses.push(more),
    }
}
