//! From an object to what is wished for.

use serde_json::{Value, json};

use super::*;

fn object(spec: &Value) -> Wish {
    let raw = json!({
        "apiVersion": "signpost.dev/v1alpha1", "kind": "PodNetwork",
        "metadata": {"name": "default", "uid": "u", "generation": 3, "resourceVersion": "9"},
        "spec": spec,
    });
    read(&serde_json::from_value(raw).unwrap())
}

fn spec() -> Value {
    json!({
        "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24,
                   "nodeSelector": {"matchLabels": {"zone": "a"}}, "state": "Draining"}],
        "reservedCIDRs": ["10.244.1.0/24"],
        "cloud": {"provider": "none", "checkPeriod": "5s"},
        "safety": {"maxDeletionPercent": 7},
    })
}

#[test]
fn a_spec_becomes_a_configuration() {
    let Wish::Valid(valid) = object(&spec()) else {
        panic!("the spec is valid");
    };
    let config = &valid.config;
    assert_eq!(config.generation, 3);
    assert_eq!(config.check_period.as_secs(), 5);
    assert_eq!(config.max_deletion_percent, 7);
    assert!(!config.teardown);
    assert_eq!(config.reserved, ["10.244.1.0/24".parse().unwrap()]);
    let [pool] = config.pools.as_slice() else {
        panic!("there is one pool");
    };
    assert_eq!(pool.cidr, "10.244.0.0/16".parse().unwrap());
    assert_eq!(pool.node_prefix_length, 24);
    assert_eq!(pool.state, signpost_core::PoolState::Draining);
    assert_eq!(
        pool.node_selector.get("zone").map(|zone| &**zone),
        Some("a")
    );
}

#[test]
fn a_bad_field_is_named() {
    let mut bad = spec();
    bad["pools"][0]["cidr"] = json!("10.244.0.1/16");
    let Wish::Invalid(object, problem) = object(&bad) else {
        panic!("host bits are set");
    };
    assert_eq!(object.generation, 3);
    assert!(problem.contains("spec.pools[0].cidr"), "{problem}");
}

#[test]
fn a_spec_of_another_shape_is_invalid_and_not_fatal() {
    let mut bad = spec();
    bad["cloud"]["provider"] = json!("moon");
    let Wish::Invalid(_, problem) = object(&bad) else {
        panic!("there is no such provider");
    };
    assert!(problem.contains("moon"), "{problem}");
}

#[test]
fn what_we_wrote_ourselves_is_no_news() {
    let first = object(&spec());
    let Wish::Valid(valid) = &first else {
        panic!("the spec is valid");
    };
    let mut echo = Valid::clone(valid);
    echo.object.version = "10".to_owned();
    echo.object.status.observed_generation = Some(3);
    assert!(first.means_the_same(&Wish::Valid(Arc::new(echo.clone()))));
    echo.object.finalizers.push(FINALIZER.to_owned());
    assert!(!first.means_the_same(&Wish::Valid(Arc::new(echo))));
    assert!(!first.means_the_same(&Wish::Absent));
    let mut other = spec();
    other["cloud"]["checkPeriod"] = json!("9s");
    assert!(!first.means_the_same(&object(&other)));
}

#[test]
fn a_provider_serves_on_until_its_settings_change() {
    let valid = |change: fn(&mut Value)| {
        let mut spec = spec();
        change(&mut spec);
        let Wish::Valid(valid) = object(&spec) else {
            panic!("the spec is valid");
        };
        valid
    };
    let first = valid(|_| {});
    assert!(first.same_cloud(&valid(|spec| spec["cloud"]["checkPeriod"] = json!("9s"))));
    let linux = valid(|spec| spec["cloud"]["provider"] = json!("linux"));
    assert!(!first.same_cloud(&linux) && !first.same_routes(&linux));
    let aws = |table: &str, vpc: &str| {
        let aws = json!({"clusterName": "c", "routeTableIDs": [table], "vpcID": vpc});
        let mut spec = spec();
        spec["cloud"] = json!({"provider": "aws", "aws": aws});
        let Wish::Valid(valid) = object(&spec) else {
            panic!("the spec is valid");
        };
        valid
    };
    let (one, other) = (aws("rtb-1", "vpc-1"), aws("rtb-2", "vpc-1"));
    assert!(!one.same_cloud(&other) && one.same_routes(&other));
    assert!(!one.same_routes(&aws("rtb-1", "vpc-2")));
}
