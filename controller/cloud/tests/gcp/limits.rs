//! Quotas of routes and of requests.

use std::time::Duration;

use signpost_cloud::Change;
use signpost_core::cloud::CloudErrorKind;
use signpost_gce::{Fault, FaultKind};

use crate::scene::{PROJECT, Scene, ZONE, create, hop, listing, make};

#[tokio::test]
async fn a_full_network_is_told_with_its_limit_early_and_late() {
    for late in [false, true] {
        let scene = Scene::new().await;
        scene.launch(PROJECT, ZONE, "node").await;
        // One is the network's default route.
        scene
            .gce
            .configure(|all| {
                all.quotas.static_routes_per_network = 3;
                all.late_quotas = late;
            })
            .unwrap();
        for number in 0..2 {
            let block = format!("10.244.{number}.0/24");
            scene
                .make(&create(&block, hop(ZONE, "node")))
                .await
                .unwrap();
        }
        let error = scene
            .make(&create("10.244.9.0/24", hop(ZONE, "node")))
            .await
            .unwrap_err();
        assert_eq!(error.kind, CloudErrorKind::QuotaExceeded, "{error}");
        let usage = scene.listing().await.usage;
        assert!(usage.common);
        let usage = usage.v4.unwrap();
        assert_eq!((usage.used, usage.limit), (3, Some(3)));
    }
}

#[tokio::test]
async fn the_projects_quota_is_known_before_it_is_met() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene.gce.configure(|all| all.quotas.routes = 50).unwrap();
    let usage = scene.listing().await.usage.v4.unwrap();
    assert_eq!(usage.limit, Some(50));
}

#[tokio::test]
async fn a_project_that_may_not_be_read_takes_nothing_away() {
    let scene = Scene::new().await;
    let denied = Fault::always(FaultKind::Forbidden, &["projects.get"]);
    scene.gce.add_fault(denied).unwrap();
    let usage = scene.listing().await.usage.v4.unwrap();
    assert_eq!(usage.limit, None);
}

#[tokio::test]
async fn a_rate_limit_closes_its_group_until_the_next_minute() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    let throttle = Fault::next(1, FaultKind::Throttle, &["routes.insert"]);
    scene.gce.add_fault(throttle).unwrap();
    let change = create("10.244.1.0/24", hop(ZONE, "node"));
    let error = scene.make(&change).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Throttled);
    let pause = error.retry_after.unwrap();
    assert!(
        pause > Duration::from_secs(1) && pause <= Duration::from_secs(61),
        "{pause:?}"
    );
    // Other groups go on, and so does every other provider of this process wait.
    scene.listing().await;
    let other = scene.another(|_| ()).await;
    let waiting = make(&other, Change::Route(&change));
    let waited = tokio::time::timeout(Duration::from_millis(800), waiting).await;
    assert!(waited.is_err(), "the group is closed");
    assert_eq!(scene.routes().await.len(), 0);
}

#[tokio::test]
async fn peerings_that_are_being_changed_are_waited_for_calmly() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene
        .gce
        .add_fault(Fault::next(1, FaultKind::Busy, &["routes.insert"]))
        .unwrap();
    let change = create("10.244.1.0/24", hop(ZONE, "node"));
    let error = scene.make(&change).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Transient, "{error}");
    scene.make(&change).await.unwrap();
}

#[tokio::test]
async fn an_auto_mode_network_bars_what_google_cuts_it_from() {
    let scene = Scene::new().await;
    let auto = serde_json::json!({"name": "auto", "autoCreateSubnetworks": true});
    let networks = format!("projects/{PROJECT}/global/networks");
    scene.client.make(&networks, &auto).await.unwrap();
    let cloud = scene.another(|it| it.network = Some("auto".into())).await;
    let ranges = [signpost_core::cloud::Range {
        cidr: "10.200.0.0/16".parse().unwrap(),
        prefix_len: 24,
    }];
    let listings = signpost_cloud::Cloud::list_routes(&cloud, &ranges)
        .await
        .unwrap();
    let barred: Vec<String> = listings[0].barred.iter().map(ToString::to_string).collect();
    assert_eq!(barred, ["10.128.0.0/9"]);
}

#[tokio::test]
async fn a_network_that_does_not_exist_is_named_with_its_field() {
    let scene = Scene::new().await;
    let cloud = scene.another(|it| it.network = Some("pots".into())).await;
    let error = signpost_cloud::Cloud::list_routes(&cloud, &[])
        .await
        .unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::NotFound);
    for part in ["pots", "spec.cloud.gcp.network", "host project"] {
        assert!(error.detail.contains(part), "{error}");
    }
    assert_eq!(listing(&scene.cloud).await.pending, []);
}
