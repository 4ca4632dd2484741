//! What is stored and shown: defaults, status and the table of `kubectl get`.

use kube::CustomResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use signpost_api::{
    Datapath, LinuxCloud, NAME, NodeCounts, PodNetwork, PodNetworkStatus, PoolStatus, QuotaStatus,
    RouteCounts, Safety,
};

use crate::support::{good, with, world};

#[tokio::test]
async fn a_stored_object_is_complete() {
    let world = world().await;
    let stored = world.accepted(&with("/cloud/linux", json!({}))).await;
    assert_eq!(
        stored["spec"],
        json!({
            "pools": [{
                "name": "main",
                "cidr": "10.244.0.0/16",
                "nodePrefixLength": 24,
                "state": "Active",
            }],
            "reservedCIDRs": [],
            "cloud": {
                "provider": "linux",
                "linux": { "routeProtocol": 143, "table": 254 },
                "checkPeriod": "30s",
            },
            "datapath": {
                "mode": "ptp",
                "mtu": 0,
                "masquerade": { "enabled": true, "exceptCIDRs": [] },
            },
            "safety": { "maxDeletionPercent": 30 },
        })
    );
}

#[tokio::test]
async fn defaults_of_the_types_are_those_of_the_schema() {
    let world = world().await;
    let stored = world.accepted(&with("/cloud/linux", json!({}))).await;
    let typed: PodNetwork = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(typed.spec.cloud.linux, Some(LinuxCloud::default()));
    assert_eq!(typed.spec.datapath, Datapath::default());
    assert_eq!(typed.spec.safety, Safety::default());
    assert_eq!(serde_json::to_value(&typed.spec).unwrap(), stored["spec"]);
}

fn status() -> PodNetworkStatus {
    let ready = json!({
        "type": "Ready",
        "status": "False",
        "reason": "NodesNotRouted",
        "message": "1 of 3 nodes is not routed",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    });
    let pool = |name: &str, free| PoolStatus {
        name: name.to_owned(),
        total: 256,
        allocated: 252 - free,
        quarantined: 2,
        blocked: 1,
        reserved: 1,
        free,
        problem: (free < 10).then(|| "removed, and node a has a block of it".to_owned()),
    };
    PodNetworkStatus {
        observed_generation: Some(1),
        conditions: vec![serde_json::from_value(ready).unwrap()],
        pools: vec![pool("main", 250), pool("six", 7)],
        routes: Some(RouteCounts {
            desired: 3,
            programmed: 2,
            missing: 1,
            stale: 0,
            foreign: 5,
        }),
        deletion_error: Some("not allowed to call ec2:DeleteRoute".to_owned()),
        quotas: vec![QuotaStatus {
            table: "rtb-1".to_owned(),
            family: "IPv4".to_owned(),
            used: 41,
            limit: Some(50),
        }],
        nodes: Some(NodeCounts {
            total: 4,
            routed: 2,
        }),
    }
}

#[tokio::test]
async fn the_status_is_stored_as_written() {
    let world = world().await;
    world.store(&good()).await;
    let api: Api<PodNetwork> = Api::all(world.client.clone());
    let patch = Patch::Merge(json!({ "status": status() }));
    api.patch_status(NAME, &PatchParams::default(), &patch)
        .await
        .unwrap();
    let stored = api.get(NAME).await.unwrap();
    assert_eq!(stored.status, Some(status()));
    assert_eq!(
        stored.metadata.generation,
        Some(1),
        "a status is no new generation"
    );
}

#[tokio::test]
async fn the_table_says_how_things_are() {
    let world = world().await;
    world.store(&good()).await;
    let api: Api<PodNetwork> = Api::all(world.client.clone());
    let patch = Patch::Merge(json!({ "status": status() }));
    api.patch_status(NAME, &PatchParams::default(), &patch)
        .await
        .unwrap();

    let url = format!(
        "/apis/signpost.dev/v1alpha1/{}",
        PodNetwork::api_resource().plural
    );
    let request = http::Request::get(url)
        .header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
        .body(Vec::new())
        .unwrap();
    let table: Value = world.client.request(request).await.unwrap();
    let columns = table["columnDefinitions"].as_array().unwrap();
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    let shown: Vec<(&str, &Value, &Value)> = columns
        .iter()
        .zip(cells)
        .map(|(column, cell)| (column["name"].as_str().unwrap(), cell, &column["priority"]))
        .filter(|(name, ..)| *name != "Age")
        .collect();
    assert_eq!(
        shown,
        [
            ("Name", &json!("default"), &json!(0)),
            ("Ready", &json!("False"), &json!(0)),
            ("Reason", &json!("NodesNotRouted"), &json!(0)),
            ("Provider", &json!("linux"), &json!(0)),
            ("Nodes", &json!(4), &json!(0)),
            ("Routed", &json!(2), &json!(0)),
            ("Routes", &json!(3), &json!(0)),
            ("Programmed", &json!(2), &json!(0)),
            ("Foreign", &json!(5), &json!(0)),
            ("Missing", &json!(1), &json!(1)),
            ("Stale", &json!(0), &json!(1)),
            ("Message", &json!("1 of 3 nodes is not routed"), &json!(1)),
        ]
    );
}
