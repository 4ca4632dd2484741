use serde_json::{Value, json};
use signpost_gce::{Client, Settings};

use crate::http::send;
use crate::scene::Scene;

/// What the discovery document and the methods' references ask for a route.
const ALL: [&str; 3] = [
    "compute.routes.create",
    "compute.networks.updatePolicy",
    "compute.instances.use",
];

#[tokio::test]
async fn a_route_needs_three_permissions() {
    let scene = Scene::new().await;
    let node = scene.instance("node").await;
    let route = scene.route("r", "10.1.0.0/24", ("nextHopInstance", &node));
    let client = Client::new(&scene.gce.url()).with_token("token");
    let routes = "projects/example/global/routes";
    for missing in ALL {
        let rest: Vec<&str> = ALL.into_iter().filter(|of| *of != missing).collect();
        scene.gce.set_permissions("token", "example", &rest);
        let error = client.post(routes, &route).await.unwrap_err();
        assert_eq!((error.status(), error.reason()), (403, "forbidden"));
        let wanted = format!("Required '{missing}' permission for 'projects/example/");
        assert!(error.to_string().contains(&wanted), "{error}");
    }
    scene.gce.set_permissions("token", "example", &ALL);
    client.post(routes, &route).await.unwrap();
    assert_eq!(client.get(routes).await.unwrap_err().status(), 403);
    // Whoever has none is not bound by any.
    scene.client.get(routes).await.unwrap();
    let last = scene.gce.calls();
    assert_eq!(last[last.len() - 2].caller, "token");
}

#[tokio::test]
async fn calls_without_a_token_can_be_refused() {
    let scene = Scene::with(Settings {
        tokens: true,
        ..Settings::default()
    })
    .await;
    let path = "projects/example/global/routes";
    let error = scene.client.get(path).await.unwrap_err();
    assert_eq!((error.status(), error.reason()), (401, "authError"));
    scene
        .client
        .clone()
        .with_token("x")
        .get(path)
        .await
        .unwrap();
}

#[tokio::test]
async fn rates_are_counted_by_minute_and_group() {
    let scene = Scene::with(Settings {
        rates: true,
        speed: 0.0,
        rate_overrides: [("List requests".to_owned(), 3)].into(),
        ..Settings::default()
    })
    .await;
    let list = "projects/example/global/routes";
    scene.gce.fill_rates();
    for _ in 0..3 {
        scene.get(list).await;
    }
    let error = scene.client.get(list).await.unwrap_err();
    assert_eq!((error.status(), error.reason()), (403, "rateLimitExceeded"));
    // Other groups, projects and regions have their own.
    scene.get("projects/example").await;
    scene.get("projects/service/global/routes").await;
    scene
        .get("projects/example/zones/us-east1-b/instances")
        .await;
    scene.gce.configure(|all| all.speed = 1e4).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    scene.gce.configure(|all| all.speed = 0.0).unwrap();
    scene.get(list).await;
}

#[tokio::test]
async fn quotas_count_static_routes_of_both_families() {
    let scene = Scene::new().await;
    let node = scene.instance("node").await;
    let hop = ("nextHopInstance", node.as_str());
    // The route to the internet is one too.
    let quota = |all: &mut Settings| all.quotas.static_routes_per_network = 3;
    scene.gce.configure(quota).unwrap();
    for (name, to) in [("four", "10.1.0.0/24"), ("six", "2001:db8::/64")] {
        let operation = scene.begin(&scene.route(name, to, hop)).await;
        scene.client.finish(&operation).await.unwrap();
    }
    let third = scene.route("third", "10.2.0.0/24", hop);
    let operation = scene.begin(&third).await;
    let error = scene.client.finish(&operation).await.unwrap_err();
    assert_eq!((error.status(), error.reason()), (403, "QUOTA_EXCEEDED"));
    assert!(
        error.to_string().contains("STATIC_ROUTES_PER_NETWORK"),
        "{error}"
    );
    assert_eq!(scene.names("").await, ["four", "six"]);
    scene.gce.configure(|all| all.late_quotas = false).unwrap();
    let wanted = (403, "quotaExceeded".to_owned());
    assert_eq!(scene.refusal(&third).await, wanted);
    // What is being made counts.
    scene
        .client
        .end("projects/example/global/routes/four")
        .await
        .unwrap();
    scene
        .gce
        .configure(|all| all.operations = [60.0, 60.0])
        .unwrap();
    scene.begin(&third).await;
    let fourth = scene.route("fourth", "10.3.0.0/24", hop);
    assert_eq!(scene.refusal(&fourth).await, wanted);

    let project = scene.get("projects/example").await;
    let quotas = project["quotas"].as_array().unwrap();
    let routes = quotas.iter().find(|of| of["metric"] == "ROUTES").unwrap();
    assert_eq!(routes["usage"], 2.0);
    scene.gce.configure(|all| all.quotas.routes = 3).unwrap();
    assert_eq!(scene.refusal(&fourth).await, wanted);
}

#[tokio::test]
async fn several_calls_come_in_one_request() {
    let scene = Scene::new().await;
    let node = scene.instance("node").await;
    let route = scene
        .client
        .route(&scene.network, "r", "10.1.0.0/24", &node);
    route.await.unwrap();
    let part = |id: usize, request: &str| {
        format!(
            "--BOUND\r\nContent-Type: application/http\r\nMIME-Version: 1.0\r\nContent-ID: <5af0+{id}>\r\n\r\n{request} HTTP/1.1\r\nHost: x\r\nauthorization: Bearer inner\r\n\r\n\r\n"
        )
    };
    let base = "/compute/v1/projects/example/global/routes";
    let body = part(1, &format!("DELETE {base}/r?alt=json"))
        + &part(2, &format!("GET {base}/missing?alt=json"))
        + "--BOUND--";
    let kind = ("content-type", "multipart/mixed; boundary=\"BOUND\"");
    let url = format!("{}/batch/compute/v1", scene.gce.url());
    let (status, _, text) = send("POST", &url, &[kind], &body).await;
    assert_eq!(status, 200);
    for wanted in [
        "Content-ID: <response-5af0+1>",
        "Content-ID: <response-5af0+2>",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 404 Not Found",
        "\"operationType\":\"delete\"",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let calls = scene.gce.calls();
    assert_eq!(calls.last().unwrap().caller, "inner");
    let (status, _, _) = send("POST", &url, &[], "nonsense").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn refusals_have_an_older_and_a_newer_form() {
    let scene = Scene::new().await;
    let url = format!(
        "{}/compute/v1/projects/example/global/routes/x",
        scene.gce.url()
    );
    let (_, _, text) = send("GET", &url, &[], "").await;
    let error: Value = serde_json::from_str(&text).unwrap();
    let message = "The resource 'projects/example/global/routes/x' was not found";
    let wanted = json!({"error": {
        "code": 404,
        "message": message,
        "errors": [{"message": message, "domain": "global", "reason": "notFound"}],
    }});
    assert_eq!(error, wanted);
    scene.gce.configure(|all| all.error_info = true).unwrap();
    let (_, _, text) = send("GET", &url, &[], "").await;
    let error: Value = serde_json::from_str(&text).unwrap();
    let details = &error["error"]["details"][0];
    assert_eq!(details["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
    assert_eq!(details["reason"], "RESOURCE_NOT_FOUND");
    let (status, _, text) = send("POST", &url.replace("/x", ""), &[], "{").await;
    assert_eq!(status, 400, "{text}");
}
