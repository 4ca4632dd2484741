//! What the ledger promises, subject by subject, and against a model that is too simple to err.

mod allocate;
mod block;
mod claim;
mod cover;
mod model;
mod ops;
mod oversized;
mod property;
mod quarantine;
mod reconfigure;
mod scale;
mod tell;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;

use super::{AllocateError, Claimant, Ledger};
use crate::{
    Config, NodeKey, PoolConfig, PoolState,
    ids::{NodeId, Stamp},
    summary::PoolUse,
};

/// A ledger with these pools, and nobody in them.
fn made(config: &Config, coverage: (Stamp, Duration)) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.reconfigure(config, coverage);
    ledger
}

fn net(text: &str) -> IpNet {
    text.parse().expect("a network")
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().copied().map(net).collect()
}

fn set(texts: &[&str]) -> BTreeSet<IpNet> {
    texts.iter().copied().map(net).collect()
}

fn at(seconds: u64) -> Stamp {
    Stamp::of_second(seconds)
}

fn id(number: usize) -> NodeId {
    NodeId::new(number)
}

fn key(number: usize) -> NodeKey {
    NodeKey::new(format!("n{number}"), format!("uid-n{number}"))
}

/// The node of that number, created at that second.
fn node(number: usize, created: i64) -> Claimant {
    Claimant {
        id: id(number),
        created,
        key: key(number),
    }
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

/// What a pool configured at that second waits for: a listing begun then or later.
fn since(seconds: u64) -> (Stamp, Duration) {
    (at(seconds), Duration::ZERO)
}

/// A ledger whose pools were all looked into.
fn covered(config: &Config) -> Ledger {
    let mut ledger = made(config, since(0));
    ledger.covered(at(0));
    ledger
}

/// Four blocks, named by their last number: 0, 16, 32, 48.
fn four_blocks() -> Ledger {
    covered(&config(vec![pool("a", "10.0.0.0/26", 28)]))
}

fn allocate(ledger: &mut Ledger, number: usize) -> Result<Vec<IpNet>, AllocateError> {
    ledger.allocate(&node(number, 1), &BTreeMap::new())
}

/// Allocates for a node without labels, and gives its only block as text.
fn take(ledger: &mut Ledger, number: usize) -> String {
    let blocks = allocate(ledger, number).expect("a free block");
    let [block] = blocks[..] else {
        panic!("not one block: {blocks:?}");
    };
    block.to_string()
}

fn owner(ledger: &Ledger, cidr: &str) -> Option<NodeId> {
    ledger.owner_id(net(cidr))
}

/// Whether a block that was chosen for a node without labels would be handed out to it still.
fn gives(ledger: &Ledger, cidr: &str) -> bool {
    ledger.would_give(net(cidr), &BTreeMap::new())
}

/// `[total, allocated, quarantined, blocked, reserved, free]`.
fn figures(usage: &PoolUse) -> [usize; 6] {
    [
        usage.total,
        usage.allocated,
        usage.quarantined,
        usage.blocked,
        usage.reserved,
        usage.free,
    ]
}

/// Of the first pool.
fn first(ledger: &Ledger) -> [usize; 6] {
    figures(&ledger.uses()[0])
}
