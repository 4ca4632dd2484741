//! The overlays on a real API server, as people apply and delete them.

#![expect(clippy::unwrap_used, reason = "a test fails where its set-up fails")]

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::{Client, CustomResourceExt as _};
use serde_json::json;
use signpost_api::{NAME, PodNetwork};
use signpost_testing::{ControlPlane, eventually};

const NAMESPACE: &str = "signpost-system";
const CONTROLLER: &str = "signpost-controller";
const NODE: &str = "signpost-node";

/// A `PodNetwork` that goes only when its finalizer is taken away, as the controller does.
async fn create_network(client: &Client) -> Api<PodNetwork> {
    let networks: Api<PodNetwork> = Api::all(client.clone());
    let network = serde_json::from_value(json!({
        "apiVersion": PodNetwork::api_resource().api_version,
        "kind": PodNetwork::api_resource().kind,
        "metadata": {"name": NAME, "finalizers": ["signpost.dev/routes"]},
        "spec": {
            "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}],
            "cloud": {"provider": "linux"},
        },
    }))
    .unwrap();
    eventually("the network is accepted", async || {
        networks
            .create(&PostParams::default(), &network)
            .await
            .is_ok()
    })
    .await;
    networks
}

async fn let_go(networks: &Api<PodNetwork>) {
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    networks
        .patch(NAME, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_deletion_of_everything_leaves_the_controller_until_the_network_is_gone() {
    let control_plane = ControlPlane::start().await.unwrap();
    let client = control_plane.client().await.unwrap();
    for overlay in ["linux", "aws", "gcp"] {
        control_plane.apply(overlay).await.unwrap();
    }
    let networks = create_network(&client).await;
    let roles: Api<ClusterRole> = Api::all(client.clone());
    let dry = DeleteParams::default().dry_run();
    // The policy is in force some time after it was made.
    eventually("the role is kept", async || {
        roles.delete(CONTROLLER, &dry).await.is_err()
    })
    .await;

    let first = control_plane
        .kubectl_k("delete", "aws", &["--wait=false"])
        .await
        .unwrap();
    let said = first.unwrap_err();
    assert!(said.contains("kubectl delete podnetwork default"), "{said}");
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let deployment = deployments.get(CONTROLLER).await.unwrap();
    assert!(deployment.metadata.deletion_timestamp.is_none());
    assert!(roles.get(CONTROLLER).await.is_ok());
    // Nodes keep their plugin and its configuration.
    let daemons: Api<DaemonSet> = Api::namespaced(client.clone(), NAMESPACE);
    assert!(daemons.get_opt(NODE).await.unwrap().is_none());
    let network = networks.get(NAME).await.unwrap();
    assert!(network.metadata.deletion_timestamp.is_some());

    let_go(&networks).await;
    eventually("the network is gone", async || {
        networks.get(NAME).await.is_err()
    })
    .await;
    let second = control_plane
        .kubectl_k("delete", "aws", &["--wait=false", "--ignore-not-found"])
        .await
        .unwrap();
    second.unwrap();
    assert!(roles.get_opt(CONTROLLER).await.unwrap().is_none());
    assert!(deployments.get_opt(CONTROLLER).await.unwrap().is_none());
}
