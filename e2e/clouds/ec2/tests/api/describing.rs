use std::collections::BTreeSet;

use crate::scene::Scene;

#[tokio::test]
async fn pages_list_everything_once() {
    let scene = Scene::new().await;
    for _ in 0..9 {
        scene.ok("CreateRouteTable", &[("VpcId", &scene.vpc)]).await;
    }
    let filter = [
        ("Filter.1.Name", "vpc-id"),
        ("Filter.1.Value.1", scene.vpc.as_str()),
    ];
    let whole = scene.ok("DescribeRouteTables", &filter).await;
    assert_eq!(whole.items("routeTableSet").len(), 11);
    assert_eq!(whole.text("nextToken"), "");
    let mut seen = BTreeSet::new();
    let mut token = String::new();
    let mut sizes = Vec::new();
    loop {
        let page = [("MaxResults", "5"), ("NextToken", token.as_str())];
        let page = scene
            .ok("DescribeRouteTables", &[&filter[..], &page].concat())
            .await;
        let tables = page.items("routeTableSet");
        sizes.push(tables.len());
        seen.extend(tables.iter().map(|table| table.text("routeTableId")));
        token = page.text("nextToken");
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((sizes, seen.len()), (vec![5, 5, 1], 11));
}

#[tokio::test]
async fn pages_keep_to_their_limits() {
    let scene = Scene::new().await;
    for _ in 0..5 {
        scene.ok("CreateRouteTable", &[("VpcId", &scene.vpc)]).await;
    }
    for (action, size) in [
        ("DescribeRouteTables", "4"),
        ("DescribeRouteTables", "101"),
        ("DescribeInstances", "1001"),
        ("DescribeSubnets", "many"),
    ] {
        let code = scene.code(action, &[("MaxResults", size)]).await;
        assert_eq!(code, "InvalidParameterValue", "{action} {size}");
    }
    let token = scene
        .ok("DescribeRouteTables", &[("MaxResults", "5")])
        .await
        .text("nextToken");
    let other = [
        ("NextToken", token.as_str()),
        ("Filter.1.Name", "vpc-id"),
        ("Filter.1.Value.1", scene.vpc.as_str()),
    ];
    assert_eq!(
        scene.code("DescribeRouteTables", &other).await,
        "InvalidNextToken"
    );
    let instances = scene.launch(1).await;
    let both = [("MaxResults", "5"), ("InstanceId.1", instances[0].as_str())];
    assert_eq!(
        scene.code("DescribeInstances", &both).await,
        "InvalidParameterCombination"
    );
}

#[tokio::test]
async fn filters_are_known_or_refused() {
    let scene = Scene::new().await;
    for (action, name) in [
        ("DescribeRouteTables", "vpcid"),
        ("DescribeRouteTables", "tag"),
        ("DescribeInstances", "route-table-id"),
        ("DescribeVpcs", "nonsense"),
        ("DescribeTags", "tag:k"),
        ("DescribeAvailabilityZones", "vpc-id"),
    ] {
        let filter = [("Filter.1.Name", name), ("Filter.1.Value.1", "x")];
        assert_eq!(
            scene.code(action, &filter).await,
            "InvalidParameterValue",
            "{action} {name}"
        );
    }
    let empty = [("Filter.1.Name", "vpc-id")];
    assert_eq!(
        scene.code("DescribeRouteTables", &empty).await,
        "InvalidParameterValue"
    );
    let values: Vec<String> = (1..=201).map(|n| format!("Filter.1.Value.{n}")).collect();
    let mut many = vec![("Filter.1.Name", "vpc-id")];
    many.extend(values.iter().map(|name| (name.as_str(), "vpc-01234567")));
    assert_eq!(
        scene.code("DescribeRouteTables", &many).await,
        "FilterLimitExceeded"
    );
}

#[tokio::test]
async fn filters_of_routes_associations_and_tags_find_tables() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let interface = scene.primary(&instances[0]);
    scene
        .create("10.1.0.0/24", ("InstanceId", &instances[0]))
        .await;
    let both = [
        ("RouteTableId", scene.table.as_str()),
        ("SubnetId", scene.subnet.as_str()),
    ];
    scene.ok("AssociateRouteTable", &both).await;
    let tag = [
        ("ResourceId.1", scene.table.as_str()),
        ("Tag.1.Key", "kubernetes.io/cluster/one"),
        ("Tag.1.Value", "owned"),
    ];
    scene.ok("CreateTags", &tag).await;
    for (name, value) in [
        ("route.destination-cidr-block", "10.1.0.0/24"),
        ("route.instance-id", instances[0].as_str()),
        ("route.network-interface-id", interface.as_str()),
        ("route.origin", "CreateRoute"),
        ("association.subnet-id", scene.subnet.as_str()),
        ("association.main", "false"),
        ("tag:kubernetes.io/cluster/one", "own*"),
        ("tag-key", "kubernetes.io/cluster/*"),
        ("route-table-id", scene.table.as_str()),
    ] {
        let filter = [("Filter.1.Name", name), ("Filter.1.Value.1", value)];
        let tables = scene
            .ok("DescribeRouteTables", &filter)
            .await
            .items("routeTableSet");
        let found: Vec<_> = tables
            .iter()
            .map(|table| table.text("routeTableId"))
            .collect();
        assert_eq!(found, [scene.table.as_str()], "{name}");
    }
    let neither = [
        ("Filter.1.Name", "route.state"),
        ("Filter.1.Value.1", "blackhole"),
        ("Filter.2.Name", "association.main"),
        ("Filter.2.Value.1", "true"),
        ("Filter.2.Value.2", "false"),
    ];
    assert!(
        scene
            .ok("DescribeRouteTables", &neither)
            .await
            .items("routeTableSet")
            .is_empty()
    );
}

#[tokio::test]
async fn unknown_parameters_actions_and_versions_are_refused() {
    let scene = Scene::new().await;
    let unknown = [("VpcIds.1", scene.vpc.as_str())];
    assert_eq!(
        scene.code("DescribeVpcs", &unknown).await,
        "UnknownParameter"
    );
    assert_eq!(scene.code("CreateVpc", &[]).await, "MissingParameter");
    assert_eq!(scene.code("DescribeEverything", &[]).await, "InvalidAction");
    assert_eq!(scene.code("", &[]).await, "MissingAction");
    let version = scene.ec2.snapshot().version;
    let dry = [("CidrBlock", "10.9.0.0/16"), ("DryRun", "true")];
    assert_eq!(scene.code("CreateVpc", &dry).await, "DryRunOperation");
    assert_eq!(scene.ec2.snapshot().version, version);
}

#[tokio::test]
async fn named_records_must_all_exist() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    // Incumbents name the same instance several times.
    let twice = [
        ("InstanceId.1", instances[0].as_str()),
        ("InstanceId.2", &instances[0]),
    ];
    let answer = scene.ok("DescribeInstances", &twice).await;
    assert_eq!(answer.items("instancesSet").len(), 1);
    let one_unknown = [
        ("InstanceId.1", instances[0].as_str()),
        ("InstanceId.2", "i-01234567"),
    ];
    let error = scene
        .client
        .call("DescribeInstances", &one_unknown)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "InvalidInstanceID.NotFound");
    assert!(error.to_string().contains("'i-01234567'"), "{error}");
    let malformed = [("InstanceId.1", "fargate-1")];
    assert_eq!(
        scene.code("DescribeInstances", &malformed).await,
        "InvalidInstanceID.Malformed"
    );
    let table = [("RouteTableId.1", "rtb-01234567")];
    assert_eq!(
        scene.code("DescribeRouteTables", &table).await,
        "InvalidRouteTableID.NotFound"
    );
}

#[tokio::test]
async fn a_thousand_instances_can_be_named_at_once() {
    let scene = Scene::new().await;
    let wide = [("VpcId", scene.vpc.as_str()), ("CidrBlock", "10.0.16.0/20")];
    let subnet = scene.ok("CreateSubnet", &wide).await.text("subnetId");
    let run = [
        crate::scene::IMAGE,
        ("MinCount", "1000"),
        ("MaxCount", "1000"),
        ("SubnetId", subnet.as_str()),
    ];
    let ids = scene.ok("RunInstances", &run).await.texts("instanceId");
    let names: Vec<String> = (1..=1001).map(|n| format!("InstanceId.{n}")).collect();
    let mut params: Vec<(&str, &str)> = names
        .iter()
        .zip(&ids)
        .map(|(name, id)| (name.as_str(), id.as_str()))
        .collect();
    let answer = scene.ok("DescribeInstances", &params).await;
    assert_eq!(answer.items("instancesSet").len(), 1000);
    params.push((&names[1000], &ids[0]));
    assert_eq!(
        scene.code("DescribeInstances", &params).await,
        "InvalidParameterValue"
    );
}
