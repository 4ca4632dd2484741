use super::*;
use crate::ipam::{AllocateError, Claim, Fate, OutOfRange, Released};

const BLOCK: &str = "10.0.0.16/28";

#[test]
fn the_oldest_owns_the_block_whatever_the_order() {
    // Created at the same second, the lower UID decides.
    let claimants = [("old", 5), ("young", 9), ("twin", 9)];
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut allocator = four_blocks();
        for index in order {
            let (name, created) = claimants[index];
            allocator.claim(&node(name), created, net(BLOCK));
        }
        let mut heirs = Vec::new();
        while let Some(owner) = allocator.owner(net(BLOCK)).cloned() {
            allocator.release(&owner);
            heirs.push(owner.to_string());
        }
        assert_eq!(heirs, ["old", "twin", "young"]);
        assert!(allocator.is_quarantined(net(BLOCK)));
    }
}

#[test]
fn an_older_claimant_displaces_the_owner() {
    let mut allocator = four_blocks();
    let (old, young) = (node("old"), node("young"));
    let owner = |displaced| Claim::Owner { displaced };
    assert_eq!(allocator.claim(&young, 9, net(BLOCK)), owner(None));
    assert_eq!(
        allocator.claim(&old, 5, net(BLOCK)),
        owner(Some(young.clone()))
    );
    assert_eq!(allocator.claim(&old, 5, net(BLOCK)), owner(None));
    assert_eq!(
        allocator.claim(&young, 9, net(BLOCK)),
        Claim::Duplicate { owner: old.clone() }
    );
    assert_eq!(allocator.blocks(&young).count(), 0);
    assert_eq!(allocator.uses()[0].allocated, 1);
    assert_eq!(
        allocator.allocate(&young, 9, &BTreeMap::new()),
        Err(AllocateError::Contested)
    );
}

#[test]
fn a_released_claim_says_who_has_the_block_now() {
    let mut allocator = four_blocks();
    for (name, created) in [("first", 1), ("second", 2), ("third", 3)] {
        allocator.claim(&node(name), created, net(BLOCK));
    }
    let released = |fate| {
        let cidr = net(BLOCK);
        [Released { cidr, fate }]
    };
    assert_eq!(
        allocator.release(&node("second")),
        released(Fate::StaysWith(node("first")))
    );
    assert_eq!(
        allocator.release(&node("first")),
        released(Fate::PassedTo(node("third")))
    );
    assert_eq!(
        allocator.release(&node("third")),
        released(Fate::Quarantined)
    );
    assert_eq!(allocator.release(&node("third")), []);
}

#[test]
fn a_claim_ends_the_quarantine() {
    let mut allocator = four_blocks();
    allocator.claim(&node("n1"), 1, net(BLOCK));
    allocator.release(&node("n1"));
    let claim = allocator.claim(&node("n2"), 2, net(BLOCK));
    assert_eq!(claim, Claim::Owner { displaced: None });
    assert!(!allocator.is_quarantined(net(BLOCK)));
    assert!(!allocator.end_quarantine(net(BLOCK)));
    assert_eq!(figures(&allocator.uses()[0]), [4, 1, 0, 0, 3]);
}

#[test]
fn what_is_no_block_is_told_and_remembered() {
    let mut allocator = four_blocks();
    let no_block = |_| {
        Claim::OutOfRange(OutOfRange::NotABlock {
            pool: "a".into(),
            node_prefix_length: 28,
        })
    };
    for cidr in ["10.0.0.0/29", "10.0.0.0/27", "10.0.0.0/26", "10.0.0.0/8"] {
        let claim = allocator.claim(&node("odd"), 1, net(cidr));
        assert_eq!(claim, no_block(cidr), "{cidr}");
    }
    for cidr in ["10.0.0.64/28", "192.168.0.0/24", "fd00::/64"] {
        let claim = allocator.claim(&node("odd"), 1, net(cidr));
        assert_eq!(claim, Claim::OutOfRange(OutOfRange::NoPool), "{cidr}");
        assert!(allocator.claimed(net(cidr)));
        assert_eq!(allocator.owner(net(cidr)), None);
    }
    let released = allocator.release(&node("odd"));
    assert_eq!(released.len(), 7);
    assert!(released.iter().all(|it| it.fate == Fate::OutOfRange));
    assert!(!allocator.claimed(net("192.168.0.0/24")));
    assert_eq!(figures(&allocator.uses()[0]), [4, 0, 0, 0, 4]);
}

#[test]
fn blocks_under_a_claim_that_is_no_block_are_not_handed_out() {
    let mut allocator = four_blocks();
    allocator.claim(&node("wide"), 1, net("10.0.0.0/27"));
    allocator.claim(&node("narrow"), 1, net("10.0.0.40/29"));
    assert_eq!(figures(&allocator.uses()[0]), [4, 0, 3, 0, 1]);
    assert_eq!(take(&mut allocator, "n1"), "10.0.0.48/28");
    allocator.release(&node("narrow"));
    assert_eq!(take(&mut allocator, "n2"), "10.0.0.32/28");
}

#[test]
fn host_bits_make_no_difference() {
    let mut allocator = four_blocks();
    allocator.claim(&node("n1"), 1, net("10.0.0.21/28"));
    assert_eq!(allocator.owner(net(BLOCK)), Some(&node("n1")));
    assert_eq!(
        allocator.pool_of(net("10.0.0.17/28")).map(AsRef::as_ref),
        Some("a")
    );
}
