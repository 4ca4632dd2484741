//! Rules on what may change.

use std::panic::Location;

use serde_json::json;

use crate::support::{assert_refusal, set, with, world};

#[tokio::test]
async fn the_range_and_block_size_of_a_pool_stay() {
    let world = world().await;
    let pools = json!([
        { "name": "a", "cidr": "10.0.0.0/16", "nodePrefixLength": 24 },
        { "name": "b", "cidr": "10.1.0.0/16", "nodePrefixLength": 24 },
    ]);
    let stored = world.store(&with("/pools", pools)).await;

    let range = world
        .change(&stored, |o| set(o, "/pools/1/cidr", json!("10.2.0.0/16")))
        .await;
    let remedy = "add a pool of another name with the new range, set the state of this one to";
    assert_refusal(range, "spec.pools[1].cidr", remedy, Location::caller());

    let size = world
        .change(&stored, |o| set(o, "/pools/0/nodePrefixLength", json!(25)))
        .await;
    let remedy = "add a pool of another name and range with the new nodePrefixLength";
    assert_refusal(
        size,
        "spec.pools[0].nodePrefixLength",
        remedy,
        Location::caller(),
    );
}

#[tokio::test]
async fn pools_can_be_added_removed_reordered_and_drained() {
    let world = world().await;
    let pools = json!([
        { "name": "a", "cidr": "10.0.0.0/16", "nodePrefixLength": 24 },
        { "name": "b", "cidr": "10.1.0.0/16", "nodePrefixLength": 24 },
    ]);
    let stored = world.store(&with("/pools", pools.clone())).await;
    let c = json!({ "name": "c", "cidr": "10.2.0.0/16", "nodePrefixLength": 26 });
    let mut draining = pools[0].clone();
    draining["state"] = json!("Draining");
    draining["nodeSelector"] = json!({ "matchLabels": { "old": "yes" } });
    for pools in [
        json!([pools[0], pools[1], c]),
        json!([pools[0]]),
        json!([pools[1], pools[0]]),
        json!([draining, pools[1]]),
    ] {
        world
            .change(&stored, |o| set(o, "/pools", pools))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_other_sections_can_change() {
    let world = world().await;
    let stored = world.store(&with("/cloud/linux/table", json!(100))).await;
    for (pointer, value) in [
        ("/cloud", json!({ "provider": "none" })),
        ("/cloud/linux/table", json!(101)),
        ("/datapath/mode", json!("bridge")),
        ("/datapath/masquerade/enabled", json!(false)),
        ("/safety/maxDeletionPercent", json!(100)),
        ("/reservedCIDRs", json!(["10.96.0.0/12"])),
    ] {
        world
            .change(&stored, |o| set(o, pointer, value))
            .await
            .unwrap();
    }
}
