//! How a range is cut into blocks.

use std::{collections::BTreeMap, ops::RangeInclusive, sync::Arc, time::Duration};

use ipnet::IpNet;

use super::{
    bitmap::{BlockMap, Mark},
    span::{Span, bits, network},
    types::Family,
};
use crate::{
    config::{PoolConfig, PoolState},
    ids::Stamp,
};

/// Most blocks that a pool can have, as a power of two.
const MAX_BLOCK_BITS: u8 = 20;

/// One range with its blocks.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pub(super) config: PoolConfig,
    /// Taken out of the configuration; stays until its last block has no claimant and is out of
    /// quarantine.
    pub(super) removed: bool,
    /// Entries of the ledger that are blocks of this pool and of none before it.
    pub(super) entries: usize,
    /// Since when listings cover it.
    pub(super) coverage: Coverage,
    /// It was covered once since it is configured.
    pub(super) looked: bool,
    pub(super) blocks: BlockMap,
    span: Span,
    /// Bits of an address below a block's prefix.
    shift: u32,
    cursor: u32,
    /// Before anything was handed out: creation time and index of the youngest node's block.
    youngest: Option<(i64, u32)>,
    handed_out: bool,
}

/// Whether a listing has shown what lies in a pool's range. Before, nothing is handed out: a route of
/// ours or of others may lie there that nobody has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coverage {
    /// A complete listing is needed that was begun so long after that moment.
    After(Stamp, Duration),
    /// Every listing covers it from now on, unless it names a table that cannot be read.
    Covered,
}

impl Pool {
    pub(super) fn new(mut config: PoolConfig, coverage: Coverage) -> Self {
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
            removed: false,
            entries: 0,
            coverage,
            looked: false,
            blocks: BlockMap::new(1 << (config.node_prefix_length - own)),
            span: Span::of(config.cidr),
            shift: shift.into(),
            cursor: 0,
            youngest: None,
            handed_out: false,
            config,
        }
    }

    /// The same blocks with their marks, under the name and state of `other`. What was removed meanwhile
    /// is to be looked into as if it were new.
    pub(super) fn configured_as(self, other: Self) -> Self {
        let coverage = if self.removed {
            other.coverage
        } else {
            self.coverage
        };
        Self {
            config: other.config,
            removed: false,
            coverage,
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

    /// New blocks may come from it, apart from what stands in their way.
    pub(super) fn is_active(&self) -> bool {
        !self.removed && self.config.state == PoolState::Active
    }

    /// A pod CIDR that is no block of any pool and takes so much of this one that it would leave
    /// others with little: more than a quarter of the blocks, and at least four. Kubelets may register
    /// with any pod CIDR, so one of them could exhaust the pool for everybody.
    pub(super) fn is_oversized(&self, blocks: &RangeInclusive<u32>) -> bool {
        let count = blocks.end() - blocks.start() + 1;
        count >= 4 && u64::from(count) * 4 > u64::from(self.blocks.len())
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

    /// Sets these marks, and no others, on the blocks of a range.
    pub(super) fn mark_only(
        &mut self,
        blocks: &RangeInclusive<u32>,
        marks: impl Iterator<Item = (RangeInclusive<u32>, Mark)>,
    ) {
        for mark in [Mark::Held, Mark::Barred, Mark::Reserved] {
            self.blocks.mark(blocks.clone(), mark, false);
        }
        for (range, mark) in marks {
            let first = *range.start().max(blocks.start());
            let last = *range.end().min(blocks.end());
            self.blocks.mark(first..=last, mark, true);
        }
    }
}
