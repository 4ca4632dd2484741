use signpost_ec2::{Rate, Settings};

use crate::scene::Scene;

/// Real rates on a clock that stands still, so that nothing refills.
fn still() -> Settings {
    Settings {
        rates: true,
        speed: 0.0,
        ..Settings::default()
    }
}

#[tokio::test]
async fn an_empty_bucket_refuses_until_it_refills() {
    let scene = Scene::with(still()).await;
    let at = [
        ("RouteTableId", scene.table.as_str()),
        ("DestinationCidrBlock", "10.1.0.0/24"),
    ];
    for _ in 0..50 {
        assert_eq!(
            scene.code("DeleteRoute", &at).await,
            "InvalidRoute.NotFound"
        );
    }
    let error = scene.client.call("DeleteRoute", &at).await.unwrap_err();
    let signpost_ec2::CallError::Refused(refusal) = &error else {
        panic!("{error}")
    };
    assert_eq!(
        (refusal.status.as_u16(), error.code()),
        (503, "RequestLimitExceeded")
    );
    // Other actions have buckets of their own.
    scene
        .ok("DescribeRouteTables", &[("RouteTableId.1", &scene.table)])
        .await;
    // One token more for a fifth of a second.
    scene.ec2.configure(|all| all.speed = 1000.0).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert_eq!(
        scene.code("DeleteRoute", &at).await,
        "InvalidRoute.NotFound"
    );
}

#[tokio::test]
async fn sweeping_listings_have_a_smaller_bucket() {
    let scene = Scene::with(still()).await;
    for _ in 0..50 {
        scene.ok("DescribeRouteTables", &[]).await;
    }
    assert_eq!(
        scene.code("DescribeRouteTables", &[]).await,
        "RequestLimitExceeded"
    );
    let paged = [("MaxResults", "100")];
    for _ in 0..100 {
        scene.ok("DescribeRouteTables", &paged).await;
    }
    assert_eq!(
        scene.code("DescribeRouteTables", &paged).await,
        "RequestLimitExceeded"
    );
    scene.ec2.fill_buckets();
    scene.ok("DescribeRouteTables", &[]).await;
}

#[tokio::test]
async fn everybody_shares_and_rates_can_be_set() {
    let scene = Scene::with(still()).await;
    let rate = Rate {
        burst: 2.0,
        per_second: 0.0,
    };
    scene
        .ec2
        .configure(|all| all.rate_overrides = [("DescribeVpcs".to_owned(), rate)].into())
        .unwrap();
    scene.ok("DescribeVpcs", &[]).await;
    let other = scene.client.clone().with_access_key("AKIAOTHER");
    other
        .call("DescribeVpcs", &[("MaxResults", "5")])
        .await
        .unwrap();
    other.call("DescribeVpcs", &[]).await.unwrap();
    assert_eq!(
        scene
            .ok("DescribeVpcs", &[("MaxResults", "5")])
            .await
            .items("vpcSet")
            .len(),
        1
    );
    let error = other.call("DescribeVpcs", &[]).await.unwrap_err();
    assert_eq!(error.code(), "RequestLimitExceeded");
}
