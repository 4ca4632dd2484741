use serde_json::{Value, json};
use signpost_gce::{Call, Snapshot};

use crate::http::send;
use crate::scene::Scene;

impl Scene {
    async fn control(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/_control/{path}", self.gce.url());
        let (status, _, text) = send(method, &url, &[], &body.to_string()).await;
        (status.as_u16(), serde_json::from_str(&text).unwrap())
    }
}

#[tokio::test]
async fn the_state_can_be_waited_for() {
    let scene = Scene::new().await;
    let (_, state) = scene.control("GET", "state", &Value::Null).await;
    let state: Snapshot = serde_json::from_value(state).unwrap();
    assert_eq!(state, scene.gce.snapshot());
    let path = format!("state?since={}", state.version);
    let waiting = scene.control("GET", &path, &Value::Null);
    let (changed, _) = tokio::join!(waiting, scene.instance("node"));
    let changed: Snapshot = serde_json::from_value(changed.1).unwrap();
    assert!(changed.version > state.version);
}

#[tokio::test]
async fn faults_settings_and_calls_are_json() {
    let scene = Scene::new().await;
    let rule = json!({"actions": ["routes.list"], "kind": "throttle", "count": 1});
    let (status, _) = scene.control("POST", "faults", &rule).await;
    assert_eq!(status, 200);
    let error = scene.client.get("projects/example/global/routes").await;
    assert_eq!(error.unwrap_err().reason(), "rateLimitExceeded");
    let change = json!({"recordBodies": true, "quotas": {"routes": 7}});
    let (_, settings) = scene.control("PATCH", "settings", &change).await;
    assert_eq!(settings["quotas"]["routes"], 7);
    scene
        .get("projects/example/global/routes?maxResults=3")
        .await;
    let (_, calls) = scene
        .control("GET", "calls?action=routes.list", &Value::Null)
        .await;
    let calls: Vec<Call> = serde_json::from_value(calls).unwrap();
    let [refused, answered] = calls.as_slice() else {
        panic!("{calls:?}")
    };
    assert_eq!(
        (refused.status, refused.fault.as_deref()),
        (Some(403), Some("throttle"))
    );
    assert_eq!(answered.parameters["maxResults"], "3");
    assert!(
        answered
            .response_body
            .as_ref()
            .unwrap()
            .contains("routeList")
    );
    let (status, error) = scene.control("PATCH", "settings", &json!({"x": 1})).await;
    assert_eq!(status, 400, "{error}");
    let (_, index) = scene.control("GET", "", &Value::Null).await;
    assert!(index.as_object().unwrap().len() >= 8);
    let (_, actions) = scene.control("GET", "actions", &Value::Null).await;
    assert!(
        actions
            .as_array()
            .unwrap()
            .contains(&json!("routes.insert"))
    );
}
