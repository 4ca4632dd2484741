use std::time::Instant;

use super::*;
use crate::ipam::Family;
use crate::ipam::span::network;

/// Far above what is needed (a tenth of a second), far below what anything quadratic takes.
const BOUND: Duration = Duration::from_secs(5);

#[test]
fn a_hundred_thousand_nodes_come_and_go() {
    let start = Instant::now();
    let mut allocator = Allocator::new(&config(vec![pool("four", "10.0.0.0/8", 28)]));
    let keys: Vec<NodeKey> = (0..100_000).map(|n| node(&format!("node-{n}"))).collect();
    let none = BTreeMap::new();
    for key in &keys {
        let given = allocator.allocate(key, 1, &none).expect("a free block");
        allocator.claim(key, 1, given[0]);
    }
    assert_eq!(allocator.uses()[0].allocated, keys.len());
    for key in &keys {
        allocator.release(key);
    }
    let waiting: Vec<IpNet> = allocator.quarantined().collect();
    for block in waiting {
        allocator.end_quarantine(block);
    }
    assert_eq!(allocator.uses()[0].free, 1 << 20);
    assert!(start.elapsed() < BOUND, "took {:?}", start.elapsed());
}

#[test]
fn a_huge_foreign_range_is_one_obstacle() {
    let start = Instant::now();
    let mut allocator = Allocator::new(&config(vec![pool("six", "fd00::/44", 64)]));
    for round in 0..1_000 {
        let half = if round % 2 == 0 {
            "fd00::/45"
        } else {
            "fd00:0:8::/45"
        };
        allocator.set_obstructions([net(half)]);
    }
    assert_eq!(take(&mut allocator, "n1"), "fd00::/64");
    assert_eq!(figures(&allocator.uses()[0])[1..3], [1, 1 << 19]);
    assert!(start.elapsed() < BOUND, "took {:?}", start.elapsed());
}

#[test]
fn a_hundred_thousand_routes_are_compared_with_those_of_before() {
    let start = Instant::now();
    let mut allocator = Allocator::new(&config(vec![pool("four", "10.0.0.0/8", 28)]));
    let route = |n: u32| network(Family::V4, u128::from((10 << 24) + n * 16), 28);
    for first in [0, 10, 200_000] {
        allocator.set_obstructions((first..first + 100_000).map(route));
    }
    assert_eq!(allocator.uses()[0].quarantined, 100_000);
    assert!(start.elapsed() < BOUND, "took {:?}", start.elapsed());
}
