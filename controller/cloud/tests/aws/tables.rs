//! Which tables are looked at.

use std::collections::BTreeSet;

use signpost_cloud::{
    Cloud,
    aws::{AwsConfig, TableChoice},
};
use signpost_core::cloud::CloudErrorKind;
use signpost_ec2::Settings;

use crate::scene::{Scene, TAG, config, pools};

fn ids(listings: &[signpost_core::cloud::TableListing]) -> BTreeSet<String> {
    listings.iter().map(|it| it.table.to_string()).collect()
}

#[tokio::test]
async fn tagged_tables_come_and_go() {
    let scene = Scene::new().await;
    scene.table(&[(TAG, "other")]).await;
    scene
        .table(&[("kubernetes.io/cluster/green", "owned")])
        .await;
    let first = BTreeSet::from(scene.tables.clone());
    assert_eq!(ids(&scene.list().await), first);

    let added = scene.table(&[(TAG, "shared")]).await;
    let mut three = first.clone();
    three.insert(added.clone());
    assert_eq!(ids(&scene.list().await), three);

    scene
        .ok("DeleteRouteTable", &[("RouteTableId", &added)])
        .await;
    assert_eq!(ids(&scene.list().await), first);
}

#[tokio::test]
async fn tables_of_another_vpc_are_not_looked_at() {
    let scene = Scene::new().await;
    let other = scene.ok("CreateVpc", &[("CidrBlock", "10.1.0.0/16")]).await;
    let table = scene
        .ok("CreateRouteTable", &[("VpcId", &other.text("vpcId"))])
        .await
        .text("routeTableId");
    let params = [
        ("ResourceId.1", table.as_str()),
        ("Tag.1.Key", TAG),
        ("Tag.1.Value", "owned"),
    ];
    scene.ok("CreateTags", &params).await;
    assert!(!ids(&scene.list().await).contains(&table));
}

#[tokio::test]
async fn any_tags_choose_tables_and_mean_themselves() {
    let scene = Scene::new().await;
    let wanted = scene.table(&[("role", "a*"), ("env", "x")]).await;
    scene.table(&[("role", "ab"), ("env", "x")]).await;
    scene.table(&[("role", "a*"), ("env", "y")]).await;
    let tags = [("role", "a*"), ("env", "x")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let cloud = scene.another(AwsConfig {
        tables: TableChoice::Tags(tags.into()),
        ..config()
    });
    let listings = cloud.list_routes(&pools()).await.unwrap();
    assert_eq!(ids(&listings), BTreeSet::from([wanted]));
}

#[tokio::test]
async fn a_table_named_by_id_that_is_absent_fails_alone() {
    let scene = Scene::new().await;
    let untagged = scene.table(&[]).await;
    let absent = "rtb-00000000000000000".to_owned();
    let cloud = scene.another(AwsConfig {
        tables: TableChoice::Ids(vec![untagged.clone(), absent.clone()]),
        ..config()
    });
    let listings = cloud.list_routes(&pools()).await.unwrap();
    assert_eq!(ids(&listings), BTreeSet::from([untagged, absent.clone()]));
    for listing in listings {
        let is_absent = *listing.table.0 == *absent;
        assert_eq!(listing.routes.is_err(), is_absent, "{listing:?}");
        if let Err(error) = listing.routes {
            assert!(error.detail.contains("routeTableIDs"), "{error}");
        }
    }
}

#[tokio::test]
async fn no_table_at_all_is_an_error_that_names_tag_and_field() {
    let scene = Scene::new().await;
    let cloud = scene.another(AwsConfig {
        cluster_name: "green".to_owned(),
        ..config()
    });
    let error = cloud.list_routes(&pools()).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::NotFound);
    for part in [
        "kubernetes.io/cluster/green",
        "spec.cloud.aws.clusterName",
        &scene.vpc,
    ] {
        assert!(error.detail.contains(part), "{part} is not in {error}");
    }
}

#[tokio::test]
async fn many_tables_come_in_pages_of_filtered_calls() {
    let mut settings = Settings::default();
    settings.quotas.tables_per_vpc = 300;
    let scene = Scene::with(config(), settings).await;
    for _ in 0..118 {
        scene.table(&[(TAG, "owned")]).await;
    }
    scene.ec2.clear_calls();
    assert_eq!(scene.list().await.len(), 120);
    let calls = scene.ec2.calls();
    let calls: Vec<_> = calls
        .iter()
        .filter(|call| call.action == "DescribeRouteTables")
        .collect();
    assert_eq!(calls.len(), 2);
    for call in calls {
        let parameters = &call.parameters;
        assert!(parameters.contains_key("MaxResults"), "{parameters:?}");
        assert_eq!(parameters["Filter.1.Name"], "vpc-id");
    }
}
