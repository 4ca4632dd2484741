//! The roles in the manifests allow what the code does, and nothing else.

use std::collections::BTreeSet;

use signpost_cloud::{Change, Cloud, gcp::Action};
use signpost_core::cloud::{CloudError, CloudErrorKind, InstanceState};

use crate::scene::{
    PROJECT, SERVICE, Scene, TOKEN, ZONE, create, delete, hop, listing, make, pools, query,
};

const NETWORK_ROLE: &str = include_str!("../../../../manifests/gcp/role-network.yaml");
const NODES_ROLE: &str = include_str!("../../../../manifests/gcp/role-nodes.yaml");

fn permissions(role: &str) -> BTreeSet<&str> {
    let entries = role.lines().filter_map(|line| line.strip_prefix("  - "));
    entries.collect()
}

/// Does everything that a leader does. The first refusal.
async fn everything(scene: &Scene) -> Result<(), CloudError> {
    let cloud = scene.another(|it| it.enable_ip_forwarding = true).await;
    cloud.list_routes(&pools()).await?;
    let nodes: Vec<_> = (0..10)
        .map(|it| query(PROJECT, ZONE, &format!("node-{it}")))
        .collect();
    for nodes in [&nodes[..1], &nodes] {
        for (_, state) in cloud.read_instances(nodes).await {
            assert!(matches!(state?, InstanceState::Found(_)));
        }
    }
    for (_, state) in cloud.read_instances(&[query(SERVICE, ZONE, "guest")]).await {
        state?;
    }
    make(&cloud, Change::Forwarding(&nodes[0])).await?;
    make(
        &cloud,
        Change::Route(&create("10.244.1.0/24", hop(ZONE, "node-0"))),
    )
    .await?;
    let seen = listing(&cloud).await.routes?.remove(0);
    make(&cloud, Change::Route(&delete(&seen))).await
}

async fn scene() -> Scene {
    let scene = Scene::new().await;
    for number in 0..10 {
        scene
            .launch_as(PROJECT, ZONE, &format!("node-{number}"), number != 0)
            .await;
    }
    scene.launch(SERVICE, ZONE, "guest").await;
    // Operations that are not done at once are asked about.
    scene
        .gce
        .configure(|all| all.operations = [0.2, 0.2])
        .unwrap();
    scene
}

fn grant(scene: &Scene, network: &BTreeSet<&str>, nodes: &BTreeSet<&str>) {
    // The project of the network has nodes, too.
    let both: Vec<&str> = network.union(nodes).copied().collect();
    scene.gce.set_permissions(TOKEN, PROJECT, &both);
    let nodes: Vec<&str> = nodes.iter().copied().collect();
    scene.gce.set_permissions(TOKEN, SERVICE, &nodes);
}

#[tokio::test]
async fn both_roles_together_allow_everything_that_is_done() {
    let scene = scene().await;
    grant(&scene, &permissions(NETWORK_ROLE), &permissions(NODES_ROLE));
    everything(&scene).await.unwrap();
}

#[test]
fn they_have_what_the_methods_need_and_no_more() {
    let needed: BTreeSet<&str> = Action::ALL
        .iter()
        .flat_map(|action| action.permissions())
        .copied()
        .collect();
    let (network, nodes) = (permissions(NETWORK_ROLE), permissions(NODES_ROLE));
    assert_eq!(needed, network.union(&nodes).copied().collect());
    assert!(network.is_disjoint(&nodes));
}

#[tokio::test]
async fn each_permission_that_is_missing_is_named() {
    let (network, nodes) = (permissions(NETWORK_ROLE), permissions(NODES_ROLE));
    for missing in network.union(&nodes) {
        if [
            // Without it the quota is learnt from a refusal.
            "compute.projects.get",
            // Only for operations that are in no page of the listing.
            "compute.globalOperations.get",
        ]
        .contains(missing)
        {
            continue;
        }
        let scene = scene().await;
        let without = |role: &BTreeSet<&'static str>| -> BTreeSet<&str> {
            role.iter().filter(|it| *it != missing).copied().collect()
        };
        grant(&scene, &without(&network), &without(&nodes));
        let error = everything(&scene).await.unwrap_err();
        assert!(error.detail.contains(missing), "{missing}: {error}");
        let is_read_of_operation = missing.contains("Operations");
        assert!(
            error.kind == CloudErrorKind::Denied
                || is_read_of_operation && error.kind == CloudErrorKind::Unknown,
            "{missing}: {error}"
        );
    }
}
