//! A node that registers with far too large a pod CIDR takes nothing from others.

use super::*;

/// Sixteen blocks.
fn sixteen() -> Ledger {
    covered(&config(vec![pool("a", "10.0.0.0/24", 28)]))
}

#[test]
fn a_claim_of_a_quarter_of_the_pool_is_respected_and_of_more_is_not() {
    for (cidr, blocked) in [
        ("10.0.0.0/27", 2),
        ("10.0.0.0/26", 4),
        ("10.0.0.0/25", 0),
        ("10.0.0.0/24", 0),
        ("10.0.0.0/15", 0),
        ("0.0.0.0/0", 0),
    ] {
        let mut ledger = sixteen();
        ledger.claim(node(1, 1), net(cidr));
        assert_eq!(
            first(&ledger),
            [16, 0, 0, blocked, 0, 16 - blocked],
            "{cidr}"
        );
        ledger.release(id(1), net(cidr), at(1));
        assert_eq!(first(&ledger)[3], blocked, "{cidr} in quarantine");
    }
}

#[test]
fn in_a_small_pool_three_blocks_may_be_taken() {
    let mut ledger = four_blocks();
    ledger.claim(node(1, 1), net("10.0.0.0/27"));
    ledger.claim(node(2, 1), net("10.0.0.32/29"));
    assert_eq!(first(&ledger)[3], 3, "each of them is small");
    let mut ledger = four_blocks();
    ledger.claim(node(1, 1), net("10.0.0.0/26"));
    assert_eq!(first(&ledger)[3], 0, "all four is too much");
}

#[test]
fn the_node_is_named_in_the_problem_of_the_pool() {
    for cidr in ["10.0.0.0/27", "10.0.0.0/15"] {
        let mut ledger = sixteen();
        ledger.claim(node(1, 1), net(cidr));
        let problem = ledger.uses()[0].problem.clone();
        let expected =
            format!("node n1 registered with the pod CIDR {cidr}, which is no block of a pool");
        assert_eq!(problem, Some(expected));
        ledger.release(id(1), net(cidr), at(1));
        assert_eq!(ledger.uses()[0].problem, None);
    }
    let mut ledger = sixteen();
    ledger.claim(node(1, 1), net("10.0.0.0/29"));
    assert_eq!(ledger.uses()[0].problem, None, "one block is no problem");
}

#[test]
fn what_is_a_block_of_another_pool_bars_however_large_it_is() {
    let old = pool("old", "10.0.0.0/24", 25);
    let mut ledger = covered(&config(vec![old]));
    ledger.claim(node(1, 1), net("10.0.0.0/25"));
    ledger.reconfigure(&config(vec![pool("new", "10.0.0.0/24", 28)]), since(1));
    ledger.covered(at(1));
    assert_eq!(first(&ledger), [16, 0, 0, 8, 0, 8]);
    assert_eq!(take(&mut ledger, 2), "10.0.0.128/28");
}
