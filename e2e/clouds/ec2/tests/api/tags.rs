use crate::scene::Scene;

#[tokio::test]
async fn tags_come_and_go() {
    let scene = Scene::new().await;
    let create = [
        ("ResourceId.1", scene.vpc.as_str()),
        ("ResourceId.2", scene.table.as_str()),
        ("Tag.1.Key", "a"),
        ("Tag.1.Value", "1"),
        ("Tag.2.Key", "b"),
    ];
    scene.ok("CreateTags", &create).await;
    assert_eq!(scene.ok("DescribeTags", &[]).await.items("tagSet").len(), 4);
    let of_table = [
        ("Filter.1.Name", "resource-type"),
        ("Filter.1.Value.1", "route-table"),
    ];
    assert_eq!(
        scene.ok("DescribeTags", &of_table).await.texts("key"),
        ["a", "b"]
    );
    // A value that differs keeps the tag.
    let delete = |value| {
        [
            ("ResourceId.1", scene.table.as_str()),
            ("Tag.1.Key", "a"),
            ("Tag.1.Value", value),
        ]
    };
    scene.ok("DeleteTags", &delete("2")).await;
    assert_eq!(
        scene.ok("DescribeTags", &of_table).await.texts("key"),
        ["a", "b"]
    );
    scene.ok("DeleteTags", &delete("1")).await;
    assert_eq!(
        scene.ok("DescribeTags", &of_table).await.texts("key"),
        ["b"]
    );
    scene.ok("DeleteTags", &delete("1")[..1]).await;
    assert!(
        scene
            .ok("DescribeTags", &of_table)
            .await
            .items("tagSet")
            .is_empty()
    );
}

#[tokio::test]
async fn impossible_tags_are_refused() {
    let scene = Scene::new().await;
    let tag = |key| [("ResourceId.1", scene.vpc.as_str()), ("Tag.1.Key", key)];
    assert_eq!(
        scene.code("CreateTags", &tag("aws:x")).await,
        "InvalidParameterValue"
    );
    let long = "k".repeat(128);
    assert_eq!(
        scene.code("CreateTags", &tag(&long)).await,
        "InvalidParameterValue"
    );
    let names: Vec<String> = (1..=51).map(|n| format!("Tag.{n}.Key")).collect();
    let mut many = vec![("ResourceId.1", scene.vpc.as_str())];
    many.extend(names.iter().map(|name| (name.as_str(), name.as_str())));
    assert_eq!(scene.code("CreateTags", &many).await, "TagLimitExceeded");
    let unknown = [("ResourceId.1", "vpc-01234567"), ("Tag.1.Key", "a")];
    assert_eq!(
        scene.code("CreateTags", &unknown).await,
        "InvalidVpcID.NotFound"
    );
    let other_type = [
        ("VpcId", scene.vpc.as_str()),
        ("TagSpecification.1.ResourceType", "vpc"),
        ("TagSpecification.1.Tag.1.Key", "a"),
    ];
    assert_eq!(
        scene.code("CreateRouteTable", &other_type).await,
        "InvalidParameterValue"
    );
}
