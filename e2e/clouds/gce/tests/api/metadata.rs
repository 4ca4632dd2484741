use std::net::Ipv4Addr;

use serde_json::Value;
use signpost_gce::{Client, Emulator, Identity, Options};

use crate::http::send;
use crate::scene::{REGION, ZONE};

const GOOGLE: (&str, &str) = ("metadata-flavor", "Google");

struct Place {
    gce: Emulator,
}

impl Place {
    async fn new() -> Self {
        let metadata = Some((Ipv4Addr::LOCALHOST, 0).into());
        let options = Options {
            metadata,
            ..Options::default()
        };
        let gce = Emulator::start(options).await.unwrap();
        let client = Client::new(&gce.url());
        let network = client.network("example", "net").await.unwrap();
        let subnetwork = client.subnetwork(&network, REGION, "sub", "10.0.0.0/24");
        let subnetwork = subnetwork.await.unwrap();
        let node = client.instance("example", ZONE, "control-plane", &subnetwork);
        node.await.unwrap();
        Self { gce }
    }

    async fn get(&self, path: &str) -> String {
        let url = format!(
            "{}/computeMetadata/v1/{path}",
            self.gce.metadata_url().unwrap()
        );
        let (status, headers, text) = send("GET", &url, &[GOOGLE], "").await;
        assert_eq!(status, 200, "{path}: {text}");
        assert_eq!(headers["metadata-flavor"], "Google");
        text
    }
}

#[tokio::test]
async fn an_instance_knows_where_it_is() {
    let place = Place::new().await;
    let number = place.get("project/numeric-project-id").await;
    for (path, value) in [
        ("project/project-id", "example".to_owned()),
        ("instance/name", "control-plane".to_owned()),
        ("instance/zone", format!("projects/{number}/zones/{ZONE}")),
        (
            "instance/hostname",
            format!("control-plane.{ZONE}.c.example.internal"),
        ),
        ("instance/id", place.gce.snapshot().instances[0].id.clone()),
        (
            "instance/network-interfaces/0/network",
            format!("projects/{number}/networks/net"),
        ),
        ("instance/network-interfaces/0/ip", "10.0.0.2".to_owned()),
        ("universe/universe-domain", "googleapis.com".to_owned()),
        (
            "instance/service-accounts/default/email",
            "signpost@example.iam.gserviceaccount.com".to_owned(),
        ),
    ] {
        assert_eq!(place.get(path).await, value, "{path}");
    }
    let scopes = place.get("instance/service-accounts/default/scopes").await;
    assert!(scopes.ends_with("cloud-platform\n"));
    let all = place
        .get("instance/service-accounts/default/?recursive=true")
        .await;
    let all: Value = serde_json::from_str(&all).unwrap();
    assert_eq!(all["aliases"][0], "default");
    let project = place.get("project/?recursive=true").await;
    assert!(project.contains("\"numericProjectId\""), "{project}");
}

#[tokio::test]
async fn only_who_asks_rightly_is_answered() {
    let place = Place::new().await;
    let root = place.gce.metadata_url().unwrap();
    let url = format!("{root}/computeMetadata/v1/project/project-id");
    assert_eq!(send("GET", &url, &[], "").await.0, 403);
    let forwarded = [GOOGLE, ("x-forwarded-for", "192.0.2.1")];
    assert_eq!(send("GET", &url, &forwarded, "").await.0, 403);
    assert_eq!(send("GET", &format!("{url}x"), &[GOOGLE], "").await.0, 404);
    assert_eq!(send("GET", &format!("{root}/"), &[], "").await.0, 200);
}

#[tokio::test]
async fn a_token_is_good_for_a_while() {
    let place = Place::new().await;
    let path = "instance/service-accounts/default/token";
    let token = async || {
        let answer: Value = serde_json::from_str(&place.get(path).await).unwrap();
        assert_eq!(answer["token_type"], "Bearer");
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let first = token().await;
    assert_eq!(token().await, first);
    let client = Client::new(&place.gce.url()).with_token(&first);
    let email = Identity::default().email;
    let body = serde_json::json!({"name": "other", "autoCreateSubnetworks": false});
    let operation = client.post("projects/example/global/networks", &body).await;
    assert_eq!(operation.unwrap()["user"], email);
    place
        .gce
        .set_permissions(&email, "example", &["compute.networks.list"]);
    client
        .get("projects/example/global/networks")
        .await
        .unwrap();
    let error = client
        .get("projects/example/global/routes")
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "forbidden");

    place.gce.set_identity(Identity {
        token_seconds: 0,
        ..Identity::default()
    });
    let expired = token().await;
    assert_ne!(expired, first);
    let client = Client::new(&place.gce.url()).with_token(&expired);
    let error = client
        .get("projects/example/global/networks")
        .await
        .unwrap_err();
    assert_eq!(error.status(), 401);
}
