//! A VPC that its owner shares with another account: no node is routed, and nothing is touched.

use signpost_cloud::{
    Cloud,
    aws::{AwsConfig, TableChoice},
};
use signpost_core::cloud::{CloudErrorKind, InstanceState, Ownership};
use signpost_ec2::{Client, Participant};

use crate::scene::{
    ACCESS_KEY, Scene, config, create, delete, make, observed, ok, pools, read, replace, shown,
};

const BLOCK: &str = "10.244.1.0/24";
const OWNER: &str = "123456789012";
const OTHER: &str = "222222222222";
const KEY: &str = "AKIAPARTICIPANT";

/// Shares the subnet with another account, which has this access key.
fn share(scene: &Scene, key: &str) -> Client {
    let other = Participant {
        account: OTHER.to_owned(),
        access_keys: vec![key.to_owned()],
        subnets: vec![scene.subnet.clone()],
    };
    let share = |all: &mut signpost_ec2::Settings| all.participants = vec![other];
    scene.ec2.configure(share).unwrap();
    scene.client.clone().with_access_key(key)
}

/// An instance of the other account.
async fn launch(scene: &Scene, other: &Client) -> String {
    let group = [
        ("GroupName", "nodes"),
        ("GroupDescription", "nodes"),
        ("VpcId", &scene.vpc),
    ];
    let group = ok(other, "CreateSecurityGroup", &group).await;
    let group = group.text("groupId");
    let params = [
        ("ImageId", "ami-12345678"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", &scene.subnet),
        ("SecurityGroupId.1", &group),
    ];
    let launched = ok(other, "RunInstances", &params).await;
    launched.text("instanceId")
}

fn refused(state: &InstanceState, parts: &[&str]) {
    let InstanceState::Unsupported(why) = state else {
        panic!("{state:?}");
    };
    for part in parts {
        assert!(why.contains(part), "{part} is not in {why}");
    }
}

#[tokio::test]
async fn the_owner_does_not_take_a_participants_instance_for_gone() {
    let scene = Scene::new().await;
    let own = scene.launch(1, &[]).await;
    let other = share(&scene, KEY);
    let theirs = launch(&scene, &other).await;
    let gone = "i-00000000000000000".to_owned();
    let states = scene.read(&[own[0].clone(), theirs.clone(), gone]).await;
    assert!(matches!(states[0], InstanceState::Found(_)), "{states:?}");
    refused(&states[1], &[&theirs, OTHER, "signpost.dev/exclude"]);
    assert_eq!(states[2], InstanceState::Gone);
    // Once it has ended, it is gone as any other.
    let end = [("InstanceId.1", theirs.as_str())];
    ok(&other, "TerminateInstances", &end).await;
    assert_eq!(scene.read(&[theirs]).await, [InstanceState::Gone]);
}

#[tokio::test]
async fn the_owner_leaves_a_route_to_a_participant_alone_and_keeps_its_own() {
    let scene = Scene::new().await;
    let own = scene.launch(1, &[]).await;
    scene.read(&own).await;
    let mine = scene.primary(&own[0]);
    let table = scene.tables[0].as_str();
    assert_eq!(scene.change(&create(table, BLOCK, &mine)).await, Ok(()));
    let other = share(&scene, KEY);
    let theirs = launch(&scene, &other).await;
    let theirs = scene.primary(&theirs);
    let to = "10.244.2.0/24";
    scene.by_hand("CreateRoute", table, to, &theirs).await;
    let listings = scene.list().await;
    let ownership = |to| shown(&listings, table, to).unwrap().ownership;
    assert_eq!(ownership(BLOCK), Ownership::Ours);
    assert_eq!(ownership(to), Ownership::Foreign);
    let taken = observed(to, &theirs);
    for change in [delete(table, &taken), replace(table, &taken, &mine)] {
        let refused = scene.change(&change).await;
        assert_eq!(refused, Err(CloudErrorKind::NotFound));
    }
    assert_eq!(scene.truth(table, to), Some((theirs, true)));
}

#[tokio::test]
async fn a_participant_is_told_that_the_tables_are_not_its_own() {
    let scene = Scene::new().await;
    let owners = scene.launch(1, &[]).await;
    let other = share(&scene, ACCESS_KEY);
    let own = launch(&scene, &other).await;
    let hop = scene.primary(&own);
    // Tags of the tables are not seen.
    let error = scene.cloud.list_routes(&pools()).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::NotFound);
    assert!(error.detail.contains(OWNER), "{error}");

    let table = scene.tables[0].clone();
    let by_id = AwsConfig {
        tables: TableChoice::Ids(vec![table.clone()]),
        ..config()
    };
    let cloud = scene.another(by_id);
    let states = read(&cloud, &[own, owners[0].clone()]).await;
    refused(&states[0], &[OWNER, OTHER, "signpost.dev/exclude"]);
    refused(&states[1], &[&owners[0], OWNER, OTHER]);

    let theirs = scene.primary(&owners[0]);
    let by_hand = [
        ("RouteTableId", table.as_str()),
        ("DestinationCidrBlock", BLOCK),
        ("NetworkInterfaceId", &theirs),
    ];
    let owner = scene.client.clone().with_access_key("AKIAOWNER");
    ok(&owner, "CreateRoute", &by_hand).await;
    let listings = cloud.list_routes(&pools()).await.unwrap();
    let seen = shown(&listings, &table, BLOCK).unwrap();
    assert_eq!(seen.ownership, Ownership::Foreign);
    let denied = make(&cloud, &create(&table, "10.244.2.0/24", &hop)).await;
    assert_eq!(denied.unwrap_err().kind, CloudErrorKind::Denied);
    let refused = make(&cloud, &delete(&table, &observed(BLOCK, &theirs))).await;
    assert_eq!(refused.unwrap_err().kind, CloudErrorKind::NotFound);
    assert_eq!(scene.truth(&table, BLOCK), Some((theirs, true)));
}
