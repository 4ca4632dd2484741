//! Rules on the cloud section.

use serde_json::{Value, json};

use crate::support::{with, world};

#[tokio::test]
async fn a_section_belongs_to_its_provider() {
    let world = world().await;
    let sections = [
        ("linux", json!({})),
        ("aws", json!({ "clusterName": "prod" })),
        ("gcp", json!({ "clusterName": "prod" })),
    ];
    for (section, content) in &sections {
        for provider in ["linux", "aws", "gcp", "none"] {
            let mut cloud = json!({ "provider": provider });
            if provider == "aws" || provider == "gcp" {
                cloud[provider] = json!({ "clusterName": "prod" });
            }
            cloud[*section] = content.clone();
            let object = with("/cloud", cloud);
            if provider == *section {
                world.accepted(&object).await;
            } else {
                let field = format!("spec.cloud.{section}");
                let remedy = format!("remove the section, or set provider to {section}");
                world.refused(object, &field, &remedy).await;
            }
        }
    }
}

#[tokio::test]
async fn a_provider_is_named_and_known() {
    let world = world().await;
    for provider in ["linux", "none"] {
        world
            .accepted(&with("/cloud", json!({ "provider": provider })))
            .await;
    }
    let object = with("/cloud/provider", json!("azure"));
    let known = r#"supported values: "linux", "aws", "gcp", "none""#;
    world.refused(object, "spec.cloud.provider", known).await;
    world
        .refused(
            with("/cloud", json!({})),
            "spec.cloud.provider",
            "Required value",
        )
        .await;
}

#[tokio::test]
async fn aws_needs_the_name_of_the_cluster() {
    let world = world().await;
    let object = with("/cloud", json!({ "provider": "aws" }));
    world
        .refused(
            object,
            "spec.cloud",
            "needs the section aws, which says at least",
        )
        .await;
    let object = with("/cloud", json!({ "provider": "aws", "aws": {} }));
    world
        .refused(object, "spec.cloud.aws.clusterName", "Required value")
        .await;

    let tables = |ids: Value| {
        with(
            "/cloud",
            json!({ "provider": "aws", "aws": { "clusterName": "prod", "routeTableIDs": ids } }),
        )
    };
    world.accepted(&tables(json!(["rtb-1", "rtb-2"]))).await;
    let twice = tables(json!(["rtb-1", "rtb-1"]));
    world
        .refused(twice, "spec.cloud.aws.routeTableIDs[1]", "rtb-1")
        .await;
}

#[tokio::test]
async fn gcp_needs_the_name_of_the_cluster_and_its_settings_are_bounded() {
    let world = world().await;
    let object = with("/cloud", json!({ "provider": "gcp" }));
    world
        .refused(
            object,
            "spec.cloud",
            "needs the section gcp, which says at least",
        )
        .await;
    let gcp = |more: Value| {
        let mut gcp = json!({ "clusterName": "prod" });
        gcp.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        with("/cloud", json!({ "provider": "gcp", "gcp": gcp }))
    };
    for fine in [
        json!({ "priority": 0, "tags": ["k8s-nodes", "a"] }),
        json!({ "endpoint": "https://compute-psc.p.googleapis.com" }),
        json!({ "endpoint": "http://[fd00::1]:8080/", "requestsPerMinute": 120 }),
    ] {
        world.accepted(&gcp(fine)).await;
    }
    for (wrong, field, why) in [
        (
            json!({ "priority": 65_536 }),
            "priority",
            "less than or equal to 65535",
        ),
        (json!({ "tags": ["Nodes"] }), "tags[0]", "should match"),
        (json!({ "tags": ["a", "a"] }), "tags[1]", "Duplicate value"),
        (
            json!({ "endpoint": "compute.googleapis.com" }),
            "endpoint",
            "should match",
        ),
        (
            json!({ "endpoint": "https://x/compute/v1/" }),
            "endpoint",
            "should match",
        ),
        (
            json!({ "requestsPerMinute": 60 }),
            "requestsPerMinute",
            "greater than or equal to 120",
        ),
    ] {
        world
            .refused(gcp(wrong), &format!("spec.cloud.gcp.{field}"), why)
            .await;
    }
}

#[tokio::test]
async fn aws_tables_are_chosen_by_id_or_by_tags_and_rates_are_bounded() {
    let world = world().await;
    let aws = |more: Value| {
        let mut aws = json!({ "clusterName": "prod" });
        aws.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        with("/cloud", json!({ "provider": "aws", "aws": aws }))
    };
    let tags = json!({ "signpost": "yes", "kubernetes.io/role/pods": "" });
    world
        .accepted(&aws(json!({ "routeTableTags": tags })))
        .await;
    let both = aws(json!({ "routeTableTags": tags, "routeTableIDs": ["rtb-1"] }));
    world
        .refused(both, "spec.cloud.aws.routeTableTags", "by id or by tags")
        .await;
    let rate =
        |burst: u32| aws(json!({ "rates": { "createRoute": { "burst": burst, "perSecond": 2 } } }));
    world.accepted(&rate(10)).await;
    world
        .refused(
            rate(0),
            "spec.cloud.aws.rates.createRoute.burst",
            "greater than or equal to 1",
        )
        .await;
}

#[tokio::test]
async fn a_null_section_counts_as_absent() {
    let world = world().await;
    let object = with(
        "/cloud",
        json!({ "provider": "none", "aws": null, "checkPeriod": null }),
    );
    let stored = world.accepted(&object).await;
    assert_eq!(
        stored["spec"]["cloud"],
        json!({ "provider": "none", "checkPeriod": "30s" })
    );
}

#[tokio::test]
async fn the_check_period_is_from_1s_to_1h() {
    let world = world().await;
    let period = |text: &str| with("/cloud/checkPeriod", json!(text));
    for text in ["1s", "1500ms", "1m30s", "1h"] {
        world.accepted(&period(text)).await;
    }
    for text in ["999ms", "61m", "0s"] {
        world
            .refused(
                period(text),
                "spec.cloud.checkPeriod",
                "must be from 1s to 1h",
            )
            .await;
    }
    for text in ["30", "", "-30s", "half a minute"] {
        world
            .refused(period(text), "spec.cloud.checkPeriod", "should match")
            .await;
    }
}

#[tokio::test]
async fn the_route_protocol_is_nobody_elses() {
    let world = world().await;
    let protocol = |number: u32| with("/cloud/linux/routeProtocol", json!(number));
    let field = "spec.cloud.linux.routeProtocol";
    for number in [5, 143, 255] {
        world.accepted(&protocol(number)).await;
    }
    for number in [0, 2, 4] {
        world
            .refused(
                protocol(number),
                field,
                "should be greater than or equal to 5",
            )
            .await;
    }
    world
        .refused(protocol(256), field, "should be less than or equal to 255")
        .await;
    for bird_and_others in [8, 12, 18, 42, 99, 186, 192] {
        let remedy = "choose an unused one, such as 143";
        world
            .refused(protocol(bird_and_others), field, remedy)
            .await;
    }
}

#[tokio::test]
async fn the_table_is_not_the_kernels() {
    let world = world().await;
    let table = |number: u64| with("/cloud/linux/table", json!(number));
    let field = "spec.cloud.linux.table";
    for number in [1, 254, 4_294_967_295] {
        world.accepted(&table(number)).await;
    }
    world
        .refused(table(255), field, "use 254 (main) or a table of your own")
        .await;
    world
        .refused(table(0), field, "should be greater than or equal to 1")
        .await;
    world
        .refused(
            table(4_294_967_296),
            field,
            "should be less than or equal to 4294967295",
        )
        .await;
}
