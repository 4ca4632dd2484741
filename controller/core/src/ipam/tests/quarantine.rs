//! Blocks that nobody claims any more and whose routes may be left.

use super::*;
use crate::ipam::{Claim, Fate};

const BLOCK: &str = "10.0.0.16/28";

#[test]
fn a_released_block_waits_for_the_end_of_its_quarantine() {
    let mut ledger = covered(&config(vec![pool("a", "10.0.0.0/28", 28)]));
    let block = net("10.0.0.0/28");
    take(&mut ledger, 1);
    assert_eq!(ledger.release(id(1), block, at(7)), Fate::Quarantined);
    assert_eq!(ledger.quarantined().collect::<Vec<_>>(), [block]);
    assert_eq!(ledger.released(block), Some(at(7)));
    assert!(!ledger.is_claimed(block) && !gives(&ledger, "10.0.0.0/28"));
    assert_eq!(first(&ledger), [1, 0, 1, 0, 0, 0]);
    let refused = allocate(&mut ledger, 2);
    assert!(matches!(refused, Err(AllocateError::PoolExhausted { .. })));
    assert!(ledger.free(block) && !ledger.free(block));
    assert_eq!(ledger.released(block), None);
    assert_eq!(take(&mut ledger, 2), "10.0.0.0/28");
}

#[test]
fn an_ipv6_block_waits_as_well() {
    let mut ledger = covered(&config(vec![pool("six", "fd00::/64", 64)]));
    take(&mut ledger, 1);
    ledger.release(id(1), net("fd00::/64"), at(1));
    assert_eq!(first(&ledger), [1, 0, 1, 0, 0, 0]);
    allocate(&mut ledger, 2).expect_err("a route may be left");
    ledger.free(net("fd00::/64"));
    assert_eq!(take(&mut ledger, 2), "fd00::/64");
}

#[test]
fn a_claim_ends_the_quarantine() {
    let mut ledger = four_blocks();
    ledger.claim(node(1, 1), net(BLOCK));
    ledger.release(id(1), net(BLOCK), at(1));
    let claim = ledger.claim(node(2, 2), net(BLOCK));
    assert_eq!(claim, Claim::Owner { before: None });
    assert_eq!(ledger.quarantined().count(), 0);
    assert!(!ledger.free(net(BLOCK)), "it is held");
    assert_eq!(owner(&ledger, BLOCK), Some(id(2)));
    assert_eq!(first(&ledger), [4, 1, 0, 0, 0, 3]);
}

#[test]
fn a_block_with_an_orphaned_route_is_not_handed_out() {
    let mut ledger = four_blocks();
    ledger.orphaned(net("10.0.0.0/28"), at(3));
    assert_eq!(ledger.released(net("10.0.0.0/28")), Some(at(3)));
    assert_eq!(first(&ledger), [4, 0, 1, 0, 0, 3]);
    assert_eq!(take(&mut ledger, 1), "10.0.0.16/28");
}

#[test]
fn an_orphaned_route_that_is_known_changes_nothing() {
    let mut ledger = four_blocks();
    ledger.claim(node(1, 1), net(BLOCK));
    ledger.orphaned(net(BLOCK), at(3));
    assert_eq!(owner(&ledger, BLOCK), Some(id(1)), "it is claimed");
    ledger.release(id(1), net(BLOCK), at(4));
    ledger.orphaned(net(BLOCK), at(5));
    assert_eq!(
        ledger.released(net(BLOCK)),
        Some(at(4)),
        "since its release"
    );
}

#[test]
fn an_orphaned_route_that_is_no_block_bars_what_it_overlaps() {
    let mut ledger = four_blocks();
    ledger.orphaned(net("10.0.0.0/27"), at(3));
    assert_eq!(first(&ledger), [4, 0, 0, 2, 0, 2]);
    assert_eq!(take(&mut ledger, 1), "10.0.0.32/28");
    assert!(ledger.free(net("10.0.0.0/27")));
    assert_eq!(first(&ledger), [4, 1, 0, 0, 0, 3]);
}

#[test]
fn a_quarantine_outlives_a_route_of_others() {
    let mut ledger = four_blocks();
    ledger.claim(node(1, 1), net(BLOCK));
    ledger.set_foreign(&set(&[BLOCK]));
    ledger.release(id(1), net(BLOCK), at(1));
    ledger.set_foreign(&BTreeSet::new());
    assert_eq!(first(&ledger), [4, 0, 1, 0, 0, 3]);
}
