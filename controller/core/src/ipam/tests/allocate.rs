use super::*;
use crate::ipam::{AllocateError, Family, Fate, Released};

#[test]
fn a_freed_block_comes_back_last() {
    let mut allocator = four_blocks();
    assert_eq!(take(&mut allocator, "n1"), "10.0.0.0/28");
    assert_eq!(take(&mut allocator, "n2"), "10.0.0.16/28");
    allocator.release(&node("n1"));
    assert!(allocator.end_quarantine(net("10.0.0.0/28")));
    assert_eq!(take(&mut allocator, "n3"), "10.0.0.32/28");
    assert_eq!(take(&mut allocator, "n4"), "10.0.0.48/28");
    assert_eq!(take(&mut allocator, "n5"), "10.0.0.0/28");
}

#[test]
fn after_a_restart_the_search_goes_on_behind_the_youngest_node() {
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let mut allocator = four_blocks();
        let claims = [(7, "10.0.0.0/28"), (9, "10.0.0.16/28"), (8, "10.0.0.48/28")];
        for index in order {
            let (created, cidr) = claims[index];
            allocator.claim(&node(cidr), created, net(cidr));
        }
        allocator.release(&node("10.0.0.0/28"));
        allocator.end_quarantine(net("10.0.0.0/28"));
        assert_eq!(take(&mut allocator, "new"), "10.0.0.32/28");
        assert_eq!(take(&mut allocator, "newer"), "10.0.0.0/28");
    }
}

#[test]
fn a_released_block_waits_for_the_end_of_its_quarantine() {
    let mut allocator = Allocator::new(&config(vec![pool("a", "10.0.0.0/28", 28)]));
    let block = net("10.0.0.0/28");
    take(&mut allocator, "n1");
    let released = Released {
        cidr: block,
        fate: Fate::Quarantined,
    };
    assert_eq!(allocator.release(&node("n1")), [released]);
    assert_eq!(allocator.quarantined().collect::<Vec<_>>(), [block]);
    assert!(allocator.is_quarantined(block) && !allocator.claimed(block));
    assert_eq!(figures(&allocator.uses()[0]), [1, 0, 1, 0, 0]);
    let refused = allocator.allocate(&node("n2"), 2, &BTreeMap::new());
    assert!(matches!(refused, Err(AllocateError::PoolExhausted { .. })));
    assert!(allocator.end_quarantine(block));
    assert!(!allocator.end_quarantine(block));
    assert_eq!(take(&mut allocator, "n2"), "10.0.0.0/28");
}

#[test]
fn a_second_allocation_gives_the_same_blocks() {
    let mut allocator = four_blocks();
    assert_eq!(take(&mut allocator, "n1"), take(&mut allocator, "n1"));
    assert_eq!(allocator.uses()[0].allocated, 1);
}

#[test]
fn the_first_matching_pool_with_a_free_block_is_used() {
    let mut zone = pool("zone", "10.0.1.0/28", 28);
    zone.node_selector = labels(&[("zone", "b"), ("disk", "ssd")]);
    let mut drained = pool("drained", "10.0.2.0/24", 28);
    drained.state = PoolState::Draining;
    let mut allocator = Allocator::new(&config(vec![
        zone,
        drained,
        pool("rest", "10.0.3.0/24", 28),
    ]));
    let all = labels(&[("zone", "b"), ("disk", "ssd"), ("more", "x")]);
    let some = labels(&[("zone", "b"), ("disk", "hdd")]);
    let mut given = |name, labels| allocator.allocate(&node(name), 1, labels);
    assert_eq!(given("n1", &all), Ok(nets(&["10.0.1.0/28"])));
    assert_eq!(given("n2", &all), Ok(nets(&["10.0.3.0/28"])));
    assert_eq!(given("n3", &some), Ok(nets(&["10.0.3.16/28"])));
}

#[test]
fn without_a_matching_pool_nothing_is_given() {
    let mut zone = pool("zone", "10.0.1.0/28", 28);
    zone.node_selector = labels(&[("zone", "b")]);
    let mut allocator = Allocator::new(&config(vec![zone]));
    let given = allocator.allocate(&node("n1"), 1, &labels(&[("zone", "a")]));
    assert_eq!(given, Err(AllocateError::NoMatchingPool));
    assert_eq!(
        Allocator::new(&config(Vec::new())).allocate(&node("n1"), 1, &BTreeMap::new()),
        Err(AllocateError::NoMatchingPool)
    );
}

#[test]
fn both_families_come_in_the_order_of_the_pools() {
    let mut allocator = Allocator::new(&config(vec![
        pool("six", "fd00::/48", 64),
        pool("four", "10.0.0.0/16", 24),
    ]));
    let given = allocator.allocate(&node("n1"), 1, &BTreeMap::new());
    assert_eq!(given, Ok(nets(&["fd00::/64", "10.0.0.0/24"])));
    let blocks: Vec<_> = allocator.blocks(&node("n1")).collect();
    assert_eq!(blocks, nets(&["fd00::/64", "10.0.0.0/24"]));
}

#[test]
fn nothing_is_taken_when_the_second_family_is_exhausted() {
    let mut allocator = Allocator::new(&config(vec![
        pool("four", "10.0.0.0/24", 28),
        pool("six", "fd00::/64", 64),
    ]));
    allocator.claim(&node("n1"), 1, net("fd00::/64"));
    let error = allocator
        .allocate(&node("n2"), 1, &BTreeMap::new())
        .expect_err("no IPv6 is left");
    assert_eq!(
        error.to_string(),
        "no free IPv6 block in pool six (1 blocks: 1 allocated, 0 quarantined, 0 reserved); add a pool"
    );
    assert!(
        matches!(error, AllocateError::PoolExhausted { family: Family::V6, pools } if pools.len() == 1)
    );
    assert!(allocator.claims(&node("n2")).is_empty());
    assert_eq!(figures(&allocator.uses()[0]), [16, 0, 0, 0, 16]);
}

#[test]
fn a_message_tells_a_draining_pool_from_a_full_one() {
    let mut draining = pool("old", "10.0.0.0/26", 28);
    draining.state = PoolState::Draining;
    let mut allocator = Allocator::new(&config(vec![draining]));
    let error = allocator
        .allocate(&node("n1"), 1, &BTreeMap::new())
        .expect_err("the pool is draining");
    assert!(
        error.to_string().contains("0 reserved, draining"),
        "{error}"
    );
}

#[test]
fn retaining_some_claims_releases_the_others() {
    let mut allocator = four_blocks();
    take(&mut allocator, "n1");
    allocator.claim(&node("n1"), 1, net("10.0.0.48/28"));
    let released = allocator.retain(&node("n1"), &nets(&["10.0.0.48/28"]));
    assert_eq!(released.len(), 1);
    assert_eq!(released[0].cidr, net("10.0.0.0/28"));
    assert_eq!(allocator.claims(&node("n1")), nets(&["10.0.0.48/28"]));
    assert!(allocator.is_quarantined(net("10.0.0.0/28")));
}
