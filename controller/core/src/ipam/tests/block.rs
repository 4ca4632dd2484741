//! What stands in a block's way: routes of others, barred ranges, nodes' own addresses.

use std::net::IpAddr;

use super::*;

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    let parsed = texts.iter().map(|text| text.parse());
    parsed.collect::<Result<_, _>>().expect("addresses")
}

#[test]
fn a_route_of_others_bars_the_blocks_that_it_overlaps() {
    let mut ledger = four_blocks();
    assert!(ledger.set_foreign(&set(&["10.0.0.5/32", "10.0.0.32/27"])));
    assert_eq!(first(&ledger), [4, 0, 0, 3, 0, 1]);
    assert!(!gives(&ledger, "10.0.0.0/28"));
    assert!(gives(&ledger, "10.0.0.16/28"));
    assert_eq!(take(&mut ledger, 1), "10.0.0.16/28");
    assert!(ledger.set_foreign(&set(&["10.0.0.48/28"])));
    assert!(!ledger.set_foreign(&set(&["10.0.0.48/28"])), "as before");
    assert_eq!(take(&mut ledger, 2), "10.0.0.32/28");
    assert_eq!(take(&mut ledger, 3), "10.0.0.0/28");
}

#[test]
fn a_route_for_the_whole_pool_or_more_bars_nothing() {
    let mut ledger = four_blocks();
    ledger.set_foreign(&set(&["10.0.0.0/26", "10.0.0.0/8", "0.0.0.0/0", "::/0"]));
    assert_eq!(first(&ledger), [4, 0, 0, 0, 0, 4]);
    assert!(gives(&ledger, "10.0.0.0/28"));
}

#[test]
fn a_route_for_the_only_block_of_a_pool_bars_it() {
    let mut ledger = covered(&config(vec![pool("one", "10.0.0.0/28", 28)]));
    ledger.set_foreign(&set(&["10.0.0.0/24"]));
    assert_eq!(first(&ledger)[5], 1);
    ledger.set_foreign(&set(&["10.0.0.0/28"]));
    assert_eq!(first(&ledger)[5], 0);
}

#[test]
fn a_route_for_a_pool_inside_a_removed_one_bars_neither_differently() {
    // What it means for a block is asked of the pool that has it, and of no other.
    let mut ledger = covered(&config(vec![pool("old", "10.0.0.0/24", 28)]));
    ledger.claim(node(1, 1), net("10.0.0.0/28"));
    ledger.set_foreign(&set(&["10.0.0.128/26"]));
    ledger.reconfigure(&config(vec![pool("new", "10.0.0.128/26", 28)]), since(1));
    ledger.covered(at(1));
    let given = take(&mut ledger, 2);
    assert_eq!(given, "10.0.0.128/28");
    assert!(gives(&ledger, &given), "or it would be taken back");
}

#[test]
fn a_held_block_counts_as_allocated_whatever_stands_in_its_way() {
    let mut ledger = four_blocks();
    let block = net("10.0.0.0/28");
    ledger.claim(node(1, 1), block);
    ledger.set_foreign(&set(&["10.0.0.0/28"]));
    assert_eq!(first(&ledger), [4, 1, 0, 0, 0, 3]);
    assert!(!gives(&ledger, "10.0.0.0/28"));
    ledger.release(id(1), block, at(1));
    ledger.free(block);
    assert_eq!(first(&ledger), [4, 0, 0, 1, 0, 3]);
    ledger.set_foreign(&BTreeSet::new());
    assert_eq!(first(&ledger), [4, 0, 0, 0, 0, 4]);
}

#[test]
fn a_smaller_obstacle_stays_when_the_larger_one_goes() {
    let mut ledger = four_blocks();
    ledger.set_foreign(&set(&["10.0.0.0/27", "10.0.0.4/30"]));
    ledger.claim(node(1, 1), net("10.0.0.20/30"));
    ledger.set_foreign(&set(&["10.0.0.4/30"]));
    assert_eq!(first(&ledger)[5], 2);
    ledger.release(id(1), net("10.0.0.20/30"), at(1));
    ledger.free(net("10.0.0.20/30"));
    assert_eq!(first(&ledger)[5], 3);
}

#[test]
fn a_pool_that_overlaps_a_barred_range_hands_out_nothing_and_says_so() {
    let mut ledger = covered(&config(vec![
        pool("a", "10.0.0.0/26", 28),
        pool("b", "10.1.0.0/26", 28),
    ]));
    for range in ["10.0.0.48/29", "10.0.0.0/26", "10.0.0.0/16"] {
        assert!(ledger.set_barred(&set(&[range])));
        assert!(!ledger.set_barred(&set(&[range])), "as before");
        let refused: Vec<_> = ledger.refused().collect();
        assert_eq!(refused.len(), 1);
        let (name, why) = &refused[0];
        assert_eq!(
            (name.as_ref(), why.as_str()),
            (
                "a",
                format!(
                    "10.0.0.0/26 overlaps {range}, where no route to a node may lie: choose \
                     another range"
                )
                .as_str()
            )
        );
        assert_eq!(ledger.uses()[0].problem.as_ref(), Some(why));
    }
    assert_eq!(take(&mut ledger, 1), "10.1.0.0/28");
    ledger.set_barred(&set(&["10.0.0.0/8"]));
    let error = allocate(&mut ledger, 2).expect_err("both are barred");
    assert!(error.to_string().contains("overlaps 10.0.0.0/8"), "{error}");
    assert!(!gives(&ledger, "10.1.0.0/28"));
    assert!(ledger.set_barred(&BTreeSet::new()));
    assert_eq!(ledger.refused().count(), 0);
    assert_eq!(take(&mut ledger, 2), "10.0.0.0/28");
}

#[test]
fn a_pool_that_holds_a_nodes_own_address_hands_out_nothing_and_says_so() {
    let mut ledger = four_blocks();
    let inside = addresses(&["10.0.0.5", "192.168.0.1"]);
    assert!(ledger.set_addresses(&key(1), &[], &inside));
    allocate(&mut ledger, 2).expect_err("a node lives there");
    let refused: Vec<String> = ledger.refused().map(|(_, why)| why).collect();
    assert_eq!(
        refused,
        ["10.0.0.0/26 holds 10.0.0.5, the own address of node n1: choose another range"]
    );
    assert!(ledger.set_addresses(&key(1), &inside, &addresses(&["192.168.0.1"])));
    assert_eq!(ledger.refused().count(), 0);
    assert_eq!(take(&mut ledger, 2), "10.0.0.0/28");
}

#[test]
fn an_address_outside_all_pools_is_no_news() {
    let mut ledger = four_blocks();
    let outside = addresses(&["10.0.0.64", "fd00::1"]);
    assert!(!ledger.set_addresses(&key(1), &[], &outside));
    assert!(!ledger.set_addresses(&key(1), &outside, &[]));
}

#[test]
fn an_address_of_two_nodes_stays_until_neither_has_it() {
    for (first, last) in [(1, 2), (2, 1)] {
        let mut ledger = four_blocks();
        let address = addresses(&["10.0.0.5"]);
        ledger.set_addresses(&key(1), &[], &address);
        ledger.set_addresses(&key(2), &[], &address);
        ledger.set_addresses(&key(first), &address, &[]);
        assert_eq!(ledger.refused().count(), 1);
        assert!(ledger.set_addresses(&key(last), &address, &[]));
        assert_eq!(ledger.refused().count(), 0);
    }
}

#[test]
fn what_is_no_block_of_any_pool_is_not_given() {
    let ledger = four_blocks();
    assert!(!gives(&ledger, "10.1.0.0/28"));
    assert!(!gives(&ledger, "10.0.0.0/29"));
}

#[test]
fn a_block_that_was_chosen_is_given_while_its_pool_would_hand_it_out_to_that_node() {
    let mut zone = pool("a", "10.0.0.0/26", 28);
    zone.node_selector = labels(&[("zone", "b")]);
    let mut wanted = config(vec![zone]);
    let mut ledger = covered(&wanted);
    ledger.claim(node(1, 1), net("10.0.0.0/28"));
    let given = |ledger: &Ledger, zone: &str| {
        ledger.would_give(net("10.0.0.0/28"), &labels(&[("zone", zone)]))
    };
    assert!(given(&ledger, "b"));
    assert!(!given(&ledger, "c"), "the node was labelled");
    wanted.reserved = nets(&["10.0.0.0/30"]);
    ledger.reconfigure(&wanted, since(1));
    assert!(!given(&ledger, "b"), "it is reserved now");
    wanted.reserved.clear();
    wanted.pools[0].state = PoolState::Draining;
    ledger.reconfigure(&wanted, since(2));
    assert!(!given(&ledger, "b"), "the pool is drained");
    ledger.reconfigure(&config(Vec::new()), since(3));
    assert!(!given(&ledger, "b"), "the pool was removed");
}
