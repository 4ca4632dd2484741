//! Creating, replacing and deleting routes.

use signpost_cloud::Change;
use signpost_core::cloud::{Blackhole, CloudErrorKind, Ownership};

use crate::scene::{Scene, begin, create, delete, observed, replace};

const BLOCK: &str = "10.244.1.0/24";
const BLOCK_V6: &str = "fd00:10:244:1::/64";

#[tokio::test]
async fn a_route_lives_in_both_families() {
    let scene = Scene::new().await;
    let instances = scene.launch(2, &[]).await;
    scene.read(&instances).await;
    let [old, new] = [0, 1].map(|index| scene.primary(&instances[index]));
    let table = scene.tables[0].as_str();
    for block in [BLOCK, BLOCK_V6] {
        assert_eq!(scene.change(&create(table, block, &old)).await, Ok(()));
        let seen = scene.shown(table, block).await.unwrap();
        assert_eq!(seen, observed(block, &old));

        assert_eq!(scene.change(&replace(table, &seen, &new)).await, Ok(()));
        assert_eq!(scene.truth(table, block), Some((new.clone(), true)));
        let seen = scene.shown(table, block).await.unwrap();

        assert_eq!(scene.change(&delete(table, &seen)).await, Ok(()));
        assert_eq!(scene.truth(table, block), None);
    }
    assert_eq!(scene.calls("ReplaceRoute"), 2);
    assert_eq!(scene.calls("DeleteRoute"), 2);
}

#[tokio::test]
async fn a_creation_never_overwrites_and_may_be_repeated() {
    let scene = Scene::new().await;
    let instances = scene.launch(2, &[]).await;
    scene.read(&instances).await;
    let [one, other] = [0, 1].map(|index| scene.primary(&instances[index]));
    let table = scene.tables[0].as_str();
    assert_eq!(scene.change(&create(table, BLOCK, &one)).await, Ok(()));
    // As after an answer that was lost: EC2 refuses it, and the route is looked at.
    assert_eq!(scene.change(&create(table, BLOCK, &one)).await, Ok(()));
    let calls = scene.ec2.calls();
    let refusals = calls.iter().filter(|call| call.error.is_some());
    assert_eq!(refusals.count(), 1);
    let refused = scene.change(&create(table, BLOCK, &other)).await;
    assert_eq!(refused, Err(CloudErrorKind::AlreadyExists));
    assert_eq!(scene.truth(table, BLOCK), Some((one, true)));
}

#[tokio::test]
async fn what_changed_since_it_was_seen_is_left_alone() {
    let scene = Scene::new().await;
    let instances = scene.launch(2, &[]).await;
    scene.read(&instances).await;
    let [one, other] = [0, 1].map(|index| scene.primary(&instances[index]));
    let table = scene.tables[0].as_str();
    let seen = observed(BLOCK, &one);
    for change in [delete(table, &seen), replace(table, &seen, &other)] {
        let absent = scene.change(&change).await;
        assert_eq!(absent, Err(CloudErrorKind::NotFound));
    }
    // Somebody leads it elsewhere between the listing and the change.
    scene.by_hand("CreateRoute", table, BLOCK, &other).await;
    for change in [delete(table, &seen), replace(table, &seen, &one)] {
        let moved = scene.change(&change).await;
        assert_eq!(moved, Err(CloudErrorKind::NotFound));
    }
    assert_eq!(scene.truth(table, BLOCK), Some((other, true)));
    assert_eq!(scene.calls("DeleteRoute"), 0);
    assert_eq!(scene.calls("ReplaceRoute"), 0);
}

#[tokio::test]
async fn no_route_is_removed_that_was_not_looked_at() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    scene.read(&instances).await;
    let one = scene.primary(&instances[0]);
    let table = scene.tables[0].as_str();
    scene.by_hand("CreateRoute", table, BLOCK, &one).await;
    scene.list().await;
    let change = delete(table, &observed(BLOCK, &one));
    let error = begin(&scene.cloud, Change::Route(&change))
        .await
        .unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Transient);
    assert_eq!(scene.calls("DeleteRoute"), 0);
    assert_eq!(scene.change(&change).await, Ok(()));
    assert_eq!(scene.calls("DeleteRoute"), 1);
}

#[tokio::test]
async fn changes_at_once_share_their_look_at_the_tables() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    scene.read(&instances).await;
    let one = scene.primary(&instances[0]);
    let blocks: Vec<String> = (0..20).map(|n| format!("10.244.{n}.0/24")).collect();
    for table in &scene.tables {
        for block in &blocks {
            scene.by_hand("CreateRoute", table, block, &one).await;
        }
    }
    scene.list().await;
    scene.ec2.clear_calls();
    let places = scene
        .tables
        .iter()
        .flat_map(|table| blocks.iter().map(move |block| (table, block)));
    let changes: Vec<_> = places
        .map(|(table, block)| delete(table, &observed(block, &one)))
        .collect();
    let deletions = changes.iter().map(|change| scene.change(change));
    for result in futures::future::join_all(deletions).await {
        assert_eq!(result, Ok(()));
    }
    assert_eq!(scene.calls("DeleteRoute"), 40);
    assert!(scene.calls("DescribeRouteTables") <= 2);
}

#[tokio::test]
async fn a_blackhole_of_ours_is_mended_or_removed() {
    let scene = Scene::new().await;
    let instances = scene.launch(2, &[]).await;
    scene.read(&instances).await;
    let [lost, new] = [0, 1].map(|index| scene.primary(&instances[index]));
    let table = scene.tables[0].as_str();
    for block in [BLOCK, BLOCK_V6] {
        assert_eq!(scene.change(&create(table, block, &lost)).await, Ok(()));
    }
    scene
        .ok("TerminateInstances", &[("InstanceId.1", &instances[0])])
        .await;
    let seen = scene.shown(table, BLOCK).await.unwrap();
    assert_eq!(seen.blackhole, Some(Blackhole::TargetGone));
    assert_eq!(seen.ownership, Ownership::Ours);
    assert_eq!(scene.change(&replace(table, &seen, &new)).await, Ok(()));
    assert_eq!(scene.truth(table, BLOCK), Some((new, true)));
    let seen = scene.shown(table, BLOCK_V6).await.unwrap();
    assert_eq!(scene.change(&delete(table, &seen)).await, Ok(()));
    assert_eq!(scene.truth(table, BLOCK_V6), None);
}

#[tokio::test]
async fn a_route_to_an_instance_that_may_run_again_says_so() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    scene.read(&instances).await;
    let hop = scene.primary(&instances[0]);
    let table = scene.tables[0].as_str();
    assert_eq!(scene.change(&create(table, BLOCK, &hop)).await, Ok(()));
    let instance = [("InstanceId.1", instances[0].as_str())];
    scene.ec2.configure(|all| all.transition = 0.5).unwrap();
    scene.ok("StopInstances", &instance).await;
    // On its way there EC2 says nothing.
    let seen = scene.shown(table, BLOCK).await.unwrap();
    assert_eq!(seen.blackhole, None);
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let seen = scene.shown(table, BLOCK).await.unwrap();
    assert_eq!(seen.blackhole, Some(Blackhole::TargetStopped));
    assert_eq!(seen.ownership, Ownership::Ours);
}

#[tokio::test]
async fn a_table_that_is_gone_is_no_error_of_others() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    scene.read(&instances).await;
    let one = scene.primary(&instances[0]);
    let [table, gone] = scene.tables.each_ref().map(String::as_str);
    scene
        .ok("DeleteRouteTable", &[("RouteTableId", gone)])
        .await;
    let create_both = [create(gone, BLOCK, &one), create(table, BLOCK, &one)];
    assert_eq!(
        scene.change(&create_both[0]).await,
        Err(CloudErrorKind::NotFound)
    );
    assert_eq!(scene.change(&create_both[1]).await, Ok(()));
    scene.list().await;
    let both = [gone, table].map(|table| delete(table, &observed(BLOCK, &one)));
    let (first, second) = tokio::join!(scene.change(&both[0]), scene.change(&both[1]));
    assert_eq!(first, Err(CloudErrorKind::NotFound));
    assert_eq!(second, Ok(()));
}
