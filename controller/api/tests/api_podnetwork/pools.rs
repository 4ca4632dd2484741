//! Rules on names, ranges and their blocks.

use serde_json::{Value, json};

use crate::support::{good, set, with, world};

fn pool(name: &str, cidr: &str, length: u8) -> Value {
    json!({ "name": name, "cidr": cidr, "nodePrefixLength": length })
}

#[tokio::test]
async fn only_the_name_default_is_accepted() {
    let world = world().await;
    world.accepted(&good()).await;
    let mut other = good();
    other["metadata"]["name"] = json!("other");
    world
        .refused(other, "<nil>", "change metadata.name to default")
        .await;
}

#[tokio::test]
async fn a_pool_name_is_a_label() {
    let world = world().await;
    world
        .accepted(&with("/pools/0/name", json!("zone-a")))
        .await;
    for name in ["Zone", "zone_a", "-zone"] {
        let object = with("/pools/0/name", json!(name));
        world
            .refused(object, "spec.pools[0].name", "for example zone-a")
            .await;
    }
    let long = with("/pools/0/name", json!("a".repeat(64)));
    world
        .refused(long, "spec.pools[0].name", "may not be more than 63")
        .await;
    let empty = with("/pools/0/name", json!(""));
    world
        .refused(
            empty,
            "spec.pools[0].name",
            "should be at least 1 chars long",
        )
        .await;
}

#[tokio::test]
async fn a_range_is_in_cidr_notation_without_host_bits() {
    let world = world().await;
    world
        .accepted(&with("/pools/0", pool("six", "fd00:10:244::/48", 64)))
        .await;
    for range in ["10.244.0.0", "10.244.0.0/33", "pods", ""] {
        let object = with("/pools/0/cidr", json!(range));
        world
            .refused(object, "spec.pools[0].cidr", "not a range in CIDR notation")
            .await;
    }
    let host_bits = with("/pools/0/cidr", json!("10.244.3.7/16"));
    let remedy = "the range 10.244.3.7/16 has host bits set: write its first address";
    world.refused(host_bits, "spec.pools[0].cidr", remedy).await;
    let host_bits = with("/pools/0", pool("six", "fd00:10:244::1/48", 64));
    world
        .refused(
            host_bits,
            "spec.pools[0].cidr",
            "fd00:10:244::1/48 has host bits set",
        )
        .await;
}

#[tokio::test]
async fn other_ranges_are_in_cidr_notation_without_host_bits() {
    let world = world().await;
    for (pointer, field) in [
        ("/reservedCIDRs", "spec.reservedCIDRs"),
        (
            "/datapath/masquerade/exceptCIDRs",
            "spec.datapath.masquerade.exceptCIDRs",
        ),
    ] {
        world
            .accepted(&with(pointer, json!(["10.96.0.0/12", "fd00::/108"])))
            .await;
        let second = format!("{field}[1]");
        let object = with(pointer, json!(["10.96.0.0/12", "10.0.0.300/8"]));
        world
            .refused(object, &second, "not a range in CIDR notation")
            .await;
        let object = with(pointer, json!(["10.96.0.0/12", "10.0.0.1/8"]));
        world
            .refused(object, &second, "10.0.0.1/8 has host bits set")
            .await;
        let object = with(pointer, json!(vec!["10.96.0.0/12"; 65]));
        world
            .refused(object, field, "must have at most 64 items")
            .await;
    }
}

#[tokio::test]
async fn pods_need_unicast_addresses() {
    let world = world().await;
    world
        .accepted(&with("/pools/0/cidr", json!("240.0.0.0/16")))
        .await;
    let bad = [
        ("127.0.0.0/8", 24),
        ("169.254.0.0/16", 24),
        ("224.0.0.0/8", 24),
        ("fe80::/64", 80),
    ];
    for (range, length) in bad {
        let object = with("/pools/0", pool("bad", range, length));
        world
            .refused(object, "spec.pools[0].cidr", "use a private range")
            .await;
    }
}

#[tokio::test]
async fn a_block_fits_its_pool() {
    let world = world().await;
    let field = "spec.pools[0].nodePrefixLength";
    for (range, length) in [
        ("10.0.0.0/10", 10),
        ("10.0.0.0/10", 30),
        ("fd00::/108", 126),
        ("fd00::/44", 64),
    ] {
        world
            .accepted(&with("/pools/0", pool("good", range, length)))
            .await;
    }
    for (range, length, remedy) in [
        (
            "10.0.0.0/16",
            15,
            "larger than 10.0.0.0/16: set nodePrefixLength to at least the number",
        ),
        (
            "10.0.0.0/8",
            29,
            "set nodePrefixLength to at most 20 more than the number after",
        ),
        ("fd00::/43", 64, "more than 2^20 blocks in fd00::/43"),
        (
            "10.0.0.0/16",
            31,
            "set nodePrefixLength to 30 or less for IPv4",
        ),
        ("10.0.0.0/16", 127, "should be less than or equal to 126"),
        ("10.0.0.0/16", 0, "should be greater than or equal to 1"),
    ] {
        world
            .refused(with("/pools/0", pool("bad", range, length)), field, remedy)
            .await;
    }
}

#[tokio::test]
async fn pools_have_ranges_and_names_of_their_own() {
    let world = world().await;
    let pools = |second: Value| with("/pools", json!([pool("a", "10.0.0.0/16", 24), second]));
    world.accepted(&pools(pool("b", "10.1.0.0/16", 24))).await;
    world.accepted(&pools(pool("b", "fd00::/48", 64))).await;
    for range in ["10.0.0.0/16", "10.0.128.0/17", "10.0.0.0/8"] {
        let object = pools(pool("b", range, 24));
        world
            .refused(
                object,
                "spec.pools",
                "pools overlap: give each pool a range",
            )
            .await;
    }
    let object = pools(pool("a", "10.1.0.0/16", 24));
    world
        .refused(object, "spec.pools[1]", r#"{"name":"a"}"#)
        .await;
}

#[tokio::test]
async fn there_are_1_to_64_pools() {
    let world = world().await;
    let pools = |count: usize| {
        let pools = (0..count).map(|i| pool(&format!("p{i}"), &format!("10.{i}.0.0/16"), 24));
        with("/pools", pools.collect())
    };
    world.accepted(&pools(64)).await;
    world
        .refused(pools(65), "spec.pools", "must have at most 64 items")
        .await;
    world
        .refused(pools(0), "spec.pools", "should have at least 1 items")
        .await;
    let mut none = good();
    none["spec"].as_object_mut().unwrap().remove("pools");
    world.refused(none, "spec.pools", "Required value").await;
}

#[tokio::test]
async fn a_pool_is_active_or_draining() {
    let world = world().await;
    world
        .accepted(&with("/pools/0/state", json!("Draining")))
        .await;
    let object = with("/pools/0/state", json!("Off"));
    world
        .refused(
            object,
            "spec.pools[0].state",
            r#"supported values: "Active", "Draining""#,
        )
        .await;
}

#[tokio::test]
async fn a_selector_has_labels_that_nodes_can_carry() {
    let world = world().await;
    let pointer = "/pools/0/nodeSelector/matchLabels";
    let field = "spec.pools[0].nodeSelector.matchLabels";
    let zone = json!({ "topology.kubernetes.io/zone": "eu-1a", "node-role.kubernetes.io/x": "" });
    world.accepted(&with(pointer, zone)).await;
    for labels in [
        json!({ "a b": "c" }),
        json!({ "a": "b/c" }),
        json!({ "": "c" }),
    ] {
        world
            .refused(
                with(pointer, labels),
                field,
                "no node can carry such a label",
            )
            .await;
    }
    let many: Value = (0..17)
        .map(|i| (format!("k{i}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    world
        .refused(with(pointer, many), field, "must have at most 16 items")
        .await;

    let mut everything = good();
    set(&mut everything, "/pools/0/nodeSelector", json!({}));
    let stored = world.accepted(&everything).await;
    assert_eq!(
        stored["spec"]["pools"][0]["nodeSelector"],
        json!({ "matchLabels": {} })
    );
}
