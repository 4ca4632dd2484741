//! The whole program with provider aws: a real API server, an emulator of EC2, and nodes that are
//! nothing but objects. Region, credentials and VPC come from the instance metadata.

mod permissions;
mod vpc;

use kube::api::DeleteParams;
use signpost_ec2::{Fault, FaultKind, Settings};

use self::vpc::{Vpc, add_nodes, network_unavailable, routed, spec, wanted};
use crate::support::{eventually, world};

#[tokio::test]
async fn aws_nodes_are_routed_in_all_tables_and_each_route_costs_one_write() {
    let world = world().await;
    let vpc = Vpc::new().await;
    let instances = vpc.launch(20).await;
    vpc.ec2.clear_calls();
    add_nodes(&world, &instances).await;
    world.create_network(spec("30s")).await;
    let running = vpc.start(&world);
    routed(&world, 20).await;
    let wanted = wanted(&world, &vpc, &instances).await;
    assert_eq!(wanted.len(), 20);
    for table in &vpc.tables {
        assert_eq!(vpc.routes(table), wanted);
    }
    for instance in &instances {
        let expected = ("False".to_owned(), "SignpostRouteCreated".to_owned());
        assert_eq!(network_unavailable(&world, instance).await, expected);
    }
    let state = vpc.ec2.snapshot();
    for interface in wanted.values() {
        let found = state.interfaces.iter().find(|it| it.id == *interface);
        assert!(!found.unwrap().source_dest_check, "{interface}");
    }
    let calls = vpc.calls();
    assert_eq!(calls["CreateRoute"], 40, "{calls:?}");
    assert_eq!(calls["ModifyNetworkInterfaceAttribute"], 20, "{calls:?}");
    let others: usize = calls.values().sum::<usize>() - 60;
    assert!(others <= 12, "{calls:?}");
    println!("calls: {calls:?}");

    let (_, metrics) = running.get("/metrics").await;
    for line in [
        r#"signpost_cloud_requests_total{action="CreateRoute",outcome="ok"} 40"#,
        r#"signpost_cloud_requests_total{action="ModifyNetworkInterfaceAttribute",outcome="ok"} 20"#,
        r#"signpost_nodes{phase="routed"} 20"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let (status, log) = running.stop().await;
    assert!(status.success() && !log.contains("WARN"), "{log}");
}

#[tokio::test]
async fn aws_tables_and_instances_that_change_are_followed_and_foreign_routes_left_alone() {
    let world = world().await;
    let mut vpc = Vpc::new().await;
    let mut instances = vpc.launch(5).await;
    // Somebody else's, to an instance of another cluster, in the first block.
    let stranger = vpc
        .ok(
            "RunInstances",
            &[
                ("ImageId", "ami-12345678"),
                ("MinCount", "1"),
                ("MaxCount", "1"),
                ("SubnetId", &vpc.subnet),
            ],
        )
        .await
        .text("instanceId");
    let stranger = vpc.primary(&stranger);
    let theirs = [
        ("RouteTableId", vpc.tables[1].as_str()),
        ("DestinationCidrBlock", "10.244.0.0/24"),
        ("NetworkInterfaceId", &stranger),
    ];
    vpc.ok("CreateRoute", &theirs).await;
    world.create_network(spec("1s")).await;
    add_nodes(&world, &instances).await;
    let _running = vpc.start(&world);
    routed(&world, 5).await;
    let expected = wanted(&world, &vpc, &instances).await;
    assert!(!expected.contains_key("10.244.0.0/24"), "{expected:?}");
    assert_eq!(vpc.routes(&vpc.tables[0]), expected);

    // A table that comes later is filled.
    vpc.add_table().await;
    eventually("the new table is filled", 30, async || {
        vpc.routes(&vpc.tables[2]) == expected
    })
    .await;

    // A route removed by hand comes back; one led elsewhere is led back in one step.
    let removed = expected.first_key_value().unwrap().0;
    let (moved, home) = expected.last_key_value().unwrap();
    let elsewhere = expected.values().find(|other| *other != home).unwrap();
    let table = ("RouteTableId", vpc.tables[0].as_str());
    let params = [table, ("DestinationCidrBlock", removed)];
    vpc.ok("DeleteRoute", &params).await;
    let destination = ("DestinationCidrBlock", moved.as_str());
    let params = [table, destination, ("NetworkInterfaceId", elsewhere)];
    vpc.ok("ReplaceRoute", &params).await;
    eventually("both are as they were", 60, async || {
        vpc.routes(&vpc.tables[0]) == expected
    })
    .await;
    assert_eq!(vpc.calls()["ReplaceRoute"], 2, "by hand and back");

    // An instance is replaced under its node's name, as by an autoscaling group with fixed names.
    let lost = instances.remove(0);
    vpc.ok("TerminateInstances", &[("InstanceId.1", &lost)])
        .await;
    world
        .nodes
        .delete(&lost, &DeleteParams::default())
        .await
        .unwrap();
    let new = vpc.launch(1).await;
    add_nodes(&world, &new).await;
    instances.extend(new);
    routed(&world, 5).await;
    eventually("only living nodes have routes", 120, async || {
        let expected = wanted(&world, &vpc, &instances).await;
        let state = vpc.ec2.snapshot();
        let blackholes = state.route_tables.iter().flat_map(|it| &it.routes);
        blackholes.clone().all(|route| route.active) && vpc.routes(&vpc.tables[0]) == expected
    })
    .await;
    let strangers = vpc.routes(&vpc.tables[1]);
    assert_eq!(strangers["10.244.0.0/24"], stranger);

    // Teardown takes ours and nothing else.
    world
        .networks
        .delete("default", &DeleteParams::default())
        .await
        .unwrap();
    eventually("the object is gone", 60, async || {
        world.network().await.is_null()
    })
    .await;
    let left: usize = vpc.tables.iter().map(|it| vpc.routes(it).len()).sum();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn aws_throttling_and_lost_answers_delay_and_break_nothing() {
    let world = world().await;
    let vpc = Vpc::new().await;
    vpc.ec2
        .configure(|all| {
            *all = Settings {
                rates: true,
                latency: 0.02,
                propagation: 1.0,
                ..all.clone()
            };
        })
        .unwrap();
    for (kind, probability) in [
        (FaultKind::Throttle, 0.2),
        (FaultKind::LostAfterCommit, 0.1),
        (FaultKind::ResetBefore, 0.1),
    ] {
        let fault = Fault {
            probability,
            count: Some(20),
            ..Fault::always(kind, &["CreateRoute", "DescribeRouteTables", "Modify*"])
        };
        vpc.ec2.add_fault(fault).unwrap();
    }
    let instances = vpc.launch(15).await;
    add_nodes(&world, &instances).await;
    world.create_network(spec("5s")).await;
    let _running = vpc.start(&world);
    eventually("all nodes are routed", 180, async || {
        world.network().await["status"]["nodes"]["routed"] == 15
    })
    .await;
    let expected = wanted(&world, &vpc, &instances).await;
    for table in &vpc.tables {
        assert_eq!(vpc.routes(table), expected);
    }
}

#[tokio::test]
async fn aws_a_full_table_is_told_and_taken_up_when_it_has_room() {
    let world = world().await;
    let vpc = Vpc::new().await;
    vpc.ec2
        .configure(|all| all.quotas.routes_per_table = 4)
        .unwrap();
    let instances = vpc.launch(6).await;
    add_nodes(&world, &instances).await;
    world.create_network(spec("1s")).await;
    let _running = vpc.start(&world);
    routed(&world, 4).await;
    eventually("it is told", 30, async || {
        !world.events("QuotaExceeded").await.is_empty()
    })
    .await;
    let told = async |nodes: &[String]| {
        let (mut routed, mut waiting) = (Vec::new(), 0);
        for node in nodes {
            let (status, reason) = network_unavailable(&world, node).await;
            waiting += usize::from(reason == "QuotaExceeded");
            if status == "False" {
                routed.push(node.clone());
            }
        }
        (routed, waiting)
    };
    eventually("two nodes say why", 30, async || {
        told(&instances).await.1 == 2
    })
    .await;
    // A node goes, and one that waits has its room.
    let (routed, _) = told(&instances).await;
    let (leaving, stay): (Vec<_>, Vec<_>) = instances.into_iter().partition(|it| *it == routed[0]);
    let none = DeleteParams::default();
    world.nodes.delete(&leaving[0], &none).await.unwrap();
    eventually("the room is used", 60, async || {
        let (routed, waiting) = told(&stay).await;
        (routed.len(), waiting) == (4, 1)
    })
    .await;
}
