//! Changes are carried out after they were asked for, whoever leads meanwhile.

use std::time::Duration;

use signpost_cloud::{Change, Cloud, Progress};
use signpost_core::cloud::CloudErrorKind;
use signpost_gce::{Fault, FaultKind, Settings};
use tokio::time::{Instant, timeout};

use crate::scene::{PROJECT, Scene, ZONE, create, delete, hop, listing, make};

fn slow(seconds: f64) -> Settings {
    Settings {
        operations: [seconds, seconds],
        ..Settings::default()
    }
}

#[tokio::test]
async fn what_is_under_way_is_pending_for_everybody_until_it_has_ended() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene.gce.configure(|all| *all = slow(2.0)).unwrap();
    let change = create("10.244.1.0/24", hop(ZONE, "node"));
    scene.cloud.admit(Change::Route(&change)).await.unwrap();
    let begun = Instant::now();
    let progress = scene.cloud.begin(Change::Route(&change)).await.unwrap();
    let Progress::Accepted(operation) = progress else {
        panic!("{progress:?}");
    };
    assert!(begun.elapsed() < Duration::from_secs(1), "it does not wait");
    let successor = scene.another(|_| ()).await;
    for cloud in [&scene.cloud, &successor] {
        let listing = listing(cloud).await;
        assert_eq!(listing.pending, ["10.244.1.0/24".parse().unwrap()]);
        assert_eq!(listing.routes, Ok(Vec::new()));
    }
    scene.cloud.finish(operation).await.unwrap();
    for cloud in [&scene.cloud, &successor] {
        let listing = listing(cloud).await;
        assert_eq!(listing.pending, []);
        assert_eq!(listing.routes.unwrap().len(), 1);
    }
    let seen = scene.routes().await.remove(0);
    let removal = delete(&seen);
    scene.cloud.admit(Change::Route(&removal)).await.unwrap();
    scene.cloud.begin(Change::Route(&removal)).await.unwrap();
    let listing = listing(&successor).await;
    assert_eq!(listing.pending, [seen.destination]);
    assert_eq!(listing.routes.unwrap().len(), 1, "it is still there");
}

#[tokio::test]
async fn many_that_wait_cost_one_listing_a_second() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene.gce.configure(|all| *all = slow(3.0)).unwrap();
    let changes: Vec<_> = (0..40)
        .map(|number| create(&format!("10.244.{number}.0/24"), hop(ZONE, "node")))
        .collect();
    let all = changes.iter().map(|change| scene.make(change));
    for ended in futures::future::join_all(all).await {
        ended.unwrap();
    }
    let lists = scene.log.requests("globalOperations.list", "ok");
    assert!((2..=6).contains(&lists), "{lists} listings for 3 seconds");
    assert_eq!(scene.log.requests("globalOperations.get", "ok"), 0);
    assert_eq!(scene.routes().await.len(), 40);
}

#[tokio::test]
async fn an_operation_that_fails_says_why() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    for (code, kind) in [
        ("QUOTA_EXCEEDED", CloudErrorKind::QuotaExceeded),
        ("RESOURCE_NOT_READY", CloudErrorKind::Transient),
        ("INVALID_USAGE", CloudErrorKind::Invalid),
    ] {
        let fails = FaultKind::OperationFails {
            code: code.to_owned(),
        };
        let fault = Fault::next(1, fails, &["routes.insert"]);
        scene.gce.add_fault(fault).unwrap();
        let change = create("10.244.1.0/24", hop(ZONE, "node"));
        let error = scene.make(&change).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.detail.contains(code), "{error}");
    }
    assert_eq!(scene.routes().await, []);
}

#[tokio::test]
async fn whoever_waits_may_go_and_what_was_asked_for_goes_on() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene.gce.configure(|all| *all = slow(2.0)).unwrap();
    let change = create("10.244.1.0/24", hop(ZONE, "node"));
    let impatient = timeout(Duration::from_millis(500), scene.make(&change)).await;
    assert!(impatient.is_err());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(scene.routes().await.len(), 1);
}

#[tokio::test]
async fn a_network_at_rest_is_listed_with_one_call() {
    let scene = Scene::new().await;
    scene.listing().await;
    tokio::time::pause();
    // As long as something of an earlier leader may be under way it is looked for.
    let before = scene.log.requests("globalOperations.list", "ok");
    assert_eq!(before, 1);
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    scene.listing().await;
    assert_eq!(scene.log.requests("globalOperations.list", "ok"), 1);
    assert_eq!(scene.log.requests("routes.list", "ok"), 2);
    assert_eq!(scene.log.requests("networks.get", "ok"), 1);
    assert_eq!(scene.log.requests("projects.get", "ok"), 1);
    // And again from when something is asked for.
    scene.launch(PROJECT, ZONE, "node").await;
    make(
        &scene.cloud,
        Change::Route(&create("10.244.1.0/24", hop(ZONE, "node"))),
    )
    .await
    .unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let lists = scene.log.requests("globalOperations.list", "ok");
    scene.listing().await;
    assert_eq!(scene.log.requests("globalOperations.list", "ok"), lists + 1);
}

#[tokio::test]
async fn what_was_just_seen_to_be_under_way_is_not_looked_up_again() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene.gce.configure(|all| *all = slow(3.0)).unwrap();
    let change = create("10.244.1.0/24", hop(ZONE, "node"));
    let listings = async {
        tokio::time::sleep(Duration::from_millis(1_700)).await;
        let lists = scene.log.requests("globalOperations.list", "ok");
        let pending = scene.listing().await.pending;
        let again = scene.log.requests("globalOperations.list", "ok");
        (pending, again - lists)
    };
    let (made, (pending, looks)) = tokio::join!(scene.make(&change), listings);
    made.unwrap();
    assert_eq!(pending, [change.destination()]);
    assert_eq!(looks, 0);
    assert_eq!(
        scene.listing().await.pending,
        [],
        "it has ended, which was seen"
    );
}

/// Whoever asked does not know of it, and would ask for it again.
#[tokio::test]
async fn after_a_lost_answer_it_is_looked_again() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene.gce.configure(|all| *all = slow(3.0)).unwrap();
    let (seen, lost) = ("10.244.1.0/24", "10.244.2.0/24");
    let (seen, lost) = (
        create(seen, hop(ZONE, "node")),
        create(lost, hop(ZONE, "node")),
    );
    let listings = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let fault = Fault::next(1, FaultKind::LostAfterCommit, &["routes.insert"]);
        scene.gce.add_fault(fault).unwrap();
        let error = scene.make(&lost).await.unwrap_err();
        assert_eq!(error.kind, CloudErrorKind::Unknown, "{error}");
        scene.listing().await.pending
    };
    let (made, mut pending) = tokio::join!(scene.make(&seen), listings);
    made.unwrap();
    pending.sort_unstable();
    assert_eq!(pending, [seen.destination(), lost.destination()]);
}
