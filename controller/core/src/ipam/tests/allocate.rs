//! Which block a node gets.

use super::*;
use crate::ipam::Family;

#[test]
fn a_freed_block_comes_back_last() {
    let mut ledger = four_blocks();
    assert_eq!(take(&mut ledger, 1), "10.0.0.0/28");
    assert_eq!(take(&mut ledger, 2), "10.0.0.16/28");
    ledger.release(id(1), net("10.0.0.0/28"), at(1));
    assert!(ledger.free(net("10.0.0.0/28")));
    assert_eq!(take(&mut ledger, 3), "10.0.0.32/28");
    assert_eq!(take(&mut ledger, 4), "10.0.0.48/28");
    assert_eq!(take(&mut ledger, 5), "10.0.0.0/28");
}

#[test]
fn after_a_restart_the_search_goes_on_behind_the_youngest_node() {
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let mut ledger = four_blocks();
        let claims = [(7, "10.0.0.0/28"), (9, "10.0.0.16/28"), (8, "10.0.0.48/28")];
        for index in order {
            let (created, cidr) = claims[index];
            ledger.claim(node(index, created), net(cidr));
        }
        ledger.release(id(0), net("10.0.0.0/28"), at(1));
        ledger.free(net("10.0.0.0/28"));
        assert_eq!(take(&mut ledger, 7), "10.0.0.32/28");
        assert_eq!(take(&mut ledger, 8), "10.0.0.0/28");
    }
}

#[test]
fn nodes_that_were_seen_before_the_pool_was_configured_are_learnt_from_too() {
    let mut ledger = covered(&config(Vec::new()));
    ledger.claim(node(1, 7), net("10.0.0.16/28"));
    ledger.reconfigure(&config(vec![pool("a", "10.0.0.0/26", 28)]), since(1));
    ledger.covered(at(1));
    assert_eq!(take(&mut ledger, 2), "10.0.0.32/28");
}

#[test]
fn the_first_matching_pool_with_a_free_block_is_used() {
    let mut zone = pool("zone", "10.0.1.0/28", 28);
    zone.node_selector = labels(&[("zone", "b"), ("disk", "ssd")]);
    let mut drained = pool("drained", "10.0.2.0/24", 28);
    drained.state = PoolState::Draining;
    let mut ledger = covered(&config(vec![
        zone,
        drained,
        pool("rest", "10.0.3.0/24", 28),
    ]));
    let all = labels(&[("zone", "b"), ("disk", "ssd"), ("more", "x")]);
    let some = labels(&[("zone", "b"), ("disk", "hdd")]);
    let mut given = |number, labels| ledger.allocate(&node(number, 1), labels);
    assert_eq!(given(1, &all), Ok(nets(&["10.0.1.0/28"])));
    assert_eq!(given(2, &all), Ok(nets(&["10.0.3.0/28"])));
    assert_eq!(given(3, &some), Ok(nets(&["10.0.3.16/28"])));
}

#[test]
fn without_a_matching_pool_nothing_is_given() {
    let mut zone = pool("zone", "10.0.1.0/28", 28);
    zone.node_selector = labels(&[("zone", "b")]);
    let mut ledger = covered(&config(vec![zone]));
    let given = ledger.allocate(&node(1, 1), &labels(&[("zone", "a")]));
    assert_eq!(given, Err(AllocateError::NoMatchingPool));
    let mut empty = covered(&config(Vec::new()));
    assert_eq!(allocate(&mut empty, 1), Err(AllocateError::NoMatchingPool));
}

#[test]
fn labels_matter_while_some_configured_pool_has_a_selector() {
    let mut zone = pool("zone", "10.0.1.0/28", 28);
    zone.node_selector = labels(&[("zone", "b")]);
    let rest = pool("rest", "10.0.3.0/24", 28);
    let mut ledger = covered(&config(vec![rest.clone(), zone]));
    assert!(ledger.selects());
    ledger.claim(node(1, 1), net("10.0.1.0/28"));
    ledger.reconfigure(&config(vec![rest]), since(1));
    assert!(!ledger.selects(), "the one that has it was removed");
}

#[test]
fn both_families_come_in_the_order_of_the_pools() {
    let mut ledger = covered(&config(vec![
        pool("six", "fd00::/48", 64),
        pool("four", "10.0.0.0/16", 24),
        pool("more", "10.1.0.0/16", 24),
    ]));
    let given = allocate(&mut ledger, 1);
    assert_eq!(given, Ok(nets(&["fd00::/64", "10.0.0.0/24"])));
    assert_eq!(owner(&ledger, "fd00::/64"), Some(id(1)));
    assert_eq!(owner(&ledger, "10.0.0.0/24"), Some(id(1)));
}

#[test]
fn nothing_is_taken_when_the_second_family_is_exhausted() {
    let mut ledger = covered(&config(vec![
        pool("four", "10.0.0.0/24", 28),
        pool("six", "fd00::/64", 64),
    ]));
    ledger.claim(node(1, 1), net("fd00::/64"));
    let error = allocate(&mut ledger, 2).expect_err("no IPv6 is left");
    assert_eq!(
        error.to_string(),
        "no free IPv6 block in pool six (1 blocks: 1 allocated, 0 quarantined, 0 blocked, \
         0 reserved); add a pool"
    );
    assert!(
        matches!(error, AllocateError::PoolExhausted { family: Family::V6, pools } if pools.len() == 1)
    );
    assert_eq!(first(&ledger), [16, 0, 0, 0, 0, 16]);
    ledger.release(id(1), net("fd00::/64"), at(1));
    ledger.free(net("fd00::/64"));
    let given = allocate(&mut ledger, 2);
    assert_eq!(given, Ok(nets(&["10.0.0.0/28", "fd00::/64"])));
}

#[test]
fn a_message_tells_a_draining_pool_from_a_full_one() {
    let mut draining = pool("old", "10.0.0.0/26", 28);
    draining.state = PoolState::Draining;
    let mut ledger = covered(&config(vec![draining]));
    let error = allocate(&mut ledger, 1).expect_err("the pool is draining");
    assert!(
        error.to_string().contains("0 reserved; draining"),
        "{error}"
    );
}

#[test]
fn reserved_ranges_are_not_handed_out_and_claims_there_hold() {
    let mut wanted = config(vec![pool("a", "10.0.0.0/26", 28)]);
    wanted.reserved = nets(&["10.0.0.0/27", "10.0.0.40/32", "192.168.0.0/16"]);
    let mut ledger = covered(&wanted);
    ledger.claim(node(1, 1), net("10.0.0.16/28"));
    assert_eq!(owner(&ledger, "10.0.0.16/28"), Some(id(1)));
    assert!(!gives(&ledger, "10.0.0.16/28"), "it would get another");
    assert_eq!(first(&ledger), [4, 1, 0, 0, 2, 1]);
    assert_eq!(take(&mut ledger, 2), "10.0.0.48/28");
    wanted.reserved = nets(&["10.0.0.0/8"]);
    ledger.reconfigure(&wanted, since(1));
    assert_eq!(first(&ledger), [4, 2, 0, 0, 2, 0]);
}
