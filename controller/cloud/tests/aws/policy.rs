//! The IAM policy in the manifests allows what is called, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use signpost_cloud::{Cloud, aws::Action};
use signpost_core::cloud::CloudErrorKind;

use crate::scene::{
    ACCESS_KEY, Scene, TAG, create, delete, enable_forwarding, pools, query, replace,
};
use signpost_ec2::{Fault, FaultKind, TargetState};

/// The policies of the manifests: what is tagged, and what is in the VPC.
const POLICIES: [&str; 2] = ["iam-policy.json", "iam-policy-vpc.json"];

/// A policy as the manifests have it.
fn text(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests/aws/");
    std::fs::read_to_string(format!("{folder}{name}")).unwrap()
}

/// Each action that the policy allows, with its statement.
fn allowed(policy: &str) -> BTreeMap<String, Value> {
    let policy: Value = serde_json::from_str(&text(policy)).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    statements
        .flat_map(|statement| {
            assert_eq!(statement["Effect"], "Allow");
            let actions = statement["Action"].as_array().unwrap().iter();
            actions.map(move |action| (action.as_str().unwrap().to_owned(), statement.clone()))
        })
        .collect()
}

#[test]
fn the_policies_have_each_action_of_the_code_and_no_other() {
    let called: BTreeSet<String> = Action::ALL.iter().map(|it| it.permission()).collect();
    for policy in POLICIES {
        let allowed: BTreeSet<String> = allowed(policy).into_keys().collect();
        assert_eq!(allowed, called, "{policy}");
    }
}

#[test]
fn what_changes_something_is_bound_to_the_clusters_tag_or_vpc() {
    for (policy, operator, condition, expected) in [
        (
            POLICIES[0],
            "StringEquals",
            "aws:ResourceTag/kubernetes.io/cluster/CLUSTER_NAME",
            serde_json::json!(["owned", "shared"]),
        ),
        (
            POLICIES[1],
            "ArnLike",
            "ec2:Vpc",
            serde_json::json!("arn:*:ec2:*:*:vpc/VPC_ID"),
        ),
    ] {
        for action in Action::ALL {
            let statement = &allowed(policy)[&action.permission()];
            let values = &statement["Condition"][operator][condition];
            let bound = *values == expected;
            assert_eq!(bound, action.writes(), "{action:?}: {statement}");
            assert_eq!(statement["Resource"] == "*", !action.writes(), "{action:?}");
        }
    }
}

#[tokio::test]
async fn by_the_vpc_nothing_needs_a_tag_in_any_partition() {
    for region in ["eu-central-1", "cn-north-1", "us-gov-west-1"] {
        let scene = Scene::in_region(region).await;
        let instances = scene.launch(1, &[]).await;
        let policy = text(POLICIES[1]).replace("VPC_ID", &scene.vpc);
        let policy = serde_json::from_str(&policy).unwrap();
        scene.ec2.set_policy(ACCESS_KEY, policy).unwrap();
        let untagged = scene.table(&[]).await;
        scene.read(&instances).await;
        let query = query(&instances[0]);
        enable_forwarding(&scene.cloud, &query).await.unwrap();
        let hop = scene.primary(&instances[0]);
        let change = create(&untagged, "10.244.1.0/24", &hop);
        assert_eq!(scene.change(&change).await, Ok(()), "{region}");
        // Nothing else of the interface may be changed, and nothing of other VPCs.
        let own = scene.client.clone().with_access_key(ACCESS_KEY);
        let params = [
            ("NetworkInterfaceId", hop.as_str()),
            ("SourceDestCheck.Value", "true"),
        ];
        let refused = own.call("ModifyNetworkInterfaceAttribute", &params).await;
        assert_eq!(refused.unwrap_err().code(), "UnauthorizedOperation");
        let other = scene.ok("CreateVpc", &[("CidrBlock", "10.9.0.0/16")]).await;
        let other = crate::scene::make_table(&scene.client, &other.text("vpcId"), &[]).await;
        let refused = scene.change(&create(&other, "10.244.1.0/24", &hop)).await;
        assert_eq!(refused, Err(CloudErrorKind::Denied));
    }
}

#[tokio::test]
async fn a_whole_life_under_the_policy_calls_nothing_else() {
    let scene = Scene::new().await;
    let instances = scene.launch(2, &[]).await;
    for instance in &instances {
        let interface = scene.primary(instance);
        let tag = [
            ("ResourceId.1", interface.as_str()),
            ("Tag.1.Key", TAG),
            ("Tag.1.Value", "owned"),
        ];
        scene.ok("CreateTags", &tag).await;
    }
    let policy = text(POLICIES[0]).replace("CLUSTER_NAME", "blue");
    let policy = serde_json::from_str(&policy).unwrap();
    scene.ec2.set_policy(ACCESS_KEY, policy).unwrap();
    let untagged = scene.table(&[]).await;
    scene.ec2.clear_calls();
    scene.read(&instances).await;
    let [one, other] = [0, 1].map(|index| scene.primary(&instances[index]));
    let query = query(&instances[0]);
    enable_forwarding(&scene.cloud, &query).await.unwrap();
    let (table, block) = (scene.tables[0].as_str(), "10.244.1.0/24");
    let refused = scene.change(&create(&untagged, block, &one)).await;
    assert_eq!(refused, Err(CloudErrorKind::Denied));
    scene.change(&create(table, block, &one)).await.unwrap();
    let seen = scene.shown(table, block).await.unwrap();
    scene.change(&replace(table, &seen, &other)).await.unwrap();
    let seen = scene.shown(table, block).await.unwrap();
    scene.change(&delete(table, &seen)).await.unwrap();
    let called: BTreeSet<String> = scene
        .ec2
        .calls()
        .into_iter()
        .map(|call| call.action)
        .collect();
    let known: BTreeSet<String> = Action::ALL.map(|it| it.name().to_owned()).into();
    assert!(called.is_subset(&known), "{called:?}");
    for action in Action::ALL.iter().filter(|it| it.writes()) {
        assert!(called.contains(action.name()), "{action:?} was not called");
    }
}

/// What is known to be missing before anything is written.
async fn missing(scene: &Scene) -> Vec<String> {
    let missing = scene.cloud.missing_permissions(&pools()).await;
    assert!(
        missing
            .iter()
            .all(|error| error.kind == CloudErrorKind::Denied)
    );
    missing
        .iter()
        .map(|error| error.detail.to_string())
        .collect()
}

#[tokio::test]
async fn missing_permissions_are_known_before_anything_is_written() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    assert_eq!(missing(&scene).await, [""; 0], "everything is permitted");
    let policy = text(POLICIES[0]).replace("CLUSTER_NAME", "blue");
    let permit = |policy: &str| {
        let policy = serde_json::from_str(policy).unwrap();
        scene.ec2.set_policy(ACCESS_KEY, policy).unwrap();
    };
    permit(&policy);
    assert_eq!(missing(&scene).await, [""; 0]);
    permit(&policy.replace("ec2:ReplaceRoute", "ec2:DescribeVpcs"));
    let told = missing(&scene).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("ec2:ReplaceRoute on "), "{told:?}");
    // The interface to which a route leads has no tag.
    permit(&policy);
    let hop = scene.primary(&instances[0]);
    let made = create(&scene.tables[0], "10.244.1.0/24", &hop);
    scene.change(&made).await.unwrap();
    let told = missing(&scene).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let expected = format!("ec2:ModifyNetworkInterfaceAttribute on {hop} was denied");
    assert!(told[0].contains(&expected), "{told:?}");
    let state = scene.ec2.snapshot();
    let interface = state.interfaces.iter().find(|it| it.id == hop);
    assert!(interface.unwrap().source_dest_check, "nothing was changed");
    let routes = scene.ec2.snapshot().route_tables;
    let routes = routes.iter().flat_map(|table| table.routes.iter());
    let to_interfaces = routes.filter(|it| matches!(it.target, TargetState::Interface(_)));
    assert_eq!(to_interfaces.count(), 1, "nor was anything else made");
}

#[tokio::test]
async fn what_cannot_be_asked_is_not_told_to_be_missing() {
    let scene = Scene::new().await;
    for action in ["CreateRoute", "DescribeRouteTables"] {
        let fault = Fault::always(FaultKind::Error500, &[action]);
        scene.ec2.add_fault(fault).unwrap();
        assert_eq!(missing(&scene).await, [""; 0], "{action}");
    }
}
