//! Rates and quotas.

use std::time::{Duration, Instant};

use signpost_cloud::{
    Cloud, Rate,
    aws::{Action, AwsConfig},
};
use signpost_core::cloud::CloudErrorKind;
use signpost_ec2::{Fault, FaultKind, Settings};

use crate::scene::{Scene, config, create};

fn blocks(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("10.244.{n}.0/24")).collect()
}

#[tokio::test]
async fn at_the_default_rates_nothing_is_refused() {
    let settings = Settings {
        rates: true,
        ..Settings::default()
    };
    let scene = Scene::with(config(), settings).await;
    let instances = scene.launch(1, &[]).await;
    scene.read(&instances).await;
    let one = scene.primary(&instances[0]);
    let changes: Vec<_> = blocks(60)
        .iter()
        .map(|block| create(&scene.tables[0], block, &one))
        .collect();
    let begun = Instant::now();
    let creations = changes.iter().map(|change| scene.change(change));
    for result in futures::future::join_all(creations).await {
        assert_eq!(result, Ok(()));
    }
    assert!(
        begun.elapsed() >= Duration::from_secs(2),
        "10 at 5 a second"
    );
    assert_eq!(scene.log.requests("CreateRoute", "ok"), 60);
    assert_eq!(scene.log.requests("CreateRoute", "throttled"), 0);
    assert!(scene.log.waited("CreateRoute") > Duration::from_secs(3));
}

#[tokio::test]
async fn a_configured_rate_is_kept() {
    let rate = Rate {
        burst: 1,
        per_second: 10,
    };
    let config = AwsConfig {
        rates: [(Action::CreateRoute, rate)].into(),
        ..config()
    };
    let scene = Scene::with(config, Settings::default()).await;
    let instances = scene.launch(1, &[]).await;
    scene.read(&instances).await;
    let one = scene.primary(&instances[0]);
    let begun = Instant::now();
    for block in blocks(6) {
        let change = create(&scene.tables[0], &block, &one);
        assert_eq!(scene.change(&change).await, Ok(()));
    }
    assert!(begun.elapsed() >= Duration::from_millis(500));
}

#[tokio::test]
async fn a_provider_that_is_made_anew_does_not_start_with_full_buckets() {
    let slow = |per_second| AwsConfig {
        rates: [(
            Action::CreateRoute,
            Rate {
                burst: 2,
                per_second,
            },
        )]
        .into(),
        ..config()
    };
    let scene = Scene::with(slow(1), Settings::default()).await;
    let instances = scene.launch(1, &[]).await;
    scene.read(&instances).await;
    let one = scene.primary(&instances[0]);
    let begun = Instant::now();
    let blocks = blocks(4);
    for block in &blocks[..2] {
        let change = create(&scene.tables[0], block, &one);
        assert_eq!(scene.change(&change).await, Ok(()));
    }
    // As after a change of the object, with the rates that it had and with others.
    for (block, per_second) in [(&blocks[2], 1), (&blocks[3], 2)] {
        let cloud = scene.another(slow(per_second));
        let change = create(&scene.tables[0], block, &one);
        crate::scene::make(&cloud, &change).await.unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_millis(1400));
}

#[tokio::test]
async fn a_throttled_read_is_sent_again_and_a_throttled_write_is_reported() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    scene.read(&instances).await;
    let one = scene.primary(&instances[0]);
    let throttle = |action| Fault::next(1, FaultKind::Throttle, &[action]);
    scene
        .ec2
        .add_fault(throttle("DescribeRouteTables"))
        .unwrap();
    scene.ec2.add_fault(throttle("CreateRoute")).unwrap();
    let before = scene.log.requests("DescribeRouteTables", "ok");
    assert_eq!(scene.list().await.len(), 2);
    assert_eq!(scene.log.requests("DescribeRouteTables", "throttled"), 1);
    assert_eq!(scene.log.requests("DescribeRouteTables", "ok"), before + 1);
    let change = create(&scene.tables[0], "10.244.0.0/24", &one);
    assert_eq!(scene.change(&change).await, Err(CloudErrorKind::Throttled));
    assert_eq!(
        scene.calls("CreateRoute"),
        1,
        "the engine decides when again"
    );
    assert_eq!(scene.change(&change).await, Ok(()));
    assert!(scene.log.waited("CreateRoute") > Duration::ZERO);
}

#[tokio::test]
async fn the_quota_is_known_for_each_family() {
    let mut settings = Settings::default();
    settings.quotas.routes_per_table = 70;
    let scene = Scene::with(config(), settings).await;
    // The quota is asked for beside everything else.
    let answered = async {
        while scene.log.requests("GetServiceQuota", "ok") == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answered)
        .await
        .unwrap();
    let instances = scene.launch(1, &[]).await;
    let one = scene.primary(&instances[0]);
    for to in ["10.244.1.0/24", "192.0.2.0/24", "fd00:10:244:1::/64"] {
        scene
            .by_hand("CreateRoute", &scene.tables[0], to, &one)
            .await;
    }
    let usage = |listings: &[signpost_core::cloud::TableListing], table: &str| {
        let listing = listings.iter().find(|it| &*it.table.0 == table).unwrap();
        let (v4, v6) = (listing.usage.v4.unwrap(), listing.usage.v6.unwrap());
        [(v4.used, v4.limit), (v6.used, v6.limit)]
    };
    let mut listings = scene.list().await;
    if usage(&listings, &scene.tables[0])[0].1.is_none() {
        // Answered, and noted down a moment later.
        tokio::time::sleep(Duration::from_millis(200)).await;
        listings = scene.list().await;
    }
    assert_eq!(
        usage(&listings, &scene.tables[0]),
        [(2, Some(70)), (1, Some(70))]
    );
    assert_eq!(
        usage(&listings, &scene.tables[1]),
        [(0, Some(70)), (0, Some(70))]
    );
}

#[tokio::test]
async fn without_service_quotas_the_limit_is_learned_from_the_refusal() {
    let mut settings = Settings::default();
    settings.quotas.routes_per_table = 5;
    let scene = Scene::with(config(), settings).await;
    let denied = Fault::always(FaultKind::Unauthorized, &["GetServiceQuota"]);
    scene.ec2.add_fault(denied).unwrap();
    let cloud = scene.another(config());
    let instances = scene.launch(1, &[]).await;
    let one = scene.primary(&instances[0]);
    let limit = async || {
        let listings = cloud.list_routes(&crate::scene::pools()).await.unwrap();
        let table = &*scene.tables[0];
        let listing = listings.into_iter().find(|it| &*it.table.0 == table);
        listing.unwrap().usage.v4.unwrap().limit
    };
    assert_eq!(limit().await, None);
    let mut results = Vec::new();
    for block in blocks(6) {
        let change = create(&scene.tables[0], &block, &one);
        let result = crate::scene::make(&cloud, &change).await;
        results.push(result.map_err(|error| error.kind));
    }
    let (last, first) = results.split_last().unwrap();
    assert!(first.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(*last, Err(CloudErrorKind::QuotaExceeded));
    assert_eq!(limit().await, Some(5));
}

/// How many routes of each family the first table is said to have.
async fn used(scene: &Scene) -> [u32; 2] {
    let listings = scene.list().await;
    let first = listings
        .iter()
        .find(|listing| *listing.table.0 == *scene.tables[0]);
    let usage = first.unwrap().usage;
    [usage.v4, usage.v6].map(|usage| usage.unwrap().used)
}

#[tokio::test]
async fn prefix_lists_count_with_the_most_entries_that_they_may_have() {
    let scene = Scene::new().await;
    let table = scene.tables[0].clone();
    let [v4, v6] = used(&scene).await;
    for (name, of_v6, entries, expected) in [
        ("offices", false, 20, [v4 + 20, v6]),
        ("offices-six", true, 30, [v4 + 20, v6 + 30]),
        (
            "com.amazonaws.eu-central-1.s3",
            false,
            1,
            [v4 + 21, v6 + 30],
        ),
        (
            "com.amazonaws.global.cloudfront.origin-facing",
            false,
            55,
            [v4 + 76, v6 + 30],
        ),
    ] {
        let list = scene.ec2.add_prefix_list(name, of_v6, entries);
        scene.ec2.lead_prefix_list(&table, &list);
        assert_eq!(used(&scene).await, expected, "{name}");
    }
    assert_eq!(scene.calls("DescribeManagedPrefixLists"), 4);
    assert_eq!(used(&scene).await, [v4 + 76, v6 + 30]);
    assert_eq!(
        scene.calls("DescribeManagedPrefixLists"),
        4,
        "they are known"
    );
    // EC2 counts so too.
    scene
        .ec2
        .configure(|all| all.quotas.routes_per_table = v4 as usize + 77)
        .unwrap();
    let instances = scene.launch(1, &[]).await;
    let hop = scene.primary(&instances[0]);
    let first = create(&table, "10.244.1.0/24", &hop);
    assert_eq!(scene.change(&first).await, Ok(()));
    let second = scene.change(&create(&table, "10.244.2.0/24", &hop)).await;
    assert_eq!(second, Err(CloudErrorKind::QuotaExceeded));
}

#[tokio::test]
async fn a_prefix_list_that_may_not_be_read_counts_as_one_route() {
    let scene = Scene::new().await;
    let [v4, v6] = used(&scene).await;
    let denied = Fault::always(FaultKind::Unauthorized, &["DescribeManagedPrefixLists"]);
    scene.ec2.add_fault(denied).unwrap();
    let list = scene.ec2.add_prefix_list("offices", true, 30);
    scene.ec2.lead_prefix_list(&scene.tables[0], &list);
    assert_eq!(used(&scene).await, [v4 + 1, v6]);
    scene.ec2.clear_faults();
    assert_eq!(used(&scene).await, [v4, v6 + 30]);
}
