//! Who has what several claim, and what is no block of any pool.

use super::*;
use crate::ipam::{Claim, Fate};

const BLOCK: &str = "10.0.0.16/28";

#[test]
fn the_oldest_owns_the_block_whatever_the_order() {
    // Created at the same second, the lower UID decides.
    let claimants = [(0, 5), (2, 9), (1, 9)];
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut ledger = four_blocks();
        for index in order {
            let (number, created) = claimants[index];
            ledger.claim(node(number, created), net(BLOCK));
        }
        let mut heirs = Vec::new();
        while let Some(owner) = owner(&ledger, BLOCK) {
            ledger.release(owner, net(BLOCK), at(1));
            heirs.push(owner);
        }
        assert_eq!(heirs, [id(0), id(1), id(2)]);
        assert!(ledger.released(net(BLOCK)).is_some());
    }
}

#[test]
fn of_two_nodes_of_one_second_and_one_uid_the_name_decides() {
    let twin = |number: usize| Claimant {
        key: NodeKey::new(format!("n{number}"), "uid"),
        ..node(number, 1)
    };
    for order in [[1, 2], [2, 1]] {
        let mut ledger = four_blocks();
        for number in order {
            ledger.claim(twin(number), net(BLOCK));
        }
        assert_eq!(owner(&ledger, BLOCK), Some(id(1)));
    }
}

#[test]
fn an_older_claimant_displaces_the_owner_and_hears_of_it() {
    let mut ledger = four_blocks();
    let (old, young) = (node(1, 5), node(2, 9));
    let owner = |before| Claim::Owner { before };
    assert_eq!(ledger.claim(young.clone(), net(BLOCK)), owner(None));
    assert_eq!(ledger.claim(old.clone(), net(BLOCK)), owner(Some(id(2))));
    assert_eq!(ledger.claim(old, net(BLOCK)), owner(None));
    let duplicate = Claim::Duplicate { owner: id(1) };
    assert_eq!(ledger.claim(young, net(BLOCK)), duplicate);
    assert_eq!(first(&ledger)[1], 1);
}

#[test]
fn a_released_claim_says_who_has_the_block_now() {
    let mut ledger = four_blocks();
    for number in 1..=3 {
        ledger.claim(node(number, 5), net(BLOCK));
    }
    let mut release = |number| ledger.release(id(number), net(BLOCK), at(1));
    assert_eq!(release(2), Fate::Has(id(1)), "it stays with the oldest");
    assert_eq!(release(1), Fate::Has(id(3)), "it passes to the next");
    assert_eq!(release(3), Fate::Quarantined);
    assert_eq!(release(3), Fate::Unclaimed);
}

#[test]
fn what_a_node_never_claimed_it_cannot_release() {
    let mut ledger = four_blocks();
    assert_eq!(ledger.release(id(1), net(BLOCK), at(1)), Fate::Unclaimed);
    ledger.claim(node(2, 1), net(BLOCK));
    assert_eq!(ledger.release(id(1), net(BLOCK), at(1)), Fate::Unclaimed);
    assert_eq!(owner(&ledger, BLOCK), Some(id(2)));
}

#[test]
fn a_block_is_undisputed_only_while_one_node_claims_it() {
    let mut ledger = four_blocks();
    let block = net(BLOCK);
    assert!(!ledger.is_undisputed(id(1), block), "nobody does");
    ledger.claim(node(1, 1), block);
    assert!(ledger.is_undisputed(id(1), block));
    assert!(!ledger.is_undisputed(id(2), block));
    ledger.claim(node(2, 2), block);
    assert!(
        !ledger.is_undisputed(id(1), block),
        "a younger one does too"
    );
    ledger.release(id(1), block, at(1));
    assert!(ledger.is_undisputed(id(2), block));
    ledger.claim(node(3, 1), net("10.1.0.0/28"));
    assert!(!ledger.is_undisputed(id(3), net("10.1.0.0/28")), "no block");
}

#[test]
fn what_is_no_block_is_remembered_and_has_no_owner() {
    let mut ledger = four_blocks();
    let odd = [
        "10.0.0.0/29",
        "10.0.0.0/27",
        "10.0.0.64/28",
        "192.168.0.0/24",
        "fd00::/64",
    ];
    for cidr in odd {
        assert_eq!(ledger.claim(node(1, 1), net(cidr)), Claim::OutOfRange);
        assert!(ledger.is_claimed(net(cidr)) && owner(&ledger, cidr).is_none());
    }
    assert_eq!(first(&ledger), [4, 0, 0, 2, 0, 2]);
    for cidr in odd {
        let fate = ledger.release(id(1), net(cidr), at(1));
        assert_eq!(fate, Fate::Quarantined, "a route of ours may be there");
        assert!(!ledger.is_claimed(net(cidr)));
        assert!(ledger.free(net(cidr)));
    }
    assert_eq!(first(&ledger), [4, 0, 0, 0, 0, 4]);
}

#[test]
fn blocks_under_a_claim_that_is_no_block_are_not_handed_out() {
    let mut ledger = four_blocks();
    ledger.claim(node(1, 1), net("10.0.0.0/27"));
    ledger.claim(node(1, 1), net("10.0.0.40/29"));
    assert_eq!(first(&ledger), [4, 0, 0, 3, 0, 1]);
    assert!(!gives(&ledger, "10.0.0.32/28"));
    assert_eq!(take(&mut ledger, 2), "10.0.0.48/28");
    ledger.release(id(1), net("10.0.0.40/29"), at(1));
    assert_eq!(first(&ledger)[3], 3, "until no route is left for it");
    ledger.free(net("10.0.0.40/29"));
    assert_eq!(take(&mut ledger, 3), "10.0.0.32/28");
}

#[test]
fn host_bits_make_no_difference() {
    let mut ledger = four_blocks();
    ledger.claim(node(1, 1), net("10.0.0.21/28"));
    assert_eq!(owner(&ledger, BLOCK), Some(id(1)));
    assert!(ledger.is_claimed(net("10.0.0.17/28")));
    assert!(ledger.is_undisputed(id(1), net("10.0.0.18/28")));
    assert_eq!(
        ledger.release(id(1), net("10.0.0.19/28"), at(1)),
        Fate::Quarantined
    );
    assert!(ledger.released(net("10.0.0.20/28")).is_some());
    ledger.orphaned(net("10.0.0.22/28"), at(2));
    assert_eq!(ledger.quarantined().count(), 1);
    assert!(ledger.free(net("10.0.0.23/28")));
}

#[test]
fn the_owner_around_a_network_is_the_one_whose_block_it_lies_in() {
    let mut ledger = four_blocks();
    ledger.claim(node(1, 1), net(BLOCK));
    let around = |cidr: &str| {
        let found = ledger.owner_around(net(cidr));
        found.map(|(owner, block)| (owner.id, block))
    };
    for cidr in ["10.0.0.16/32", "10.0.0.24/29", BLOCK] {
        assert_eq!(around(cidr), Some((id(1), net(BLOCK))), "{cidr}");
    }
    for cidr in ["10.0.0.32/32", "10.0.0.0/27", "10.0.0.0/8"] {
        assert_eq!(around(cidr), None, "{cidr}");
    }
}
