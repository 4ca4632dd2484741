//! Specs become typed values, and what cannot is named with its field and remedy.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::time::Duration;

use serde_json::{Value, json};
use signpost_api::{PodNetworkSpec, PoolState};

fn spec(change: impl FnOnce(&mut Value)) -> PodNetworkSpec {
    let mut spec = json!({
        "pools": [
            { "name": "a", "cidr": "10.244.0.0/16", "nodePrefixLength": 24 },
            { "name": "b", "cidr": "fd00:10::/48", "nodePrefixLength": 64 },
        ],
        "cloud": { "provider": "none" },
    });
    change(&mut spec);
    serde_json::from_value(spec).unwrap()
}

#[test]
fn a_good_spec_is_typed() {
    let parsed = spec(|s| {
        s["pools"][1]["state"] = json!("Draining");
        s["pools"][1]["nodeSelector"] = json!({ "matchLabels": { "zone": "a" } });
        s["reservedCIDRs"] = json!(["10.96.0.0/12"]);
        s["cloud"]["checkPeriod"] = json!("1m30s");
        s["datapath"] = json!({ "masquerade": { "exceptCIDRs": ["10.0.0.0/8"] } });
    })
    .parse()
    .unwrap();
    let [a, b] = parsed.pools.as_slice() else {
        panic!("{:?}", parsed.pools)
    };
    assert_eq!(
        (a.name.as_str(), a.cidr.to_string().as_str()),
        ("a", "10.244.0.0/16")
    );
    assert_eq!((a.node_prefix_length, a.state), (24, PoolState::Active));
    assert!(a.match_labels.is_empty());
    assert_eq!((b.node_prefix_length, b.state), (64, PoolState::Draining));
    assert_eq!(b.match_labels["zone"], "a");
    assert_eq!(parsed.reserved_cidrs, ["10.96.0.0/12".parse().unwrap()]);
    assert_eq!(parsed.except_cidrs, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(parsed.check_period, Duration::from_secs(90));
}

#[test]
fn each_problem_is_named_with_field_and_remedy() {
    let set = |pointer: &'static str, value: Value| {
        spec(move |s| {
            s["reservedCIDRs"] = json!(["10.96.0.0/12"]);
            s["datapath"] = json!({ "masquerade": { "exceptCIDRs": ["10.0.0.0/8"] } });
            s["cloud"]["checkPeriod"] = json!("30s");
            *s.pointer_mut(pointer).unwrap() = value;
        })
    };
    for (pointer, value, message) in [
        ("/pools", json!([]), "spec.pools: there is no pool: add one"),
        (
            "/pools/0/cidr",
            json!("10.244.0.0"),
            "spec.pools[0].cidr: \"10.244.0.0\" is no range in CIDR notation: write one, such as \
             10.244.0.0/16",
        ),
        (
            "/pools/0/cidr",
            json!("10.244.1.0/16"),
            "spec.pools[0].cidr: 10.244.1.0/16 has host bits set: write 10.244.0.0/16",
        ),
        (
            "/pools/0/cidr",
            json!("127.0.0.0/16"),
            "spec.pools[0].cidr: pods cannot have addresses of 127.0.0.0/16: use a private range",
        ),
        (
            "/pools/0/cidr",
            json!("10.244.0.0/31"),
            "spec.pools[0].cidr: 10.244.0.0/31 has no room for a block: choose a larger range",
        ),
        (
            "/pools/0/nodePrefixLength",
            json!(15),
            "spec.pools[0].nodePrefixLength: 15 does not fit 10.244.0.0/16: set it to 16 to 30",
        ),
        (
            "/pools/1/nodePrefixLength",
            json!(69),
            "spec.pools[1].nodePrefixLength: 69 does not fit fd00:10::/48: set it to 48 to 68",
        ),
        (
            "/pools/1/name",
            json!("a"),
            "spec.pools[1].name: there are two pools a: rename one",
        ),
        (
            "/pools/1",
            json!({ "name": "b", "cidr": "10.244.128.0/17", "nodePrefixLength": 24 }),
            "spec.pools[1].cidr: 10.244.128.0/17 overlaps 10.244.0.0/16 of pool a: give each pool \
             a range of its own",
        ),
        (
            "/reservedCIDRs/0",
            json!("10.96.0.1/12"),
            "spec.reservedCIDRs[0]: 10.96.0.1/12 has host bits set: write 10.96.0.0/12",
        ),
        (
            "/datapath/masquerade/exceptCIDRs/0",
            json!("ten"),
            "spec.datapath.masquerade.exceptCIDRs[0]: \"ten\" is no range in CIDR notation: write \
             one, such as 10.244.0.0/16",
        ),
        (
            "/cloud/checkPeriod",
            json!("2h"),
            "spec.cloud.checkPeriod: \"2h\" is not from 1s to 1h: write a number and a unit, such \
             as 30s",
        ),
    ] {
        let error = set(pointer, value).parse().unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn all_problems_are_named_at_once() {
    let error = spec(|s| {
        s["pools"][0]["cidr"] = json!("10.244.0.1/16");
        s["pools"][1]["nodePrefixLength"] = json!(1);
        s["cloud"]["checkPeriod"] = json!("-30s");
    })
    .parse()
    .unwrap_err();
    let fields: Vec<&str> = error
        .0
        .iter()
        .map(|invalid| invalid.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "spec.pools[0].cidr",
            "spec.pools[1].nodePrefixLength",
            "spec.cloud.checkPeriod"
        ]
    );
}
