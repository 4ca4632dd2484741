use serde_json::{Value, json};
use signpost_ec2::{Call, Snapshot};

use crate::http::send;
use crate::scene::Scene;

impl Scene {
    async fn control(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/_control/{path}", self.ec2.url());
        let (status, _, text) = send(method, &url, &[], &body.to_string()).await;
        (status.as_u16(), serde_json::from_str(&text).unwrap())
    }
}

#[tokio::test]
async fn the_state_can_be_waited_for() {
    let scene = Scene::new().await;
    let (_, state) = scene.control("GET", "state", &Value::Null).await;
    let state: Snapshot = serde_json::from_value(state).unwrap();
    assert_eq!(state, scene.ec2.snapshot());
    let path = format!("state?since={}", state.version);
    let waiting = scene.control("GET", &path, &Value::Null);
    let (changed, _) = tokio::join!(waiting, scene.launch(1));
    let changed: Snapshot = serde_json::from_value(changed.1).unwrap();
    assert!(changed.version > state.version);
    // Whoever has waited long enough gets what there is.
    let path = format!("state?since={}&wait=0.01", u64::MAX);
    let (status, same) = scene.control("GET", &path, &Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(same["version"], scene.ec2.snapshot().version);
}

#[tokio::test]
async fn faults_settings_and_calls_are_json() {
    let scene = Scene::new().await;
    let rule = json!({"actions": ["DescribeVpcs"], "kind": "throttle", "count": 1});
    let (_, added) = scene.control("POST", "faults", &rule).await;
    let (_, faults) = scene.control("GET", "faults", &Value::Null).await;
    assert_eq!(faults[0]["number"], added["number"]);
    assert_eq!(faults[0]["fault"]["kind"], "throttle");
    assert_eq!(
        scene.code("DescribeVpcs", &[]).await,
        "RequestLimitExceeded"
    );
    scene.ok("DescribeVpcs", &[]).await;

    let change = json!({"recordBodies": true, "quotas": {"routesPerTable": 7}});
    let (status, settings) = scene.control("PATCH", "settings", &change).await;
    assert_eq!(
        (status, &settings["quotas"]["routesPerTable"]),
        (200, &json!(7))
    );
    assert_eq!(scene.ec2.settings().quotas.routes_per_table, 7);

    scene.ok("DescribeVpcs", &[("MaxResults", "5")]).await;
    let (_, calls) = scene
        .control("GET", "calls?action=DescribeVpcs", &Value::Null)
        .await;
    let calls: Vec<Call> = serde_json::from_value(calls).unwrap();
    let last = calls.last().unwrap();
    assert_eq!(calls.len(), 3);
    assert!(last.request_body.as_ref().unwrap().contains("MaxResults=5"));
    assert!(last.response_body.as_ref().unwrap().contains("<vpcSet>"));
    assert!(last.decided >= Some(last.received));
    let path = format!("calls?after={}", last.id);
    assert_eq!(scene.control("GET", &path, &Value::Null).await.1, json!([]));
    scene.control("DELETE", "calls", &Value::Null).await;
    assert!(scene.ec2.calls().is_empty());
}

#[tokio::test]
async fn nonsense_is_refused_by_name() {
    let scene = Scene::new().await;
    for (method, path, body, named) in [
        ("POST", "faults", json!({"kind": "throttel"}), "throttel"),
        (
            "POST",
            "faults",
            json!({"kind": "throttle", "acton": []}),
            "acton",
        ),
        (
            "POST",
            "faults",
            json!({"kind": "throttle", "probability": 2}),
            "probability",
        ),
        ("PATCH", "settings", json!({"speed": -1}), "speed"),
        ("PATCH", "settings", json!({"quotes": {}}), "quotes"),
        ("GET", "calls?after=x", Value::Null, "after"),
    ] {
        let (status, answer) = scene.control(method, path, &body).await;
        assert_eq!(status, 400, "{path} {body}");
        assert!(
            answer["error"].as_str().unwrap().contains(named),
            "{answer}"
        );
    }
    assert_eq!(
        scene.control("DELETE", "faults/99", &Value::Null).await.0,
        404
    );
    assert_eq!(scene.control("GET", "nothing", &Value::Null).await.0, 404);
    let (_, index) = scene.control("GET", "", &Value::Null).await;
    assert!(index.as_object().unwrap().len() >= 8);
}

#[tokio::test]
async fn service_quotas_tell_the_quota_of_routes() {
    let scene = Scene::new().await;
    scene
        .ec2
        .configure(|all| all.quotas.routes_per_table = 321)
        .unwrap();
    let ask = async |code: &str, service: &str| {
        let date = jiff::Timestamp::now()
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string();
        let scope = format!("AKIAX/{}/eu-central-1/{service}/aws4_request", &date[..8]);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=0"
        );
        let headers = [
            ("x-amz-target", "ServiceQuotasV20190624.GetServiceQuota"),
            ("x-amz-date", date.as_str()),
            ("authorization", authorization.as_str()),
        ];
        let body = json!({"ServiceCode": "vpc", "QuotaCode": code}).to_string();
        let (status, _, body) =
            send("POST", &format!("{}/", scene.ec2.url()), &headers, &body).await;
        (
            status.as_u16(),
            serde_json::from_str::<Value>(&body).unwrap(),
        )
    };
    let (status, quota) = ask("L-93826ACB", "servicequotas").await;
    assert_eq!((status, &quota["Quota"]["Value"]), (200, &json!(321.0)));
    let (status, error) = ask("L-00000000", "servicequotas").await;
    assert_eq!(
        (status, &error["__type"]),
        (400, &json!("NoSuchResourceException"))
    );
    let (status, _) = ask("L-93826ACB", "s3").await;
    assert_eq!(status, 403);
}
