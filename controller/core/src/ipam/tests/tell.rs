//! What people are told of pools.

use super::*;

fn removed(ledger: &Ledger) -> Vec<(String, String)> {
    let removed = ledger.removed();
    removed.map(|(name, why)| (name.to_string(), why)).collect()
}

#[test]
fn a_removed_pool_names_some_of_its_holders_and_counts_the_others() {
    let pools = config(vec![pool("a", "10.0.0.0/24", 28)]);
    let mut ledger = covered(&pools);
    for number in [5, 4, 3] {
        take(&mut ledger, number);
    }
    assert_eq!(removed(&ledger), [], "it is configured");
    ledger.reconfigure(&config(Vec::new()), since(1));
    let said = |ledger: &Ledger| removed(ledger).pop().map(|(_, why)| why);
    let kept = "removed, but kept while it has blocks of";
    assert_eq!(said(&ledger), Some(format!("{kept} n3, n4, n5")));
    assert_eq!(ledger.uses()[0].problem, said(&ledger));
    ledger.claim(node(2, 1), net("10.0.0.240/28"));
    ledger.claim(node(1, 1), net("10.0.0.224/28"));
    assert_eq!(said(&ledger), Some(format!("{kept} n1, n2, n3 and 2 more")));
}

#[test]
fn a_removed_pool_whose_blocks_are_only_in_quarantine_is_no_news() {
    let mut ledger = four_blocks();
    take(&mut ledger, 1);
    ledger.reconfigure(&config(Vec::new()), since(1));
    ledger.release(id(1), net("10.0.0.0/28"), at(2));
    assert_eq!(removed(&ledger), []);
    assert_eq!(ledger.uses()[0].problem, None);
}

#[test]
fn a_removed_pool_is_not_refused_whatever_lies_in_it() {
    let mut ledger = four_blocks();
    take(&mut ledger, 1);
    ledger.reconfigure(&config(Vec::new()), since(1));
    ledger.set_barred(&set(&["10.0.0.0/26"]));
    assert_eq!(ledger.refused().count(), 0);
}

#[test]
fn holders_of_an_inner_pool_are_not_named_for_the_removed_one_around_it() {
    let mut ledger = covered(&config(vec![pool("old", "10.0.0.0/24", 28)]));
    ledger.claim(node(1, 1), net("10.0.0.0/28"));
    ledger.claim(node(2, 1), net("10.0.0.128/28"));
    ledger.reconfigure(&config(vec![pool("new", "10.0.0.128/26", 28)]), since(1));
    let said = removed(&ledger);
    assert_eq!(said.len(), 1);
    assert!(said[0].1.ends_with("blocks of n1"), "{said:?}");
}
