//! What is missing before the first route can be made.

use kube::api::{Patch, PatchParams};
use serde_json::json;
use signpost_ec2::{Fault, FaultKind};

use super::vpc::{Vpc, add_nodes, spec};
use crate::{
    running::Running,
    support::{CONTROLLER, eventually, world},
};

#[tokio::test]
async fn aws_a_missing_permission_is_named_in_the_status() {
    let world = world().await;
    let vpc = Vpc::new().await;
    let denied = Fault::always(FaultKind::Unauthorized, &["CreateRoute"]);
    vpc.ec2.add_fault(denied).unwrap();
    let instances = vpc.launch(1).await;
    add_nodes(&world, &instances).await;
    world.create_network(spec("1s")).await;
    let _running = vpc.start(&world);
    eventually("the node says which", 60, async || {
        let node = world.nodes.get(&instances[0]).await.unwrap();
        let conditions = node.status.unwrap().conditions.unwrap_or_default();
        conditions.iter().any(|condition| {
            condition.reason.as_deref() == Some("CloudDenied")
                && condition
                    .message
                    .as_deref()
                    .is_some_and(|message| message.contains("ec2:CreateRoute"))
        })
    })
    .await;
}

#[tokio::test]
async fn aws_a_missing_permission_is_told_before_there_is_a_node() {
    let world = world().await;
    let vpc = Vpc::new().await;
    let denied = Fault::always(FaultKind::Unauthorized, &["DeleteRoute"]);
    vpc.ec2.add_fault(denied).unwrap();
    world.create_network(spec("30s")).await;
    let running = vpc.start(&world);
    running.says("ec2:DeleteRoute on ", 60).await;
    let told = async || {
        let events = world.events("CloudDenied").await;
        let mut notes = events.iter().filter_map(|event| event.note.as_deref());
        notes.any(|note| note.contains("ec2:DeleteRoute"))
    };
    eventually("an event says which", 60, told).await;
    assert_eq!(vpc.routes(&vpc.tables[0]).len(), 0);
}

#[tokio::test]
async fn aws_without_a_region_the_status_says_what_to_set() {
    let world = world().await;
    world.create_network(spec("30s")).await;
    let kubeconfig = world.control_plane.kubeconfig_for(CONTROLLER).unwrap();
    let running = Running::start_in(
        &kubeconfig,
        &[
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
        ],
    );
    running.says("set spec.cloud.aws.region", 60).await;
    let region = json!({"spec": {"cloud": {"aws": {"region": "eu-central-1"}}}});
    world
        .networks
        .patch("default", &PatchParams::default(), &Patch::Merge(region))
        .await
        .unwrap();
    running.says("set spec.cloud.aws.vpcID", 60).await;
}
