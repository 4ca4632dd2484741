//! Whose a route is: nobody else's is ever changed.

use signpost_cloud::{Cloud, aws::AwsConfig};
use signpost_core::cloud::{Blackhole, CloudErrorKind, Ownership, Range};
use signpost_ec2::OtherTarget;

use crate::scene::{
    Scene, TAG, config, create, delete, make, observed, pools, read, replace, shown,
};

const BLOCK: &str = "10.244.1.0/24";

#[tokio::test]
async fn a_route_to_an_instance_of_nobody_we_know_is_foreign_until_a_node_names_it() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    let one = scene.primary(&instances[0]);
    let table = scene.tables[0].as_str();
    scene.by_hand("CreateRoute", table, BLOCK, &one).await;
    let seen = scene.shown(table, BLOCK).await.unwrap();
    assert_eq!(seen.ownership, Ownership::Foreign);
    let mut ours = seen.clone();
    ours.ownership = Ownership::Ours;
    let refused = scene.change(&delete(table, &ours)).await;
    assert_eq!(refused, Err(CloudErrorKind::NotFound));

    let mut changes = scene.cloud.changes().unwrap();
    scene.read(&instances).await;
    assert_eq!(changes.recv().await, Some(()), "a listing is due");
    let seen = scene.shown(table, BLOCK).await.unwrap();
    assert_eq!(seen.ownership, Ownership::Ours);
    assert_eq!(scene.change(&delete(table, &seen)).await, Ok(()));
}

#[tokio::test]
async fn after_a_restart_routes_to_instances_with_the_clusters_tag_are_ours() {
    let scene = Scene::new().await;
    let mine = scene.launch(1, &[(TAG, "owned")]).await;
    let other = scene
        .launch(1, &[("kubernetes.io/cluster/green", "owned")])
        .await;
    let table = scene.tables[0].as_str();
    let mine = scene.primary(&mine[0]);
    let other = scene.primary(&other[0]);
    scene.by_hand("CreateRoute", table, BLOCK, &mine).await;
    scene
        .by_hand("CreateRoute", table, "10.244.2.0/24", &other)
        .await;
    let listings = scene.list().await;
    let ownership = |to| shown(&listings, table, to).map(|it| it.ownership);
    assert_eq!(ownership(BLOCK), Some(Ownership::Ours));
    assert_eq!(ownership("10.244.2.0/24"), Some(Ownership::Foreign));
}

#[tokio::test]
async fn two_clusters_in_one_table_with_one_range_leave_each_other_alone() {
    let scene = Scene::new().await;
    let green_tag = "kubernetes.io/cluster/green";
    for table in &scene.tables {
        let params = [
            ("ResourceId.1", table.as_str()),
            ("Tag.1.Key", green_tag),
            ("Tag.1.Value", "shared"),
        ];
        scene.ok("CreateTags", &params).await;
    }
    let green = scene.another(AwsConfig {
        cluster_name: "green".to_owned(),
        ..config()
    });
    let table = scene.tables[0].as_str();
    let blue_nodes = scene.launch(1, &[(TAG, "owned")]).await;
    let green_nodes = scene.launch(1, &[(green_tag, "owned")]).await;
    scene.read(&blue_nodes).await;
    read(&green, &green_nodes).await;
    let [blue_hop, green_hop] = [&blue_nodes, &green_nodes].map(|it| scene.primary(&it[0]));
    assert_eq!(scene.change(&create(table, BLOCK, &blue_hop)).await, Ok(()));
    let green_block = "10.244.2.0/24";
    make(&green, &create(table, green_block, &green_hop))
        .await
        .unwrap();

    let seen_by_green = green.list_routes(&pools()).await.unwrap();
    let of_blue = shown(&seen_by_green, table, BLOCK).unwrap();
    assert_eq!(of_blue.ownership, Ownership::Foreign);
    let of_green = shown(&seen_by_green, table, green_block).unwrap();
    assert_eq!(of_green.ownership, Ownership::Ours);
    assert_eq!(
        scene.shown(table, green_block).await.unwrap().ownership,
        Ownership::Foreign
    );
    // Even who takes it for its own does not touch it.
    let taken = observed(BLOCK, &blue_hop);
    for change in [delete(table, &taken), replace(table, &taken, &green_hop)] {
        let refused = make(&green, &change).await.unwrap_err();
        assert_eq!(refused.kind, CloudErrorKind::NotFound);
    }
    assert_eq!(scene.truth(table, BLOCK), Some((blue_hop, true)));
}

#[tokio::test]
async fn what_is_no_block_is_foreign_and_what_is_in_no_pool_is_not_shown() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[(TAG, "owned")]).await;
    let one = scene.primary(&instances[0]);
    let table = scene.tables[0].as_str();
    for (to, target) in [
        ("10.244.0.0/22", &one),
        ("10.244.9.128/25", &one),
        ("10.245.0.0/24", &one),
    ] {
        scene.by_hand("CreateRoute", table, to, target).await;
    }
    let listings = scene.list().await;
    let ownership = |to| shown(&listings, table, to).map(|it| it.ownership);
    assert_eq!(ownership("10.244.0.0/22"), Some(Ownership::Foreign));
    assert_eq!(ownership("10.244.9.128/25"), Some(Ownership::Foreign));
    assert_eq!(ownership("10.245.0.0/24"), None);
    assert_eq!(ownership("10.0.0.0/16"), None);
}

#[tokio::test]
async fn whose_interfaces_are_is_asked_once_for_all_and_remembered() {
    let scene = Scene::new().await;
    let instances = scene.launch(30, &[(TAG, "owned")]).await;
    for (index, instance) in instances.iter().enumerate() {
        let block = format!("10.244.{index}.0/24");
        let interface = scene.primary(instance);
        for table in &scene.tables {
            scene
                .by_hand("CreateRoute", table, &block, &interface)
                .await;
        }
    }
    scene.ec2.clear_calls();
    for _ in 0..3 {
        for listing in scene.list().await {
            let routes = listing.routes.unwrap();
            assert_eq!(routes.len(), 30);
            assert!(routes.iter().all(|it| it.ownership == Ownership::Ours));
        }
    }
    assert_eq!(scene.calls("DescribeNetworkInterfaces"), 1);
    assert_eq!(scene.calls("DescribeInstances"), 1);
    assert_eq!(scene.calls("DescribeRouteTables"), 3);
}

#[tokio::test]
async fn another_pairs_route_that_is_failing_over_is_nobodys_prey() {
    let scene = Scene::new().await;
    let pair = scene.launch(2, &[]).await;
    let params = [("SubnetId", scene.subnet.as_str())];
    let floating = scene.ok("CreateNetworkInterface", &params).await;
    let floating = floating.text("networkInterfaceId");
    let attach = async |instance: &str| {
        let params = [
            ("NetworkInterfaceId", floating.as_str()),
            ("InstanceId", instance),
            ("DeviceIndex", "1"),
        ];
        let attached = scene.ok("AttachNetworkInterface", &params).await;
        attached.text("attachmentId")
    };
    let attachment = attach(&pair[0]).await;
    let table = scene.tables[0].as_str();
    scene.by_hand("CreateRoute", table, BLOCK, &floating).await;
    let params = [("AttachmentId", attachment.as_str())];
    scene.ok("DetachNetworkInterface", &params).await;
    let seen = scene.shown(table, BLOCK).await.unwrap();
    assert_eq!(seen.ownership, Ownership::Foreign);
    assert_eq!(seen.blackhole, Some(Blackhole::TargetGone));
    let taken = observed(BLOCK, &floating);
    let refused = scene.change(&delete(table, &taken)).await;
    assert_eq!(refused, Err(CloudErrorKind::NotFound));
    attach(&pair[1]).await;
    assert_eq!(scene.truth(table, BLOCK), Some((floating, true)));
}

#[tokio::test]
async fn a_propagated_route_is_outranked_and_ours_stands_beside_it() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    scene.read(&instances).await;
    let hop = scene.primary(&instances[0]);
    let table = scene.tables[0].as_str();
    let finer = "10.244.2.128/25";
    for to in [BLOCK, finer, "10.244.0.0/16"] {
        scene.ec2.propagate(table, to.parse().unwrap());
    }
    let of = async |to: &str| {
        let listings = scene.list().await;
        let listing = listings.iter().find(|it| &*it.table.0 == table).unwrap();
        let routes = listing.routes.as_ref().unwrap().iter();
        let to = to.parse().unwrap();
        let of = routes.filter(|it| it.destination == to);
        of.map(|it| it.ownership).collect::<Vec<_>>()
    };
    assert_eq!(of(BLOCK).await, [Ownership::Outranked]);
    assert_eq!(of("10.244.0.0/16").await, [Ownership::Outranked]);
    assert_eq!(of(finer).await, [Ownership::Foreign], "it would win");
    assert_eq!(scene.change(&create(table, BLOCK, &hop)).await, Ok(()));
    assert_eq!(of(BLOCK).await, [Ownership::Ours, Ownership::Outranked]);
    let ours = observed(BLOCK, &hop);
    assert_eq!(scene.change(&delete(table, &ours)).await, Ok(()));
}

#[tokio::test]
async fn ranges_of_the_vpc_are_barred() {
    let scene = Scene::new().await;
    let range = Range {
        cidr: "10.0.0.0/8".parse().unwrap(),
        prefix_len: 24,
    };
    for listing in scene.cloud.list_routes(&[range]).await.unwrap() {
        assert_eq!(listing.barred, ["10.0.0.0/16".parse().unwrap()]);
    }
    for listing in scene.list().await {
        assert_eq!(listing.barred, []);
    }
}

#[tokio::test]
async fn routes_to_targets_of_other_kinds_are_foreign_and_stay() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    let hop = scene.primary(&instances[0]);
    let table = scene.tables[0].as_str();
    for (index, target) in OtherTarget::ALL.into_iter().enumerate() {
        let to = format!("10.244.{index}.0/24");
        scene.ec2.lead_to(table, to.parse().unwrap(), target);
        let seen = scene.shown(table, &to).await.expect("it is listed");
        assert_eq!(seen.ownership, Ownership::Foreign, "{target:?}");
        let refused = scene.change(&create(table, &to, &hop)).await;
        assert_eq!(refused, Err(CloudErrorKind::AlreadyExists), "{target:?}");
        let mut ours = seen.clone();
        ours.ownership = Ownership::Ours;
        for change in [delete(table, &ours), replace(table, &ours, &hop)] {
            let refused = scene.change(&change).await;
            assert_eq!(refused, Err(CloudErrorKind::NotFound), "{target:?}");
        }
        assert_eq!(scene.shown(table, &to).await, Some(seen), "{target:?}");
    }
}
