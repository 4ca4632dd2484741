//! What listings must cover before blocks are handed out.

use super::*;
use crate::{cloud::Range, ipam::Family};

fn range(cidr: &str, prefix_len: u8) -> Range {
    let cidr = net(cidr);
    Range { cidr, prefix_len }
}

#[test]
fn a_pool_hands_out_nothing_before_a_listing_has_looked_into_it() {
    let settle = Duration::from_secs(10);
    let mut ledger = made(
        &config(vec![pool("a", "10.0.0.0/26", 28)]),
        (at(100), settle),
    );
    let refused = Err(AllocateError::NotCovered(Family::V4));
    assert_eq!(allocate(&mut ledger, 1), refused);
    assert_eq!(ledger.uncovered(), Some(at(110).at));
    for begun in [99, 100, 109] {
        assert!(!ledger.covered(at(begun)), "begun at {begun}");
        assert_eq!(allocate(&mut ledger, 1), refused);
    }
    assert!(ledger.covered(at(110)));
    assert!(!ledger.covered(at(111)), "no news any more");
    assert_eq!(ledger.uncovered(), None);
    assert_eq!(take(&mut ledger, 1), "10.0.0.0/28");
}

#[test]
fn a_pool_that_is_added_waits_for_its_own_listing_and_the_others_do_not() {
    let a = pool("a", "10.0.0.0/28", 28);
    let b = pool("b", "10.1.0.0/28", 28);
    let mut ledger = covered(&config(vec![a.clone()]));
    ledger.reconfigure(&config(vec![b, a]), since(5));
    assert_eq!(ledger.uncovered(), Some(at(5).at));
    assert_eq!(take(&mut ledger, 1), "10.0.0.0/28");
    let refused = allocate(&mut ledger, 2);
    assert_eq!(refused, Err(AllocateError::NotCovered(Family::V4)));
    let problem = ledger.uses()[0].problem.clone();
    let problem = problem.expect("it waits");
    assert!(problem.contains("have yet to be read"), "{problem}");
    assert!(!ledger.covered(at(4)));
    assert!(ledger.covered(at(5)));
    assert_eq!(take(&mut ledger, 2), "10.1.0.0/28");
}

#[test]
fn a_table_that_cannot_be_read_holds_every_pool_back_until_the_next_complete_listing() {
    let a = pool("a", "10.0.0.0/28", 28);
    let mut ledger = covered(&config(vec![a.clone()]));
    ledger.reconfigure(
        &config(vec![a, pool("b", "10.1.0.0/28", 28)]),
        (at(8), Duration::ZERO),
    );
    ledger.uncover(at(5));
    let refused = Err(AllocateError::NotCovered(Family::V4));
    assert_eq!(allocate(&mut ledger, 1), refused);
    assert_eq!(ledger.uncovered(), Some(at(5).at));
    assert!(!ledger.covered(at(4)));
    assert!(ledger.covered(at(5)));
    assert_eq!(take(&mut ledger, 1), "10.0.0.0/28");
    assert_eq!(ledger.uncovered(), Some(at(8).at), "b waited for more");
}

#[test]
fn a_pool_that_is_renamed_or_drained_and_comes_back_stays_covered() {
    let mut ledger = four_blocks();
    let mut renamed = pool("b", "10.0.0.0/26", 28);
    renamed.state = PoolState::Draining;
    ledger.reconfigure(&config(vec![renamed.clone()]), since(5));
    renamed.state = PoolState::Active;
    ledger.reconfigure(&config(vec![renamed]), since(6));
    assert_eq!(ledger.uncovered(), None);
    assert_eq!(take(&mut ledger, 1), "10.0.0.0/28");
}

#[test]
fn a_pool_that_went_for_good_and_comes_back_waits_anew() {
    let mut ledger = four_blocks();
    ledger.reconfigure(&config(Vec::new()), since(5));
    ledger.reconfigure(&config(vec![pool("a", "10.0.0.0/26", 28)]), since(6));
    let refused = allocate(&mut ledger, 1);
    assert_eq!(refused, Err(AllocateError::NotCovered(Family::V4)));
}

#[test]
fn a_pool_that_was_removed_while_a_node_kept_it_waits_anew() {
    let mut ledger = four_blocks();
    ledger.claim(node(1, 1), net("10.0.0.0/28"));
    ledger.reconfigure(&config(Vec::new()), since(5));
    ledger.reconfigure(&config(vec![pool("a", "10.0.0.0/26", 28)]), since(6));
    assert_eq!(ledger.uncovered(), Some(at(6).at));
    let refused = allocate(&mut ledger, 2);
    assert_eq!(refused, Err(AllocateError::NotCovered(Family::V4)));
    assert!(ledger.covered(at(6)));
    assert_eq!(take(&mut ledger, 2), "10.0.0.16/28");
}

#[test]
fn a_pool_cut_anew_waits_for_a_listing() {
    let mut ledger = four_blocks();
    ledger.reconfigure(&config(vec![pool("a", "10.0.0.0/26", 29)]), since(5));
    let refused = allocate(&mut ledger, 1);
    assert_eq!(refused, Err(AllocateError::NotCovered(Family::V4)));
}

#[test]
fn without_routes_every_pool_is_covered() {
    let mut ledger = made(&config(vec![pool("a", "10.0.0.0/26", 28)]), since(5));
    ledger.cover_all();
    assert_eq!(ledger.uncovered(), None);
    assert_eq!(take(&mut ledger, 1), "10.0.0.0/28");
}

#[test]
fn listings_cover_pools_removed_pools_and_what_nodes_have_outside_of_them() {
    let a = pool("a", "10.0.0.0/26", 28);
    let b = pool("b", "10.1.0.0/26", 28);
    let mut ledger = covered(&config(vec![a.clone(), b]));
    ledger.claim(node(1, 1), net("10.1.0.0/28"));
    ledger.claim(node(2, 1), net("192.168.0.0/24"));
    ledger.reconfigure(&config(vec![a]), since(1));
    let all = [
        range("10.0.0.0/26", 28),
        range("10.1.0.0/26", 28),
        range("192.168.0.0/24", 24),
    ];
    assert_eq!(ledger.ranges()[..], all);
    ledger.release(id(1), net("10.1.0.0/28"), at(1));
    ledger.release(id(2), net("192.168.0.0/24"), at(1));
    assert_eq!(ledger.ranges()[..], all, "routes may be left");
    ledger.free(net("10.1.0.0/28"));
    ledger.free(net("192.168.0.0/24"));
    assert_eq!(ledger.ranges()[..], all[..1]);
}

#[test]
fn what_is_added_as_a_pool_is_not_covered_twice() {
    let mut ledger = covered(&config(Vec::new()));
    ledger.claim(node(1, 1), net("10.0.0.0/28"));
    assert_eq!(ledger.ranges()[..], [range("10.0.0.0/28", 28)]);
    ledger.reconfigure(&config(vec![pool("a", "10.0.0.0/26", 28)]), since(1));
    assert_eq!(ledger.ranges()[..], [range("10.0.0.0/26", 28)]);
}

#[test]
fn a_pool_that_is_removed_before_a_listing_looked_into_it_is_listed_until_one_has() {
    let both = config(vec![
        pool("a", "10.0.0.0/26", 28),
        pool("b", "10.0.1.0/26", 28),
    ]);
    let mut ledger = made(&both, since(5));
    ledger.reconfigure(&config(vec![both.pools[0].clone()]), since(6));
    assert_eq!(ledger.ranges().len(), 2, "routes of ours may be left there");
    ledger.covered(at(100));
    assert_eq!(ledger.ranges().len(), 1);
}
