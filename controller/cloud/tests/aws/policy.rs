//! The IAM policy in the manifests allows what is called, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use signpost_cloud::{Change, Cloud, aws::Action};
use signpost_core::cloud::CloudErrorKind;

use crate::scene::{ACCESS_KEY, Scene, TAG, create, delete, query, replace};

/// The policy as the manifests have it.
fn text() -> String {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../manifests/aws/iam-policy.json"
    );
    std::fs::read_to_string(path).unwrap()
}

/// Each action that the policy allows, with its statement.
fn allowed() -> BTreeMap<String, Value> {
    let policy: Value = serde_json::from_str(&text()).unwrap();
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
fn the_policy_has_each_action_of_the_code_and_no_other() {
    let allowed: BTreeSet<String> = allowed().into_keys().collect();
    let called: BTreeSet<String> = Action::ALL.iter().map(|it| it.permission()).collect();
    assert_eq!(allowed, called);
}

#[test]
fn what_changes_something_is_bound_to_the_clusters_tag() {
    for action in Action::ALL {
        let statement = &allowed()[&action.permission()];
        let condition = "aws:ResourceTag/kubernetes.io/cluster/CLUSTER_NAME";
        let values = &statement["Condition"]["StringEquals"][condition];
        let bound = *values == serde_json::json!(["owned", "shared"]);
        assert_eq!(bound, action.writes(), "{action:?}: {statement}");
        assert_eq!(statement["Resource"] == "*", !action.writes(), "{action:?}");
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
    let policy = text().replace("CLUSTER_NAME", "blue");
    let policy = serde_json::from_str(&policy).unwrap();
    scene.ec2.set_policy(ACCESS_KEY, policy).unwrap();
    let untagged = scene.table(&[]).await;
    scene.ec2.clear_calls();
    scene.read(&instances).await;
    let [one, other] = [0, 1].map(|index| scene.primary(&instances[index]));
    let query = query(&instances[0]);
    scene.cloud.admit(Change::Forwarding(&query)).await.unwrap();
    scene.cloud.enable_forwarding(&query).await.unwrap();
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
