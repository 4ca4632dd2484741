//! Bounds that only something quadratic could pass.

use std::time::Instant;

use super::*;
use crate::ipam::{Family, span::network};

/// Far above what is needed (a tenth of a second), far below what anything quadratic takes.
const BOUND: Duration = Duration::from_secs(5);

#[test]
fn a_hundred_thousand_nodes_come_and_go() {
    let start = Instant::now();
    let mut ledger = covered(&config(vec![pool("four", "10.0.0.0/8", 28)]));
    let none = BTreeMap::new();
    let nodes: Vec<Claimant> = (0..100_000).map(|number| node(number, 1)).collect();
    let mut blocks = Vec::new();
    for node in &nodes {
        let given = ledger.allocate(node, &none).expect("a free block");
        ledger.claim(node.clone(), given[0]);
        blocks.push(given[0]);
    }
    assert_eq!(ledger.uses()[0].allocated, nodes.len());
    for (node, block) in nodes.iter().zip(&blocks) {
        ledger.release(node.id, *block, at(1));
    }
    let waiting: Vec<IpNet> = ledger.quarantined().collect();
    for block in waiting {
        ledger.free(block);
    }
    assert_eq!(ledger.uses()[0].free, 1 << 20);
    assert!(start.elapsed() < BOUND, "took {:?}", start.elapsed());
}

#[test]
fn a_huge_foreign_range_is_one_obstacle() {
    let start = Instant::now();
    let mut ledger = covered(&config(vec![pool("six", "fd00::/44", 64)]));
    for round in 0..1_000 {
        let half = if round % 2 == 0 {
            "fd00::/45"
        } else {
            "fd00:0:8::/45"
        };
        ledger.set_foreign(&set(&[half]));
    }
    assert_eq!(take(&mut ledger, 1), "fd00::/64");
    assert_eq!(first(&ledger)[1..4], [1, 0, 1 << 19]);
    assert!(start.elapsed() < BOUND, "took {:?}", start.elapsed());
}

#[test]
fn a_hundred_thousand_routes_are_compared_with_those_of_before() {
    let start = Instant::now();
    let mut ledger = covered(&config(vec![pool("four", "10.0.0.0/8", 28)]));
    let route = |n: u32| network(Family::V4, u128::from((10 << 24) + n * 16), 28);
    for first in [0, 10, 200_000] {
        let routes = (first..first + 100_000).map(route).collect();
        ledger.set_foreign(&routes);
    }
    assert_eq!(ledger.uses()[0].blocked, 100_000);
    assert!(start.elapsed() < BOUND, "took {:?}", start.elapsed());
}

#[test]
fn a_pool_is_cut_anew_around_a_hundred_thousand_blocks() {
    let start = Instant::now();
    let mut ledger = covered(&config(vec![pool("four", "10.0.0.0/8", 28)]));
    for number in 0..100_000 {
        allocate(&mut ledger, number).expect("a free block");
    }
    ledger.reconfigure(&config(vec![pool("four", "10.0.0.0/8", 27)]), since(1));
    assert_eq!(
        first(&ledger),
        [1 << 19, 0, 0, 50_000, 0, (1 << 19) - 50_000]
    );
    assert!(start.elapsed() < BOUND, "took {:?}", start.elapsed());
}
