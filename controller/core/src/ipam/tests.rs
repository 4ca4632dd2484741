//! What the allocator promises, subject by subject, and against a model that is too simple to err.

mod allocate;
mod claim;
mod model;
mod obstruct;
mod reconfigure;
mod scale;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ipnet::IpNet;

use super::Allocator;
use crate::{Config, NodeKey, PoolConfig, PoolState, summary::PoolUse};

fn net(text: &str) -> IpNet {
    text.parse().expect("a network")
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().copied().map(net).collect()
}

fn node(name: &str) -> NodeKey {
    NodeKey::new(name, format!("uid-{name}"))
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<Arc<str>, Arc<str>> {
    let pairs = pairs.iter().copied();
    pairs
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn pool(name: &str, cidr: &str, node_prefix_length: u8) -> PoolConfig {
    PoolConfig {
        name: name.into(),
        cidr: net(cidr),
        node_prefix_length,
        node_selector: BTreeMap::new(),
        state: PoolState::Active,
    }
}

fn config(pools: Vec<PoolConfig>) -> Config {
    Config {
        generation: 1,
        pools,
        reserved: Vec::new(),
        check_period: Duration::from_secs(30),
        max_deletion_percent: 30,
        teardown: false,
    }
}

/// Four blocks, named by their last number: 0, 16, 32, 48.
fn four_blocks() -> Allocator {
    Allocator::new(&config(vec![pool("a", "10.0.0.0/26", 28)]))
}

/// Allocates for a node without labels, and gives its only block as text.
fn take(allocator: &mut Allocator, name: &str) -> String {
    let blocks = allocator.allocate(&node(name), 1, &BTreeMap::new());
    let blocks = blocks.expect("a free block");
    let [block] = blocks[..] else {
        panic!("not one block: {blocks:?}");
    };
    block.to_string()
}

/// `[total, allocated, quarantined, reserved, free]`.
fn figures(usage: &PoolUse) -> [usize; 5] {
    [
        usage.total,
        usage.allocated,
        usage.quarantined,
        usage.reserved,
        usage.free,
    ]
}
