//! Pools that come, change and go.

use super::*;
use crate::ipam::Claim;

fn names(ledger: &Ledger) -> Vec<String> {
    let uses = ledger.uses();
    uses.iter().map(|usage| usage.name.to_string()).collect()
}

#[test]
fn a_removed_pool_stays_until_its_last_block_is_free() {
    let pools = vec![pool("a", "10.0.0.0/26", 28), pool("b", "10.1.0.0/26", 28)];
    let mut ledger = covered(&config(pools.clone()));
    let block = net(&take(&mut ledger, 1));
    ledger.reconfigure(&config(vec![pools[1].clone()]), since(1));
    assert_eq!(owner(&ledger, "10.0.0.0/28"), Some(id(1)));
    assert_eq!(names(&ledger), ["b", "a"]);
    assert_eq!(take(&mut ledger, 2), "10.1.0.0/28");
    ledger.release(id(1), block, at(1));
    assert_eq!(names(&ledger), ["b", "a"]);
    ledger.free(block);
    assert_eq!(names(&ledger), ["b"]);
    assert_eq!(ledger.claim(node(3, 1), block), Claim::OutOfRange);
}

#[test]
fn a_removed_pool_without_entries_goes_at_once_and_hands_out_nothing() {
    let mut ledger = four_blocks();
    ledger.reconfigure(&config(Vec::new()), since(1));
    assert_eq!(names(&ledger), [""; 0]);
    assert_eq!(allocate(&mut ledger, 1), Err(AllocateError::NoMatchingPool));
}

#[test]
fn a_removed_pool_with_holders_hands_out_nothing() {
    let mut ledger = four_blocks();
    take(&mut ledger, 1);
    ledger.reconfigure(&config(Vec::new()), since(1));
    assert_eq!(allocate(&mut ledger, 2), Err(AllocateError::NoMatchingPool));
}

#[test]
fn a_pool_that_comes_back_hands_out_again() {
    let mut ledger = four_blocks();
    take(&mut ledger, 1);
    ledger.reconfigure(&config(Vec::new()), since(1));
    ledger.reconfigure(&config(vec![pool("renamed", "10.0.0.0/26", 28)]), since(2));
    assert_eq!(names(&ledger), ["renamed"]);
    ledger.covered(at(2));
    assert_eq!(take(&mut ledger, 2), "10.0.0.16/28");
    assert_eq!(first(&ledger), [4, 2, 0, 0, 0, 2]);
    ledger.release(id(1), net("10.0.0.0/28"), at(3));
    ledger.release(id(2), net("10.0.0.16/28"), at(3));
    ledger.free(net("10.0.0.0/28"));
    ledger.free(net("10.0.0.16/28"));
    assert_eq!(names(&ledger), ["renamed"], "it is configured");
}

#[test]
fn a_claim_out_of_range_becomes_a_block_when_its_pool_is_added() {
    let mut ledger = four_blocks();
    let block = net("10.1.0.0/28");
    for (number, created) in [(1, 2), (2, 1)] {
        let claim = ledger.claim(node(number, created), block);
        assert_eq!(claim, Claim::OutOfRange);
    }
    ledger.reconfigure(&config(vec![pool("b", "10.1.0.0/26", 28)]), since(1));
    ledger.covered(at(1));
    assert_eq!(owner(&ledger, "10.1.0.0/28"), Some(id(2)));
    assert_eq!(take(&mut ledger, 3), "10.1.0.16/28");
}

#[test]
fn a_pool_cut_anew_spares_the_blocks_of_before() {
    let mut ledger = four_blocks();
    take(&mut ledger, 1);
    take(&mut ledger, 2);
    ledger.release(id(2), net("10.0.0.16/28"), at(1));
    ledger.reconfigure(&config(vec![pool("a", "10.0.0.0/26", 29)]), since(1));
    ledger.covered(at(1));
    assert_eq!(owner(&ledger, "10.0.0.0/28"), Some(id(1)));
    assert_eq!(take(&mut ledger, 3), "10.0.0.32/29");
    // Eight blocks of which four are barred and one is held; and four before, of which one is held,
    // one in quarantine and one barred. They have one name, so the range tells them apart.
    assert_eq!(names(&ledger), ["a", "a (10.0.0.0/26)"]);
    let uses = ledger.uses();
    assert_eq!(figures(&uses[0]), [8, 1, 0, 4, 0, 3]);
    assert_eq!(figures(&uses[1]), [4, 1, 1, 1, 0, 1]);
    ledger.free(net("10.0.0.16/28"));
    ledger.release(id(1), net("10.0.0.0/28"), at(2));
    ledger.free(net("10.0.0.0/28"));
    assert_eq!(names(&ledger), ["a"]);
    assert_eq!(first(&ledger), [8, 1, 0, 0, 0, 7]);
}

#[test]
fn obstacles_hold_in_a_pool_that_is_added_later() {
    let mut ledger = covered(&config(Vec::new()));
    ledger.set_foreign(&set(&["10.0.0.0/28"]));
    ledger.reconfigure(&config(vec![pool("a", "10.0.0.0/26", 28)]), since(1));
    ledger.covered(at(1));
    assert_eq!(take(&mut ledger, 1), "10.0.0.16/28");
}

#[test]
fn a_new_pool_inside_a_removed_one_gets_the_blocks_that_the_removed_one_has() {
    let mut ledger = covered(&config(vec![pool("old", "10.0.0.0/24", 28)]));
    for (number, cidr) in [(1, "10.0.0.0/28"), (2, "10.0.0.128/28")] {
        ledger.claim(node(number, 1), net(cidr));
    }
    ledger.reconfigure(&config(vec![pool("new", "10.0.0.128/26", 28)]), since(1));
    ledger.covered(at(1));
    let uses = ledger.uses();
    assert_eq!(figures(&uses[0]), [4, 1, 0, 0, 0, 3]);
    assert_eq!(figures(&uses[1]), [16, 1, 0, 1, 0, 14]);
    ledger.release(id(1), net("10.0.0.0/28"), at(2));
    ledger.free(net("10.0.0.0/28"));
    assert_eq!(names(&ledger), ["new"], "its last own block is free");
    assert_eq!(owner(&ledger, "10.0.0.128/28"), Some(id(2)));
}
