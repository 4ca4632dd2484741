//! What participants of a shared VPC can do.

use signpost_ec2::{Answer, CallError, Client, Participant};

use crate::scene::{IMAGE, Scene};

pub(crate) const OTHER: &str = "222222222222";
pub(crate) const KEY: &str = "AKIAPARTICIPANT";

/// A client of another account, with which the scene's subnet is shared.
pub(crate) fn participant(scene: &Scene) -> Client {
    let other = Participant {
        account: OTHER.to_owned(),
        access_keys: vec![KEY.to_owned()],
        subnets: vec![scene.subnet.clone()],
    };
    scene
        .ec2
        .configure(|all| all.participants = vec![other])
        .unwrap();
    scene.client.clone().with_access_key(KEY)
}

pub(crate) async fn ok(client: &Client, action: &str, params: &[(&str, &str)]) -> Answer {
    let answer = client.call(action, params).await;
    answer.unwrap_or_else(|error| panic!("{action} {params:?}: {error}"))
}

pub(crate) async fn code(client: &Client, action: &str, params: &[(&str, &str)]) -> String {
    let answer = client.call(action, params).await;
    answer.map_or_else(
        |error: CallError| error.code().to_owned(),
        |_| "done".to_owned(),
    )
}

/// A security group of the client's account.
pub(crate) async fn group(client: &Client, scene: &Scene) -> String {
    let params = [
        ("GroupName", "nodes"),
        ("GroupDescription", "nodes"),
        ("VpcId", &scene.vpc),
    ];
    ok(client, "CreateSecurityGroup", &params)
        .await
        .text("groupId")
}

/// An instance of the client's account, and its interface.
pub(crate) async fn launch(client: &Client, scene: &Scene, group: &str) -> (String, String) {
    let params = [
        IMAGE,
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", &scene.subnet),
        ("SecurityGroupId.1", group),
        ("TagSpecification.1.ResourceType", "network-interface"),
        ("TagSpecification.1.Tag.1.Key", "of"),
        ("TagSpecification.1.Tag.1.Value", "other"),
    ];
    let launched = ok(client, "RunInstances", &params).await;
    (
        launched.text("instanceId"),
        launched.text("networkInterfaceId"),
    )
}

#[tokio::test]
async fn a_participant_owns_what_it_makes_in_a_shared_subnet() {
    let scene = Scene::new().await;
    let other = participant(&scene);
    let own_group = group(&other, &scene).await;
    let (instance, interface) = launch(&other, &scene, &own_group).await;
    let listed = ok(&other, "DescribeInstances", &[]).await;
    assert_eq!(listed.texts("instanceId"), [&*instance]);
    assert_eq!(listed.texts("ownerId"), [OTHER, OTHER]);
    let listed = ok(&other, "DescribeNetworkInterfaces", &[]).await;
    assert_eq!(listed.texts("networkInterfaceId"), [&*interface]);
    assert_eq!(listed.text("instanceOwnerId"), OTHER);
    let listed = ok(&other, "DescribeSecurityGroups", &[]).await;
    assert_eq!(listed.texts("groupId"), [&*own_group]);
    let check = [
        ("NetworkInterfaceId", interface.as_str()),
        ("SourceDestCheck.Value", "false"),
    ];
    ok(&other, "ModifyNetworkInterfaceAttribute", &check).await;
    let ended = [("InstanceId.1", instance.as_str())];
    ok(&other, "TerminateInstances", &ended).await;
    let group = [("GroupId", own_group.as_str())];
    ok(&other, "DeleteSecurityGroup", &group).await;
}

#[tokio::test]
async fn a_participant_makes_nothing_elsewhere_and_nothing_with_the_owners_groups() {
    let scene = Scene::new().await;
    let params = [("VpcId", scene.vpc.as_str()), ("CidrBlock", "10.0.2.0/24")];
    let closed = scene.ok("CreateSubnet", &params).await.text("subnetId");
    let owners = group(&scene.client, &scene).await;
    let other = participant(&scene);
    let own = group(&other, &scene).await;
    let make = async |subnet: &str, group: Option<&str>| {
        let mut params = vec![("SubnetId", subnet)];
        params.extend(group.map(|group| ("SecurityGroupId.1", group)));
        code(&other, "CreateNetworkInterface", &params).await
    };
    let shared = scene.subnet.as_str();
    assert_eq!(make(&closed, Some(&own)).await, "InvalidSubnetID.NotFound");
    assert_eq!(make(shared, Some(&owners)).await, "InvalidGroup.NotFound");
    assert_eq!(make(shared, None).await, "InvalidGroup.NotFound");
    assert_eq!(make(shared, Some(&own)).await, "done");
    // Nor does the owner with those of others.
    let params = [("SubnetId", shared), ("SecurityGroupId.1", own.as_str())];
    let refused = scene.code("CreateNetworkInterface", &params).await;
    assert_eq!(refused, "UnauthorizedOperation");
    assert_eq!(
        code(&other, "CreateVpc", &[("CidrBlock", "10.9.0.0/16")]).await,
        "UnsupportedOperation"
    );
}

#[tokio::test]
async fn a_participant_sees_the_shared_network_without_its_tags() {
    let scene = Scene::new().await;
    let tag = [
        ("ResourceId.1", scene.table.as_str()),
        ("ResourceId.2", &scene.subnet),
        ("Tag.1.Key", "of"),
        ("Tag.1.Value", "owner"),
    ];
    scene.ok("CreateTags", &tag).await;
    let params = [("VpcId", scene.vpc.as_str()), ("CidrBlock", "10.0.2.0/24")];
    scene.ok("CreateSubnet", &params).await;
    scene.launch(1).await;
    let other = participant(&scene);
    let all = async |action: &str, id: &str| ok(&other, action, &[]).await.texts(id);
    assert_eq!(all("DescribeSubnets", "subnetId").await, [&*scene.subnet]);
    assert_eq!(all("DescribeVpcs", "vpcId").await, [&*scene.vpc]);
    // The subnet follows the main table, then its own.
    let tables = async || ok(&other, "DescribeRouteTables", &[]).await;
    let main = tables().await;
    assert_eq!(main.texts("main"), ["true"]);
    let both = [
        ("RouteTableId", scene.table.as_str()),
        ("SubnetId", &scene.subnet),
    ];
    scene.ok("AssociateRouteTable", &both).await;
    let own = tables().await;
    assert_eq!(own.items("routeTableSet").len(), 1);
    assert_eq!(own.text("routeTableId"), scene.table);
    assert_eq!(own.text("ownerId"), "123456789012");
    assert_eq!(own.texts("key"), [""; 0]);
    let by_tag = [("Filter.1.Name", "tag:of"), ("Filter.1.Value.1", "owner")];
    let tagged = ok(&other, "DescribeRouteTables", &by_tag).await;
    assert!(tagged.items("routeTableSet").is_empty());
    assert!(
        ok(&other, "DescribeTags", &[])
            .await
            .items("tagSet")
            .is_empty()
    );
    // What the owner runs there is not shown.
    let none = ok(&other, "DescribeInstances", &[]).await;
    assert!(none.items("reservationSet").is_empty());
    let none = ok(&other, "DescribeNetworkInterfaces", &[]).await;
    assert!(none.items("networkInterfaceSet").is_empty());
    let none = [("RouteTableId.1", main.text("routeTableId"))];
    let none = [(none[0].0, none[0].1.as_str())];
    let refused = code(&other, "DescribeRouteTables", &none).await;
    assert_eq!(refused, "InvalidRouteTableID.NotFound");
    let vpc = [("VpcId", &*scene.vpc), ("Attribute", "enableDnsSupport")];
    assert_eq!(code(&other, "DescribeVpcAttribute", &vpc).await, "done");
}

#[tokio::test]
async fn a_participant_changes_nothing_of_the_owner() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let primary = scene.primary(&instances[0]);
    let both = [
        ("RouteTableId", scene.table.as_str()),
        ("SubnetId", &scene.subnet),
    ];
    let association = scene
        .ok("AssociateRouteTable", &both)
        .await
        .text("associationId");
    scene
        .create("10.1.0.0/24", ("NetworkInterfaceId", &primary))
        .await;
    let other = participant(&scene);
    let (_, interface) = launch(&other, &scene, &group(&other, &scene).await).await;
    let before = scene.ec2.snapshot();
    let (table, vpc) = (scene.table.as_str(), scene.vpc.as_str());
    let to = ("NetworkInterfaceId", interface.as_str());
    let (seen, hidden) = ("UnauthorizedOperation", ".NotFound");
    for (action, params, refusal) in [
        ("CreateRoute", scene.route("10.2.0.0/24", to).to_vec(), seen),
        (
            "ReplaceRoute",
            scene.route("10.1.0.0/24", to).to_vec(),
            seen,
        ),
        (
            "DeleteRoute",
            scene.route("10.1.0.0/24", to)[..2].to_vec(),
            seen,
        ),
        ("DeleteRouteTable", vec![("RouteTableId", table)], seen),
        ("CreateRouteTable", vec![("VpcId", vpc)], seen),
        (
            "DisassociateRouteTable",
            vec![("AssociationId", &*association)],
            seen,
        ),
        ("DeleteSubnet", vec![("SubnetId", &*scene.subnet)], seen),
        ("DeleteVpc", vec![("VpcId", vpc)], seen),
        (
            "CreateTags",
            vec![("ResourceId.1", table), ("Tag.1.Key", "k")],
            seen,
        ),
        (
            "TerminateInstances",
            vec![("InstanceId.1", &*instances[0])],
            hidden,
        ),
        (
            "ModifyNetworkInterfaceAttribute",
            vec![
                ("NetworkInterfaceId", &*primary),
                ("SourceDestCheck.Value", "false"),
            ],
            hidden,
        ),
    ] {
        let code = code(&other, action, &params).await;
        assert!(code.ends_with(refusal), "{action}: {code}");
        let dry = [&params[..], &[("DryRun", "true")]].concat();
        let dry = self::code(&other, action, &dry).await;
        assert!(dry.ends_with(refusal), "{action}: {dry}");
    }
    assert_eq!(scene.ec2.snapshot(), before);
}
