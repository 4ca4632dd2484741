use super::*;
use crate::ipam::{Claim, OutOfRange};

#[test]
fn reserved_ranges_are_not_handed_out_and_claims_there_hold() {
    let mut wanted = config(vec![pool("a", "10.0.0.0/26", 28)]);
    wanted.reserved = nets(&["10.0.0.0/27", "10.0.0.40/32", "192.168.0.0/16"]);
    let mut allocator = Allocator::new(&wanted);
    let claim = allocator.claim(&node("n1"), 1, net("10.0.0.16/28"));
    assert_eq!(claim, Claim::Owner { displaced: None });
    assert_eq!(figures(&allocator.uses()[0]), [4, 1, 0, 2, 1]);
    assert_eq!(take(&mut allocator, "n2"), "10.0.0.48/28");
    wanted.reserved = nets(&["10.0.0.0/8"]);
    allocator.reconfigure(&wanted);
    assert_eq!(figures(&allocator.uses()[0]), [4, 2, 0, 2, 0]);
}

#[test]
fn a_removed_pool_stays_until_its_last_block_is_free() {
    let pools = vec![pool("a", "10.0.0.0/26", 28), pool("b", "10.1.0.0/26", 28)];
    let mut allocator = Allocator::new(&config(pools.clone()));
    let block = net(&take(&mut allocator, "n1"));
    allocator.reconfigure(&config(vec![pools[1].clone()]));
    assert_eq!(allocator.owner(block), Some(&node("n1")));
    let names = |allocator: &Allocator| -> Vec<String> {
        let uses = allocator.uses();
        uses.iter().map(|usage| usage.name.to_string()).collect()
    };
    assert_eq!(names(&allocator), ["b", "a"]);
    assert_eq!(take(&mut allocator, "n2"), "10.1.0.0/28");
    allocator.release(&node("n1"));
    assert_eq!(names(&allocator), ["b", "a"]);
    allocator.end_quarantine(block);
    assert_eq!(names(&allocator), ["b"]);
    let claim = allocator.claim(&node("n3"), 1, block);
    assert_eq!(claim, Claim::OutOfRange(OutOfRange::NoPool));
}

#[test]
fn a_pool_that_comes_back_hands_out_again() {
    let mut allocator = four_blocks();
    take(&mut allocator, "n1");
    allocator.reconfigure(&config(Vec::new()));
    allocator
        .allocate(&node("n2"), 1, &BTreeMap::new())
        .expect_err("no pool");
    allocator.reconfigure(&config(vec![pool("renamed", "10.0.0.0/26", 28)]));
    assert_eq!(take(&mut allocator, "n2"), "10.0.0.16/28");
    assert_eq!(figures(&allocator.uses()[0]), [4, 2, 0, 0, 2]);
}

#[test]
fn a_claim_out_of_range_becomes_a_block_when_its_pool_is_added() {
    let mut allocator = four_blocks();
    let block = net("10.1.0.0/28");
    for (name, created) in [("young", 2), ("old", 1)] {
        let claim = allocator.claim(&node(name), created, block);
        assert_eq!(claim, Claim::OutOfRange(OutOfRange::NoPool));
    }
    allocator.reconfigure(&config(vec![pool("b", "10.1.0.0/26", 28)]));
    assert_eq!(allocator.owner(block), Some(&node("old")));
    assert_eq!(take(&mut allocator, "n1"), "10.1.0.16/28");
}

#[test]
fn a_pool_cut_anew_spares_the_blocks_of_before() {
    let mut allocator = four_blocks();
    take(&mut allocator, "n1");
    take(&mut allocator, "n2");
    allocator.release(&node("n2"));
    allocator.reconfigure(&config(vec![pool("a", "10.0.0.0/26", 29)]));
    assert_eq!(allocator.owner(net("10.0.0.0/28")), Some(&node("n1")));
    assert_eq!(take(&mut allocator, "n3"), "10.0.0.32/29");
    // Two pools of one name: eight blocks of which four are barred and one is held, and four
    // before, of which one is held, one in quarantine and one barred.
    assert_eq!(figures(&allocator.uses()[0]), [12, 2, 6, 0, 4]);
    allocator.end_quarantine(net("10.0.0.16/28"));
    allocator.release(&node("n1"));
    allocator.end_quarantine(net("10.0.0.0/28"));
    assert_eq!(figures(&allocator.uses()[0]), [8, 1, 0, 0, 7]);
}

#[test]
fn obstacles_hold_in_a_pool_that_is_added_later() {
    let mut allocator = Allocator::new(&config(Vec::new()));
    allocator.set_obstructions(nets(&["10.0.0.0/28"]));
    allocator.reconfigure(&config(vec![pool("a", "10.0.0.0/26", 28)]));
    assert_eq!(take(&mut allocator, "n1"), "10.0.0.16/28");
}
