use serde_json::{Value, json};
use signpost_ec2::Policy;

use crate::scene::Scene;

/// What a route controller needs: reading everything, writing what is tagged.
fn least_privilege() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["ec2:DescribeRouteTables", "ec2:DescribeInstances"],
                "Resource": "*",
            },
            {
                "Sid": "Routes",
                "Effect": "Allow",
                "Action": ["ec2:*Route"],
                "Resource": "arn:aws:ec2:*:*:route-table/*",
                "Condition": {"StringEquals": {"aws:ResourceTag/cluster": ["one", "two"]}},
            },
            {
                "Effect": "Deny",
                "Action": "ec2:DeleteRoute",
                "Resource": "*",
                "Condition": {"StringEquals": {"ec2:ResourceTag/cluster": "two"}},
            },
        ],
    })
}

/// Spoils a statement.
type Change = fn(&mut Value);

async fn tag(scene: &Scene, value: &str) {
    let tag = [
        ("ResourceId.1", scene.table.as_str()),
        ("Tag.1.Key", "cluster"),
        ("Tag.1.Value", value),
    ];
    scene.ok("CreateTags", &tag).await;
}

#[tokio::test]
async fn a_caller_with_a_policy_may_do_only_what_it_allows() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let policy: Policy = serde_json::from_value(least_privilege()).unwrap();
    scene.ec2.set_policy("AKIACONTROLLER", policy).unwrap();
    let controller = scene.client.clone().with_access_key("AKIACONTROLLER");
    let route = scene.route("10.1.0.0/24", ("InstanceId", &instances[0]));
    let try_to =
        async |action: &str, params: &[(&str, &str)]| match controller.call(action, params).await {
            Ok(_) => "done".to_owned(),
            Err(error) => error.code().to_owned(),
        };
    assert_eq!(try_to("DescribeRouteTables", &[]).await, "done");
    assert_eq!(try_to("DescribeVpcs", &[]).await, "UnauthorizedOperation");
    assert_eq!(try_to("CreateRoute", &route).await, "UnauthorizedOperation");
    tag(&scene, "three").await;
    assert_eq!(try_to("CreateRoute", &route).await, "UnauthorizedOperation");
    tag(&scene, "one").await;
    assert_eq!(try_to("CreateRoute", &route).await, "done");
    tag(&scene, "two").await;
    assert_eq!(
        try_to("DeleteRoute", &route[..2]).await,
        "UnauthorizedOperation"
    );
    tag(&scene, "one").await;
    assert_eq!(try_to("DeleteRoute", &route[..2]).await, "done");
    let unknown = [("RouteTableId", "rtb-01234567"), route[1]];
    assert_eq!(
        try_to("DeleteRoute", &unknown).await,
        "UnauthorizedOperation"
    );
    let instance = [
        ("InstanceId", instances[0].as_str()),
        ("SourceDestCheck.Value", "false"),
    ];
    assert_eq!(
        try_to("ModifyInstanceAttribute", &instance).await,
        "UnauthorizedOperation"
    );
    scene.ok("ModifyInstanceAttribute", &instance).await;
}

#[tokio::test]
async fn what_cannot_be_judged_is_refused() {
    let scene = Scene::new().await;
    let url = format!("{}/_control/policies", scene.ec2.url());
    let put = async |change: Change| {
        let mut policy = least_privilege();
        change(&mut policy["Statement"][1]);
        let body = json!({"AKIACONTROLLER": policy}).to_string();
        let (status, _, answer) = crate::http::send("PUT", &url, &[], &body).await;
        (status.as_u16(), answer)
    };
    assert_eq!(put(|_| ()).await.0, 200);
    let unknown: [(Change, &str); 3] = [
        (
            |of| of["Condition"] = json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
            "IpAddress",
        ),
        (
            |of| of["Condition"] = json!({"StringEquals": {"aws:username": "x"}}),
            "aws:username",
        ),
        (|of| of["NotAction"] = json!("ec2:*"), "NotAction"),
    ];
    for (change, named) in unknown {
        let (status, answer) = put(change).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer.contains(named), "{answer}");
    }
}
