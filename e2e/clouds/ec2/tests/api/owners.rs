//! What the owner of a shared VPC can do.

use signpost_ec2::Policy;

use crate::scene::Scene;
use crate::sharing::{KEY, OTHER, code, group, launch, ok, participant};

#[tokio::test]
async fn the_owner_sees_interfaces_of_participants_and_not_their_instances() {
    let scene = Scene::new().await;
    let own = scene.launch(1).await;
    let other = participant(&scene);
    let (instance, interface) = launch(&other, &scene, &group(&other, &scene).await).await;
    let listed = scene.ok("DescribeInstances", &[]).await;
    assert_eq!(listed.texts("instanceId"), [&*own[0]]);
    let by_id = [("InstanceId.1", instance.as_str())];
    let refused = scene.code("DescribeInstances", &by_id).await;
    assert_eq!(refused, "InvalidInstanceID.NotFound");
    let refused = scene.code("StopInstances", &by_id).await;
    assert_eq!(refused, "InvalidInstanceID.NotFound");

    let by_id = [("NetworkInterfaceId.1", interface.as_str())];
    let listed = scene.ok("DescribeNetworkInterfaces", &by_id).await;
    assert_eq!(listed.text("ownerId"), OTHER);
    assert_eq!(listed.text("instanceOwnerId"), OTHER);
    assert_eq!(listed.text("instanceId"), instance);
    assert_eq!(listed.texts("key"), [""; 0], "tags are the participant's");
    for (name, value, found) in [
        ("attachment.instance-owner-id", OTHER, 1),
        ("owner-id", "123456789012", 1),
        ("tag:of", "other", 0),
    ] {
        let filter = [("Filter.1.Name", name), ("Filter.1.Value.1", value)];
        let listed = scene.ok("DescribeNetworkInterfaces", &filter).await;
        assert_eq!(listed.items("networkInterfaceSet").len(), found, "{name}");
    }
    let check = [
        ("NetworkInterfaceId", interface.as_str()),
        ("SourceDestCheck.Value", "false"),
    ];
    for (action, params) in [
        ("ModifyNetworkInterfaceAttribute", &check[..]),
        ("DeleteNetworkInterface", &check[..1]),
    ] {
        assert_eq!(scene.code(action, params).await, "UnauthorizedOperation");
    }
    // A route can lead there all the same.
    scene
        .create("10.1.0.0/24", ("NetworkInterfaceId", &interface))
        .await;
    let route = scene.listed().await.remove(0);
    assert_eq!(route.text("instanceOwnerId"), OTHER);
    assert_eq!(route.text("state"), "active");
}

#[tokio::test]
async fn a_subnet_that_is_taken_back_keeps_what_is_in_it() {
    let scene = Scene::new().await;
    let other = participant(&scene);
    let own_group = group(&other, &scene).await;
    let (instance, _) = launch(&other, &scene, &own_group).await;
    scene
        .ec2
        .configure(|all| all.participants[0].subnets.clear())
        .unwrap();
    let listed = ok(&other, "DescribeInstances", &[]).await;
    assert_eq!(listed.texts("instanceId"), [&*instance]);
    let more = [
        ("SubnetId", &*scene.subnet),
        ("SecurityGroupId.1", &own_group),
    ];
    let refused = code(&other, "CreateNetworkInterface", &more).await;
    assert_eq!(refused, "InvalidSubnetID.NotFound");
    assert!(
        ok(&other, "DescribeVpcs", &[])
            .await
            .items("vpcSet")
            .is_empty()
    );
    let refused = scene.code("DeleteSubnet", &more[..1]).await;
    assert_eq!(refused, "DependencyViolation");
}

#[tokio::test]
async fn policies_go_by_tags_that_the_caller_sees() {
    let scene = Scene::new().await;
    let other = participant(&scene);
    let (instance, _) = launch(&other, &scene, &group(&other, &scene).await).await;
    let tag = [
        ("ResourceId.1", instance.as_str()),
        ("Tag.1.Key", "of"),
        ("Tag.1.Value", "other"),
    ];
    ok(&other, "CreateTags", &tag).await;
    let policy = serde_json::json!({"Statement": {
        "Effect": "Allow",
        "Action": "ec2:StopInstances",
        "Resource": format!("arn:aws:ec2:*:{OTHER}:instance/*"),
        "Condition": {"StringEquals": {"aws:ResourceTag/of": "other"}},
    }});
    let policy: Policy = serde_json::from_value(policy).unwrap();
    for key in [KEY, "AKIAOWNER"] {
        scene.ec2.set_policy(key, policy.clone()).unwrap();
    }
    let owner = scene.client.clone().with_access_key("AKIAOWNER");
    let stop = [("InstanceId.1", instance.as_str())];
    // Had it seen the tag, it would be told that there is no such instance.
    let refused = code(&owner, "StopInstances", &stop).await;
    assert_eq!(refused, "UnauthorizedOperation");
    assert_eq!(code(&other, "StopInstances", &stop).await, "done");
}
